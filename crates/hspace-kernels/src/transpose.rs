//! Rows to columns.

/// Side of the squares that are turned at once, small enough for registers and one cache line.
const SIDE: usize = 16;

/// `to[c · to_row + r] = from[r · from_row + c]` for `rows` × `columns` numbers.
///
/// # Panics
/// If a slice is too short.
pub(crate) fn transpose(
    from: &[f32],
    from_row: usize,
    to: &mut [f32],
    to_row: usize,
    (rows, columns): (usize, usize),
) {
    for r in (0..rows).step_by(SIDE) {
        let height = SIDE.min(rows - r);
        for c in (0..columns).step_by(SIDE) {
            let width = SIDE.min(columns - c);
            let mut square = [[0.0f32; SIDE]; SIDE];
            for (i, line) in square.iter_mut().enumerate().take(height) {
                line[..width].copy_from_slice(&from[(r + i) * from_row + c..][..width]);
            }
            for j in 0..width {
                let to = &mut to[(c + j) * to_row + r..][..height];
                to.iter_mut()
                    .zip(&square)
                    .for_each(|(to, line)| *to = line[j]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        let (rows, columns, from_row, to_row) = (37, 21, 25, 40);
        let from: Vec<f32> = (0..rows * from_row).map(|i| i as f32).collect();
        let mut to = vec![-1.0; columns * to_row];
        transpose(&from, from_row, &mut to, to_row, (rows, columns));
        for (i, &x) in to.iter().enumerate() {
            let (c, r) = (i / to_row, i % to_row);
            let expected = if r < rows {
                from[r * from_row + c]
            } else {
                -1.0
            };
            assert_eq!(x, expected);
        }
    }
}
