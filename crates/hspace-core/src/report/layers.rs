//! Networks measured stage by stage: how easy the task has become after each.

use maud::{Markup, html};

use super::charts::{Frame, ticks};
use super::look::Looks;
use super::sections::section;
use super::tables::{Measure, name, probe_title, probes, representations};
use crate::probe::{Estimate, Labels, Measurements};

/// A network with its scores after each stage, its own features last.
struct Network<'a> {
    name: &'a str,
    points: Vec<(&'a str, Estimate)>,
}

/// The networks of `m` of which at least two stages (`runs/a@layer2`) were measured, with most labels.
pub(super) fn layers(m: &Measurements, looks: &Looks) -> Markup {
    let panels: Vec<(&str, Vec<Network<'_>>)> = probes(m)
        .into_iter()
        .map(|probe| (probe, networks(m, probe)))
        .filter(|(_, networks)| !networks.is_empty())
        .collect();
    let (false, Some(labels)) = (panels.is_empty(), most(m)) else {
        return html! {};
    };
    let measure = Measure::of(m.kind().scores()[0]);
    let given = match labels {
        Labels::All => "all labels".to_owned(),
        Labels::PerClass(k) => format!("{k} {}", m.per()),
    };
    let lede = html! {
        (measure.title) " by a simple model on what each stage gives, averaged over its places, with " (given)
        " and 95 % intervals. Where it rises, the stage makes the task easier; the last point is the network’s features."
    };
    let body = html! {
        div.panels { @for (probe, networks) in &panels {
            figure {
                figcaption {
                    (probe_title(probe))
                    @for network in networks { span { (name(network.name, &looks.of(network.name))) } }
                }
                (chart(networks, &measure, looks))
            }
        } }
    };
    section("Layer by layer", lede, body)
}

/// The largest number of labels that was measured.
fn most(m: &Measurements) -> Option<Labels> {
    let largest = m.rows.iter().max_by_key(|row| row.labelled);
    largest.map(|row| row.labels)
}

fn networks<'a>(m: &'a Measurements, probe: &str) -> Vec<Network<'a>> {
    let labels = most(m);
    let score = |representation: &str| {
        let mut rows = m.rows.iter();
        let row = rows.find(|row| {
            row.representation == representation && row.probe == probe && Some(row.labels) == labels
        })?;
        row.main_score().map(|(_, estimate)| *estimate)
    };
    let all = representations(m);
    let mut found: Vec<Network<'_>> = Vec::new();
    for stage_name in &all {
        let Some((network, stage)) = stage_name.rsplit_once('@') else {
            continue;
        };
        let Some(estimate) = score(stage_name) else {
            continue;
        };
        match found.iter_mut().find(|known| known.name == network) {
            Some(known) => known.points.push((stage, estimate)),
            None => found.push(Network {
                name: network,
                points: vec![(stage, estimate)],
            }),
        }
    }
    found.retain(|network| network.points.len() > 1);
    for network in &mut found {
        if let Some(estimate) = score(network.name).filter(|_| all.contains(&network.name)) {
            network.points.push(("features", estimate));
        }
    }
    found
}

fn chart(networks: &[Network<'_>], measure: &Measure, looks: &Looks) -> Markup {
    let all = || networks.iter().flat_map(|network| &network.points);
    let ends = all().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], (_, e)| {
        [low.min(e.low), high.max(e.high)]
    });
    if !ends.iter().all(|end| end.is_finite()) {
        return html! {};
    }
    let rows = ticks(ends[0], ends[1], 5);
    let longest = networks.iter().max_by_key(|network| network.points.len());
    let stages = longest.map_or(&[][..], |network| &network.points);
    let frame = Frame {
        area: [52.0, 520.0, 30.0, 292.0],
        x: [-0.4, stages.len() as f64 - 0.6],
        y: [rows[0], rows[rows.len() - 1]],
    };
    let columns = stages.iter().enumerate();
    let columns: Vec<(f64, String)> = columns
        .map(|(i, (stage, _))| (i as f64, stage.to_string()))
        .collect();
    let number = |value: f64| match measure.percent {
        true => format!("{:.0}", 100.0 * value),
        false => measure.number(value),
    };
    html! {
        svg.chart viewBox="0 0 540 344" role="img" {
            title { (measure.title) " after each stage" }
            text.name x="0" y="14" { (measure.title) @if measure.percent { ", %" } }
            (frame.rows(&rows, number))
            (frame.columns(&columns))
            text.name.middle x="286" y="336" { "stage" }
            @for network in networks {
                @let colour = looks.of(network.name).colour;
                @let points: Vec<[f64; 2]> = network.points.iter().enumerate().map(|(i, p)| [i as f64, p.1.mean]).collect();
                path.line.strong d=(frame.path(&points)) style=(format!("stroke:{colour}")) {}
                @for (i, (stage, e)) in network.points.iter().enumerate() {
                    @let x = format!("{:.1}", frame.x(i as f64));
                    line x1=(x) x2=(x) y1=(format!("{:.1}", frame.y(e.low))) y2=(format!("{:.1}", frame.y(e.high)))
                        style=(format!("stroke:{colour}")) stroke-width="1.6" {}
                    circle.mark cx=(x) cy=(format!("{:.1}", frame.y(e.mean))) r="4.2" style=(format!("fill:{colour}")) {
                        title { (network.name) " " (stage) ": " (measure.number(e.mean)) " (" (measure.number(e.low)) " to " (measure.number(e.high)) ")" }
                    }
                }
            }
        }
    }
}
