//! What was logged during training, as small panels.

use maud::{Markup, PreEscaped, html};

use super::sections::section;
use super::{Curve, Page, charts};

/// The curves that have a panel, each with the curve of held-out samples (of the val split, or of training samples that were not learned from)
/// where it is that of training samples.
fn training_panels(curves: &[Curve]) -> Vec<(&Curve, Option<&Curve>)> {
    let partner = |curve: &Curve| {
        let name = curve.name.strip_suffix("_train")?;
        let ends = ["val", "held_out"].map(|end| format!("{name}_{end}"));
        curves.iter().find(|other| ends.contains(&other.name))
    };
    let pairs: Vec<_> = curves.iter().map(|curve| (curve, partner(curve))).collect();
    let has_a_panel = |curve: &Curve| {
        let mut others = pairs.iter().filter_map(|pair| pair.1);
        !others.any(|other| other.name == curve.name)
    };
    let own = pairs.iter().filter(|pair| has_a_panel(pair.0));
    own.copied().collect()
}

/// Small panels of what was logged.
pub(super) fn training(page: &Page) -> Markup {
    let panels = training_panels(&page.training);
    let even = panels.len().is_multiple_of(2);
    let curves = panels.iter().map(|(curve, held_out)| match held_out {
        Some(held_out) => {
            let name = curve.name.trim_end_matches("_train");
            charts::trace_of_both(name, [curve, held_out], even).into_string()
        }
        None => charts::trace(curve, even).into_string(),
    });
    let curves: Vec<String> = curves.filter(|svg| !svg.is_empty()).collect();
    if curves.is_empty() {
        return html! {};
    }
    let pairs = panels.iter().any(|(_, held_out)| held_out.is_some());
    let lede = html! {
        "What was logged on the way. The loss says that training works, not how good the space is; the tables above do."
        @if pairs { " Dashed, and after the stroke: samples that were not learned from." }
    };
    section(
        "Training",
        lede,
        html! { div.traces.even[even] { @for svg in &curves { figure { (PreEscaped(svg)) } } } },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_and_held_out_samples_share_a_panel() {
        let curve = |name: &str, y: f64| Curve {
            name: name.into(),
            x: vec![0.0, 1.0],
            y: vec![y, y + 1.0],
        };
        let training = vec![
            curve("loss", 1.0),
            curve("layer0_free_energy_gap", 2.0),
            curve("layer0_free_energy_held_out", 3.0),
            curve("layer0_free_energy_train", 4.0),
            curve("layer1_reconstruction_train", 5.0),
            curve("layer1_reconstruction_val", 6.0),
            curve("other_train", 7.0),
        ];
        let panels = training_panels(&training);
        let names = panels.iter().map(|(curve, held_out)| {
            let held_out = held_out.map(|curve| &*curve.name);
            (&*curve.name, held_out)
        });
        let expected = [
            ("loss", None),
            ("layer0_free_energy_gap", None),
            (
                "layer0_free_energy_train",
                Some("layer0_free_energy_held_out"),
            ),
            (
                "layer1_reconstruction_train",
                Some("layer1_reconstruction_val"),
            ),
            ("other_train", None),
        ];
        assert_eq!(names.collect::<Vec<_>>(), expected);
        let page = Page {
            training,
            ..Page::default()
        };
        let text = super::training(&page).into_string();
        assert_eq!(text.matches("<svg").count(), 5);
        assert_eq!(text.matches("line held-out").count(), 2);
        assert!(text.contains("Dashed") && text.contains("5 / 4"), "{text}");
    }
}
