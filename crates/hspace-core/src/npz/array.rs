//! One NumPy array, read from a `.npy` stream: whole, into plain vectors, or number by number.

use std::io::Read;

use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};

use crate::matrix::Matrix;

/// The values of an array, by type.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// `uint8`
    U8(Vec<u8>),
    /// `uint16`
    U16(Vec<u16>),
    /// Any other signed integer, `uint32`, and booleans.
    Integers(Vec<i64>),
    /// `uint64`
    Unsigned(Vec<u64>),
    /// `float16` and `float32`.
    Floats(Vec<f32>),
    /// `float64`
    Doubles(Vec<f64>),
    /// Text of fixed width, as NumPy stores lists of strings.
    Text(Vec<String>),
}

/// An array with its sizes, in C order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Sizes, last index fastest.
    pub dims: Vec<usize>,
    /// The values.
    pub data: Data,
}

/// Bytes read at once.
const CHUNK: usize = 1 << 20;

/// What the header of a stream says.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Sizes, last index fastest.
    pub dims: Vec<usize>,
    kind: (TypeChar, usize),
    count: usize,
    swap: bool,
    fortran: bool,
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
    fn is_wide(&self) -> bool {
        self.kind.1 > 2 && self.kind != (TypeChar::Float, 4)
    }

    /// Calls `each` with the bytes of a run of values, least significant first, until all are read.
    fn chunks(
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
    fn numbers(
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

fn parts<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

/// IEEE half precision.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, part) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => part * 2f32.powi(-24),
        31 if part == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + part / 1024.0) * 2f32.powi(exponent - 15),
    }
}

/// Reads one array whole; `size` is how many bytes the stream has at most.
///
/// # Errors
/// With what is wrong with it: no NumPy array, an unsupported type, or cut short.
pub fn read(mut reader: impl Read, size: u64) -> Result<Array, String> {
    let layout = Layout::read(&mut reader, size)?;
    let data = layout.values(&mut reader)?;
    Ok(Array {
        dims: layout.dims,
        data,
    })
}

impl Layout {
    fn values(&self, reader: &mut dyn Read) -> Result<Data, String> {
        use TypeChar::{Bool, ByteStr, Float, Int, Uint, UnicodeStr};
        let width = self.kind.1;
        Ok(match self.kind {
            (Uint, 1) => Data::U8(self.collect(reader, |b: [u8; 1]| b[0])?),
            (Uint, 2) => Data::U16(self.collect(reader, u16::from_le_bytes)?),
            (Uint, 8) => Data::Unsigned(self.collect(reader, u64::from_le_bytes)?),
            (Float, 2) => Data::Floats(self.collect(reader, |b| half(u16::from_le_bytes(b)))?),
            (Float, 4) => Data::Floats(self.collect(reader, f32::from_le_bytes)?),
            (Float, _) => Data::Doubles(self.collect(reader, f64::from_le_bytes)?),
            (Bool, _) => Data::Integers(self.collect(reader, |b: [u8; 1]| i64::from(b[0] != 0))?),
            (Int, 1) => Data::Integers(self.collect(reader, |b| i64::from(i8::from_le_bytes(b)))?),
            (Int, 2) => Data::Integers(self.collect(reader, |b| i64::from(i16::from_le_bytes(b)))?),
            (Int, 4) => Data::Integers(self.collect(reader, |b| i64::from(i32::from_le_bytes(b)))?),
            (Int, _) => Data::Integers(self.collect(reader, i64::from_le_bytes)?),
            (Uint, _) => {
                Data::Integers(self.collect(reader, |b| i64::from(u32::from_le_bytes(b)))?)
            }
            (ByteStr, _) => Data::Text(self.text(reader, |cell| {
                let end = cell.iter().position(|&b| b == 0).unwrap_or(cell.len());
                String::from_utf8_lossy(&cell[..end]).into_owned()
            })?),
            (UnicodeStr, _) => Data::Text(self.text(reader, |cell| {
                let points = parts(cell).map(u32::from_le_bytes);
                points
                    .take_while(|&p| p != 0)
                    .filter_map(char::from_u32)
                    .collect()
            })?),
            (other, _) => return Err(format!("{width} bytes of type {other:?}")),
        })
    }

