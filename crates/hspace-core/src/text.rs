//! Numbers and columns as text.

/// `.848 ±.012`
pub(crate) fn cell(mean: f64, low: f64, high: f64) -> String {
    let half = (high - low) / 2.0;
    // No spread, or nothing known of it.
    if half == 0.0 {
        return short(mean);
    }
    format!("{} ±{}", short(mean), short(half))
}

/// Three decimals, without the zero before the point.
pub(crate) fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    match text.strip_prefix("-0.") {
        Some(rest) => format!("-.{rest}"),
        None => text.strip_prefix('0').map_or(text.clone(), String::from),
    }
}

/// Columns of equal width, all to the left.
pub(crate) fn aligned_left(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |c: usize| lines.iter().map(|l| l[c].chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|c| width(c).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let mut out = String::new();
        for (cell, w) in line.iter().zip(&widths) {
            out.push_str(&format!("  {cell:<w$}"));
        }
        text.push_str(out.trim_end());
        text.push('\n');
    }
    text
}

/// Columns of equal width: the first to the left, the others to the right.
pub(crate) fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |c: usize| {
        lines
            .iter()
            .map(|l| l[c].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let mut out = format!("  {:<w$}", line[0], w = widths[0]);
        for (cell, w) in line.iter().zip(&widths).skip(1) {
            out.push_str(&format!("  {cell:>w$}"));
        }
        text.push_str(out.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_columns_line_up() {
        assert_eq!(cell(0.8484, 0.8364, 0.8604), ".848 ±.012");
        assert_eq!(cell(0.8484, 0.8484, 0.8484), ".848");
        assert_eq!((short(-0.25), short(1.0)), ("-.250".into(), "1.000".into()));
        let lines = [
            vec!["a".into(), "1".into()],
            vec!["long".into(), "100".into()],
        ];
        assert_eq!(aligned(&lines), "  a       1\n  long  100\n");
    }
}
