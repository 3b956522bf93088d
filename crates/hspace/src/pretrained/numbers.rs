//! Floating-point numbers of checkpoints as single precision.

/// What the numbers of a tensor are.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Double,
    Single,
    Half,
    BFloat16,
    /// Counters and masks.
    Whole(String),
    /// Numbers that are not read, by the file's own name.
    Other(String),
}

impl Kind {
    /// The file's own name of numbers that are not read; `None` for those that are.
    pub(super) fn unreadable(&self) -> Option<&str> {
        match self {
            Kind::Whole(name) | Kind::Other(name) => Some(name),
            _ => None,
        }
    }

    /// The numbers in `bytes`, lowest byte first, rounded to single precision; `None` if they are no
    /// floating-point numbers that are read.
    pub(super) fn decode(&self, bytes: &[u8]) -> Option<Vec<f32>> {
        match self {
            Kind::Double => Some(doubles(bytes)),
            Kind::Single => Some(singles(bytes)),
            Kind::Half => Some(halves(bytes)),
            Kind::BFloat16 => Some(bfloats(bytes)),
            Kind::Whole(_) | Kind::Other(_) => None,
        }
    }
}

fn doubles(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<8>();
    numbers
        .iter()
        .map(|b| f64::from_le_bytes(*b) as f32)
        .collect()
}

fn singles(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<4>();
    numbers.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// IEEE half precision: 1 bit of sign, 5 of exponent, 10 of fraction.
fn halves(bytes: &[u8]) -> Vec<f32> {
    let number = |b: &[u8; 2]| {
        let bits = u16::from_le_bytes(*b);
        let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
        let (exponent, part) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
        sign * match exponent {
            0 => part * 2f32.powi(-24),
            31 if part == 0.0 => f32::INFINITY,
            31 => f32::NAN,
            _ => (1.0 + part / 1024.0) * 2f32.powi(exponent - 15),
        }
    };
    let (numbers, _) = bytes.as_chunks::<2>();
    numbers.iter().map(number).collect()
}

/// bfloat16: the upper halves of single-precision numbers.
fn bfloats(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<2>();
    let number = |b: &[u8; 2]| f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16);
    numbers.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_and_bfloat16_are_decoded() {
        let bytes = [0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0x00, 0x7c, 0xff, 0x7b];
        let halves = Kind::Half.decode(&bytes).unwrap();
        assert_eq!(halves, [1.0, -2.0, 2f32.powi(-24), f32::INFINITY, 65504.0]);
        let bfloats = Kind::BFloat16.decode(&[0x80, 0x3f, 0x20, 0xc0]).unwrap();
        assert_eq!(bfloats, [1.0, -2.5]);
    }
}
