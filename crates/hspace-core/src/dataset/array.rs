//! One NumPy array, read from a `.npy` stream into plain vectors.

use std::io::Read;

use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};

/// The values of an array, by type.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// `uint8`
    U8(Vec<u8>),
    /// `uint16`
    U16(Vec<u16>),
    /// Any other integer, and booleans.
    Integers(Vec<i64>),
    /// `float32`, and `float64` rounded to it.
    Floats(Vec<f32>),
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

/// Reads one array; `size` is how many bytes the stream has at most.
///
/// # Errors
/// With what is wrong with it: no NumPy array, an unsupported type, or cut short.
pub fn read(mut reader: impl Read, size: u64) -> Result<Array, String> {
    let header =
        NpyHeader::from_reader(&mut reader).map_err(|e| format!("not a NumPy array ({e})"))?;
    let DType::Plain(kind) = header.dtype() else {
        return Err("an array of records; save its columns as arrays of their own".into());
    };
    let width = kind.num_bytes().unwrap_or(0);
    if kind.uses_pickled_array() || width == 0 && kind.type_char() == TypeChar::Object {
        return Err("an array of Python objects; save numbers or text (`.astype(str)`)".into());
    }
    let dims: Vec<usize> = header
        .shape()
        .iter()
        .map(|&n| usize::try_from(n).unwrap_or(usize::MAX))
        .collect();
    let count = dims.iter().try_fold(1usize, |all, &n| all.checked_mul(n));
    let bytes = count
        .and_then(|n| n.checked_mul(width))
        .filter(|&n| n as u64 <= size);
    let (Some(count), Some(bytes)) = (count, bytes) else {
        let text = format!("cut short: {dims:?} of {width} bytes each");
        return Err(format!("{text} is more than the {size} bytes there are"));
    };
    let mut raw = Vec::with_capacity(bytes);
    let end = reader.take(bytes as u64).read_to_end(&mut raw);
    end.map_err(|e| format!("damaged: {e}"))?;
    if raw.len() < bytes {
        return Err(format!(
            "cut short: {dims:?} needs {bytes} bytes, {} are there",
            raw.len()
        ));
    }
    if kind.endianness() == Endianness::Big && width > 1 {
        let unit = if kind.type_char() == TypeChar::UnicodeStr {
            4
        } else {
            width
        };
        raw.chunks_exact_mut(unit).for_each(<[u8]>::reverse);
    }
    if header.order() == Order::Fortran && dims.iter().filter(|&&n| n > 1).count() > 1 {
        raw = to_c_order(&raw, &dims, width)?;
    }
    let data = match (kind.type_char(), width) {
        (TypeChar::Uint, 1) => Data::U8(raw),
        (TypeChar::Uint, 2) => Data::U16(values(&raw, u16::from_le_bytes)),
        (TypeChar::Bool, 1) => Data::Integers(raw.iter().map(|&b| i64::from(b != 0)).collect()),
        (TypeChar::Int, 1) => Data::Integers(values(&raw, |b| i64::from(i8::from_le_bytes(b)))),
        (TypeChar::Int, 2) => Data::Integers(values(&raw, |b| i64::from(i16::from_le_bytes(b)))),
        (TypeChar::Int, 4) => Data::Integers(values(&raw, |b| i64::from(i32::from_le_bytes(b)))),
        (TypeChar::Int, 8) => Data::Integers(values(&raw, i64::from_le_bytes)),
        (TypeChar::Uint, 4) => Data::Integers(values(&raw, |b| i64::from(u32::from_le_bytes(b)))),
        (TypeChar::Uint, 8) => Data::Integers(values(&raw, |b| u64::from_le_bytes(b) as i64)),
        (TypeChar::Float, 4) => Data::Floats(values(&raw, f32::from_le_bytes)),
        (TypeChar::Float, 8) => Data::Floats(values(&raw, |b| f64::from_le_bytes(b) as f32)),
        (TypeChar::UnicodeStr, _) => Data::Text(text(&raw, width, count, |cell| {
            let points = cell
                .chunks_exact(4)
                .map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]]));
            points
                .take_while(|&p| p != 0)
                .filter_map(char::from_u32)
                .collect()
        })),
        (TypeChar::ByteStr, _) => Data::Text(text(&raw, width, count, |cell| {
            let end = cell.iter().position(|&b| b == 0).unwrap_or(cell.len());
            String::from_utf8_lossy(&cell[..end]).into_owned()
        })),
        _ => {
            return Err(format!(
                "values of type {kind}; integers, float32, float64 or text are read"
            ));
        }
    };
    Ok(Array { dims, data })
}

fn values<const N: usize, T>(raw: &[u8], from: fn([u8; N]) -> T) -> Vec<T> {
    let (chunks, _) = raw.as_chunks::<N>();
    chunks.iter().map(|&chunk| from(chunk)).collect()
}

fn text(raw: &[u8], width: usize, count: usize, read: impl Fn(&[u8]) -> String) -> Vec<String> {
    (0..count)
        .map(|i| read(&raw[i * width..(i + 1) * width]))
        .collect()
}

/// Turns column-major values, as NumPy keeps the result of a transpose, into row-major ones.
fn to_c_order(raw: &[u8], dims: &[usize], width: usize) -> Result<Vec<u8>, String> {
    let &[rows, cols] = dims else {
        return Err("in Fortran order; save it with np.ascontiguousarray".into());
    };
    let mut out = Vec::with_capacity(raw.len());
    for row in 0..rows {
        for col in 0..cols {
            let at = (col * rows + row) * width;
            out.extend_from_slice(&raw[at..at + width]);
        }
    }
    Ok(out)
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
                data: Data::Floats(vec![1.5, -2.0])
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
