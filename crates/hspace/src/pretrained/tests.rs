//! Files of weights: what `tests/golden/checkpoints` and `tests/golden/state_dict.pth` hold, archives that are written
//! here, and damaged ones.

use std::path::PathBuf;

use safetensors::tensor::{Dtype, TensorView};
use tempfile::TempDir;

use super::*;
use crate::dataset::Shape;
use crate::nn::weights::values;

mod archive;
mod damaged;
mod wrappers;

/// The network in all checkpoints, with fresh weights.
struct Network {
    encoder: Box<dyn Encoder>,
    fresh: Weights,
    device: Device,
    folder: TempDir,
}

impl Network {
    /// `cnn` of width 1, for images of 3 channels.
    fn cnn() -> Network {
        Network::new("cnn", "width = 1", 3)
    }

    fn new(name: &str, settings: &str, channels: usize) -> Network {
        let encoder = encoder::make(name, settings.parse().unwrap()).unwrap();
        let shape = Shape::Image {
            channels,
            height: 8,
            width: 8,
        };
        let device = Device::cpu();
        let (fresh, _) = encoder::init(&*encoder, shape, 3, &device);
        Network {
            encoder,
            fresh,
            device,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn read(&self, path: &Path, key: Option<&str>) -> Result<Read> {
        read(path, key, &*self.encoder, &self.fresh, &self.device)
    }

    /// Reads bytes as a file `w`.
    fn read_bytes(&self, bytes: &[u8]) -> Result<Read> {
        let path = self.folder.path().join("w");
        std::fs::write(&path, bytes).unwrap();
        self.read(&path, None)
    }

    /// Its fresh weights, written under a prefix.
    fn safetensors(&self, prefix: &str, change: impl Fn(&str, &mut [f32])) -> Vec<u8> {
        let tensors: Vec<_> = self
            .fresh
            .iter()
            .map(|(name, weight)| {
                let mut numbers = values(weight.value.clone());
                change(name, &mut numbers);
                let bytes: Vec<u8> = numbers.into_iter().flat_map(f32::to_le_bytes).collect();
                (format!("{prefix}{name}"), weight.shape.clone(), bytes)
            })
            .collect();
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
            (name, view.unwrap())
        });
        safetensors::serialize(views, None).unwrap()
    }
}

/// A file of `tests/golden`.
fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// The names, shapes and numbers of all tensors of a file with floating-point numbers.
type Named = (String, Vec<usize>, Vec<f32>);

fn tensors(bytes: &[u8]) -> std::result::Result<Vec<Named>, String> {
    let mut contents = contents::open(bytes)?;
    let entries = contents.entries().to_vec();
    let floating = |(_, entry): &(usize, &Entry)| entry.kind.unreadable().is_none();
    let named = entries.iter().enumerate().filter(floating);
    named
        .map(|(i, entry)| Ok((entry.name.clone(), entry.shape.clone(), contents.values(i)?)))
        .collect()
}

