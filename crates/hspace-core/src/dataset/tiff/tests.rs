//! Hand-made TIFFs of every layout, against the values that were put in.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, RgbImage};

use super::*;
use crate::dataset::pages::Pages;

const MAX: u64 = 1_000_000;

/// Everything a page's directory says, and its data.
#[derive(Clone)]
struct Made {
    size: [u16; 2],
    bits: u16,
    samples: u16,
    photometric: u16,
    extra: Vec<u16>,
    planar: bool,
    compression: u16,
    subfile: u32,
    orientation: u16,
    format: u16,
    map: Vec<u16>,
    /// The strip or, in planes, one for each sample.
    strips: Vec<Vec<u8>>,
}

impl Made {
    /// A chunky page `[height, width]` of bytes.
    fn new(size: [u16; 2], samples: u16, data: &[u8]) -> Made {
        Made {
            size,
            bits: 8,
            samples,
            photometric: 1,
            extra: vec![],
            planar: false,
            compression: 1,
            subfile: 0,
            orientation: 1,
            format: 1,
            map: vec![],
            strips: vec![data.to_vec()],
        }
    }
}

/// A TIFF of these pages, classic or big, of either order of bytes.
fn written(pages: &[Made], little: bool, big: bool) -> Vec<u8> {
    let word = if big { 8 } else { 4 };
    let number = |value: u64, size: usize| {
        let mut bytes = value.to_le_bytes()[..size].to_vec();
        if !little {
            bytes.reverse();
        }
        bytes
    };
    let mut out = if little {
        b"II".to_vec()
    } else {
        b"MM".to_vec()
    };
    out.extend(number(if big { 43 } else { 42 }, 2));
    if big {
        out.extend(number(8, 2));
        out.extend(number(0, 2));
    }
    // Where the offset of the next directory is to be written.
    let mut link = out.len();
    out.extend(number(0, word));
    for page in pages {
        let mut offsets = Vec::new();
        for strip in &page.strips {
            offsets.push(out.len() as u64);
            out.extend(strip);
        }
        let lengths: Vec<u64> = page.strips.iter().map(|strip| strip.len() as u64).collect();
        let short = |values: &[u16]| {
            (
                3u16,
                2,
                values.iter().map(|v| u64::from(*v)).collect::<Vec<_>>(),
            )
        };
        let long = |values: Vec<u64>| (4u16, 4, values);
        let mut fields = vec![
            (254, long(vec![page.subfile.into()])),
            (256, short(&[page.size[1]])),
            (257, short(&[page.size[0]])),
            (258, short(&vec![page.bits; page.samples.into()])),
            (259, short(&[page.compression])),
            (262, short(&[page.photometric])),
            (273, long(offsets)),
            (274, short(&[page.orientation])),
            (277, short(&[page.samples])),
            (278, short(&[page.size[0]])),
            (279, long(lengths)),
            (284, short(&[if page.planar { 2 } else { 1 }])),
            (320, short(&page.map)),
            (338, short(&page.extra)),
            (339, short(&vec![page.format; page.samples.into()])),
        ];
        fields.retain(|(_, (_, _, values))| !values.is_empty());
        let mut entries = Vec::new();
        for (tag, (kind, size, values)) in &fields {
            let mut bytes: Vec<u8> = values.iter().flat_map(|v| number(*v, *size)).collect();
            if bytes.len() > word {
                let at = out.len() as u64;
                out.extend(&bytes);
                bytes = number(at, word);
            }
            bytes.resize(word, 0);
            entries.extend(number(*tag, 2));
            entries.extend(number((*kind).into(), 2));
            entries.extend(number(values.len() as u64, word));
            entries.extend(bytes);
        }
        let at = out.len() as u64;
        out[link..link + word].copy_from_slice(&number(at, word));
        out.extend(number(fields.len() as u64, if big { 8 } else { 2 }));
        out.extend(entries);
        link = out.len();
        out.extend(number(0, word));
    }
    out
}

