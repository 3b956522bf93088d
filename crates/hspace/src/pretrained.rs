//! Weights made elsewhere: torchvision's and timm's, as `.safetensors` or as `torch.save` writes a
//! state dict (`.pth`).

mod torch;

use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors};

use crate::device::Device;
use crate::encoder::{self, Encoder, latent};
use crate::error::{Error, Result};
use crate::file;
use crate::network::weights::vector;
use crate::network::{Weight, Weights};
use crate::run::{EncoderFile, TrainedEncoder};
use crate::views::InputSpec;

/// What a classifier, and not the encoder, needs.
const HEADS: [&str; 4] = ["fc", "head", "heads", "classifier"];
/// What a file of `torch.save` before PyTorch 1.6 begins with: a pickle of its magic number.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
/// What wrappers put before the names.
const WRAPPERS: [&str; 7] = [
    "",
    "module.",
    "model.",
    "backbone.",
    "encoder.",
    "_orig_mod.",
    "module._orig_mod.",
];

/// The weights of `encoder` from a file: names and shapes must be those of `like`. Heads of
/// classifiers and whole numbers (counters) are left out. Where a wrapper put a prefix before the encoder's names,
/// what lies outside is another part, such as a projector, and is left out too. A
/// latent space that the file does not know keeps the weights of `like`.
///
/// # Errors
/// Names the file: missing, cut short, of another kind; or lists every tensor that is missing, extra or
/// of another shape.
pub fn read(
    path: &Path,
    encoder: &dyn Encoder,
    like: &Weights,
    device: &Device,
) -> Result<Weights> {
    let bytes = file::read(path)?;
    if bytes.starts_with(LEGACY) {
        return Err(Error::file(
            path,
            "was saved by PyTorch before 1.6, in a format that is not read; load it in PyTorch and save it again \
             with torch.save(torch.load(FILE), NEW)",
        ));
    }
    let named = match bytes.starts_with(b"PK") {
        true => torch::read(&bytes),
        false => safetensors(&bytes),
    };
    let named = named.map_err(|problem| {
        Error::file(
            path,
            format!(
                "is no file of weights (.safetensors, or a state dict by torch.save): {problem}"
            ),
        )
    })?;
    let matches = |prefix: &&str| {
        let own = named
            .iter()
            .filter_map(|(name, ..)| name.strip_prefix(prefix));
        own.filter(|name| like.get(name).is_some()).count()
    };
    // The first of those with most matches: no prefix, where that does as well.
    let prefix = WRAPPERS.iter().rev().max_by_key(|prefix| matches(prefix));
    let prefix = prefix.copied().unwrap_or_default();
    let mut weights = Weights::default();
    for (name, shape, values) in named {
        let Some(name) = name.strip_prefix(prefix) else {
            continue;
        };
        let part = name.split('.').next().unwrap_or_default();
        let wanted = like.get(name);
        if name.ends_with("num_batches_tracked") || (wanted.is_none() && HEADS.contains(&part)) {
            continue;
        }
        let found = Weight {
            value: vector(values, device),
            shape,
            trained: wanted.is_none_or(|wanted| wanted.trained),
        };
        let adapted = wanted.and_then(|wanted| encoder.adapt(name, &found, &wanted.shape));
        weights.insert(name.to_owned(), adapted.unwrap_or(found));
    }
    latent::complete(encoder, &mut weights, like);
    weights.check_like(like, path)?;
    Ok(weights)
}

/// An encoder of that architecture and these settings, for that input, with weights from elsewhere.
///
/// # Errors
/// As [`read`]; settings or an input that cannot be.
pub fn encoder(
    path: &Path,
    architecture: &str,
    settings: toml::Table,
    input: InputSpec,
    device: &Device,
) -> Result<TrainedEncoder> {
    let encoder = encoder::make(architecture, settings.clone()).map_err(Error::config)?;
    let mut problems = encoder.problems(input.shape);
    problems.extend(input.problems());
    if !problems.is_empty() {
        return Err(Error::Config(problems));
    }
    let (like, features) = encoder::init(&*encoder, input.shape, 0, device);
    let weights = read(path, &*encoder, &like, device)?;
    let about = EncoderFile {
        architecture: architecture.to_owned(),
        features,
        hash: String::new(),
        classes: vec![],
        warnings: vec![],
        latents: 0,
        settings,
        input,
    };
    Ok(TrainedEncoder {
        about,
        encoder,
        weights,
    })
}

