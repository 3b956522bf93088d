//! Every format, whole and cut, and what is said of files that cannot be used.

use std::borrow::Cow;
use std::io::Cursor;
use std::path::PathBuf;

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, Rgba};

use super::*;
use crate::dataset::Pixels;

const MAX: u64 = 1_000_000;

/// A file of this name in a folder of its own.
fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn decode_as(name: &str, bytes: &[u8], max_pixels: u64) -> Result<Image<'static>, Reason> {
    let (_folder, path) = file(name, bytes);
    let image = read(&path, Part::First, max_pixels);
    if let Ok(image) = &image {
        let found = header(&path, Part::First, max_pixels).unwrap();
        assert_eq!(
            (found.width, found.height, found.channels),
            (image.width, image.height, image.channels),
            "{name}"
        );
    }
    image
}

fn decode(bytes: &[u8], max_pixels: u64) -> Result<Image<'static>, Reason> {
    decode_as("picture", bytes, max_pixels)
}

fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn noise(width: u32, height: u32) -> image::RgbImage {
    ImageBuffer::from_fn(width, height, |x, y| {
        let v = x * 7919 + y * 104_729;
        Rgb([(v % 251) as u8, (v / 3 % 241) as u8, (v / 7 % 239) as u8])
    })
}

/// The same picture in every format, by name.
fn in_every_format() -> Vec<(&'static str, Vec<u8>)> {
    use ImageFormat::{Bmp, Gif, Ico, Jpeg, Png, Pnm, Qoi, Tga, Tiff, WebP};
    let written = [
        ("a.png", Png),
        ("a.jpg", Jpeg),
        ("a.tif", Tiff),
        ("a.bmp", Bmp),
        ("a.webp", WebP),
        ("a.pnm", Pnm),
        ("a.tga", Tga),
        ("a.ico", Ico),
        ("a.qoi", Qoi),
        ("a.gif", Gif),
    ];
    let encoded = |format| match format {
        // Only with alpha.
        Ico | Gif => encode(DynamicImage::from(noise(61, 33)).into_rgba8(), format),
        _ => encode(noise(61, 33), format),
    };
    let mut files: Vec<_> = written.map(|(name, format)| (name, encoded(format))).into();
    let bmp = encode(noise(61, 33), Bmp);
    files.push(("a.dib", bmp[14..].to_vec()));
    let wide = DynamicImage::from(noise(61, 33)).into_rgba16();
    files.push(("a.ff", encode(wide, ImageFormat::Farbfeld)));
    files
}

#[test]
fn every_format_is_read_and_every_cut_is_seen() {
    for (name, bytes) in in_every_format() {
        let image =
            decode_as(name, &bytes, MAX).unwrap_or_else(|reason| panic!("{name}: {reason}"));
        assert_eq!(
            (image.width, image.height, image.channels),
            (61, 33, 3),
            "{name}"
        );
        if !matches!(name, "a.jpg" | "a.gif") {
            let expected = noise(61, 33).into_raw();
            let found: Vec<u8> = match image.pixels {
                Pixels::U8(values) => values.to_vec(),
                Pixels::U16(values) => values.iter().map(|v| (v / 257) as u8).collect(),
            };
            assert_eq!(found, expected, "{name}");
        }
        for share in [10, 4, 2] {
            let cut = decode_as(name, &bytes[..bytes.len() - bytes.len() / share], MAX);
            assert!(cut.is_err(), "{name} without its last 1/{share}");
        }
        for end in 0..40 {
            assert!(
                decode_as(name, &bytes[..end], MAX).is_err(),
                "{name} cut to {end} bytes"
            );
        }
    }
}

#[test]
fn every_kind_of_portable_map_is_read() {
    for (bytes, channels, expected) in [
        (&b"P1\n# a comment\n3 1\n0 1 0\n"[..], 1, &[255, 0, 255][..]),
        (b"P2 2 1 255 7 200 ", 1, &[7, 200]),
        (b"P3\n1 1\n15\n15 0 5\n", 3, &[255, 0, 85]),
        (b"P4\n8 1\n\xa5", 1, &[0, 255, 0, 255, 255, 0, 255, 0]),
        (b"P5 2 1 255 \x01\x02", 1, &[1, 2]),
        (b"P6 1 1 255 \x01\x02\x03", 3, &[1, 2, 3]),
        (
            b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n\0\x64\xff\x80",
            3,
            &[127, 177, 255],
        ),
    ] {
        let image = decode(bytes, MAX).unwrap_or_else(|reason| panic!("{bytes:?}: {reason}"));
        assert_eq!(image.channels, channels, "{bytes:?}");
        assert_eq!(image.pixels, Pixels::U8(expected.into()), "{bytes:?}");
        assert!(looks_like_picture(&file("map", bytes).1), "{bytes:?}");
    }
    let image = decode(b"P5 1 1 65535 \x01\x02", MAX).unwrap();
    assert_eq!(image.pixels, Pixels::U16(Cow::Owned(vec![258])));
}

