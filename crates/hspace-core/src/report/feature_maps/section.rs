//! Filters and feature maps as a section of the page.

use maud::{Markup, html};

use super::colours::VIRIDIS;
use super::{CHANNELS, FeatureMaps, Filters, StageMaps};
use crate::report::sections::section;
use crate::report::sprite::Sprite;
use crate::report::tables::grouped;

/// The section of the page.
pub(in crate::report) fn feature_maps(all: &[FeatureMaps]) -> Markup {
    let is_drawn = |of: &&FeatureMaps| of.filters.is_some() || !of.stages.is_empty();
    let drawn: Vec<&FeatureMaps> = all.iter().filter(is_drawn).collect();
    let stages = || drawn.iter().flat_map(|of| &of.stages);
    let Some(first) = drawn.first() else {
        return html! {};
    };
    let channels = stages().map(|stage| stage.shown.len()).max();
    let lede = html! {
        @if let Some(channels) = channels {
            @if drawn.len() == 1 { "What " b { (first.network) } " computes" } @else { "What each network computes" }
            " from " (first.images.count) " test images. Each column is a channel, its number above; drawn are the "
            (channels) " channels of a stage with the largest variance over the places of " (first.chosen_on) " test images. Colours go from a channel’s lowest value in the images shown "
            span.scale style=(gradient()) {} " to its highest: compare images by them, not channels"
            @if drawn.len() > 1 { ", and not networks, whose channels are in no common order" } ". "
        }
        @if drawn.len() == 1 { (remarks(first)) }
    };
    let body = html! {
        @for (i, of) in drawn.iter().enumerate() {
            @if drawn.len() > 1 {
                div.network {
                    h3 { (of.network) }
                    p.caption { (remarks(of)) }
                    (network(of, &format!("network-{i}")))
                }
            } @else { (network(of, "network")) }
        }
    };
    section("Filters and feature maps", lede, body)
}

/// What is not drawn of a network.
fn remarks(of: &FeatureMaps) -> Markup {
    html! {
        @if of.stages.len() < of.depth { (of.stages.len()) " of " (of.depth) " stages are drawn. " }
        @for note in &of.notes { (note) " " }
    }
}

/// The panels of one network, whose pictures have identifiers that begin with `id`.
fn network(of: &FeatureMaps, id: &str) -> Markup {
    let stages = || of.stages.iter().enumerate();
    html! {
        svg.hidden aria-hidden="true" {
            (of.images.image(&format!("{id}-input")))
            @if let Some(filters) = &of.filters { (filters.tiles.image(&format!("{id}-filters"))) }
            @for (i, stage) in stages() { (stage.maps.image(&format!("{id}-maps-{i}"))) }
        }
        div.panels {
            @if let Some(filters) = &of.filters { (filter_panel(filters, &format!("#{id}-filters"))) }
            @for (i, stage) in stages() { (stage_panel(of, stage, &format!("#{id}-input"), &format!("#{id}-maps-{i}"))) }
        }
    }
}

/// The colours of the heat maps as a CSS background.
fn gradient() -> String {
    let colours = VIRIDIS.map(|[r, g, b]| format!("#{r:02x}{g:02x}{b:02x}"));
    format!("background:linear-gradient(90deg,{})", colours.join(","))
}

/// Width of a panel, in units of its drawing.
const PANEL: f64 = 480.0;

/// A window onto picture `index` of `sprite` at `href`.
fn window(sprite: &Sprite, href: &str, index: usize, place: [f64; 2], side: f64) -> Markup {
    let [x, y] = place.map(|length| format!("{length:.1}"));
    html! {
        svg.tile x=(x) y=(y) width=(format!("{side:.1}")) height=(format!("{side:.1}")) viewBox=(sprite.view_box(index as u32)) {
            use href=(href) {}
        }
    }
}

fn filter_panel(filters: &Filters, href: &str) -> Markup {
    const ACROSS: usize = 12;
    const BETWEEN: f64 = 4.0;
    let side = (PANEL - BETWEEN * (ACROSS - 1) as f64) / ACROSS as f64;
    let count = filters.tiles.count as usize;
    let height = count.div_ceil(ACROSS) as f64 * (side + BETWEEN);
    let [channels, rows, columns] = filters.size;
    let colours = match channels {
        1 => "in grey",
        2 => "with their two channels as red and green",
        3 => "in colour",
        _ => "with their first three channels as colours",
    };
    html! {
        figure {
            figcaption { "Filters of the first layer"
                span { (grouped(filters.total)) " of " (columns) "×" (rows) ", " (filters.name) }
            }
            svg.chart viewBox=(format!("0 0 {PANEL} {height:.1}")) role="img" {
                title { "Filters of the first layer" }
                @for i in 0..count {
                    @let place = [(i % ACROSS) as f64, (i / ACROSS) as f64].map(|step| step * (side + BETWEEN));
                    (window(&filters.tiles, href, i, place, side))
                }
            }
            p.caption {
                @if count < filters.total { "The " (count) " of the largest norm" } @else { "By norm" }
                ", the largest first, " (colours) ". Each goes from its own lowest weight (dark) to its highest (bright): how large its weights are cannot be seen."
            }
        }
    }
}

fn stage_panel(of: &FeatureMaps, stage: &StageMaps, input: &str, href: &str) -> Markup {
    const BETWEEN: f64 = 5.0;
    /// Between an image and its maps.
    const APART: f64 = 14.0;
    /// Where the tiles begin, below the channels' numbers.
    const TOP: f64 = 20.0;
    let columns = stage.shown.len();
    let side = (PANEL - APART - BETWEEN * (CHANNELS - 1) as f64) / (CHANNELS + 1) as f64;
    let left = |column: usize| side + APART + column as f64 * (side + BETWEEN);
    let top = |row: usize| TOP + row as f64 * (side + BETWEEN);
    let rows = of.images.count as usize;
    let [height, width] = stage.size;
    let class = |row: usize| of.classes.get(row).and_then(Option::as_deref);
    let frame = [PANEL.max(left(columns) - BETWEEN), top(rows) - BETWEEN];
    html! {
        figure {
            figcaption { (stage.name) span { (grouped(stage.channels)) " channels of " (width) "×" (height) } }
            svg.chart viewBox=(format!("0 0 {:.1} {:.1}", frame[0], frame[1])) role="img" {
                title { "Feature maps of " (stage.name) }
                @for (column, channel) in stage.shown.iter().enumerate() {
                    text.middle.name x=(format!("{:.1}", left(column) + side / 2.0)) y="13" { (channel) }
                }
                @for row in 0..rows {
                    g {
                        title { (class(row).unwrap_or("a test image")) }
                        (window(&of.images, input, row, [0.0, top(row)], side))
                        @for column in 0..columns {
                            (window(&stage.maps, href, row * columns + column, [left(column), top(row)], side))
                        }
                    }
                }
            }
        }
    }
}
