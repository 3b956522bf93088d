//! Colours and short texts that every part of the page shares.
//!
//! Colours are CSS variables (`style.css`), so that one set serves light and another dark.

use std::collections::HashMap;

/// How one representation looks wherever it appears.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Look {
    /// A CSS colour.
    pub colour: String,
    /// One of the learned representations: thicker, and tinted in tables.
    pub learned: bool,
    /// SVG dash pattern; empty is solid.
    pub dash: &'static str,
}

/// Looks by name. Learned ones take the accents in order; baselines keep a muted colour of their
/// own kind; a second one of a kind, and anything else, takes the next spare colour.
pub(super) struct Looks(HashMap<String, Look>);

impl Looks {
    /// Gives every name its look, once.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>, learned: &'a [String]) -> Self {
        let mut looks: HashMap<String, Look> = HashMap::new();
        let (mut accents, mut spares, mut taken) = (0, 0, Vec::new());
        for name in learned.iter().map(String::as_str).chain(names) {
            if looks.contains_key(name) {
                continue;
            }
            let is_learned = learned.iter().any(|l| l == name);
            let kind = name.split([':', ' ']).next().unwrap_or_default();
            let own = match kind {
                "pixels" | "raw" => Some(("pixels", "")),
                "pca" => Some(("pca", "7 3")),
                "random" => Some(("random", "2 3")),
                "supervised" => Some(("supervised", "9 3 2 3")),
                "chance" | "noise" => Some(("chance", "1 4")),
                _ => None,
            };
            let (colour, dash) = match own {
                _ if is_learned => {
                    accents += 1;
                    (format!("accent-{}", (accents - 1) % 4), "")
                }
                Some((kind, dash)) if !taken.contains(&kind) => {
                    taken.push(kind);
                    (kind.to_string(), dash)
                }
                _ => {
                    spares += 1;
                    (format!("spare-{}", (spares - 1) % 4), "5 3")
                }
            };
            let colour = format!("var(--{colour})");
            looks.insert(
                name.to_string(),
                Look {
                    colour,
                    learned: is_learned,
                    dash,
                },
            );
        }
        Looks(looks)
    }

    /// The look of `name`; grey for a name that was not there at the start.
    pub fn of(&self, name: &str) -> Look {
        let grey = || Look {
            colour: "var(--pixels)".into(),
            learned: false,
            dash: "",
        };
        self.0.get(name).cloned().unwrap_or_else(grey)
    }
}

/// The colour of a class: ten that colour-blind readers tell apart (after Paul Tol's muted
/// scheme), then hues spread by the golden angle. Grey for no class.
pub(super) fn class_colour(class: Option<u32>) -> String {
    match class {
        None => "var(--no-class)".into(),
        Some(c) if c < 10 => format!("var(--class-{c})"),
        Some(c) => format!("hsl({:.0} 45% 55%)", f64::from(c) * 137.508 % 360.0),
    }
}

/// `text` cut to `longest` characters, an ellipsis in the middle: names of runs often differ only at
/// their end.
pub(super) fn clip(text: &str, longest: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= longest {
        return text.to_string();
    }
    let tail = longest.saturating_sub(1) / 2;
    let head = longest.saturating_sub(1 + tail);
    let (head, tail) = (&letters[..head], &letters[letters.len() - tail..]);
    head.iter().chain(['…'].iter()).chain(tail).collect()
}

/// A short number of some three digits: `1.2M`, `12k`, `340`, `0.25`, `3e-4`; a dash when not
/// finite.
pub(super) fn short(value: f64) -> String {
    let digits = |value: f64, digits: usize| {
        let text = format!("{value:.digits$}");
        match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
            false => text,
        }
    };
    let text = match value.abs() {
        _ if !value.is_finite() => "–".into(),
        0.0 => "0".into(),
        size if size >= 999_500.0 => digits(value / 1e6, 1) + "M",
        size if size >= 99_950.0 => digits(value / 1e3, 0) + "k",
        size if size >= 9_995.0 => digits(value / 1e3, 1) + "k",
        size if size >= 999.5 => digits(value / 1e3, 2) + "k",
        size if size >= 100.0 => digits(value, 0),
        size if size >= 10.0 => digits(value, 1),
        size if size >= 1.0 => digits(value, 2),
        size if size >= 0.0099 => digits(value, 3),
        _ => format!("{value:.1e}").replace(".0e", "e"),
    };
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_distinct_and_learned_ones_accented() {
        let names = ["pixels", "pca:50", "random:cnn", "supervised", "a", "pca:9"];
        let looks = Looks::new(names, &["a".into()]);
        let mut colours: Vec<String> = names.map(|n| looks.of(n).colour).to_vec();
        assert_eq!(colours[4], "var(--accent-0)");
        colours.sort();
        colours.dedup();
        assert_eq!(colours.len(), names.len());
    }

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(clip("runs/simclr-seed-1", 9), "runs…ed-1");
        assert_eq!(
            (clip("pixels", 6), clip("äöü", 2), clip("abc", 0)),
            ("pixels".into(), "ä…".into(), "…".into())
        );
    }

    #[test]
    fn numbers_are_short() {
        let texts = [
            1.0,
            0.25,
            60.75,
            1234.0,
            10_000.0,
            2.5e6,
            -3e-4,
            0.0,
            f64::NAN,
        ]
        .map(short);
        assert_eq!(
            texts,
            [
                "1",
                "0.25",
                "60.8",
                "1.23k",
                "10k",
                "2.5M",
                "−3e−4",
                "0",
                "–"
            ]
        );
    }
}
