//! `hspace list`

use hspace::Result;
use hspace::list::Entry;

/// List what can be chosen: encoders, objectives, views, sets of them, probes, metrics, datasets, densities, semi-supervised methods, scores of
/// transferability, rules of selection, corruptions and suites of them.
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
    SemiSupervised,
    Scores,
    Rules,
    Corruptions,
    Suites,
}

/// Name, summary, and what else there is to say.
type Row = (&'static str, &'static str, String);

pub fn run(args: &Args) -> Result<()> {
    let rows = match args.what {
        What::Encoders => {
            let mut rows = rows(hspace::encoder::ENCODERS, |e| keys(&(e.defaults)()));
            let closed = hspace::source::CLOSED_FORM.iter();
            rows.extend(closed.map(|(name, summary)| (*name, *summary, String::new())));
            let on_features = hspace::semi_supervised::METHODS.iter();
            let on_features: Vec<&str> = on_features.map(|entry| entry.name).collect();
            rows.push((
                "METHOD:SOURCE",
                "METHOD, which learns from each draw of labels and from the features that SOURCE gives all training samples",
                format!("METHOD: {}", on_features.join(", ")),
            ));
            let methods: Vec<&str> = hspace::learner::methods().map(|(name, _)| name).collect();
            rows.push((
                "METHOD:ENCODER",
                "METHOD, trained on each draw of labels and answering with its own head; METHOD:RUN goes on from a run",
                format!("METHOD: {}", methods.join(", ")),
            ));
            rows.push((
                "unet:ENCODER",
                "that encoder with a decoder, trained on each draw of masks; unet:RUN and unet:hf:MODEL go on from a network; settings after colons",
                keys(&hspace::list::defaults::<hspace::unet::Settings>()),
            ));
            rows
        }
        What::Objectives => rows(hspace::objective::OBJECTIVES, |e| keys(&(e.defaults)())),
        What::Views => rows(hspace::views::VIEWS, |e| e.source.to_owned()),
        What::ViewSets => rows(hspace::views::PRESETS, |e| e.source.to_owned()),
        What::Probes => rows(hspace::probe::PROBES, |e| e.source.to_owned()),
        What::Metrics => rows(hspace::disentangle::METRICS, |e| match e.correction {
            "" => e.source.to_owned(),
            how => format!("{}; bias: {how}", e.source),
        }),
        What::Densities => {
            use hspace::density::{DENSITIES, FEATURE_DENSITIES};
            let mut all = rows(DENSITIES, |_| "of a column".to_owned());
            all.extend(rows(FEATURE_DENSITIES, |_| {
                "of a representation".to_owned()
            }));
            all
        }
        What::SemiSupervised => rows(hspace::semi_supervised::METHODS, |e| e.source.to_owned()),
        What::Scores => rows(hspace::transferability::SCORES, |e| e.source.to_owned()),
        What::Rules => rows(hspace::selection::RULES, |e| e.source.to_owned()),
        What::Corruptions => rows(hspace::corruptions::CORRUPTIONS, |e| e.source.to_owned()),
        What::Suites => rows(hspace::corruptions::SUITES, |e| {
            let names: Vec<&str> = e.corruptions.iter().map(|c| c.name).collect();
            format!("{}: {}", e.source, names.join(", "))
        }),
        What::Datasets => rows(hspace::dataset::DATASETS, |e| e.source.to_owned()),
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

fn rows<T>(list: &[Entry<T>], more: impl Fn(&Entry<T>) -> String) -> Vec<Row> {
    let row = |entry: &Entry<T>| (entry.name, entry.summary, more(entry));
    list.iter().map(row).collect()
}

/// `key=default` of each setting.
fn keys(table: &hspace::toml::Table) -> String {
    let keys: Vec<String> = table.iter().map(|(k, v)| format!("{k}={v}")).collect();
    keys.join(" ")
}
