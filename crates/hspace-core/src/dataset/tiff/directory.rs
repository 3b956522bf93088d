//! The directories of a TIFF: the fields that describe each page (TIFF 6.0, section 2, and BigTIFF).

use std::collections::HashSet;
use std::io::{Read, Seek, SeekFrom};

use crate::dataset::decode::{Reason, unreadable};

/// Bytes of values that one field may have.
const LONGEST: u64 = 16 << 20;

/// A TIFF and how its numbers are written.
pub struct Tiff<R> {
    reader: R,
    length: u64,
    little: bool,
    big: bool,
}

/// One directory.
pub struct Directory {
    /// Where it begins.
    pub at: u64,
    /// Where the next begins; 0 for none.
    next: u64,
    fields: Vec<Field>,
}

struct Field {
    tag: u16,
    kind: u16,
    count: u64,
    /// Where its value lies if that is short, else where its offset lies.
    at: u64,
}

/// Tags.
pub mod tag {
    pub const NEW_SUBFILE_TYPE: u16 = 254;
    pub const SUBFILE_TYPE: u16 = 255;
    pub const WIDTH: u16 = 256;
    pub const HEIGHT: u16 = 257;
    pub const BITS: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const STRIP_OFFSETS: u16 = 273;
    pub const ORIENTATION: u16 = 274;
    pub const SAMPLES: u16 = 277;
    pub const STRIP_LENGTHS: u16 = 279;
    pub const PLANAR: u16 = 284;
    pub const COLOUR_MAP: u16 = 320;
    pub const TILE_OFFSETS: u16 = 324;
    pub const TILE_LENGTHS: u16 = 325;
    pub const EXTRA_SAMPLES: u16 = 338;
    pub const SAMPLE_FORMAT: u16 = 339;
}

impl<R: Read + Seek> Tiff<R> {
    /// Reads the order of bytes and the length.
    pub fn open(mut reader: R) -> Result<Self, Reason> {
        let length = reader.seek(SeekFrom::End(0)).map_err(unreadable)?;
        let mut tiff = Tiff {
            reader,
            length,
            little: true,
            big: false,
        };
        let mark = tiff.bytes(0, 4)?;
        tiff.little = mark.starts_with(b"II");
        tiff.big = tiff.integer(&mark[2..]) == 43;
        Ok(tiff)
    }

    /// The reader, to read pixels with.
    pub fn reader(&mut self) -> &mut R {
        &mut self.reader
    }

    /// Length of the file in bytes.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Bytes of an offset or a count.
    fn word(&self) -> u64 {
        if self.big { 8 } else { 4 }
    }

    fn bytes(&mut self, at: u64, count: u64) -> Result<Vec<u8>, Reason> {
        let inside = at.checked_add(count).is_some_and(|end| end <= self.length);
        if !inside {
            let length = self.length;
            return Err(format!(
                "damaged or cut short: it refers to byte {at}, and is {length} bytes long"
            ));
        }
        self.reader.seek(SeekFrom::Start(at)).map_err(unreadable)?;
        let mut bytes = vec![0; count as usize];
        self.reader.read_exact(&mut bytes).map_err(unreadable)?;
        Ok(bytes)
    }

    fn integer(&self, bytes: &[u8]) -> u64 {
        let join = |all: u64, byte: &u8| all << 8 | u64::from(*byte);
        if self.little {
            bytes.iter().rev().fold(0, join)
        } else {
            bytes.iter().fold(0, join)
        }
    }

    /// Where the offset of the first directory lies.
    fn root(&self) -> u64 {
        if self.big { 8 } else { 4 }
    }

    /// Reads the directory that begins at `at`.
    pub fn directory(&mut self, at: u64) -> Result<Directory, Reason> {
        let word = self.word();
        let head = if self.big { 8 } else { 2 };
        let count = self.bytes(at, head)?;
        let count = self.integer(&count);
        if count == 0 || count > u64::from(u16::MAX) {
            return Err(format!("damaged: a directory of {count} fields"));
        }
        let entry = 4 + 2 * word;
        let start = at + head;
        let table = self.bytes(start, count * entry + word)?;
        let (entries, next) = table.split_at((count * entry) as usize);
        let field = |(i, entry_bytes): (u64, &[u8])| Field {
            tag: self.integer(&entry_bytes[..2]) as u16,
            kind: self.integer(&entry_bytes[2..4]) as u16,
            count: self.integer(&entry_bytes[4..4 + word as usize]),
            at: start + i * entry + 4 + word,
        };
        Ok(Directory {
            at,
            next: self.integer(next),
            fields: (0..)
                .zip(entries.chunks_exact(entry as usize))
                .map(field)
                .collect(),
        })
    }

