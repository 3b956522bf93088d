//! `hspace shift`

use std::path::Path;

use hspace::dataset::{DOMAIN, Dataset, Role, Shape};
use hspace::objective::learns_from_labels;
use hspace::probe::{Contender, Limits};
use hspace::report::{Page, ShiftResult, domain_samples};
use hspace::shift::{Directions, Shift, ShiftSource, compare_inputs, measure};
use hspace::{Error, Result};

use crate::commands::probe::{Answers, ProbeFlags, Represented, SetUp, deadline, parsed};
use crate::commands::{apart, open};
use crate::progress::Spinner;
use crate::say;
use crate::settings::count;

/// Does it hold elsewhere? Sources that learn in one domain (a hospital, a scanner, a data set), tested in others.
///
/// First the inputs of the domains are compared: size, channels, range, polarity and colour, class mix. Then each source learns from the labels of
/// one domain and is tested on the test samples of another: its score at home and away, the drop, the ceiling that it reaches with labels of the other domain,
/// and of sources that learn from the other domain's training samples without their labels (fixmatch:cnn, label_spreading:SOURCE) whether they
/// help, and the share of the gap that they close. Then how well the domain is decoded from each representation, and how far apart the domains are in it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hspace shift runs/a supervised:cnn --data scans/ --domain hospital        # each hospital against each other
  hspace shift runs/a --data scans/ --domain hospital --leave-one-out       # each by all others together
  hspace shift runs/a pixels --data scans/ --domain hospital --from a --to b,c
  hspace shift supervised:cnn fixmatch:cnn --data mnist/ --target usps/     # two data sets
  hspace shift dann:cnn adabn:cnn mcc:cnn --data mine/ --target theirs/ --select   # which one, without a label of theirs
  hspace shift dann:cnn tent:cnn --data mine/ --target theirs/ --select --target-labels 10  # unless ten labels of theirs speak against it
  hspace shift head:runs/a --data mine/ --target theirs/ --html shift.html  # a trained model elsewhere
  hspace shift pixels supervised:cnn --data cells/ --domain lab --folds 5   # every labelled sample tested once")]
pub struct Args {
    /// As of `hspace probe`
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// Column that says which domain a sample is of
    #[arg(
        long,
        value_name = "COLUMN",
        required_unless_present = "target",
        conflicts_with = "target"
    )]
    domain: Option<String>,
    /// Data of the other domain, where --data has one
    #[arg(long, value_name = "DATA")]
    target: Option<String>,
    /// Test each domain by what was learned in all others together
    #[arg(long)]
    leave_one_out: bool,
    /// Choose between the sources that adapt, without a label from the other domain: by labels at home that no source learns from (the val split's, else a
    /// tenth that is held out) and by answers for unlabelled samples; the source that learns at home alone is always a candidate
    #[arg(long)]
    select: bool,
    /// Let so many labelled training samples of the other domain refuse what --select chose, where it is worse there than the source that learns at home alone
    /// beyond chance; they choose nothing. Ten see great harm alone
    #[arg(long, value_name = "COUNT", requires = "select", value_parser = count(1..=1_000_000))]
    target_labels: Option<usize>,
    /// Domains to learn in [default: all; with --target that of --data]
    #[arg(long, value_name = "DOMAINS", value_delimiter = ',')]
    from: Vec<String>,
    /// Domains to test in [default: all; with --target that of --target]
    #[arg(long, value_name = "DOMAINS", value_delimiter = ',')]
    to: Vec<String>,
    /// Leave out classes of which a domain has fewer labelled samples; 0 keeps all
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    min_class: usize,
    /// Side that images are resized to [default: that of the largest]
    #[arg(long, value_name = "PIXELS", value_parser = count(4..=4096))]
    image_size: Option<usize>,
    #[command(flatten)]
    flags: ProbeFlags,
}

