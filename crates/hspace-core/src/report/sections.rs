//! The page's sections, from top to bottom. One that has no data is empty.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use maud::{Markup, html};

use super::look::{Looks, short};
use super::neighbours::Neighbours;
use super::projection::{Plane, Projection};
use super::tables::{self, Measure, grouped, name, probe_title};
use super::{Drawing, Page, RunFacts, charts, confusion, neighbours, projection};
use crate::dataset::{BadFile, Role};
use crate::probe::{Labels, Measurements, Row, Savings, TaskKind};

/// Bad files listed by name; the rest are counted and found in `bad_files.csv`.
const BAD_FILES: usize = 20;

/// A section with its heading and one line that says how to read it.
pub(super) fn section(title: &str, lede: Markup, body: Markup) -> Markup {
    html! { section { h2 { (title) } p.lede { (lede) } (body) } }
}

/// The top of the page: what was found, how the encoder came about, what to beware of.
pub(super) fn header(page: &Page) -> Markup {
    let facts = key_numbers(page);
    html! {
        header {
            p.eyebrow { "hspace report" }
            h1 { (page.title) }
            @if !page.headline.is_empty() { p.headline { (page.headline.replace(" %", "\u{a0}%")) } }
            @if !facts.is_empty() {
                div.facts { @for (value, unit, what) in &facts {
                    div.fact { div.value { (value) @if !unit.is_empty() { span { (unit) } } } div.what { (what) } }
                } }
            }
            @if let Some(run) = &page.run {
                p.run {
                    "Trained " b { (run.encoder) } " with " b { (run.objective) } " on " b { (run.data) }
                    ": " (grouped(run.steps as usize)) " steps in " (duration(run.seconds))
                    @if run.images_per_s.is_finite() { ", " (grouped(run.images_per_s.round() as usize)) " samples/s" }
                    ", " (short(run.parameters as f64)) " weights, seed " (run.seed) "."
                }
            }
            @if !page.warnings.is_empty() {
                div.callout role="note" {
                    b { "Before you rely on this" }
                    ul { @for warning in &page.warnings { li { (warning.to_string()) } } }
                }
            }
        }
    }
}

/// Up to four numbers for the top of the page, about the first learned representation: value,
/// unit, what it is.
fn key_numbers(page: &Page) -> Vec<(String, String, String)> {
    let (Some(m), Some(learned)) = (&page.measurements, page.learned.first()) else {
        return Vec::new();
    };
    let mut facts = Vec::new();
    let counted = |count: f64| grouped(count.max(0.0).round() as usize);
    if let Some((s, amount)) = m
        .headline_saving()
        .and_then(|s| Some((s, s.amount(&counted)?)))
    {
        let (bound, labels) = match (s.equals, s.at_least, s.at_most) {
            (Some((first, last)), Some(_), Some(_)) => ("", (first * last).sqrt()),
            (_, Some(low), _) => ("≥ ", low),
            (_, None, high) => ("≤ ", high.unwrap_or(0.0)),
        };
        let ratio = labels / s.labels.max(1) as f64;
        let what = format!(
            "{} savings: {} do what {amount} do on {}",
            m.label_or_mask(),
            grouped(s.labels),
            s.baseline
        );
        facts.push((format!("{bound}{ratio:.1}"), "×".into(), what));
    }
    let probe = tables::probes(m).first().copied().unwrap_or_default();
    let score = |name: &str, labels| {
        let (key, e) = tables::find(m, name, probe, labels).and_then(Row::main_score)?;
        e.mean.is_finite().then_some((key.as_str(), e.mean))
    };
    let ten = format!("with 10 {}", m.per());
    let all = format!("with all {}s", m.label_or_mask());
    for (labels, words) in [
        (Labels::PerClass(10), ten.as_str()),
        (Labels::All, all.as_str()),
    ] {
        let Some((key, mean)) = score(learned, labels) else {
            continue;
        };
        let measure = Measure::of(key);
        let pixels =
            score("pixels", labels).map(|(_, p)| format!("; pixels {}", measure.number(p)));
        let what = format!("{} {words}{}", measure.name(), pixels.unwrap_or_default());
        let unit = if measure.percent { "%" } else { "" };
        facts.push((measure.number(mean), unit.into(), what));
    }
    let geometry = m.geometry.iter().find(|g| g.representation == *learned);
    if let Some((g, rank)) = geometry.and_then(|g| Some((g, g.effective_rank?))) {
        let what = "effective rank: dimensions really in use".to_string();
        facts.push((format!("{rank:.0}"), format!("of {}", g.dim), what));
    }
    facts
}

