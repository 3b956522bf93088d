//! The named tensors of a file, in whichever format.

use safetensors::tensor::{Dtype, SafeTensors};

use super::numbers::Kind;
use super::torch::Archive;

/// A tensor of a file, before its numbers are read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// Its name after the keys of the dictionaries around it, joined by dots:
    /// `state_dict.module.encoder_q.conv1.weight`.
    pub(super) name: String,
    /// Bytes of `name` that are keys of dictionaries, with the last dot.
    pub(super) keys: usize,
    pub(super) shape: Vec<usize>,
    pub(super) kind: Kind,
}

impl Entry {
    /// Whether it holds whole numbers, such as `num_batches_tracked`.
    pub(super) fn is_counter(&self) -> bool {
        matches!(self.kind, Kind::Whole(_))
    }
}

/// A file of named tensors.
pub(super) trait Contents {
    /// All tensors, in the file's order.
    fn entries(&self) -> &[Entry];

    /// The numbers of a tensor by its place in [`Contents::entries`], row-major.
    ///
    /// # Errors
    /// Numbers that are not read, or that the file lacks.
    fn values(&mut self, index: usize) -> Result<Vec<f32>, String>;
}

/// The tensors of a `.safetensors` file or of an archive by `torch.save`.
///
/// # Errors
/// What is wrong with the file, and what to do.
pub(super) fn open(bytes: &[u8]) -> Result<Box<dyn Contents + '_>, String> {
    if let Some((_, problem)) = FORMATS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Err((*problem).to_owned());
    }
    let opened: Result<Box<dyn Contents + '_>, String> = match bytes.starts_with(b"PK") {
        true => Archive::open(bytes).map(|archive| Box::new(archive) as _),
        false => Flat::open(bytes).map(|flat| Box::new(flat) as _),
    };
    opened.map_err(|problem| {
        format!(
            "is no file of weights (.safetensors, or what torch.save writes), or is damaged: {problem}; take another \
             copy of it"
        )
    })
}

/// Beginnings of files that are not read, and what to do about them.
const FORMATS: [(&[u8], &str); 5] = [
    // A pickle of the magic number of torch.save.
    (
        b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
        "was saved by PyTorch before 1.6, in a format that is not read; load it in PyTorch and save it again with \
         torch.save(torch.load(FILE), NEW)",
    ),
    (
        b"\x80",
        "is a pickle that torch.save did not write; load it in Python and save its weights with \
         safetensors.torch.save_file",
    ),
    (
        b"version https://git-lfs",
        "is a pointer of Git LFS, not the weights; fetch them with: git lfs pull",
    ),
    (b"<", "is a web page, not weights; download the file itself"),
    (b"\x1f\x8b", "is compressed by gzip; unpack it first"),
];

/// A `.safetensors` file.
struct Flat<'a> {
    tensors: SafeTensors<'a>,
    entries: Vec<Entry>,
}

impl<'a> Flat<'a> {
    fn open(bytes: &'a [u8]) -> Result<Flat<'a>, String> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
        let entry = |(name, view): (&str, safetensors::tensor::TensorView)| Entry {
            name: name.to_owned(),
            keys: 0,
            shape: view.shape().to_vec(),
            kind: match view.dtype() {
                Dtype::F64 => Kind::Double,
                Dtype::F32 => Kind::Single,
                Dtype::F16 => Kind::Half,
                Dtype::BF16 => Kind::BFloat16,
                whole @ (Dtype::I64 | Dtype::I32 | Dtype::BOOL) => {
                    Kind::Whole(format!("{whole:?}"))
                }
                other => Kind::Other(format!("{other:?}")),
            },
        };
        let mut entries: Vec<Entry> = tensors.iter().map(entry).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Flat { tensors, entries })
    }
}

impl Contents for Flat<'_> {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn values(&mut self, index: usize) -> Result<Vec<f32>, String> {
        let Entry { name, kind, .. } = &self.entries[index];
        let view = self.tensors.tensor(name).map_err(|e| e.to_string())?;
        kind.decode(view.data())
            .ok_or_else(|| format!("`{name}` holds no floating-point numbers that are read"))
    }
}