fn safetensors(bytes: &[u8]) -> std::result::Result<Vec<torch::Named>, String> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let (mut named, mut unreadable) = (Vec::new(), Vec::new());
    for (name, view) in tensors.iter() {
        let values = match view.dtype() {
            Dtype::F64 => doubles(view.data()),
            Dtype::F32 => singles(view.data()),
            Dtype::F16 => halves(view.data()),
            Dtype::BF16 => brain_floats(view.data()),
            // Counters.
            Dtype::I64 | Dtype::I32 | Dtype::BOOL => continue,
            other => {
                unreadable.push(format!("`{name}` is {other:?}"));
                continue;
            }
        };
        named.push((name.to_owned(), view.shape().to_vec(), values));
    }
    all_readable(unreadable)?;
    Ok(named)
}

/// Refuses a file with tensors of numbers that are not read, each with its name and type.
fn all_readable(mut unreadable: Vec<String>) -> std::result::Result<(), String> {
    if unreadable.is_empty() {
        return Ok(());
    }
    unreadable.sort();
    let list = unreadable.join(", ");
    Err(format!(
        "{list}; double, single and half precision and bfloat16 are read"
    ))
}

/// Double precision, lowest byte first, rounded to single.
fn doubles(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<8>();
    numbers
        .iter()
        .map(|b| f64::from_le_bytes(*b) as f32)
        .collect()
}

