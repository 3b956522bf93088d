//! Which format a file has, by its first bytes and, where they say too little, its name.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use image::ImageFormat;

use super::names::{FLOATS, Named, PICTURE, named};
use super::{Reason, unreadable};

/// How the bytes of a file are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// As this one.
    Image(ImageFormat),
    /// A BMP without its file header.
    Dib,
}

/// Whether these are the first bytes of a picture. Where two letters are all of a format's mark, what follows must fit
/// too.
pub(super) fn starts_like_picture(head: &[u8]) -> bool {
    match image::guess_format(head) {
        Ok(ImageFormat::Pnm) => {
            matches!(
                head,
                [_, b'1'..=b'6', space, next, ..]
                    if space.is_ascii_whitespace() && (next.is_ascii_digit() || *next == b'#')
            ) || head.starts_with(b"P7\n")
        }
        // Four reserved bytes are 0, and the second header has one of these lengths.
        Ok(ImageFormat::Bmp) => {
            head.get(6..10) == Some(&[0; 4])
                && matches!(
                    head.get(14..16),
                    Some([12 | 40 | 52 | 56 | 64 | 108 | 124, 0])
                )
        }
        // There is an image, and a reserved byte of its entry is 0.
        Ok(ImageFormat::Ico) => matches!(head, [_, _, _, _, 1..=255, 0, _, _, _, 0, ..]),
        Ok(_) => true,
        Err(_) => is_big_tiff(head) || unsupported_content(head).is_some(),
    }
}

fn is_big_tiff(head: &[u8]) -> bool {
    head.starts_with(b"II\x2b\0\x08\0") || head.starts_with(b"MM\0\x2b\0\x08")
}

/// The name of a format that is not read, and what to do.
fn unsupported_content(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let found = match image::guess_format(head) {
        Ok(ImageFormat::Hdr) => ("HDR", FLOATS),
        Ok(ImageFormat::OpenExr) => ("OpenEXR", FLOATS),
        Ok(ImageFormat::Dds) => ("DDS", PICTURE),
        Ok(ImageFormat::Avif) => ("AVIF", PICTURE),
        Ok(_) => return None,
        Err(_) => match head {
            [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => match brand.get(..4)? {
                b"avif" | b"avis" => ("AVIF", PICTURE),
                b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"mif1" | b"msf1" => {
                    ("HEIC", PICTURE)
                }
                _ => return None,
            },
            [0xff, 0x0a, ..] | [0, 0, 0, 0x0c, b'J', b'X', b'L', b' ', ..] => ("JPEG XL", PICTURE),
            [0, 0, 0, 0x0c, b'j', b'P', b' ', b' ', ..] | [0xff, 0x4f, 0xff, 0x51, ..] => {
                ("JPEG 2000", PICTURE)
            }
            [b'8', b'B', b'P', b'S', ..] => ("PSD", PICTURE),
            _ => return None,
        },
    };
    Some(found)
}

/// How a file of this name that begins with `head` is decoded. The content decides, except where it is a TIFF of a
/// vendor's or has no mark of its own.
///
/// # Errors
/// If it cannot be decoded, with what to do.
pub(super) fn format(path: &Path, head: &[u8]) -> Result<Format, Reason> {
    use ImageFormat::{Bmp, Farbfeld, Gif, Ico, Jpeg, Png, Pnm, Qoi, Tga, Tiff, WebP};
    if head.is_empty() {
        return Err("empty file (0 bytes)".into());
    }
    let named = named(path);
    let vendor = |what: &str, advice: &str| {
        Err(format!(
            "{} is not supported; {advice}",
            what.to_uppercase()
        ))
    };
    let guess = image::guess_format(head);
    match (guess, named) {
        (Ok(Tiff), Named::Unsupported(what, advice)) => vendor(what, advice),
        (Ok(format @ (Png | Jpeg | Tiff | Bmp | WebP | Gif | Pnm | Ico | Qoi | Farbfeld)), _) => Ok(Format::Image(format)),
        _ if is_big_tiff(head) => Ok(Format::Image(Tiff)),
        _ => match (unsupported_content(head), named) {
            (Some((what, advice)), _) => Err(format!("{what} is not supported; {advice}")),
            (None, Named::Unsupported(what, advice)) => vendor(what, advice),
            (None, Named::Picture("tga" | "icb" | "vda" | "vst")) => Ok(Format::Image(Tga)),
            (None, Named::Picture("dib")) => Ok(Format::Dib),
            _ => Err("not an image (it starts like none of the formats that hspace reads: PNG, JPEG, TIFF, BMP, \
                      WebP, GIF, PNM, ICO, QOI, farbfeld)"
                .into()),
        },
    }
}

/// Opens a file and reads its first bytes, at most `most`.
pub(super) fn head(path: &Path, most: u64) -> Result<(File, Vec<u8>), Reason> {
    let file = File::open(path).map_err(unreadable)?;
    let mut head = Vec::new();
    (&file)
        .take(most)
        .read_to_end(&mut head)
        .map_err(unreadable)?;
    Ok((file, head))
}