fn decoded(bytes: &[u8], part: Part) -> Result<Image<'static>, Reason> {
    let image = read(Cursor::new(bytes), part, MAX)?;
    let head = header(Cursor::new(bytes), part, MAX)?;
    let shape = (image.width, image.height, image.channels);
    assert_eq!((head.width, head.height, head.channels), shape);
    Ok(image)
}

/// Channels and bytes of a file of one page.
fn bytes_of(page: Made) -> (usize, Vec<u8>) {
    let image = decoded(&written(&[page], true, false), Part::First).unwrap();
    match image.pixels {
        Pixels::U8(values) => (image.channels, values.to_vec()),
        Pixels::U16(_) => panic!("8 bits expected"),
    }
}

#[test]
fn samples_are_channels_in_every_layout() {
    let (height, width) = (3usize, 4usize);
    for channels in [1usize, 2, 3, 4, 5, 16, 31] {
        let value = |i: usize| (i * 7919 % 65_521) as u16;
        let words: Vec<u16> = (0..height * width * channels).map(value).collect();
        let bytes: Vec<u8> = words.iter().map(|v| (v >> 8) as u8).collect();
        for (little, big, planar, wide) in
            (0..16).map(|i| (i & 1 > 0, i & 2 > 0, i & 4 > 0, i & 8 > 0))
        {
            let stored = |v: u16| {
                if little {
                    v.to_le_bytes()
                } else {
                    v.to_be_bytes()
                }
            };
            let sample = |i: usize| {
                if wide {
                    stored(words[i]).to_vec()
                } else {
                    vec![bytes[i]]
                }
            };
            let plane = |c: usize| {
                (0..height * width)
                    .flat_map(|i| sample(i * channels + c))
                    .collect()
            };
            let mut page = Made::new([3, 4], channels as u16, &[]);
            page.bits = if wide { 16 } else { 8 };
            page.planar = planar;
            page.strips = match planar {
                true => (0..channels).map(plane).collect(),
                false => vec![(0..words.len()).flat_map(sample).collect()],
            };
            let found = decoded(&written(&[page], little, big), Part::First).unwrap();
            let expected = match wide {
                true => Pixels::U16(Cow::Owned(words.clone())),
                false => Pixels::U8(Cow::Owned(bytes.clone())),
            };
            let what = format!("{channels} channels, {little} {big} {planar} {wide}");
            assert_eq!(
                (found.width, found.height, found.channels),
                (4, 3, channels),
                "{what}"
            );
            assert_eq!(found.pixels, expected, "{what}");
        }
    }
}

#[test]
fn only_a_sample_that_says_so_is_alpha() {
    // Two pixels of RGB and one more sample.
    let data = [0, 100, 255, 128, 10, 20, 30, 0];
    let page = |extra: &[u16]| Made {
        photometric: 2,
        extra: extra.to_vec(),
        ..Made::new([1, 2], 4, &data)
    };
    assert_eq!(bytes_of(page(&[0])), (4, data.to_vec()), "unspecified");
    assert_eq!(bytes_of(page(&[])), (4, data.to_vec()), "not listed");
    let blended = (3, vec![127, 177, 255, 255, 255, 255]);
    assert_eq!(bytes_of(page(&[2])), blended, "unassociated");
    // Colours that were multiplied by alpha: what is missing to it is white.
    let associated = (3, vec![127, 227, 255, 255, 255, 255]);
    assert_eq!(bytes_of(page(&[1])), associated, "associated");
    // Grey with near infrared and alpha: the infrared stays.
    let page = Made {
        extra: vec![0, 2],
        ..Made::new([1, 1], 3, &[0, 77, 128])
    };
    assert_eq!(bytes_of(page), (2, vec![127, 77]));
}