pub fn run(args: &Args) -> Result<()> {
    let flags = &args.flags;
    flags.check_outputs(&args.sources)?;
    if let Some(target) = &args.target {
        let outputs = [
            ("--json", flags.json.as_deref()),
            ("--html", flags.html.as_deref()),
        ];
        apart(&outputs, &[("target", target)])?;
    }
    if args.select && flags.answers.is_some() {
        return Err(Error::config(
            "--answers: with --select everything is measured in one go and no answers are kept; leave it out",
        ));
    }
    let options = flags.linear_options()?;
    let until = flags.minutes.map(deadline);
    let mut names = args.sources.clone();
    names.extend(args.target.clone());
    let mut answers = Answers::open(&names, flags)?;
    let sources = parsed(&args.sources)?;
    let spinner = Spinner::new("reading");
    let (dataset, directions) = domains(args)?;
    let domain = args.domain.as_deref().unwrap_or(DOMAIN);
    let mut dataset = dataset;
    for name in dataset.forget_rare_classes(domain, args.min_class)? {
        say::note(format_args!(
            "class {name} is left out: a domain has fewer than {} labelled samples of it (--min-class)",
            args.min_class
        ));
    }
    spinner.say("comparing the inputs");
    let inputs = compare_inputs(&dataset, domain, dataset.task())?;
    spinner.done();
    if !flags.is_quiet() {
        inputs.iter().for_each(|pair| print!("{}", pair.text()));
        println!();
    }
    let spinner = Spinner::new("reading");
    let set_up = SetUp::new(sources, dataset, flags, &options, &spinner)?;
    let contenders = set_up.contenders(flags, &spinner)?;
    let as_source = |contender| as_source(contender, &set_up.represented);
    let sources = contenders
        .into_iter()
        .map(as_source)
        .collect::<Result<_>>()?;
    // A choice needs the answers to samples that are not tested, which a journal does not have.
    let journal = answers.journal().filter(|_| !args.select);
    let mut limits = Limits::new(journal, until);
    let say = &mut |text: &str| spinner.say(text);
    let found = measure(
        sources,
        domain,
        &directions,
        &set_up.options,
        &set_up.represented.dataset.name,
        &mut limits,
        say,
    );
    spinner.done();
    let found = Shift { inputs, ..found? };
    let left_out = match found.left_out.is_empty() {
        true => None,
        false => Some(format!(
            "left out, for lack of time: {}",
            found.left_out.join("; ")
        )),
    };
    answers.done(left_out, flags)?;
    let text = format!("{}\n{}", found.table(), found.headline());
    set_up.show(flags, &found, &text, || {
        Ok(Page {
            title: format!("shift: {}", args.sources.join(", ")),
            headline: found.headline(),
            shift: Some(ShiftResult {
                samples: domain_samples(&set_up.represented.dataset, &found.domain)?,
                found: found.clone(),
            }),
            ..Page::default()
        })
    })
}

/// The data with their domains, and which ones are compared.
fn domains(args: &Args) -> Result<(Dataset, Directions)> {
    let flags = &args.flags;
    let data = flags.data()?;
    let options = flags.open_options();
    let mut directions = Directions {
        leave_one_out: args.leave_one_out,
        from: args.from.clone(),
        to: args.to.clone(),
        select: args.select,
        target_labels: args.target_labels.unwrap_or(0),
    };
    let mut dataset = match (&args.target, &args.domain) {
        (Some(target), _) => {
            let [home, away] = names_of(data, target);
            let parts = [
                (home.clone(), open(data, &options)?),
                (away.clone(), open(target, &options)?),
            ];
            let sizes = [&parts[0].1.shape, &parts[1].1.shape].map(size_text);
            let both = Dataset::of_domains(parts.into())?;
            if sizes[0] != sizes[1] && args.image_size.is_none() {
                say::note(format_args!(
                    "images are {} in {home} and {} in {away}: all are resized to {} (--image-size)",
                    sizes[0],
                    sizes[1],
                    size_text(&both.shape)
                ));
            }
            if directions.from.is_empty() && directions.to.is_empty() {
                (directions.from, directions.to) = (vec![home], vec![away]);
            }
            both
        }
        (None, Some(domain)) => {
            let mut dataset = open(data, &options)?;
            dataset.column(domain)?;
            if let Some(column) = dataset.columns.iter_mut().find(|c| c.name == *domain) {
                column.role = Role::Domain;
            }
            dataset
        }
        (None, None) => {
            return Err(Error::config(
                "name the column of domains by --domain, or the other data by --target",
            ));
        }
    };
    if let Some(size) = args.image_size {
        let Shape::Image { channels, .. } = dataset.shape else {
            return Err(Error::config("--image-size: the samples are no images"));
        };
        dataset.shape = Shape::Image {
            channels,
            height: size,
            width: size,
        };
    }
    Ok((dataset, directions))
}

/// `28 × 28`
fn size_text(shape: &Shape) -> String {
    match shape {
        Shape::Image { height, width, .. } => format!("{height} × {width}"),
        Shape::Vector { dim } => dim.to_string(),
    }
}

/// How the domains of two data are called: by their last parts, where these differ.
fn names_of(data: &str, target: &str) -> [String; 2] {
    let last = |path: &str| {
        let name = Path::new(path.trim_end_matches('/')).file_stem();
        name.map_or(path.to_owned(), |name| name.to_string_lossy().into_owned())
    };
    let short = [data, target].map(last);
    match short[0] == short[1] {
        true => [data, target].map(str::to_owned),
        false => short,
    }
}

/// Whether a contender learns from samples without labels, and what it is compared with.
fn as_source<'a>(contender: Contender<'a>, of: &Represented) -> Result<ShiftSource<'a>> {
    let (name, alone) = match &contender {
        Contender::PerDraw {
            name, labels_alone, ..
        } => (name.clone(), labels_alone.clone()),
        _ => (contender.name().to_owned(), None),
    };
    let on_features = of.on_features.iter().any(|(own, ..)| *own == name);
    let learner = of.learners.iter().find(|own| own.name == name);
    let adapts = match learner {
        Some(own) => !learns_from_labels(&*own.learner.objective()?),
        None => on_features,
    };
    Ok(ShiftSource {
        contender,
        adapts,
        reference: alone.map(|alone| alone.baseline),
    })
}
