//! Vectors in single precision out of an array of any numbers, without the array in memory.

use std::io::Read;

use super::Layout;
use crate::matrix::Matrix;

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
mod tests {
    use super::*;
    use crate::npz::array::tests::npy;

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
}
