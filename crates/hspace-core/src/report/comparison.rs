//! Pairs of representations as matrices: which row is better than which column, and by how much.

use maud::{Markup, html};

use super::look::Looks;
use super::sections::section;
use super::tables::{Measure, name, probe_title, representations};
use crate::probe::{Comparison, Labels, Measurements};

/// Which representations differ: the pairs at ten labels a class and at all labels by the first probe, the others folded away.
pub(super) fn pairs(m: &Measurements, looks: &Looks) -> Markup {
    let families = m.families();
    let Some(first) = families.first().map(|f| f[0].probe.clone()) else {
        return html! {};
    };
    let measure = Measure::of(m.kind().scores()[0]);
    let is_shown = |family: &&Vec<&Comparison>| {
        let labels = [Labels::PerClass(10), Labels::All];
        family[0].probe == first && labels.contains(&family[0].labels)
    };
    let mut shown: Vec<&Vec<&Comparison>> = families.iter().filter(is_shown).collect();
    if shown.is_empty() {
        shown.push(&families[0]);
    }
    let rest: Vec<_> = families
        .iter()
        .filter(|family| !shown.contains(family))
        .collect();
    let lede = html! {
        "Row less column, " (measure.name()) @if measure.percent { " in percentage points" }
        ", on the same labels and the same test samples. A number is a difference that is seen, with its 95 % interval; "
        "“≤” means that no difference is seen, and that it is at most so large. At most in one table of twenty a difference is claimed that is not "
        "there (Holm’s correction)."
    };
    let body = html! {
        @for family in &shown { (matrix(m, family, &measure, looks)) }
        @if !rest.is_empty() {
            details { summary { "All other pairs" }
                @for family in &rest { (matrix(m, family, &measure, looks)) }
            }
        }
    };
    section("Which is better", lede, body)
}

fn matrix(m: &Measurements, family: &[&Comparison], measure: &Measure, looks: &Looks) -> Markup {
    let listed = |name: &&str| family.iter().any(|c| c.a == *name || c.b == *name);
    let names: Vec<&str> = representations(m).into_iter().filter(listed).collect();
    let labels = match family[0].labels {
        Labels::All => format!("all {}s", m.label_or_mask()),
        Labels::PerClass(k) => format!("{k} {}", m.per()),
    };
    html! {
        div.scroll {
            table.pairs {
                caption { (probe_title(&family[0].probe)) span { (labels) } }
                thead { tr {
                    th scope="col" {}
                    @for column in &names[..names.len() - 1] { th.who scope="col" { (column) } }
                } }
                tbody { @for (place, row) in names.iter().enumerate().skip(1) {
                    @let look = looks.of(row);
                    tr {
                        th scope="row" { (name(row, &look)) }
                        @for (other, column) in names[..names.len() - 1].iter().enumerate() {
                            @if other < place { (cell(family, row, column, measure)) } @else { td.none {} }
                        }
                    }
                } }
            }
        }
    }
}

/// `row` less `column`.
fn cell(family: &[&Comparison], row: &str, column: &str, measure: &Measure) -> Markup {
    let is_pair =
        |c: &&&Comparison| [&*c.a, &*c.b] == [row, column] || [&*c.b, &*c.a] == [row, column];
    let Some(c) = family.iter().find(is_pair) else {
        return html! { td.none { "–" } };
    };
    let e = c.difference;
    if !c.seen {
        return html! { td.level { "≤ " (measure.number(e.high.max(-e.low))) } };
    }
    let (better, sign) = match c.a == row {
        true => (true, "+"),
        false => (false, "−"),
    };
    html! {
        td.better[better].worse[!better] {
            (sign) (measure.number(e.mean))
            span.half { (measure.number(e.low)) "–" (measure.number(e.high)) }
        }
    }
}
