//! Models of the Hugging Face Hub: `hf:OWNER/NAME`, or `hf:OWNER/NAME@REVISION`.
//!
//! A model is downloaded once, to the cache that all tools of the Hub share (`HF_HOME`, by default
//! `~/.cache/huggingface`), and read from there ever after. timm's models say their architecture and
//! input in `config.json`; those that are one of our encoders can be used like a run.

use std::path::{Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Table;

use crate::dataset::Shape;
use crate::encoder::ENCODERS;
use crate::error::{Error, Result};
use crate::file;
use crate::list;
use crate::views::InputSpec;

/// What names of such models begin with.
pub const PREFIX: &str = "hf:";

/// Files that hold a model's weights, the first that is there.
const WEIGHTS: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];
const CONFIG: &str = "config.json";
/// Times a broken transfer is taken up again.
const RETRIES: usize = 3;

/// What timm leaves in config.json, as far as we need it.
#[derive(Deserialize)]
struct TimmConfig {
    architecture: String,
    pretrained_cfg: Option<TimmInput>,
}

#[derive(Deserialize)]
struct TimmInput {
    input_size: [usize; 3],
    mean: Vec<f32>,
    std: Vec<f32>,
}

/// A model as one of our encoders.
///
/// ```
/// use hspace::device::Device;
/// use hspace::{hub, pretrained};
///
/// fn resnet() -> hspace::Result<hspace::run::TrainedEncoder> {
///     let model = hub::model("timm/resnet18.a1_in1k")?; // Downloads it, once.
///     let settings = model.settings;
///     let made = pretrained::encoder(&model.weights, None, model.encoder, settings, model.input, &Device::cpu());
///     Ok(made?.0)
/// }
/// # // What a name without an owner is answered with.
/// # assert!(hub::model("resnet18").is_err());
/// ```
#[derive(Clone, Debug)]
pub struct Model {
    /// File of its weights.
    pub weights: PathBuf,
    /// Name of the encoder.
    pub encoder: &'static str,
    /// The encoder's settings.
    pub settings: Table,
    /// Its input.
    pub input: InputSpec,
}

/// The file of a model's weights, in the cache.
///
/// ```
/// // A name is OWNER/NAME, or OWNER/NAME@REVISION.
/// let error = hspace::hub::weights("resnet18").unwrap_err();
/// assert!(error.to_string().contains("resnet18"));
/// ```
///
/// # Errors
/// A name that is none, a model that does not exist, no network and no copy in the cache, a file that
/// is not the one the Hub has.
pub fn weights(name: &str) -> Result<PathBuf> {
    let repo = Remote::new(name)?;
    let mut found = WEIGHTS.iter().find_map(|file| repo.cache.get(file));
    for file in WEIGHTS {
        if found.is_none() {
            found = repo.get(file)?;
        }
    }
    if let Some(path) = found {
        check(&path)?;
        return Ok(path);
    }
    Err(repo.error(format!("has neither {} nor {}", WEIGHTS[0], WEIGHTS[1])))
}

/// A model of timm's: its weights, and what encoder of ours it is.
///
/// ```
/// let error = hspace::hub::model("resnet18").unwrap_err();
/// assert!(error.to_string().contains("owner and name of a model"));
/// ```
///
/// # Errors
/// As [`weights`], and if its architecture is none of ours.
pub fn model(name: &str) -> Result<Model> {
    let repo = Remote::new(name)?;
    let Some(path) = repo.get(CONFIG)? else {
        let text = format!(
            "has no {CONFIG} that says its architecture; download its weights and use: hspace import \
             FILE --encoder ENCODER --out RUN"
        );
        return Err(repo.error(text));
    };
    let config: TimmConfig = serde_json::from_str(&file::read_text(&path)?)
        .map_err(|e| repo.error(format!("its {CONFIG} is not timm's: {e}")))?;
    let (encoder, settings) = ours(&config.architecture).ok_or_else(|| {
        repo.error(format!(
            "is a {}, which is none of our encoders; resnet18, 34, 50, 101, 152, wide_resnet50_2, \
             wide_resnet101_2, resnext50_32x4d, resnext101_32x8d, resnext101_64x4d and vit_{{tiny,small,base}}_patchP_S are",
            config.architecture
        ))
    })?;
    let Some(input) = config.pretrained_cfg else {
        return Err(repo.error(format!("its {CONFIG} does not say its input")));
    };
    let [channels, height, width] = input.input_size;
    Ok(Model {
        weights: weights(name)?,
        encoder,
        settings,
        input: InputSpec {
            shape: Shape::Image {
                channels,
                height,
                width,
            },
            mean: input.mean,
            std: input.std,
            shift: vec![],
        },
    })
}

