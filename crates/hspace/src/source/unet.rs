//! `unet:runs/a`, `unet:cnn:width=16:steps=800`: the names of networks that learn from each draw of masks.

use std::path::Path;

use toml::Table;

use super::Source;
use crate::config::set;
use crate::encoder::ENCODERS;
use crate::error::{Error, Result, unknown};
use crate::hub;
use crate::list;
use crate::unet::Settings;

/// What the names begin with.
const PREFIX: &str = "unet:";
/// What an encoder's name may begin with.
const RANDOM: &str = "random:";

/// A U-Net on the encoder of a network ([`crate::unet`]): `unet:RUN`, `unet:hf:MODEL`, or `unet:ENCODER`, which begins from random weights. Settings follow
/// after colons, of the U-Net and of an ENCODER.
///
/// ```
/// use hspace::source::Source;
///
/// let Source::Unet(unet) = Source::parse("unet:cnn:width=8:steps=800")? else { unreachable!() };
/// assert_eq!((&unet.of, unet.settings.steps), (&Source::Random("cnn:width=8".into()), 800));
/// let error = Source::parse("unet:cnn:stpes=8").unwrap_err().to_string();
/// assert!(error.contains("did you mean `steps`?"));
/// # Ok::<(), hspace::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Unet {
    /// The network that gives the encoder.
    pub of: Source,
    /// Settings of the decoder and of the training.
    pub settings: Settings,
}

impl Unet {
    /// Whether the encoder begins from random weights.
    pub fn is_untrained(&self) -> bool {
        matches!(self.of, Source::Random(_))
    }
}

/// The source that `text` names; `None` where it begins otherwise.
pub(super) fn parse(text: &str) -> Option<Result<Source>> {
    let rest = text.strip_prefix(PREFIX)?;
    Some(read(rest).map_err(|error| match error {
        Error::Config(problems) => {
            let problems = problems.into_iter();
            Error::Config(problems.map(|p| format!("`{text}`: {p}")).collect())
        }
        other => other,
    }))
}

fn read(rest: &str) -> Result<Source> {
    let (subject, settings) = parts(rest);
    let (mut of, encoder_keys) = match Path::new(subject).is_dir() {
        true => (Source::Run(subject.into()), Table::new()),
        false if subject.starts_with(hub::PREFIX) => {
            (Source::Hub(subject.to_owned()), Table::new())
        }
        false => {
            let name = subject.strip_prefix(RANDOM).unwrap_or(subject);
            let encoder = list::find("encoder", ENCODERS, name).map_err(|problem| {
                Error::config(format!(
                    "{problem}, and there is no run folder of that name"
                ))
            })?;
            (Source::Random(name.to_owned()), (encoder.defaults)())
        }
    };
    let own_keys = list::defaults::<Settings>();
    let mut own = Table::new();
    for setting in settings {
        let key = setting.split('=').next().unwrap_or_default().trim();
        match &mut of {
            _ if own_keys.contains_key(key) => set(&mut own, setting).map_err(Error::config)?,
            Source::Random(encoder) if encoder_keys.contains_key(key) => {
                encoder.push_str(&format!(":{setting}"));
            }
            _ => {
                let keys = own_keys.keys().chain(encoder_keys.keys());
                let problem = unknown("setting", key, keys.map(String::as_str));
                return Err(Error::config(problem));
            }
        }
    }
    let settings: Settings = list::parse(own).map_err(Error::config)?;
    let problems = settings.validate();
    match problems.is_empty() {
        true => Ok(Source::Unet(Box::new(Unet { of, settings }))),
        false => Err(Error::Config(problems)),
    }
}

/// The network, and the settings after it.
fn parts(rest: &str) -> (&str, Vec<&str>) {
    if Path::new(rest).exists() {
        return (rest, vec![]);
    }
    let prefixes = [hub::PREFIX, RANDOM];
    let first = prefixes.iter().find(|prefix| rest.starts_with(**prefix));
    let name = &rest[first.map_or(0, |prefix| prefix.len())..];
    let end = rest.len() - name.len() + name.find(':').unwrap_or(name.len());
    let settings = rest[end..].split(':').skip(1).collect();
    (&rest[..end], settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_network_and_settings() {
        let of = |text: &str| match Source::parse(text) {
            Ok(Source::Unet(unet)) => (unet.of, unet.settings.steps, unet.settings.dice),
            other => panic!("{other:?}"),
        };
        let random = |name: &str| Source::Random(name.into());
        assert_eq!(of("unet:cnn"), (random("cnn"), 400, 1.0));
        assert_eq!(
            of("unet:random:cnn:dice=0:width=8"),
            (random("cnn:width=8"), 400, 0.0)
        );
        let hub = Source::Hub("hf:timm/resnet18.a1_in1k".into());
        assert_eq!(of("unet:hf:timm/resnet18.a1_in1k:steps=9"), (hub, 9, 1.0));
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().display().to_string();
        assert_eq!(
            of(&format!("unet:{run}:steps=3")),
            (Source::Run(run.into()), 3, 1.0)
        );
        for (text, why) in [
            ("unet:cnm", "did you mean `cnn`?"),
            ("unet:cnn:steps=0", "steps=0 must be at least 1"),
            ("unet:cnn:steps=many", "steps"),
            ("unet:pixels", "pixels"),
        ] {
            let error = Source::parse(text).unwrap_err().to_string();
            assert!(error.contains(text) && error.contains(why), "{error}");
        }
    }
}
