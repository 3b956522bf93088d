//! The header of a NumPy array, and its values as a stream of bytes or numbers.

use std::io::Read;

use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};

/// Bytes read at once.
const CHUNK: usize = 1 << 20;

/// What the header of a stream says.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Sizes, last index fastest.
    pub dims: Vec<usize>,
    pub(super) kind: (TypeChar, usize),
    pub(super) count: usize,
    swap: bool,
    pub(super) fortran: bool,
}

impl Layout {
    /// Reads the header; `size` is how many bytes the stream has at most.
    ///
    /// # Errors
    /// With what is wrong: no NumPy array, an unsupported type, more values than there are bytes.
    pub fn read(reader: &mut dyn Read, size: u64) -> Result<Layout, String> {
        let header =
            NpyHeader::from_reader(reader).map_err(|e| format!("not a NumPy array ({e})"))?;
        let DType::Plain(kind) = header.dtype() else {
            return Err("an array of records; save its columns as arrays of their own".into());
        };
        let width = kind.num_bytes().unwrap_or(0);
        if kind.uses_pickled_array() || width == 0 && kind.type_char() == TypeChar::Object {
            return Err("an array of Python objects; save numbers or text (`.astype(str)`)".into());
        }
        use TypeChar::{Bool, ByteStr, Float, Int, Uint, UnicodeStr};
        let known = match kind.type_char() {
            Bool => width == 1,
            Int | Uint => [1, 2, 4, 8].contains(&width),
            Float => [2, 4, 8].contains(&width),
            UnicodeStr | ByteStr => true,
            _ => false,
        };
        if !known {
            return Err(format!(
                "values of type {kind}; integers, float16, float32, float64 or text are read"
            ));
        }
        let sizes = header.shape().iter();
        let dims: Vec<usize> = sizes
            .map(|&n| usize::try_from(n).unwrap_or(usize::MAX))
            .collect();
        let count = dims.iter().try_fold(1usize, |all, &n| all.checked_mul(n));
        let bytes = count.and_then(|n| n.checked_mul(width));
        let Some(count) = count.filter(|_| bytes.is_some_and(|bytes| bytes as u64 <= size)) else {
            let text = format!("cut short: {dims:?} of {width} bytes each");
            return Err(format!("{text} is more than the {size} bytes there are"));
        };
        let fortran =
            header.order() == Order::Fortran && dims.iter().filter(|&&n| n > 1).count() > 1;
        if fortran && dims.len() != 2 {
            return Err("in Fortran order; save it with np.ascontiguousarray".into());
        }
        Ok(Layout {
            dims,
            kind: (kind.type_char(), width),
            count,
            swap: kind.endianness() == Endianness::Big && width > 1,
            fortran,
        })
    }

    /// Whether its values are text.
    pub fn is_text(&self) -> bool {
        matches!(self.kind.0, TypeChar::UnicodeStr | TypeChar::ByteStr)
    }

    /// Whether single precision may not hold its numbers.
    pub(super) fn is_wide(&self) -> bool {
        self.kind.1 > 2 && self.kind != (TypeChar::Float, 4)
    }

    /// Calls `each` with the bytes of a run of values, least significant first, until all are read.
    pub(super) fn chunks(
        &self,
        reader: &mut dyn Read,
        each: &mut dyn FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let width = self.kind.1.max(1);
        let unit = match self.kind.0 {
            TypeChar::UnicodeStr => 4,
            TypeChar::ByteStr => 1,
            _ => width,
        };
        let mut left = self.count * self.kind.1;
        let mut chunk = vec![0; (CHUNK / width).max(1) * width];
        while left > 0 {
            let size = chunk.len().min(left);
            let part = &mut chunk[..size];
            let read = reader.read_exact(part);
            read.map_err(|e| match e.kind() {
                std::io::ErrorKind::UnexpectedEof => format!(
                    "cut short: {:?} needs {} bytes, and {left} of them are missing or cut",
                    self.dims,
                    self.count * self.kind.1
                ),
                _ => format!("damaged: {e}"),
            })?;
            if self.swap && unit > 1 {
                part.chunks_exact_mut(unit).for_each(<[u8]>::reverse);
            }
            each(part)?;
            left -= size;
        }
        Ok(())
    }

    /// Calls `each` with every number and its place in C order.
    pub(super) fn numbers(
        &self,
        reader: &mut dyn Read,
        each: &mut dyn FnMut(usize, f64) -> Result<(), String>,
    ) -> Result<(), String> {
        use TypeChar::{Float, Int, Uint};
        let (rows, cols) = match (self.fortran, &self.dims[..]) {
            (true, &[rows, cols]) => (rows, cols),
            _ => (0, 0),
        };
        let place = |at: usize| match self.fortran {
            true => at % rows * cols + at / rows,
            false => at,
        };
        let mut at = 0;
        self.chunks(reader, &mut |bytes| {
            let mut all = |values: &mut dyn Iterator<Item = f64>| -> Result<(), String> {
                for value in values {
                    each(place(at), value)?;
                    at += 1;
                }
                Ok(())
            };
            match self.kind {
                (Float, 4) => all(&mut parts(bytes).map(|b| f64::from(f32::from_le_bytes(b)))),
                (Float, 8) => all(&mut parts(bytes).map(f64::from_le_bytes)),
                (Float, _) => {
                    all(&mut parts(bytes).map(|b| f64::from(half(u16::from_le_bytes(b)))))
                }
                (Int, 1) => all(&mut bytes.iter().map(|&b| f64::from(b as i8))),
                (Int, 2) => all(&mut parts(bytes).map(|b| f64::from(i16::from_le_bytes(b)))),
                (Int, 4) => all(&mut parts(bytes).map(|b| f64::from(i32::from_le_bytes(b)))),
                (Int, _) => all(&mut parts(bytes).map(|b| i64::from_le_bytes(b) as f64)),
                (Uint, 2) => all(&mut parts(bytes).map(|b| f64::from(u16::from_le_bytes(b)))),
                (Uint, 4) => all(&mut parts(bytes).map(|b| f64::from(u32::from_le_bytes(b)))),
                (Uint, 8) => all(&mut parts(bytes).map(|b| u64::from_le_bytes(b) as f64)),
                _ => all(&mut bytes.iter().map(|&b| f64::from(b))),
            }
        })
    }
}

pub(super) fn parts<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

/// IEEE half precision.
pub(super) fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, part) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => part * 2f32.powi(-24),
        31 if part == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + part / 1024.0) * 2f32.powi(exponent - 15),
    }
}
