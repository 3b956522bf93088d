//! `hspace list`

use hspace::Result;

/// List what can be chosen: encoders, objectives, views, sets of them, probes, metrics, datasets, densities.
#[derive(clap::Args)]
#[command(after_help = "Example:
  hspace list objectives")]
pub struct Args {
    /// Which list
    #[arg(value_enum)]
    what: What,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    Encoders,
    Objectives,
    Views,
    ViewSets,
    Probes,
    Metrics,
    Datasets,
    Densities,
}

pub fn run(args: &Args) -> Result<()> {
    let rows: Vec<(&str, &str, String)> = match args.what {
        What::Encoders => hspace::encoder::ENCODERS
            .iter()
            .map(|e| (e.name, e.summary, keys(&(e.defaults)())))
            .chain(
                hspace::source::CLOSED_FORM
                    .iter()
                    .chain(hspace::per_draw::PER_DRAW)
                    .map(|(n, s)| (*n, *s, String::new())),
            )
            .collect(),
        What::Objectives => hspace::objective::OBJECTIVES
            .iter()
            .map(|e| (e.name, e.summary, keys(&(e.defaults)())))
            .collect(),
        What::Views => hspace::views::VIEWS
            .iter()
            .map(|e| (e.name, e.summary, e.paper.to_owned()))
            .collect(),
        What::ViewSets => hspace::views::PRESETS
            .iter()
            .map(|e| (e.name, e.summary, e.paper.to_owned()))
            .collect(),
        What::Probes => hspace::probe::PROBES
            .iter()
            .map(|e| (e.name, e.summary, String::new()))
            .collect(),
        What::Metrics => hspace::disentangle::METRICS
            .iter()
            .map(|m| match m.correction {
                "" => (m.name, m.summary, m.source.to_owned()),
                how => (m.name, m.summary, format!("{}; bias: {how}", m.source)),
            })
            .collect(),
        What::Densities => {
            use hspace::density::{DENSITIES, FEATURE_DENSITIES};
            let columns = DENSITIES.iter().map(|e| (e.name, e.summary, "of a column"));
            let features = FEATURE_DENSITIES
                .iter()
                .map(|e| (e.name, e.summary, "of a representation"));
            let all = columns.chain(features);
            all.map(|(name, summary, of)| (name, summary, of.to_owned()))
                .collect()
        }
        What::Datasets => hspace::dataset::DATASETS
            .iter()
            .map(|e| (e.name, e.summary, String::new()))
            .collect(),
    };
    let width = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    for (name, summary, more) in rows {
        println!("{name:width$}  {summary}");
        if !more.is_empty() {
            println!("{:width$}  {more}", "");
        }
    }
    Ok(())
}

/// `key=default` of each setting.
fn keys(table: &hspace::toml::Table) -> String {
    let keys: Vec<String> = table.iter().map(|(k, v)| format!("{k}={v}")).collect();
    keys.join(" ")
}