/// Our encoder for an architecture of timm's, with its settings.
fn ours(architecture: &str) -> Option<(&'static str, Table)> {
    let name = match architecture.split_once("_patch") {
        None => architecture,
        Some((name, _)) => name,
    };
    let name = match name.strip_prefix("deit_") {
        Some(size) => format!("vit_{size}"),
        None => name.to_owned(),
    };
    let entry = list::find("encoder", ENCODERS, &name).ok()?;
    let mut settings = (entry.defaults)();
    match architecture.split_once("_patch") {
        None if name.contains("resnet") || name.starts_with("resnext") => {
            settings.insert("stem".into(), "imagenet".into());
        }
        // vit_small_patch16_224; what else is in a name is another network.
        Some((_, sizes)) if name.starts_with("vit_") => {
            let (patch, size) = sizes.split_once('_')?;
            let (patch, _): (i64, usize) = (patch.parse().ok()?, size.parse().ok()?);
            settings.insert("patch".into(), patch.into());
        }
        _ => return None,
    }
    Some((entry.name, settings))
}

/// A repository of the Hub.
struct Remote {
    name: String,
    repo: ApiRepo,
    cache: CacheRepo,
    folder: PathBuf,
}

impl Remote {
    fn new(name: &str) -> Result<Remote> {
        let plain = name.strip_prefix(PREFIX).unwrap_or(name);
        let (id, revision) = plain.split_once('@').unwrap_or((plain, "main"));
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let part =
            |part: &str| !part.is_empty() && part.chars().all(allowed) && !part.starts_with('.');
        let parts: Vec<&str> = id.split('/').collect();
        if parts.len() != 2 || !parts.iter().all(|p| part(p)) || revision.is_empty() {
            return Err(Error::config(format!(
                "`{name}`: give owner and name of a model, such as hf:timm/resnet18.a1_in1k"
            )));
        }
        let cache = Cache::from_env();
        let folder = cache.path().clone();
        let api = ApiBuilder::from_env()
            .with_retries(RETRIES)
            .build()
            .map_err(|e| Error::data(format!("{name}: {e}")))?;
        let repo = Repo::with_revision(id.to_owned(), RepoType::Model, revision.to_owned());
        Ok(Remote {
            name: name.to_owned(),
            repo: api.repo(repo.clone()),
            cache: cache.repo(repo),
            folder,
        })
    }

    /// A file of it, downloaded if it is not in the cache; `None` if there is no such file.
    fn get(&self, file: &str) -> Result<Option<PathBuf>> {
        match self.repo.get(file) {
            Ok(path) => Ok(Some(path)),
            Err(error) => match status(&error) {
                Some(404) => Ok(None),
                Some(401 | 403) => Err(self.error(
                    "does not exist, or may not be read; for models that ask for consent put a token \
                     into HF_TOKEN",
                )),
                _ => Err(self.error(format!(
                    "{file} is not in {} and could not be fetched ({error}); offline, download the \
                     model's weights elsewhere and name the file instead",
                    self.folder.display()
                ))),
            },
        }
    }

    fn error(&self, problem: impl std::fmt::Display) -> Error {
        Error::data(format!("{}: {problem}", self.name))
    }
}

/// What the server answered, if it did.
fn status(error: &ApiError) -> Option<u16> {
    match error {
        ApiError::RequestError(error) => match **error {
            ureq::Error::StatusCode(code) => Some(code),
            _ => None,
        },
        _ => None,
    }
}

/// Large files lie in the cache under the SHA-256 of their contents, which is checked here.
fn check(path: &Path) -> Result<()> {
    let Ok(target) = std::fs::canonicalize(path) else {
        return Ok(());
    };
    let name = target.file_name().and_then(|name| name.to_str());
    let hash = |name: &&str| name.len() == 64 && name.chars().all(|c| c.is_ascii_hexdigit());
    let Some(expected) = name.filter(hash) else {
        return Ok(());
    };
    let found = Sha256::digest(file::read(&target)?);
    let found: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
    match found == expected {
        true => Ok(()),
        false => Err(Error::file(
            &target,
            "is not what the Hub has (its SHA-256 differs): delete it, and it is downloaded again",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timms_names_are_ours() {
        let (name, settings) = ours("vit_small_patch16_224").unwrap();
        assert_eq!(
            (name, settings["patch"].as_integer()),
            ("vit_small", Some(16))
        );
        let (name, settings) = ours("deit_tiny_patch8_96").unwrap();
        assert_eq!(
            (name, settings["patch"].as_integer()),
            ("vit_tiny", Some(8))
        );
        let (name, settings) = ours("resnet50").unwrap();
        assert_eq!(
            (name, settings["stem"].as_str()),
            ("resnet50", Some("imagenet"))
        );
        for other in [
            "vit_small_patch14_dinov2",
            "resnet50d",
            "convnext_tiny",
            "mlp",
        ] {
            assert!(ours(other).is_none(), "{other}");
        }
    }

    #[test]
    fn names_that_are_none_are_said() {
        for name in ["hf:resnet18", "hf:a/b/c", "hf:a/", "hf:../b", "hf:a/b@"] {
            let error = model(name).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("hf:timm"), "{error}");
        }
    }
}