    fn collect<const N: usize, T: Copy>(
        &self,
        reader: &mut dyn Read,
        from: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>, String> {
        let mut values = Vec::with_capacity(self.count);
        self.chunks(reader, &mut |bytes| {
            values.extend(parts(bytes).map(&from));
            Ok(())
        })?;
        Ok(self.to_c_order(values))
    }

    fn text(
        &self,
        reader: &mut dyn Read,
        read: impl Fn(&[u8]) -> String,
    ) -> Result<Vec<String>, String> {
        let width = self.kind.1;
        if width == 0 {
            return Ok(vec![String::new(); self.count]);
        }
        let mut values = Vec::with_capacity(self.count);
        self.chunks(reader, &mut |bytes| {
            values.extend(bytes.chunks_exact(width).map(&read));
            Ok(())
        })?;
        Ok(self.to_c_order(values))
    }

    /// Turns column-major values, as NumPy keeps the result of a transpose, into row-major ones.
    fn to_c_order<T: Clone>(&self, values: Vec<T>) -> Vec<T> {
        let (true, &[rows, cols]) = (self.fortran, &self.dims[..]) else {
            return values;
        };
        let at = |e: usize| values[e % cols * rows + e / cols].clone();
        (0..values.len()).map(at).collect()
    }
}

impl Array {
    /// Its values as text, whole numbers with all their digits; NaN is empty.
    pub fn cells(&self) -> Vec<String> {
        fn all<T: ToString>(values: &[T]) -> Vec<String> {
            values.iter().map(ToString::to_string).collect()
        }
        let float = |v: f64| {
            if v.is_nan() {
                String::new()
            } else {
                v.to_string()
            }
        };
        match &self.data {
            Data::U8(values) => all(values),
            Data::U16(values) => all(values),
            Data::Integers(values) => all(values),
            Data::Unsigned(values) => all(values),
            Data::Floats(values) => values.iter().map(|&v| float(f64::from(v))).collect(),
            Data::Doubles(values) => values.iter().map(|&v| float(v)).collect(),
            Data::Text(values) => values.clone(),
        }
    }
}

/// Vectors of an array `[n, …]`, further dimensions flattened.
pub struct Features {
    /// `[n, d]`, less the shift.
    pub matrix: Matrix,
    /// What was subtracted from each, in double precision; empty for nothing.
    pub shift: Vec<f64>,
    /// Row and column of values that are NaN.
    pub gaps: Vec<(usize, usize)>,
}

/// Opens the stream of an array from its start and hands it, with its length, to a function.
pub type Open<'a> =
    dyn FnMut(&mut dyn FnMut(&mut dyn Read, u64) -> Result<(), String>) -> Result<(), String> + 'a;

/// Reads vectors as a stream, one number at a time: wide types twice, first for what is to be subtracted from them, see
/// [`columns`](crate::columns). `shifts` makes that of each feature's mean and standard deviation.
///
/// # Errors
/// As [`read`]; text, fewer than two dimensions, and infinite values.
pub fn features(
    open: &mut Open<'_>,
    shifts: impl Fn(&mut dyn Iterator<Item = (f64, f64)>) -> Vec<f64>,
) -> Result<Features, String> {
    let mut first: Option<Layout> = None;
    // Of each feature: a value, how many there are, the sums of what they are above it and of its square.
    let mut sums: Vec<[f64; 4]> = Vec::new();
    open(&mut |reader, size| {
        let layout = Layout::read(reader, size)?;
        if layout.is_text() {
            return Err("features are text; numbers are needed".into());
        }
        let d = match &layout.dims[..] {
            [] | [_] => {
                return Err(format!(
                    "an array of shape {:?}; features need two dimensions, [samples, features]",
                    layout.dims
                ));
            }
            [_, rest @ ..] => rest.iter().product::<usize>(),
        };
        if layout.is_wide() && d > 0 {
            sums = vec![[0.0; 4]; d];
            layout.numbers(reader, &mut |at, value| {
                let sum = &mut sums[at % d];
                if value.is_finite() {
                    if sum[1] == 0.0 {
                        sum[0] = value;
                    }
                    let from = value - sum[0];
                    sum[1] += 1.0;
                    sum[2] += from;
                    sum[3] += from * from;
                }
                Ok(())
            })?;
        }
        first = Some(layout);
        Ok(())
    })?;
    let layout = first.ok_or("could not be read")?;
    let n = layout.dims[0];
    let d: usize = layout.dims[1..].iter().product();
    let mut moments = sums.iter().map(|[first, count, sum, squares]| {
        let count = count.max(1.0);
        let mean = sum / count;
        let variance = squares / count - mean * mean;
        (first + mean, variance.max(0.0).sqrt())
    });
    let shift = shifts(&mut moments);
    let mut data = vec![0f32; n * d];
    let mut gaps = Vec::new();
    open(&mut |reader, size| {
        let layout = Layout::read(reader, size)?;
        layout.numbers(reader, &mut |at, value| {
            if value.is_infinite() {
                let (row, col) = (at / d, at % d);
                return Err(format!(
                    "feature {col} of row {row} is {value} (both counted from 0); mend what made it, or leave the row out"
                ));
            }
            if value.is_nan() {
                gaps.push((at / d, at % d));
            }
            data[at] = match shift.get(at % d) {
                Some(shift) => (value - shift) as f32,
                None => value as f32,
            };
            Ok(())
        })
    })?;
    gaps.sort_unstable();
    Ok(Features {
        matrix: Matrix::new(n, d, data),
        shift,
        gaps,
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A `.npy` file, made by hand.
    pub fn npy(descr: &str, fortran: bool, dims: &str, data: &[u8]) -> Vec<u8> {
        let order = if fortran { "True" } else { "False" };
        let head = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({dims}), }}");
        let head = format!("{head:<117}\n");
        let mut bytes = b"\x93NUMPY\x01\0".to_vec();
        bytes.extend((head.len() as u16).to_le_bytes());
        bytes.extend(head.bytes());
        bytes.extend(data);
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<Array, String> {
        read(bytes, bytes.len() as u64)
    }

    #[test]
    fn types_and_orders_are_read() {
        let floats: Vec<u8> = [1.5f64, -2.0]
            .iter()
            .flat_map(|v| v.to_be_bytes())
            .collect();
        let array = parse(&npy(">f8", false, "2,", &floats)).unwrap();
        assert_eq!(
            array,
            Array {
                dims: vec![2],
                data: Data::Doubles(vec![1.5, -2.0])
            }
        );
        let array = parse(&npy("|u1", true, "2, 3", &[1, 4, 2, 5, 3, 6])).unwrap();
        assert_eq!(array.data, Data::U8(vec![1, 2, 3, 4, 5, 6]));
        let wide: Vec<u8> = "é1\0b\0\0"
            .chars()
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect();
        let array = parse(&npy("<U3", false, "2,", &wide)).unwrap();
        assert_eq!(array.data, Data::Text(vec!["é1".into(), "b".into()]));
        let array = parse(&npy("|S2", false, "2,", b"a\0bc")).unwrap();
        assert_eq!(array.data, Data::Text(vec!["a".into(), "bc".into()]));
        let array = parse(&npy("<i2", false, "1,", &[0xff, 0xff])).unwrap();
        assert_eq!(array.data, Data::Integers(vec![-1]));
        let array = parse(&npy("<u8", false, "1,", &u64::MAX.to_le_bytes())).unwrap();
        assert_eq!(array.cells(), ["18446744073709551615"]);
        let array = parse(&npy("<f2", false, "2,", &[0x00, 0x3c, 0x00, 0xc0])).unwrap();
        assert_eq!(array.data, Data::Floats(vec![1.0, -2.0]));
    }

    #[test]
    fn wide_features_are_centred_before_they_are_single() {
        let values = [1.7e9, 3.0, 1.7e9 + 1.0, f64::NAN, 1.7e9 + 2.0, 5.0];
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let file = npy("<f8", false, "3, 2", &bytes);
        let found = features(&mut |f| f(&mut &file[..], file.len() as u64), |moments| {
            moments.map(|(mean, _)| mean.round()).collect()
        })
        .unwrap();
        assert_eq!(found.shift[0], 1.7e9 + 1.0);
        // The mean of 3 and 5 is 4.
        assert_eq!(found.matrix.data[..3], [-1.0, -1.0, 0.0]);
        assert_eq!(found.gaps, [(1, 1)]);
        let turned = npy("|u1", true, "2, 3", &[1, 4, 2, 5, 3, 6]);
        let found = features(&mut |f| f(&mut &turned[..], turned.len() as u64), |_| {
            Vec::new()
        })
        .unwrap();
        assert_eq!(found.matrix.data, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }

    #[test]
    fn what_cannot_be_read_says_so() {
        for (bytes, why) in [
            (b"no array".to_vec(), "not a NumPy array"),
            (npy("<f4", false, "3,", &[0; 11]), "cut short"),
            (
                npy("<f4", false, "99999999999, 99999999999", &[]),
                "cut short",
            ),
            (npy("|O", false, "1,", &[0; 8]), "Python objects"),
            (npy("<c8", false, "1,", &[0; 8]), "values of type"),
        ] {
            let text = parse(&bytes).unwrap_err();
            assert!(text.contains(why), "{text}");
        }
    }
}
