//! `knn:pca:50`, `label_spreading:runs/a:alpha=0.5`: methods that learn from each draw of labels on the features of a source.

use toml::Table;

use super::Source;
use crate::config;
use crate::error::{Error, Result, unknown};
use crate::list;
use crate::semi_supervised::{METHODS, Options};

/// A method of [`crate::semi_supervised`] on the features of a source: `METHOD:SOURCE:KEY=VALUE…`.
///
/// Settings at the end whose keys the method has are the method's, others the source's: in `knn:kmeans:400:patch=9:k=5` the method has `k=5`. Settings of the
/// graph have a section: `label_spreading:pca:50:graph.k=15`.
///
/// ```
/// use hspace::auto::Auto;
/// use hspace::source::Source;
///
/// let Source::OnFeatures(knn) = Source::parse("knn:pca:50:k=5")? else { unreachable!() };
/// assert_eq!((knn.method, knn.of.as_str(), &knn.features), ("knn", "pca:50", &Source::Pca(50)));
/// assert_eq!(knn.options.knn.k, Auto::Set(5));
/// # Ok::<(), hspace::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct OnFeatures {
    /// Name of the method, from [`METHODS`].
    pub method: &'static str,
    /// Name of what gives the features.
    pub of: String,
    /// What gives the features.
    pub features: Source,
    /// Settings of the method.
    pub options: Options,
}

/// The source that `text` names; `None` where it does not begin with the name of a method.
pub(super) fn parse(text: &str) -> Option<Result<Source>> {
    let (method, rest) = text.split_once(':')?;
    let (method, rest) = match (method, rest.split_once(':')) {
        // `align:coral:pca:50` is `align_coral:pca:50`.
        ("align", Some((how, rest))) => (format!("align_{how}"), rest),
        _ => (method.to_owned(), rest),
    };
    let Some(entry) = METHODS.iter().find(|entry| entry.name == method) else {
        let names = METHODS.iter().map(|entry| entry.name);
        let is_alignment = method.starts_with("align_");
        return is_alignment.then(|| Err(Error::config(unknown("method", &method, names))));
    };
    Some(read(text, entry.name, rest))
}

fn read(text: &str, method: &'static str, rest: &str) -> Result<Source> {
    let defaults = list::defaults::<Options>();
    let is_own = |part: &str| -> bool {
        let Some((key, _)) = part.split_once('=') else {
            return false;
        };
        match key.trim().split_once('.') {
            Some((section, _)) => section == GRAPH || section == method,
            None => defaults[method].get(key.trim()).is_some(),
        }
    };
    let mut of = rest;
    let mut user = Table::new();
    while let Some((before, setting)) = of.rsplit_once(':')
        && is_own(setting)
    {
        let mut one = Table::new();
        let full = match setting
            .split('=')
            .next()
            .is_some_and(|key| key.contains('.'))
        {
            true => setting.to_owned(),
            false => format!("{method}.{setting}"),
        };
        config::set(&mut one, &full).map_err(Error::config)?;
        // The last of two settings of a key counts, as it does elsewhere.
        config::merge(&mut one, user);
        user = one;
        of = before;
    }
    let features = Source::parse(of)?;
    features.check_has_features()?;
    let options: Options = config::options(user, vec![]).map_err(|error| named(text, error))?;
    let problems = options.validate();
    match problems.is_empty() {
        true => Ok(Source::OnFeatures(Box::new(OnFeatures {
            method,
            of: of.to_owned(),
            features,
            options,
        }))),
        false => Err(named(text, Error::Config(problems))),
    }
}

/// The section of the graph's settings.
const GRAPH: &str = "graph";

/// The problems, each with the source's name.
fn named(text: &str, error: Error) -> Error {
    match error {
        Error::Config(problems) => {
            let problems = problems.into_iter();
            Error::Config(problems.map(|p| format!("`{text}`: {p}")).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auto::Auto;
    use crate::probe::KnnWeights;

    fn parsed(text: &str) -> OnFeatures {
        match Source::parse(text) {
            Ok(Source::OnFeatures(of)) => *of,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn settings_that_the_method_has_are_its_own() {
        let plain = parsed("knn:kmeans:400:patch=9");
        assert_eq!(plain.of, "kmeans:400:patch=9");
        assert_eq!(plain.options, Options::default());
        let both = parsed("knn:kmeans:400:patch=9:k=5:weights=distance");
        assert_eq!(both.of, "kmeans:400:patch=9");
        assert_eq!(both.options.knn.k, Auto::Set(5));
        assert_eq!(both.options.knn.weights, KnnWeights::Distance);
        let graph = parsed("label_spreading:pixels:graph.k=15:alpha=0.5");
        assert_eq!(graph.of, "pixels");
        assert_eq!(graph.options.graph.k, 15);
        assert_eq!(graph.options.label_spreading.alpha, 0.5);
        assert_eq!(parsed("knn:pixels:k=3:k=9").options.knn.k, Auto::Set(9));
        let aligned = parsed("align:coral:pca:50:ridge=0.5");
        assert_eq!(
            (aligned.method, aligned.of.as_str()),
            ("align_coral", "pca:50")
        );
        assert_eq!(aligned.options.align_coral.ridge, 0.5);
    }

    #[test]
    fn wrong_settings_are_refused_with_the_name_of_the_source() {
        let refused = |text: &str| match Source::parse(text) {
            Err(error) => error.to_string(),
            Ok(source) => panic!("{text}: {source:?}"),
        };
        let aligned = refused("align:corral:pixels");
        assert!(aligned.contains("did you mean `align_coral`?"), "{aligned}");
        let zero = refused("knn:pca:50:k=0");
        assert!(zero.contains("`knn:pca:50:k=0`: knn.k"), "{zero}");
        let word = refused("knn:pixels:weights=heavy");
        assert!(
            word.contains("heavy") && word.contains("knn:pixels"),
            "{word}"
        );
        let graph = refused("label_spreading:pixels:graph.q=1");
        assert!(graph.contains('q') && graph.contains("graph"), "{graph}");
        assert!(refused("knn:supervised:cnn").contains("learns from each draw"));
        assert!(refused("knn:pxiels").contains("did you mean `pixels`?"));
    }
}
