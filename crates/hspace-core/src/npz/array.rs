//! One NumPy array, read from a `.npy` stream: whole, into plain vectors, or number by number.

mod features;
mod layout;

use std::io::Read;

use npyz::TypeChar;

pub use features::{Features, features};
pub use layout::Layout;
use layout::{half, parts};

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
