//! A line of the coverage table.

/// How often one kind of interval held the truth.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What was estimated, by what, from what.
    pub what: String,
    /// The coverage it claims.
    pub nominal: f64,
    /// How often it held the truth.
    pub held: usize,
    /// Of so many repetitions.
    pub of: usize,
    /// Mean width over that of an ideal interval, 2 · 1.96 standard deviations of the estimate over repetitions.
    pub width: Option<f64>,
}

impl Cell {
    /// The coverage found.
    pub fn found(&self) -> f64 {
        self.held as f64 / self.of.max(1) as f64
    }

    /// Three standard errors below what it claims, or more.
    pub fn is_low(&self) -> bool {
        let error = (self.nominal * (1.0 - self.nominal) / self.of.max(1) as f64).sqrt();
        self.found() < self.nominal - 3.0 * error
    }

    /// `| what | .95 | 190/200 = .950 | 1.04 |`, or that no interval is shown.
    pub fn line(&self) -> String {
        if self.of == 0 {
            return format!("| {} | – | no interval is shown | – |", self.what);
        }
        let short = |x: f64| format!("{x:.3}").trim_start_matches('0').to_owned();
        let width = self.width.map_or("–".to_owned(), |w| format!("{w:.2}"));
        let mark = if self.is_low() { " low" } else { "" };
        format!(
            "| {} | {} | {}/{} = {}{mark} | {width} |",
            self.what,
            short(self.nominal),
            self.held,
            self.of,
            short(self.found())
        )
    }
}
