//! `kmeans`, `kmeans:128`, `kmeans:128:pool=3`: features by k-means on patches, with settings after colons.

use toml::Table;

use super::{Source, Sources, pixels_shape};
use crate::config::{self, overlay};
use crate::error::{Error, Result, valid};
use crate::kmeans_features::{KmeansFeatures, Settings};
use crate::representation::Representation;

/// Name of the source.
const NAME: &str = "kmeans";

/// The source that `text` names; `None` where it is another.
pub(super) fn parse(text: &str) -> Option<Result<Source>> {
    let rest = match text.strip_prefix(NAME)? {
        "" => "",
        rest => rest.strip_prefix(':')?,
    };
    Some(settings(rest).map(|settings| Source::Kmeans(Box::new(settings))))
}

/// Settings from `K:KEY=VALUE:…`, K and all settings optional.
fn settings(text: &str) -> Result<Settings> {
    let (k, rest) = match text.split_once(':') {
        _ if text.is_empty() => (None, ""),
        Some((first, rest)) if !first.contains('=') => (Some(first), rest),
        None if !text.contains('=') => (Some(text), ""),
        _ => (None, text),
    };
    let section = match rest {
        "" => NAME.to_owned(),
        _ => format!("{NAME}:{rest}"),
    };
    let mut user = config::section(&section)?;
    user.remove("name");
    if let Some(k) = k {
        let count: i64 = k.parse().ok().filter(|k| *k > 0).ok_or_else(|| {
            Error::config(format!(
                "`kmeans:{text}`: give the number of centroids first, such as kmeans:400 or kmeans:400:pool=4"
            ))
        })?;
        user.insert("k".into(), count.into());
    }
    let mut all = Table::try_from(Settings::default()).map_err(Error::config)?;
    let mut problems = Vec::new();
    overlay(&mut all, user, NAME, &mut problems);
    valid(problems)?;
    let settings: Settings = all
        .try_into()
        .map_err(|error| Error::config(format!("`kmeans:{text}`: {error}")))?;
    valid(settings.validate())?;
    Ok(settings)
}

impl Sources<'_> {
    /// The features, with centroids fitted to the training samples.
    pub(super) fn kmeans(&mut self, name: &str, settings: &Settings) -> Result<Representation> {
        let pixels = self.pixels(name, false)?;
        let (samples, size) = (pixels.features.rows, pixels.features.cols);
        let warning = settings.memory_warning(samples, size);
        self.notes
            .extend(warning.map(|text| format!("{name}: {text}")));
        let shape = pixels_shape(self.dataset.shape);
        let train = super::training_rows(&pixels);
        let fitted = KmeansFeatures::fit(&pixels.features, &train, shape, settings, self.seed)?;
        Ok(Representation {
            features: fitted.transform(&pixels.features),
            ..pixels
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kmeans_features::Activation;

    fn refused(text: &str) -> String {
        Source::parse(text).map_or_else(|e| e.to_string(), |_| String::new())
    }

    #[test]
    fn the_number_of_centroids_and_settings_are_read() -> Result<()> {
        let of = |settings| Ok(Source::Kmeans(Box::new(settings)));
        let default = Settings::default();
        assert_eq!(default.k, 1600);
        let parsed: Vec<Source> = [
            "kmeans",
            "kmeans:128",
            "kmeans:64:pool=3:activation=triangle",
            "kmeans:alpha=1:k=20",
        ]
        .into_iter()
        .map(Source::parse)
        .collect::<Result<_>>()?;
        let expected: Result<Vec<Source>> = [
            default.clone(),
            Settings {
                k: 128,
                ..default.clone()
            },
            Settings {
                k: 64,
                pool: 3,
                activation: Activation::Triangle,
                ..default.clone()
            },
            Settings {
                k: 20,
                alpha: 1.0,
                ..default
            },
        ]
        .into_iter()
        .map(of)
        .collect();
        assert_eq!(parsed, expected?);
        Ok(())
    }

    #[test]
    fn wrong_settings_are_answered_with_what_is_valid() {
        assert!(refused("kmeans:many").contains("such as kmeans:400"));
        assert!(refused("kmeans:0").contains("such as kmeans:400"));
        let unknown = refused("kmeans:10:pol=3");
        assert!(unknown.contains("did you mean `pool`?"), "{unknown}");
        let activation = refused("kmeans:10:activation=relu");
        assert!(activation.contains("threshold"), "{activation}");
        let patches = refused("kmeans:500:patches=100");
        assert!(patches.contains("kmeans.patches"), "{patches}");
        assert!(refused("kmean:10").contains("kmeans:400"));
    }
}