#[test]
fn colours_become_grey_or_rgb() {
    let of = |photometric, samples: u16, bits, data: &[u8]| Made {
        photometric,
        bits,
        ..Made::new([1, 4 / samples.max(1)], samples, data)
    };
    assert_eq!(
        bytes_of(of(0, 1, 8, &[0, 1, 128, 255])),
        (1, vec![255, 254, 127, 0]),
        "white is 0"
    );
    assert_eq!(
        bytes_of(of(1, 1, 1, &[0b1010_0000])),
        (1, vec![255, 0, 255, 0]),
        "1 bit"
    );
    assert_eq!(
        bytes_of(of(0, 1, 1, &[0b1010_0000])),
        (1, vec![0, 255, 0, 255]),
        "1 bit, white is 0"
    );
    assert_eq!(
        bytes_of(of(1, 1, 2, &[0b0001_1011])),
        (1, vec![0, 85, 170, 255]),
        "2 bits"
    );
    assert_eq!(
        bytes_of(of(1, 1, 4, &[0x0f, 0x18])),
        (1, vec![0, 255, 17, 136]),
        "4 bits"
    );
    assert_eq!(
        bytes_of(of(5, 4, 8, &[0, 255, 100, 0])),
        (3, vec![255, 0, 155]),
        "CMYK"
    );
    let mut palette = of(3, 1, 2, &[0b0001_1011]);
    palette.map = [
        [0, 0xff00, 0, 0x0100],
        [0, 0, 0xff00, 0x0200],
        [0, 0, 0, 0x0300],
    ]
    .concat();
    let colours = vec![0, 0, 0, 255, 0, 0, 0, 255, 0, 1, 2, 3];
    assert_eq!(bytes_of(palette), (3, colours), "palette");
}

#[test]
fn a_jpeg_within_has_the_colours_of_the_jpeg() {
    let smooth = RgbImage::from_fn(16, 16, |x, y| {
        image::Rgb([(x * 9) as u8, (y * 7) as u8, 90])
    });
    let mut jpeg = Cursor::new(Vec::new());
    DynamicImage::from(smooth)
        .write_to(&mut jpeg, ImageFormat::Jpeg)
        .unwrap();
    let jpeg = jpeg.into_inner();
    let expected = image::load_from_memory(&jpeg)
        .unwrap()
        .into_rgb8()
        .into_raw();
    let page = Made {
        photometric: 6,
        compression: 7,
        ..Made::new([16, 16], 3, &jpeg)
    };
    let (channels, found) = bytes_of(page.clone());
    assert_eq!(channels, 3);
    for (a, b) in found.iter().zip(&expected) {
        // Both decoders round.
        assert!(a.abs_diff(*b) <= 1, "{a} {b}");
    }
    // The data are last, so that a cut file ends within them.
    let mut cut = page;
    cut.strips[0].truncate(jpeg.len() / 2);
    let mut bytes = written(&[cut.clone()], true, false);
    let length = (jpeg.len() / 2) as u32;
    let at = bytes
        .windows(4)
        .rposition(|four| four == length.to_le_bytes())
        .unwrap();
    bytes[at..at + 4].copy_from_slice(&1_000_000u32.to_le_bytes());
    let text = decoded(&bytes, Part::First).unwrap_err();
    assert!(text.contains("JPEG data are cut short"), "{text}");
}

#[test]
fn orientation_is_applied_to_any_number_of_channels() {
    let data: Vec<u8> = (0..2 * 3 * 5).collect();
    let page = Made {
        orientation: 6,
        ..Made::new([2, 3], 5, &data)
    };
    let image = decoded(&written(&[page], true, false), Part::First).unwrap();
    assert_eq!((image.width, image.height, image.channels), (2, 3, 5));
    let Pixels::U8(found) = image.pixels else {
        panic!("8 bits expected")
    };
    // The lower left pixel goes to the upper left corner.
    assert_eq!(found[..5], data[15..20]);
}

#[test]
fn values_that_are_no_bytes_or_words_are_refused_with_what_to_do() {
    for (bits, format, why) in [
        (32, 3, "floating-point"),
        (16, 2, "signed"),
        (
            12,
            1,
            "values of 12 bits, 1 a pixel; save them with 8 or 16",
        ),
    ] {
        let page = Made {
            bits,
            format,
            ..Made::new([1, 1], 1, &[0; 4])
        };
        let text = decoded(&written(&[page], true, false), Part::First).unwrap_err();
        assert!(text.contains(why), "{text}");
    }
}