/// `state_dict.pth` has the numbers 0, ⅛, … 11⁄8 as `[3, 4]` in several layouts.
#[test]
fn a_tensor_is_read_in_any_precision_and_layout() {
    let bytes = std::fs::read(golden("state_dict.pth")).unwrap();
    let named = tensors(&bytes).unwrap();
    let of = |name: &str| {
        let name = format!("state_dict.module.{name}");
        let (_, shape, values) = named.iter().find(|(n, ..)| *n == name).unwrap();
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
    assert_eq!(named.len(), 9, "and `best`, but no counter");
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
    let of = |name: &str, last| -> Named { (name.to_owned(), vec![2], vec![0.125, last]) };
    let expected = [
        of("brain", -2.0),
        of("double", f32::NEG_INFINITY),
        of("half", -2.0),
        of("single", -2.0),
    ];
    assert_eq!(tensors(&bytes).unwrap(), expected);
}

/// A `.safetensors` file of tensors of two numbers each.
fn of_types(tensors: &[(&str, Dtype, &[u8])]) -> Vec<u8> {
    let views = tensors.iter().map(|&(name, dtype, bytes)| {
        let view = TensorView::new(dtype, vec![2], bytes);
        (name, view.unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn numbers_that_are_not_read_are_an_error_only_where_the_network_needs_them() {
    let network = Network::new("mlp", "width = 2\nlayers = 1\nnorm = false", 1);
    let needed: Vec<&str> = network.fresh.iter().map(|(name, _)| name).collect();
    assert_eq!(needed, ["0.bias", "0.weight"]);
    let (weight, bias) = ([0u8; 2 * 64], [0u8; 2]);
    let view = |kind, shape: &[usize], bytes| TensorView::new(kind, shape.to_vec(), bytes).unwrap();
    let tensors = [
        ("0.bias", view(Dtype::I8, &[2], &bias)),
        ("0.weight", view(Dtype::F8_E4M3, &[2, 64], &weight)),
        ("head.scale", view(Dtype::U8, &[2], &bias)),
    ];
    let bytes = safetensors::serialize(tensors, None).unwrap();
    let problem = network.read_bytes(&bytes).unwrap_err().to_string();
    assert!(
        problem.contains("w: `0.bias` is I8, `0.weight` is F8_E4M3; floating-point"),
        "{problem}"
    );
}

#[test]
fn position_embeddings_are_resized_and_said_to_be() {
    let vit = Network::new("vit_tiny", "width = 8\ndepth = 1\nheads = 2", 1);
    let path = vit.folder.path().join("w");
    std::fs::write(&path, vit.safetensors("module.", |_, _| {})).unwrap();
    let larger = Shape::Image {
        channels: 1,
        height: 16,
        width: 16,
    };
    let (like, _) = encoder::init(&*vit.encoder, larger, 0, &vit.device);
    let found = read(&path, None, &*vit.encoder, &like, &vit.device).unwrap();
    assert_eq!(found.weights.get("pos_embed").unwrap().shape, [1, 17, 8]);
    assert_eq!(
        found.notes,
        [
            "took the weights with names after `module.`",
            "resized `pos_embed` from [1, 5, 8] to [1, 17, 8]"
        ]
    );
}

#[test]
fn values_that_no_trained_network_has_are_refused_by_name_and_count() {
    let network = Network::cnn();
    let cases = [
        ("conv3.weight", f32::NAN, "`conv3.weight` (1 NaN of 288)"),
        ("bn2.bias", f32::INFINITY, "`bn2.bias` (1 infinite of 4)"),
        (
            "bn1.running_var",
            -0.5,
            "`bn1.running_var` (1 negative of 2)",
        ),
        ("bn1.running_mean", -0.5, ""),
    ];
    for (name, value, problem) in cases {
        let bytes = network.safetensors("", |own, numbers| {
            if own == name {
                numbers[1] = value;
            }
        });
        match network.read_bytes(&bytes) {
            Ok(found) => {
                assert_eq!(problem, "", "{name}");
                let read = values(found.weights.get(name).unwrap().value.clone());
                assert_eq!(read[1], value);
            }
            Err(error) => assert!(
                !problem.is_empty() && error.to_string().contains(problem),
                "{error}"
            ),
        }
    }
    let bytes = network.safetensors("", |_, numbers| numbers.fill(f32::NAN));
    let error = network.read_bytes(&bytes).unwrap_err().to_string();
    assert!(
        error.contains("`bn2.running_mean` (4 NaN of 4), and 10 more; "),
        "{error}"
    );
    // Half precision overflows; infinite numbers are not negative ones.
    let half = impossible_values("a.running_var", &[f32::NEG_INFINITY, f32::NAN, -1.0]);
    assert_eq!(
        half.unwrap(),
        "`a.running_var` (1 NaN and 1 infinite and 1 negative of 3)"
    );
}