#[test]
fn depth_and_channels_are_kept_and_alpha_is_blended() {
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        let read = |image: DynamicImage| decode(&encode(image, format), MAX).unwrap();
        let grey = read(ImageBuffer::from_pixel(2, 1, Luma([40_000u16])).into());
        assert_eq!(grey.pixels, Pixels::U16(Cow::Owned(vec![40_000; 2])));
        assert_eq!(grey.channels, 1);
        let rgb = read(ImageBuffer::from_pixel(1, 1, Rgb([1u16, 40_000, 65_535])).into());
        assert_eq!(rgb.pixels, Pixels::U16(Cow::Owned(vec![1, 40_000, 65_535])));
    }
    let png = |image: DynamicImage| decode(&encode(image, ImageFormat::Png), MAX).unwrap();
    let veil = png(ImageBuffer::from_pixel(1, 1, Rgba([0u8, 100, 255, 128])).into());
    assert_eq!(veil.pixels, Pixels::U8(Cow::Owned(vec![127, 177, 255])));
    let clear = png(ImageBuffer::from_pixel(1, 1, LumaA([0u16, 0])).into());
    assert_eq!(clear.pixels, Pixels::U16(Cow::Owned(vec![65_535])));
    let float = DynamicImage::ImageRgb32F(ImageBuffer::from_pixel(1, 1, Rgb([0.5f32; 3])));
    let text = decode(&encode(float, ImageFormat::Tiff), MAX).unwrap_err();
    assert!(text.contains("floating-point"), "{text}");
}