/// Pages of one value each, a thumbnail after the first.
fn stack(values: &[u8]) -> Vec<Made> {
    let page = |v: &u8| Made::new([2, 3], 1, &[*v; 6]);
    let mut pages: Vec<Made> = values.iter().map(page).collect();
    let thumbnail = Made {
        subfile: 1,
        ..Made::new([1, 1], 1, &[255])
    };
    pages.insert(1, thumbnail);
    pages
}

#[test]
fn pages_are_counted_without_thumbnails_and_read_in_any_order() {
    for (little, big) in [(true, false), (false, false), (true, true), (false, true)] {
        let bytes = written(&stack(&[10, 20, 30]), little, big);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stack.tif");
        std::fs::write(&path, &bytes).unwrap();
        use crate::dataset::decode;
        let header = decode::header(&path, Part::First, 1000).unwrap();
        assert_eq!(header.pages, 3);
        assert_eq!(decode::parts(&path, Pages::First), Ok(vec![Part::First]));
        assert_eq!(
            decode::parts(&path, Pages::Channels),
            Ok(vec![Part::Channels])
        );
        let parts = decode::parts(&path, Pages::Samples).unwrap();
        let ids: Vec<String> = parts.iter().map(|part| part.id("stack.tif")).collect();
        assert_eq!(ids, ["stack.tif#1", "stack.tif#2", "stack.tif#3"]);
        for (part, value) in parts.iter().zip([10, 20, 30]).rev() {
            let image = decode::read(&path, *part, MAX).unwrap();
            assert_eq!(image.pixels, Pixels::U8(Cow::Owned(vec![value; 6])));
        }
        let head = decode::header(&path, Part::First, MAX).unwrap();
        assert_eq!(
            (head.width, head.height, head.channels, head.pages),
            (3, 2, 1, 3)
        );
        let image = decode::read(&path, Part::Channels, MAX).unwrap();
        assert_eq!((image.width, image.height, image.channels), (3, 2, 3));
        assert_eq!(image.pixels, Pixels::U8(Cow::Owned([10, 20, 30].repeat(6))));
    }
}

#[test]
fn pages_that_are_no_channels_are_refused_with_what_to_do() {
    let larger = Made::new([2, 4], 1, &[0; 8]);
    let coloured = Made::new([2, 3], 3, &[0; 18]);
    for (page, why) in [
        (
            larger,
            "page 1 has 3x2 pixels of 8 bits and page 2 4x2 pixels",
        ),
        (coloured, "page 2 is not grey"),
    ] {
        let bytes = written(&[Made::new([2, 3], 1, &[0; 6]), page], true, false);
        let text = decoded(&bytes, Part::Channels).unwrap_err();
        assert!(
            text.starts_with(why) && text.contains("--pages samples"),
            "{text}"
        );
    }
}

#[test]
fn a_stack_that_is_cut_keeps_its_first_page_only_as_such() {
    let whole = written(&stack(&[10, 20, 30]), true, false);
    let cut = &whole[..whole.len() - 20];
    assert!(
        pages(Cursor::new(cut))
            .unwrap_err()
            .starts_with("damaged or cut short")
    );
    assert!(decoded(cut, Part::Channels).is_err());
    assert!(decoded(cut, Part::First).is_ok());
    // A list that leads back to itself ends.
    let mut circle = written(&[Made::new([1, 1], 1, &[0])], true, false);
    let (first, end) = (circle[4..8].to_vec(), circle.len());
    circle[end - 4..].copy_from_slice(&first);
    assert!(pages(Cursor::new(&circle)).unwrap_err().contains("circle"));
    for end in 0..whole.len().min(40) {
        assert!(
            decoded(&whole[..end], Part::First).is_err(),
            "cut to {end} bytes"
        );
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let bytes = written(&stack(&[10, 20]), true, false);
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut broken = bytes.clone();
            broken[at] = value;
            let reads = [Part::First, Part::Channels]
                .map(|part| read(Cursor::new(&broken), part, 10_000).is_ok());
            std::hint::black_box(reads);
        }
    }
}
