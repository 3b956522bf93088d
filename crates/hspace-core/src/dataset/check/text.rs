//! Findings as a block of text.

use std::collections::BTreeMap;
use std::fmt;

use crate::dataset::Role;

use super::{ClassCount, EXAMPLES, Findings, ValueFindings};

impl Findings {
    /// `(train+test): cat 10+2, dog 8+3, ...`
    fn counts(&self, out: &mut fmt::Formatter<'_>, classes: &[ClassCount]) -> fmt::Result {
        const SHOWN: usize = 12;
        let with_val = self.val > 0;
        let one = |c: &ClassCount| match with_val {
            true => format!("{} {}+{}+{}", c.name, c.train, c.val, c.test),
            false => format!("{} {}+{}", c.name, c.train, c.test),
        };
        let what = if with_val {
            "train+val+test"
        } else {
            "train+test"
        };
        let parts: Vec<String> = classes.iter().take(SHOWN).map(one).collect();
        let dots = if classes.len() > SHOWN { ", ..." } else { "" };
        write!(out, "({what}): {}{dots}", parts.join(", "))
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pair = |[w, h]: [usize; 2]| format!("{w}x{h}");
        let list = |counts: &BTreeMap<usize, usize>| {
            let parts: Vec<String> = counts.iter().map(|(k, n)| format!("{k} ({n})")).collect();
            parts.join(", ")
        };
        let numbers = |values: &[f32]| {
            let parts: Vec<String> = values.iter().map(|v| format!("{v:.4}")).collect();
            parts.join(" ")
        };
        writeln!(
            out,
            "{} ({})",
            self.name,
            format!("{:?}", self.kind).to_lowercase()
        )?;
        writeln!(
            out,
            "  samples     {} train, {}{} test",
            self.train,
            match self.val {
                0 => String::new(),
                val => format!("{val} val, "),
            },
            self.test
        )?;
        super::reading::write(out, &self.reading)?;
        if let Some(features) = self.features {
            writeln!(out, "  features    {features}")?;
        }
        if let Some(sizes) = &self.sizes {
            let (min, median, max) = (pair(sizes.min), pair(sizes.median), pair(sizes.max));
            match sizes.distinct {
                1 => writeln!(out, "  size        {min}")?,
                n => writeln!(
                    out,
                    "  size        {min} to {max}, median {median}, {n} different"
                )?,
            }
            writeln!(out, "  channels    {}", list(&self.channels))?;
            writeln!(out, "  bits        {}", list(&self.bits))?;
        }
        writeln!(out, "  mean        {}", numbers(&self.mean))?;
        writeln!(out, "  std         {}", numbers(&self.std))?;
        for column in &self.columns {
            let role = format!("{:?}", column.role).to_lowercase();
            write!(out, "  {role:<11} {}: ", column.name)?;
            match &column.values {
                ValueFindings::Classes(classes)
                    if matches!(column.role, Role::Mask | Role::Group) =>
                {
                    let what = if column.role == Role::Mask {
                        "masks"
                    } else {
                        "groups"
                    };
                    write!(out, "{} {what}", classes.len())?;
                }
                ValueFindings::Classes(classes) => {
                    write!(out, "{} classes ", classes.len())?;
                    self.counts(out, classes)?;
                }
                ValueFindings::MultiLabel(labels) => {
                    write!(out, "{} labels, several a sample ", labels.len())?;
                    self.counts(out, labels)?;
                }
                ValueFindings::Numbers { min, mean, max } => {
                    write!(out, "numbers from {min} to {max}, mean {mean:.4}")?;
                }
            }
            match column.unknown {
                0 => writeln!(out)?,
                n => writeln!(out, "; {n} unknown")?,
            }
        }
        let d = &self.duplicates;
        let (train, test) = (d.within_train, d.within_test);
        let across = d.across + d.train_val + d.val_test;
        let val = match self.val {
            0 => String::new(),
            _ => format!("{} within val, ", d.within_val),
        };
        writeln!(
            out,
            "  duplicates  {train} within train, {val}{test} within test, {across} across"
        )?;
        for [a, b] in &d.examples {
            writeln!(out, "              {a} = {b}")?;
        }
        writeln!(out, "  bad files   {}", self.bad.len())?;
        for bad in self.bad.iter().take(EXAMPLES) {
            writeln!(out, "              {}: {}", bad.path, bad.reason)?;
        }
        if self.bad.len() > EXAMPLES {
            writeln!(out, "              and {} more", self.bad.len() - EXAMPLES)?;
        }
        for warning in &self.warnings {
            writeln!(out, "  warning     {warning}")?;
        }
        Ok(())
    }
}