/// `75` as `1 min 15 s`.
fn duration(seconds: f64) -> String {
    match seconds {
        s if !s.is_finite() || s < 0.0 => "–".into(),
        s if s < 60.0 => format!("{s:.0} s"),
        s if s < 3600.0 => format!("{:.0} min {:.0} s", (s / 60.0).floor(), (s % 60.0).floor()),
        s => format!(
            "{:.0} h {:.0} min",
            (s / 3600.0).floor(),
            (s % 3600.0 / 60.0).floor()
        ),
    }
}

/// The tables of results, what they mean in labels saved, and further measures.
pub(super) fn results(m: &Measurements, learned: &[String], looks: &Looks) -> Markup {
    if m.rows.is_empty() {
        return html! {};
    }
    let lede = html! {
        "How well " b { (m.task) } " of " (grouped(m.test)) " held-out samples is predicted from each "
        "representation by a simple model. Means over draws of " (m.label_or_mask()) "s, ± half the 95 % interval; best in bold. " (sentence_case(&m.conditions())) "."
    };
    let probes = tables::probes(m);
    let is_own = |s: &&Savings| {
        learned.contains(&s.representation) && probes.first() == Some(&s.probe.as_str())
    };
    let own: Vec<&Savings> = m.savings.iter().filter(is_own).collect();
    let body = html! {
        @for probe in &probes { (tables::results(m, probe, looks)) }
        @let harm = m.worse_than_labels_alone();
        @if !harm.is_empty() {
            div.callout role="note" {
                b { "Worse than the labels alone" }
                ul { @for line in &harm { li { (line) } } }
            }
        }
        @for note in m.without_labels_alone() { p.note { (note) } }
        @if let Some(note) = m.without() { p.note { (sentence_case(&note)) } }
        @if !own.is_empty() { ul.savings { @for s in own { li { (saving(m, s)) } } } }
        @if !m.savings.is_empty() {
            details { summary { (sentence_case(m.label_or_mask())) " savings of everything measured" }
                ul.savings { @for s in &m.savings { li { (saving(m, s)) } } }
            }
        }
        @if m.rows.iter().any(|r| r.labels == Labels::All) {
            details { summary { "All measures" } @for probe in &probes { (tables::measures(m, probe, looks)) } }
        }
    };
    section("Results", lede, body)
}

/// "100 labels on A do what 520 (95 % interval 410 to 640) do on B."; what is said instead where that is not known.
fn saving(m: &Measurements, s: &Savings) -> Markup {
    let probe = probe_title(&s.probe).to_lowercase();
    let count = |value: f64| grouped(value.max(0.0).round() as usize);
    match (m.doubt(s), s.amount(&count)) {
        (None, Some(amount)) => html! {
            b { (grouped(s.labels)) " " (m.label_or_mask()) "s" } " on " (s.representation) " do what "
            b { (amount.replace(" %", "\u{a0}%")) } " do on " (s.baseline) ", " (probe) "."
        },
        (doubt, _) => {
            html! { (doubt.unwrap_or_default().replace(" %", "\u{a0}%")) " (" (probe) ")." }
        }
    }
}

