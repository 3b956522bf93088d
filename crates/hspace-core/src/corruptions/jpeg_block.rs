//! The discrete cosine transform of a block of JPEG in whole numbers, and back.
//!
//! √8 · cos as whole numbers of 13 bits. Their last bits are those of libjpeg's slow integer transform, which multiplies in another order
//! (Loeffler, Ligtenberg & Moschytz 1989): sums of products are the same, so results agree bit by bit.

type Block = [[i32; 8]; 8];

/// Weights of coefficients 1, 3, 5, 7 on differences of opposite values, from the outer to the inner ones.
const ODD: [[i32; 4]; 4] = [
    [11363, 9633, 6437, 2260],
    [9633, -2259, -11362, -6436],
    [6437, -11362, 2261, 9633],
    [2260, -6436, 9633, -11363],
];

/// Weights of coefficients 2 and 6 on differences of sums of opposite values.
const EVEN: [[i32; 2]; 2] = [[10703, 4433], [4433, -10704]];

/// Divides by a power of two, to the nearest.
fn shift(v: [i32; 8], bits: u32) -> [i32; 8] {
    v.map(|v| (v + (1 << (bits - 1))) >> bits)
}

fn add(a: [i32; 8], b: [i32; 8]) -> [i32; 8] {
    std::array::from_fn(|i| a[i] + b[i])
}

fn subtract(a: [i32; 8], b: [i32; 8]) -> [i32; 8] {
    std::array::from_fn(|i| a[i] - b[i])
}

fn times(a: [i32; 8], weight: i32) -> [i32; 8] {
    a.map(|v| v * weight)
}

/// `Σ weights[i] · rows[i]`
fn dot<const N: usize>(weights: [i32; N], rows: [[i32; 8]; N]) -> [i32; 8] {
    let mut sum = [0; 8];
    for (weight, row) in weights.into_iter().zip(rows) {
        sum = add(sum, times(row, weight));
    }
    sum
}

fn transposed(block: Block) -> Block {
    std::array::from_fn(|y| std::array::from_fn(|x| block[x][y]))
}

/// Transforms along columns, all at once. Coefficients 0 and 4 are multiplied by 2^`up` or divided by 2^-`up`; the others divided by
/// 2^`down`.
fn forward(d: Block, up: i32, down: u32) -> Block {
    let [s0, s1, s2, s3] = [0, 1, 2, 3].map(|i| add(d[i], d[7 - i]));
    let odd = [0, 1, 2, 3].map(|i| subtract(d[i], d[7 - i]));
    let (outer, inner) = (add(s0, s3), add(s1, s2));
    let even = [subtract(s0, s3), subtract(s1, s2)];
    let scaled = |v| match up < 0 {
        true => shift(v, up.unsigned_abs()),
        false => times(v, 1 << up),
    };
    let [c1, c3, c5, c7] = ODD.map(|weights| shift(dot(weights, odd), down));
    let [c2, c6] = EVEN.map(|weights| shift(dot(weights, even), down));
    let c0 = scaled(add(outer, inner));
    let c4 = scaled(subtract(outer, inner));
    [c0, c1, c2, c3, c4, c5, c6, c7]
}

/// The inverse of [`forward`] along columns, divided by 2^`down`.
fn backward(c: Block, down: u32) -> Block {
    let outer = times(add(c[0], c[4]), 1 << 13);
    let inner = times(subtract(c[0], c[4]), 1 << 13);
    let [even_outer, even_inner] = EVEN.map(|weights| dot(weights, [c[2], c[6]]));
    let even = [
        add(outer, even_outer),
        add(inner, even_inner),
        subtract(inner, even_inner),
        subtract(outer, even_outer),
    ];
    let odd = ODD.map(|weights| dot(weights, [c[1], c[3], c[5], c[7]]));
    let mut out = [[0; 8]; 8];
    for i in 0..4 {
        out[i] = shift(add(even[i], odd[i]), down);
        out[7 - i] = shift(subtract(even[i], odd[i]), down);
    }
    out
}

/// Values in -128..=127 transformed, rounded to multiples of `steps` and transformed back, in 0..=255.
pub(super) fn lossy(block: Block, steps: &[i32; 64]) -> Block {
    let rows = transposed(forward(transposed(block), 2, 11));
    let mut coefficients = forward(rows, -2, 15);
    for (row, steps) in coefficients.iter_mut().zip(steps.as_chunks::<8>().0) {
        for (v, &step) in row.iter_mut().zip(steps) {
            // Coefficients are 8 times as large as those of the orthonormal transform.
            let multiple = (v.abs() + 4 * step) / (8 * step);
            *v = v.signum() * multiple * step;
        }
    }
    let columns = backward(coefficients, 11);
    let values = transposed(backward(transposed(columns), 18));
    values.map(|row| row.map(|v| (v + 128).clamp(0, 255)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fine_steps_lose_next_to_nothing() {
        let block: Block = std::array::from_fn(|y| {
            std::array::from_fn(|x| (y * 37 + x * x * 11) as i32 % 256 - 128)
        });
        let back = lossy(block, &[1; 64]);
        for (v, back) in block.iter().flatten().zip(back.iter().flatten()) {
            assert!((v + 128 - back).abs() <= 1, "{v} {back}");
        }
    }

    #[test]
    fn a_coarse_step_leaves_the_mean() {
        let block: Block = std::array::from_fn(|y| [y as i32 - 20; 8]);
        assert_eq!(lossy(block, &[255; 64]), [[96; 8]; 8]);
    }
}