#[test]
fn orientation_is_applied() {
    // EXIF with the one entry orientation (0x0112) = 6: turn by 90 degrees clockwise.
    let jpeg = encode(noise(20, 10), ImageFormat::Jpeg);
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0".to_vec();
    exif.extend(b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0");
    let length = (exif.len() + 2) as u16;
    let mut turned = jpeg[..2].to_vec();
    turned.extend([0xff, 0xe1]);
    turned.extend(length.to_be_bytes());
    turned.append(&mut exif);
    turned.extend(&jpeg[2..]);
    let (plain, turned) = (decode(&jpeg, MAX).unwrap(), decode(&turned, MAX).unwrap());
    assert_eq!((turned.width, turned.height), (10, 20));
    let (Pixels::U8(a), Pixels::U8(b)) = (&plain.pixels, &turned.pixels) else {
        panic!("8 bits expected")
    };
    // The first pixel goes to the upper right corner.
    assert_eq!(a[..3], b[9 * 3..10 * 3]);
}

#[test]
fn gifs_of_one_frame_are_read_and_animated_ones_refused() {
    let frame = |value| image::Frame::new(ImageBuffer::from_pixel(3, 2, Rgba([value, 0, 0, 255])));
    let gif = |frames: Vec<image::Frame>| {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::gif::GifEncoder::new_with_speed(&mut bytes, 30);
        encoder.encode_frames(frames).unwrap();
        drop(encoder);
        bytes
    };
    let still = gif(vec![frame(9)]);
    let image = decode(&still, MAX).unwrap();
    assert_eq!(image.pixels, Pixels::U8(Cow::Owned([9, 0, 0].repeat(6))));
    // Programs that write no trailer leave nothing of the picture out.
    assert!(decode(&still[..still.len() - 1], MAX).is_ok());
    let text = decode(&gif(vec![frame(9), frame(10)]), MAX).unwrap_err();
    assert!(text.starts_with("animated"), "{text}");
    // Longer than what is read of other headers.
    let long =
        (0..40).map(|i| image::Frame::new(DynamicImage::from(noise(60, 60 + i % 2)).into_rgba8()));
    let long = gif(long.collect());
    assert!(long.len() as u64 > 2 * HEAD);
    let (_folder, path) = file("long.gif", &long);
    let text = header(&path, Part::First, MAX).unwrap_err();
    assert!(text.starts_with("animated"), "{text}");
}

#[test]
fn reasons_are_plain() {
    let reason = |name: &str, bytes: &[u8]| decode_as(name, bytes, 100).unwrap_err();
    assert_eq!(reason("a.png", b""), "empty file (0 bytes)");
    assert!(reason("a.png", b"hello, world, this is text").starts_with("not an image"));
    for (name, bytes, why) in [
        (
            "a.png",
            &b"\x76\x2f\x31\x01 and so on"[..],
            "OpenEXR is not supported; its pixels are floating-point",
        ),
        ("a.hdr", b"#?RADIANCE\n", "HDR is not supported"),
        (
            "IMG_1.JPG",
            b"\0\0\0\x18ftypheic\0\0\0\0",
            "HEIC is not supported; save it as PNG",
        ),
        ("a", b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF is not supported"),
        ("a.jxl", b"\xff\x0a and so on", "JPEG XL is not supported"),
        (
            "a",
            b"\0\0\0\x0cjP  \r\n\x87\n",
            "JPEG 2000 is not supported",
        ),
        ("a.PSD", b"8BPS\0\x01", "PSD is not supported"),
        (
            "scan.dcm",
            b"\0\0\0\0",
            "DCM is not supported; convert its slices",
        ),
        ("brain.nii.gz", b"\x1f\x8b\x08\0", "NII is not supported"),
        (
            "a.svg",
            b"<svg xmlns=",
            "SVG is not supported; it holds shapes, not pixels",
        ),
        (
            "a.czi",
            b"ZISRAWFILE",
            "CZI is not supported; export it as TIFF",
        ),
        (
            "a.CR2",
            b"II*\0\x10\0\0\0CR",
            "CR2 is not supported; it is a camera's raw data",
        ),
    ] {
        let text = reason(name, bytes);
        assert!(text.starts_with(why), "{name}: {text}");
    }
    let text = reason("a.png", &encode(noise(11, 10), ImageFormat::Png));
    let why = "11x10 is more than 100 pixels; shrink it, or raise the limit with --max-pixels";
    assert_eq!(text, why);
    assert_eq!(
        reason("a.tif", &encode(noise(11, 10), ImageFormat::Tiff)),
        why
    );
}

#[test]
fn headers_beyond_the_first_block_are_found() {
    let (_folder, path) = file("a.tif", &encode(noise(300, 200), ImageFormat::Tiff));
    let found = header(&path, Part::First, MAX).unwrap();
    assert_eq!((found.width, found.height), (300, 200));
}

#[test]
fn what_looks_like_a_picture_does_so_by_name_or_by_content() {
    let png = encode(noise(2, 2), ImageFormat::Png);
    let bmp = encode(noise(2, 2), ImageFormat::Bmp);
    let ico = encode(
        DynamicImage::from(noise(2, 2)).into_rgba8(),
        ImageFormat::Ico,
    );
    let looks = |name: &str, bytes: &[u8]| looks_like_picture(&file(name, bytes).1);
    for name in [
        "a.PNG",
        "photo.jpg_large",
        "x.jpeg-1",
        "x.png.download",
        "x.JPG.crdownload",
        "x.png~",
        "x.jpg.1",
        "a.HEIC",
        "a.Tiff",
        "a.nii.gz",
    ] {
        assert!(looks(name, b""), "{name}");
        if !name.starts_with("a.") {
            assert!(decode_as(name, &png, MAX).is_ok(), "{name}");
        }
    }
    for bytes in [&png, &bmp, &ico] {
        assert!(looks("without-extension", bytes) && looks("a.unheard-of", bytes));
        assert!(decode(bytes, MAX).is_ok());
        // Not opened.
        assert!(!looks("a.csv", bytes) && !looks("a.txt", bytes) && !looks("a.png.gz", bytes));
    }
    for (name, bytes) in [
        ("README", &b"Pictures of birds"[..]),
        ("readme", b"P1 is the first part"),
        ("notes", b"BMW, Audi and others, a list"),
        ("data.bin", b"\0\0\x01\0\0\0\0\0\0\0\0\0"),
        ("train-images-idx3-ubyte", b"\0\0\x08\x03\0\0\0\x01"),
        ("checksums.md5", &png),
        ("empty", b""),
    ] {
        assert!(!looks(name, bytes), "{name}");
    }
}