/// Single precision, lowest byte first.
fn singles(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<4>();
    numbers.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// IEEE half precision, lowest byte first.
fn halves(bytes: &[u8]) -> Vec<f32> {
    let number = |b: &[u8]| {
        let bits = u16::from_le_bytes([b[0], b[1]]);
        let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
        let (exponent, part) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
        sign * match exponent {
            0 => part * 2f32.powi(-24),
            31 if part == 0.0 => f32::INFINITY,
            31 => f32::NAN,
            _ => (1.0 + part / 1024.0) * 2f32.powi(exponent - 15),
        }
    };
    bytes.chunks_exact(2).map(number).collect()
}

/// The upper halves of single-precision numbers, lowest byte first.
fn brain_floats(bytes: &[u8]) -> Vec<f32> {
    let number = |b: &[u8]| f32::from_bits(u32::from(u16::from_le_bytes([b[0], b[1]])) << 16);
    bytes.chunks_exact(2).map(number).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Write};

    use safetensors::tensor::TensorView;
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipArchive, ZipWriter};

    use super::*;

    /// `tests/golden/state_dict.pth` has the numbers 0, ⅛, … 11⁄8 as `[3, 4]` in several ways.
    #[test]
    fn a_state_dict_is_read_as_it_lies() {
        let bytes = include_bytes!("../tests/golden/state_dict.pth");
        let named = torch::read(bytes).unwrap();
        let of = |name: &str| {
            let found = named
                .iter()
                .find(|(n, ..)| n.strip_prefix("module.") == Some(name));
            let (_, shape, values) = found.unwrap_or_else(|| panic!("no {name}"));
            (&shape[..], &values[..])
        };
        let numbers: Vec<f32> = (0..12).map(|i| i as f32 / 8.0).collect();
        for name in ["plain", "half", "brain", "double", "fc.weight"] {
            assert_eq!(of(name), (&[3, 4][..], &numbers[..]), "{name}");
        }
        let turned: Vec<f32> = (0..12).map(|i| numbers[i % 3 * 4 + i / 3]).collect();
        assert_eq!(of("turned"), (&[4, 3][..], &turned[..]));
        assert_eq!(of("part"), (&[3][..], &[2.0, 3.0, 4.0][..]));
        assert_eq!(of("parameter").1, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(named.len(), 8, "counters are left out");
        // Cut short anywhere it is an error, not a panic.
        for keep in 0..bytes.len() {
            assert!(
                torch::read(&bytes[..keep]).is_err(),
                "{keep} bytes were taken"
            );
        }
    }

    #[test]
    fn only_what_the_encoder_needs_is_taken_and_all_of_that() {
        let device = Device::cpu();
        let vit = |settings: &str| {
            let settings = settings.parse().unwrap();
            encoder::make("vit_tiny", settings).unwrap()
        };
        let shape = crate::dataset::Shape::Image {
            channels: 1,
            height: 8,
            width: 8,
        };
        let encoder = vit("width = 8\ndepth = 1\nheads = 2");
        let (own, _) = encoder::init(&*encoder, shape, 3, &device);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let mut written = own.clone().prefixed("module");
        let head = Weight {
            value: vector(vec![0.0; 16], &device),
            shape: vec![2, 8],
            trained: true,
        };
        written.insert("module.head.weight".into(), head);
        let write = |weights: &Weights| crate::train::checkpoint::write_weights(&path, weights);
        write(&written).unwrap();
        let found = read(&path, &*encoder, &own, &device).unwrap();
        assert!(found.check_like(&own, &path).is_ok());
        // Position embeddings are made to fit larger images.
        let larger = crate::dataset::Shape::Image {
            channels: 1,
            height: 16,
            width: 16,
        };
        let (like, _) = encoder::init(&*encoder, larger, 0, &device);
        let found = read(&path, &*encoder, &like, &device).unwrap();
        assert_eq!(found.get("pos_embed").unwrap().shape, [1, 17, 8]);
        // Anything else is said, all of it.
        written.remove("module.cls_token");
        written.insert(
            "module.extra".into(),
            written.get("module.norm.bias").unwrap().clone(),
        );
        write(&written).unwrap();
        let text = read(&path, &*encoder, &own, &device)
            .unwrap_err()
            .to_string();
        for part in ["weights.safetensors", "missing: cls_token", "extra"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn safetensors_of_any_precision_are_read() {
        let double = [0.125f64, -1e300].map(f64::to_le_bytes).concat();
        let single = [0.125f32, -2.0].map(f32::to_le_bytes).concat();
        let (half, brain) = ([0x00u8, 0x30, 0x00, 0xc0], [0x00u8, 0x3e, 0x00, 0xc0]);
        let bytes = of_types(&[
            ("double", Dtype::F64, &double),
            ("single", Dtype::F32, &single),
            ("half", Dtype::F16, &half),
            ("brain", Dtype::BF16, &brain),
            ("counter", Dtype::BOOL, &[0, 1]),
        ]);
        let mut named = safetensors(&bytes).unwrap();
        named.sort_by(|a, b| a.0.cmp(&b.0));
        let of =
            |name: &str, last| -> torch::Named { (name.to_owned(), vec![2], vec![0.125, last]) };
        let expected = [
            of("brain", -2.0),
            of("double", f32::NEG_INFINITY),
            of("half", -2.0),
            of("single", -2.0),
        ];
        assert_eq!(named, expected);
    }

    #[test]
    fn every_tensor_of_other_numbers_is_named() {
        let bytes = of_types(&[
            ("b", Dtype::I8, &[1, 2]),
            ("c", Dtype::F16, &[0; 4]),
            ("a", Dtype::F8_E4M3, &[1, 2]),
        ]);
        let problem = safetensors(&bytes).unwrap_err();
        assert!(
            problem.starts_with("`a` is F8_E4M3, `b` is I8; double"),
            "{problem}"
        );
        let bytes = include_bytes!("../tests/golden/state_dict.pth");
        let types = [("Double", "Char"), ("Half", "ComplexFloat")];
        let problem = torch::read(&retyped(bytes, &types)).unwrap_err();
        let wanted =
            "`module.double` is a CharStorage, `module.half` is a ComplexFloatStorage; double";
        assert!(problem.starts_with(wanted), "{problem}");
    }

    /// A file of tensors of two numbers each.
    fn of_types(tensors: &[(&str, Dtype, &[u8])]) -> Vec<u8> {
        let views = tensors.iter().map(|&(name, dtype, bytes)| {
            let view = TensorView::new(dtype, vec![2], bytes);
            (name, view.unwrap())
        });
        safetensors::serialize(views, None).unwrap()
    }

    /// The archive with other types of storages.
    fn retyped(archive: &[u8], types: &[(&str, &str)]) -> Vec<u8> {
        let mut given = ZipArchive::new(Cursor::new(archive)).unwrap();
        let names = given.file_names().map(|name| name.unwrap().into_owned());
        let names: Vec<String> = names.collect();
        let mut made = ZipWriter::new(Cursor::new(Vec::new()));
        for name in names {
            let mut content = Vec::new();
            let mut file = given.by_name(&name).unwrap();
            file.read_to_end(&mut content).unwrap();
            if name.ends_with("data.pkl") {
                for (from, to) in types {
                    let from = format!("{from}Storage");
                    let at = content
                        .windows(from.len())
                        .position(|w| w == from.as_bytes());
                    let at = at.unwrap();
                    let to = format!("{to}Storage").into_bytes();
                    content.splice(at..at + from.len(), to);
                }
            }
            let options = SimpleFileOptions::default();
            let options = options.compression_method(CompressionMethod::Stored);
            made.start_file(name, options).unwrap();
            made.write_all(&content).unwrap();
        }
        made.finish().unwrap().into_inner()
    }

    #[test]
    fn short_numbers_are_read() {
        let halves = halves(&[0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0x00, 0x7c, 0xff, 0x7b]);
        assert_eq!(halves, [1.0, -2.0, 2f32.powi(-24), f32::INFINITY, 65504.0]);
        assert_eq!(brain_floats(&[0x80, 0x3f, 0x20, 0xc0]), [1.0, -2.5]);
    }
}