    /// Where the directories of the first pages begin, at most `most`, as far as they can be read, and what ended the
    /// list if it is damaged. Thumbnails (images of reduced resolution) and masks are no pages, unless there is nothing else.
    pub fn pages(&mut self, most: usize) -> (Vec<u64>, Option<Reason>) {
        let (mut all, mut pages, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        let mut next = self
            .bytes(self.root(), self.word())
            .map(|bytes| self.integer(&bytes));
        let damage = loop {
            let at = match next {
                _ if pages.len() == most => break None,
                Ok(0) => break None,
                Ok(at) if !seen.insert(at) => {
                    break Some("damaged: its list of pages runs in a circle".into());
                }
                Ok(at) => at,
                Err(reason) => break Some(reason),
            };
            match self
                .directory(at)
                .and_then(|found| Ok((self.is_page(&found)?, found.next)))
            {
                Ok((is_page, following)) => {
                    all.push(at);
                    if is_page {
                        pages.push(at);
                    }
                    next = Ok(following);
                }
                Err(reason) => break Some(reason),
            }
        };
        if pages.is_empty() {
            all.truncate(1);
            pages = all;
        }
        let damage = damage.or_else(|| pages.is_empty().then(|| "holds no image".into()));
        (pages, damage)
    }

    fn is_page(&mut self, directory: &Directory) -> Result<bool, Reason> {
        let kind = self.number(directory, tag::NEW_SUBFILE_TYPE)?.unwrap_or(0);
        let old = self.number(directory, tag::SUBFILE_TYPE)?;
        Ok(kind & 0b101 == 0 && old != Some(2))
    }

    /// The whole numbers of a field; none if the directory has no such field.
    pub fn numbers(&mut self, directory: &Directory, tag: u16) -> Result<Vec<u64>, Reason> {
        let Some(field) = directory.fields.iter().find(|field| field.tag == tag) else {
            return Ok(Vec::new());
        };
        // BYTE, SHORT, LONG, IFD; LONG8, IFD8
        let size = match field.kind {
            1 => 1,
            3 => 2,
            4 | 13 => 4,
            16 | 18 => 8,
            kind => {
                return Err(format!(
                    "damaged: field {tag} is no whole number but of type {kind}"
                ));
            }
        };
        let length = field.count.saturating_mul(size);
        if length > LONGEST {
            return Err(format!("damaged: field {tag} has {} values", field.count));
        }
        let mut at = field.at;
        if length > self.word() {
            let offset = self.bytes(at, self.word())?;
            at = self.integer(&offset);
        }
        let bytes = self.bytes(at, length)?;
        Ok(bytes
            .chunks_exact(size as usize)
            .map(|one| self.integer(one))
            .collect())
    }

    /// The first number of a field, if there is one.
    pub fn number(&mut self, directory: &Directory, tag: u16) -> Result<Option<u64>, Reason> {
        Ok(self.numbers(directory, tag)?.first().copied())
    }

    /// What to write over the file so that the page of `directory` is its first, and all of its samples are grey: then the
    /// decoder returns them all, as they are.
    pub fn as_grey_samples(&self, directory: &Directory) -> Vec<Patch> {
        let write = |at: u64, number: u64, size: usize| {
            let mut bytes = number.to_le_bytes()[..size].to_vec();
            if !self.little {
                bytes.reverse();
            }
            Patch { at, bytes }
        };
        let mut patches = vec![write(self.root(), directory.at, self.word() as usize)];
        let photometric = |field: &&Field| field.tag == tag::PHOTOMETRIC;
        if let Some(field) = directory.fields.iter().find(photometric) {
            let size = if field.kind == 3 { 2 } else { 4 };
            patches.push(write(field.at, 1, size));
        }
        patches
    }
}

/// Bytes that are read in place of those of the file.
pub struct Patch {
    at: u64,
    bytes: Vec<u8>,
}

/// A reader of a file with patches.
pub struct Patched<'a, R> {
    reader: &'a mut R,
    at: u64,
    patches: Vec<Patch>,
}

impl<'a, R: Seek> Patched<'a, R> {
    /// Starts at the beginning.
    pub fn new(reader: &'a mut R, patches: Vec<Patch>) -> Result<Self, Reason> {
        let at = reader.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        Ok(Patched {
            reader,
            at,
            patches,
        })
    }
}

impl<R: Read> Read for Patched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.reader.read(buffer)?;
        for patch in &self.patches {
            for (at, byte) in (patch.at..).zip(&patch.bytes) {
                let place = at
                    .checked_sub(self.at)
                    .filter(|place| *place < count as u64);
                if let Some(place) = place {
                    buffer[place as usize] = *byte;
                }
            }
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl<R: Seek> Seek for Patched<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.at = self.reader.seek(to)?;
        Ok(self.at)
    }
}