fn sentence_case(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// Few-label curves, one panel a probe.
pub(super) fn few_labels(m: &Measurements, looks: &Looks) -> Markup {
    let names = || {
        tables::representations(m)
            .into_iter()
            .filter(|n| *n != "chance")
    };
    let curves = |probe: &str| -> Vec<_> {
        let lines = names().map(|n| (n.to_string(), looks.of(n), tables::curve(m, n, probe)));
        lines.filter(|(_, _, points)| !points.is_empty()).collect()
    };
    let every: Vec<_> = tables::probes(m).into_iter().flat_map(curves).collect();
    let reach = charts::reach(every.iter().flat_map(|(_, _, points)| points));
    let panel = |probe: &str| {
        let lines = curves(probe);
        let several = lines.iter().any(|(_, _, points)| points.len() > 1);
        let measure = Measure::of(m.kind().scores()[0]);
        let chance = (m.kind() != TaskKind::Numbers).then_some(m.chance);
        several.then(|| {
            let chart = charts::few_label(&lines, reach, chance, &measure, m.label_or_mask());
            html! { figure { figcaption { (probe_title(probe)) } (chart) } }
        })
    };
    let panels: Vec<Markup> = tables::probes(m).into_iter().filter_map(panel).collect();
    if panels.is_empty() {
        return html! {};
    }
    let lede = html! { "The same numbers as curves: the further a line lies to the left, the fewer " (m.label_or_mask()) "s it needs. Bands are 95 % intervals." };
    section(
        "With few labels",
        lede,
        html! { div.panels { @for panel in &panels { (panel) } } },
    )
}

/// The representations on a plane, side by side.
pub(super) fn projections(of: &[Projection]) -> Markup {
    let of: Vec<&Projection> = of.iter().filter(|p| !p.points.is_empty()).collect();
    let Some(classes) = of.iter().map(|p| &p.classes).max_by_key(|c| c.len()) else {
        return html! {};
    };
    let own = of.iter().any(|p| p.plane != Plane::Tsne);
    let prior = of.iter().any(|p| p.plane == Plane::OwnWithPrior);
    let lede = html! {
        "Each dot is a test sample, placed near its neighbours by t-SNE, which saw no labels. "
        "Who is near whom can be read here; distances between far groups and their sizes cannot."
        @if own { " A space of two dimensions is drawn as it is." }
        @if prior { " The circles are the prior's contours, and hold 39, 86 and 99 % of what is drawn from it." }
    };
    let body = html! {
        div.panels { @for p in &of {
            figure { figcaption { (p.name) span { (grouped(p.points.len())) " samples" } } (projection::picture(p)) }
        } }
        @if classes.len() > 1 { (projection::legend(classes)) }
    };
    section("The space, seen from above", lede, body)
}

/// Nearest neighbours of some test images.
pub(super) fn strips(of: Option<&Neighbours>) -> Markup {
    let Some(of) = of.filter(|n| !n.queries.is_empty()) else {
        return html! {};
    };
    let shares = of
        .spaces
        .iter()
        .enumerate()
        .filter_map(|(i, name)| Some((name, of.agreement(i)?)));
    let shares: Vec<(&String, f64)> = shares.collect();
    let lede = html! {
        "A test image and its nearest training images by angle."
        @if !shares.is_empty() { " Images of another class are outlined in red." }
        @for (i, (name, share)) in shares.iter().enumerate() {
            @if i == 0 { " Of those shown, of the same class: " } @else { ", " }
            (name) " " b { (format!("{:.0}\u{a0}%", 100.0 * share)) }
        }
        @if !shares.is_empty() { "." }
    };
    section("Nearest neighbours", lede, neighbours::strips(of))
}

/// What the run drew.
pub(super) fn drawings(of: &[Drawing]) -> Markup {
    if of.is_empty() {
        return html! {};
    }
    let body = html! {
        div.drawings { @for one in of { (drawing(one)) } }
    };
    let lede = html! { "Pictures made from the latent space: how much of a sample it keeps, and what each of its directions means." };
    section("What it draws", lede, body)
}

/// A picture with its title.
pub(super) fn drawing(of: &Drawing) -> Markup {
    html! {
        figure {
            figcaption { (of.title) span { (of.caption) } }
            img src=(source(&of.picture)) alt=(of.title);
        }
    }
}

/// A picture's bytes inside the page.
pub(super) fn source(picture: &[u8]) -> String {
    let kind = if picture.starts_with(b"GIF") {
        "gif"
    } else {
        "png"
    };
    format!("data:image/{kind};base64,{}", BASE64.encode(picture))
}

/// Confusion matrices: the learned ones, baselines folded away.
pub(super) fn confusions(m: &Measurements, looks: &Looks) -> Markup {
    if m.confusions.is_empty() {
        return html! {};
    }
    let learned = |c: &&crate::probe::Confusion| looks.of(&c.representation).learned;
    let mut shown: Vec<_> = m.confusions.iter().filter(learned).collect();
    let mut rest: Vec<_> = m.confusions.iter().filter(|c| !learned(c)).collect();
    if shown.is_empty() {
        std::mem::swap(&mut shown, &mut rest);
    }
    let figure = |c: &crate::probe::Confusion| {
        html! {
            div.confusion {
                figure { figcaption { (name(&c.representation, &looks.of(&c.representation))) } (confusion::grid(c)) }
                @let mistakes = confusion::mistakes(c, 8);
                @if !mistakes.is_empty() {
                    div.mistakes {
                        h3 { "Commonest mistakes" }
                        ol { @for (class, answer, count) in &mistakes {
                            li { b { (class) } " taken for " b { (answer) } span { (grouped(*count)) "×" } }
                        } }
                    }
                }
            }
        }
    };
    let lede = html! { "How the test samples of each class were answered by the linear probe with all labels." };
    let body = html! {
        @for c in &shown { (figure(c)) }
        @if !rest.is_empty() { details { summary { "Baselines" } @for c in &rest { (figure(c)) } } }
    };
    section("What is mistaken for what", lede, body)
}

/// Each label where a sample has several: the learned representations, baselines folded away.
pub(super) fn labels(m: &Measurements, looks: &Looks) -> Markup {
    let rows = tables::representations(m).into_iter();
    let rows: Vec<&Row> = rows.filter_map(|name| m.label_row(name)).collect();
    let Some(&first) = rows.first() else {
        return html! {};
    };
    let learned = |row: &&Row| looks.of(&row.representation).learned;
    let (mut shown, mut rest): (Vec<&Row>, Vec<&Row>) = rows.into_iter().partition(learned);
    if shown.is_empty() {
        std::mem::swap(&mut shown, &mut rest);
    }
    let lede = html! {
        "Each label by the " (probe_title(&first.probe).to_lowercase()) ", " (first.labels) " " (m.per())
        ". By guessing the area under the ROC curve is 50, the average precision the share of samples that have the label."
    };
    let body = html! {
        @for row in &shown { (tables::labels(row, m.test, looks)) }
        @if !rest.is_empty() { details { summary { "Baselines" } @for row in &rest { (tables::labels(row, m.test, looks)) } } }
    };
    section("Label by label", lede, body)
}

/// Effective rank and its kin.
pub(super) fn geometry(m: &Measurements, looks: &Looks) -> Markup {
    if m.geometry.is_empty() {
        return html! {};
    }
    section(
        "Shape of the space",
        html! { "What the features look like, without a probe." },
        tables::geometry(&m.geometry, looks),
    )
}

/// What the representations carry that they should not.
pub(super) fn nuisances(m: &Measurements, looks: &Looks) -> Markup {
    if m.nuisances.is_empty() {
        return html! {};
    }
    let has = |role: Role| m.nuisances.iter().any(|n| n.role == role);
    let lede = html! {
        @if has(Role::Nuisance) { "Columns the representation should not carry" }
        @if has(Role::Nuisance) && has(Role::Domain) { ", and domains" }
        @if !has(Role::Nuisance) { "Domains" }
        ", read off it by a linear probe: balanced accuracy (classes), R² (numbers) or macro AUROC (several labels a "
        "sample), times 100."
        @if has(Role::Nuisance) { " A nuisance above chance is a warning." }
    };
    let title = match has(Role::Nuisance) {
        true => "What should not be in it",
        false => "Domains",
    };
    section(title, lede, tables::nuisances(&m.nuisances, looks))
}

/// Protocol, split, seeds, what intervals mean, where everything came from.
pub(super) fn method(m: &Measurements) -> Markup {
    let draws = m
        .rows
        .iter()
        .filter(|r| r.labels != Labels::All)
        .map(|r| r.draws.len());
    let (fewest, most) = (draws.clone().min().unwrap_or(0), draws.max().unwrap_or(0));
    let lede = html! { "So that somebody else can measure the same." };
    let body = html! {
        dl.method {
            dt { "Task" } dd {
                (m.task) " of " (m.data)
                @match m.kind() {
                    TaskKind::Classes => { ", " (m.classes.len()) " classes" },
                    TaskKind::LabelSets => { ", " (m.labels.len()) " labels, any number a sample" },
                    TaskKind::Masks => { ", masks of " (m.mask_classes.len()) " classes" },
                    TaskKind::Numbers => {},
                }
            }
            dt { "Samples" } dd {
                (grouped(m.train)) " labelled to train on, "
                @if m.val > 0 { (grouped(m.val)) " to choose settings by where all labels are given, " }
                (grouped(m.test)) " to test on, read once, at the end"
            }
            @if most > 0 {
                dt { "Draws" }
                dd { @if fewest == most { (most) } @else { (fewest) " to " (most) }
                    " random draws of labels (seed " (m.seed) "), the same for every representation" }
            }
            dt { "Scaling" } dd { (sentence_case(&m.conditions())) "; statistics of all training samples, without labels. Probes whose settings are given by hand see features as they are" }
            dt { "Intervals" } dd {
                "95 %, for draws of labels and test samples together (two-way variance, Student’s t with Satterthwaite’s degrees of freedom; Wilson’s form for shares); with all labels, for test samples alone, the labels being given. "
                @let seeds = m.rows.iter().filter_map(|r| Some(r.answers.as_ref()?.seeds())).max().unwrap_or(1);
                @if seeds > 1 { "Of runs with several seeds they hold the training, too" } @else { "Not in them: the spread over several trainings of an encoder" }
            }
            dt { "Pairs" } dd { "Differences on the same draws and test samples, with Holm’s correction for the pairs of one probe and one number of labels" }
            dt { "Choices" } dd {
                "Regularisation, k, metric and weighting are chosen by cross-validation inside the training labels"
                @if m.rows.iter().any(|r| r.val_labels > 0) { "; with all labels, by the validation labels, after fitting on the training labels alone" }
            }
            @if m.kind() == TaskKind::Masks {
                dt { "Masks" } dd { "A linear head on each place of a feature map; its logits are interpolated to the pixels of the mask, and scored there. What is sampled are images: intervals and draws take them whole" }
            }
            @if m.kind() == TaskKind::LabelSets && most > 0 {
                dt { "Draws of label sets" } dd { "So many labelled samples in total: one of each label first, the rarest first, then each label by its share of the training samples" }
            }
            dt { "Protocol" } dd { "version " (m.protocol) ", hspace " (m.code_version) }
            dt { "Split" } dd { code { (m.split_hash) } }
            @for (name, origin) in m.origins.iter().filter(|(_, origin)| !origin.is_empty()) {
                dt { (name) } dd { code { (origin) } }
            }
        }
    };
    section("How this was measured", lede, body)
}

/// The run's settings, folded away.
pub(super) fn settings(run: Option<&RunFacts>) -> Markup {
    let Some(run) = run.filter(|r| !r.config.is_empty()) else {
        return html! {};
    };
    html! { section { details { summary { "All settings of the run (config.toml)" } pre { (run.config) } } } }
}

/// Files that were left out, folded away.
pub(super) fn bad_files(files: &[BadFile]) -> Markup {
    if files.is_empty() {
        return html! {};
    }
    html! { section {
        details {
            summary { (grouped(files.len())) " file" @if files.len() != 1 { "s" } " left out" }
            table { tbody { @for f in files.iter().take(BAD_FILES) { tr { th.text scope="row" { (f.path) } td.text { (f.reason) } } } } }
            @if files.len() > BAD_FILES { p { "All of them are listed in " code { "bad_files.csv" } "." } }
        }
    } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_for_readers() {
        let texts = [12.4, 75.0, 3900.0, f64::NAN].map(duration);
        assert_eq!(texts, ["12 s", "1 min 15 s", "1 h 5 min", "–"]);
    }
}
