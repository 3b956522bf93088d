//! How many frames a GIF has (GIF89a, CompuServe 1990).

use std::io::{BufRead, Error, ErrorKind, Result};

/// The number of images, found by their lengths without decoding. A file may end after any image, since some programs
/// write no trailer.
///
/// # Errors
/// If it ends within an image or before the first, or holds what no GIF does.
pub fn frames(reader: &mut impl BufRead) -> Result<usize> {
    let screen: [u8; 13] = take(reader)?;
    skip(reader, colours(screen[10]))?;
    let mut frames = 0;
    loop {
        let end = frames > 0 && reader.fill_buf()?.is_empty();
        let [block] = if end { [b';'] } else { take(reader)? };
        match block {
            b'!' => {
                let _label: [u8; 1] = take(reader)?;
            }
            b',' => {
                let descriptor: [u8; 9] = take(reader)?;
                // The table of colours, and the least number of bits of a code.
                skip(reader, colours(descriptor[8]) + 1)?;
                frames += 1;
            }
            b';' if frames > 0 => return Ok(frames),
            b';' => return Err(Error::new(ErrorKind::InvalidData, "it holds no image")),
            other => {
                let text = format!("a GIF has no block {other:#04x}");
                return Err(Error::new(ErrorKind::InvalidData, text));
            }
        }
        // Data come in blocks with their lengths, up to one of length 0.
        loop {
            match take(reader)? {
                [0] => break,
                [length] => skip(reader, length.into())?,
            }
        }
    }
}

/// Bytes of the table of colours that `flags` announce.
fn colours(flags: u8) -> usize {
    if flags & 0x80 == 0 {
        0
    } else {
        3 << ((flags & 7) + 1)
    }
}

fn take<const N: usize>(reader: &mut impl BufRead) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn skip(reader: &mut impl BufRead, mut count: usize) -> Result<()> {
    while count > 0 {
        let here = reader.fill_buf()?.len().min(count);
        if here == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        reader.consume(here);
        count -= here;
    }
    Ok(())
}
