// Included by examples of the documentation, hidden.

/// `builtin:shapes`, and a run on it: two steps of 16 samples, by `objective` with a small CNN.
pub fn short_run(
    folder: &std::path::Path,
    objective: &str,
) -> Result<(hspace::dataset::Dataset, hspace::run::RunFolder), Box<dyn std::error::Error>> {
    use hspace::config::{Config, set};
    use hspace::job::{Job, about};

    let shapes = hspace::dataset::Dataset::open("builtin:shapes", &Default::default())?;
    let mut settings = hspace::toml::Table::new();
    set(&mut settings, &format!("objective={objective}"))?;
    for setting in [
        "data=builtin:shapes",
        "encoder=cnn",
        "encoder.width=4",
        "train.steps=2",
        "train.batch_size=16",
        "train.online_probe=false",
    ] {
        set(&mut settings, setting)?;
    }
    let config = Config::resolve(settings, about(&shapes))?;
    let run = hspace::run::RunFolder::create(&folder.join("a"), false)?;
    run.write_config(&config)?;
    let job = Job::new(config, &shapes, None)?;
    let stop = std::sync::atomic::AtomicBool::new(false);
    job.run(Some(&run), hspace::training::Start::Fresh, &mut |_| (), &stop)?;
    Ok((shapes, run))
}
