//! Filters and feature maps of the networks on a page.

use hspace::Result;
use hspace::dataset::Dataset;
use hspace::device::device;
use hspace::export::encoder_of;
use hspace::feature_maps::{MapsOptions, feature_maps};
use hspace::report::FeatureMaps;
use hspace::source::Source;

use super::ProbeFlags;
use crate::say;

/// Networks that are drawn at most, about 150 KB of the page each.
const MOST: usize = 4;

/// Of the runs and models of the Hub among the sources `names`, each once however many stages of it are named, and of runs that differ in
/// their seed alone (`groups`) the first. A page can do without: what cannot be drawn is said.
pub(super) fn network_maps(
    names: &[String],
    groups: &[Vec<String>],
    dataset: &Dataset,
    task: &str,
    flags: &ProbeFlags,
) -> Result<Vec<FeatureMaps>> {
    let is_later_seed = |name: &String| groups.iter().any(|group| group[1..].contains(name));
    let mut networks: Vec<(&str, Source)> = Vec::new();
    for name in names.iter().filter(|name| !is_later_seed(name)) {
        let (name, source) = match Source::parse(name)? {
            Source::At(network, stage) => {
                let name = name.strip_suffix(&format!("@{stage}")).unwrap_or(name);
                (name, *network)
            }
            source => (name.as_str(), source),
        };
        let is_network = matches!(source, Source::Run(_) | Source::Hub(_));
        if is_network && networks.iter().all(|(known, _)| *known != name) {
            networks.push((name, source));
        }
    }
    if networks.len() > MOST {
        say::note(format_args!(
            "the page shows feature maps of the first {MOST} of {} networks; `hspace maps` draws the others",
            networks.len()
        ));
    }
    let (device, options) = (device(&flags.device)?, MapsOptions::default());
    let mut drawn = Vec::new();
    for (name, source) in networks.iter().take(MOST) {
        let maps = encoder_of(name, source, &device)
            .and_then(|network| feature_maps(name, &network, dataset, task, options, &device));
        match maps {
            Ok(maps) => drawn.extend(maps),
            Err(error) => say::note(format_args!("no feature maps of {name} are drawn: {error}")),
        }
    }
    Ok(drawn)
}
