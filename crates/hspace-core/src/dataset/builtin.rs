//! `builtin:mnist-mini`: real handwritten digits inside the program.
//!
//! The first 10,000 training images and the first 2,000 test images of MNIST. `data/mnist-mini/`
//! has the files, their source and licence, and the script that made them.

use std::path::PathBuf;

use flate2::read::GzDecoder;

use crate::dataset::idx::{self, Part};
use crate::dataset::{Dataset, Entry, Format, Kind, OpenOptions, Split};
use crate::error::{Error, Result};

/// The line in the list of datasets.
pub const ENTRY: Entry = Entry {
    name: "builtin:mnist-mini",
    summary: "handwritten digits, 28x28: the first 10,000 training and 2,000 test images of MNIST",
    source: "",
    item: Format { open },
};

macro_rules! file {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!("../../data/mnist-mini/", $name)),
        )
    };
}

type Embedded = (&'static str, &'static [u8]);
static TRAIN_IMAGES: Embedded = file!("train-images-idx3-ubyte.gz");
static TRAIN_LABELS: Embedded = file!("train-labels-idx1-ubyte.gz");
static TEST_IMAGES: Embedded = file!("t10k-images-idx3-ubyte.gz");
static TEST_LABELS: Embedded = file!("t10k-labels-idx1-ubyte.gz");

fn open(source: &str, _options: &OpenOptions) -> Option<Result<Dataset>> {
    (source == ENTRY.name).then(mnist_mini)
}

fn mnist_mini() -> Result<Dataset> {
    let unpack = |(name, bytes): Embedded| -> Result<(idx::Array, PathBuf)> {
        let array = idx::read(GzDecoder::new(bytes)).map_err(|text| Error::file(name, text))?;
        Ok((array, name.into()))
    };
    let part = |split, images, labels| -> Result<Part> {
        Ok(Part {
            split,
            images: unpack(images)?,
            labels: Some(unpack(labels)?),
        })
    };
    let mut dataset = idx::assemble(vec![
        part(Split::Train, TRAIN_IMAGES, TRAIN_LABELS)?,
        part(Split::Test, TEST_IMAGES, TEST_LABELS)?,
    ])?;
    dataset.kind = Kind::Digits;
    Ok(dataset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Shape, Values};

    #[test]
    fn it_is_the_start_of_mnist() {
        let dataset = mnist_mini().unwrap();
        assert_eq!(
            dataset.shape,
            Shape::Image {
                channels: 1,
                height: 28,
                width: 28
            }
        );
        assert_eq!(dataset.indices(Split::Train).len(), 10_000);
        assert_eq!(
            dataset.indices(Split::Test),
            (10_000..12_000).collect::<Vec<_>>()
        );
        let Values::Classes { names, index } = &dataset.task().unwrap().values else {
            panic!("classes expected")
        };
        assert_eq!(names.join(""), "0123456789");
        let digits: Vec<u32> = index.iter().take(10).map(|i| i.unwrap()).collect();
        assert_eq!(digits, [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
        assert_eq!(index[10_000..10_003], [Some(7), Some(2), Some(1)]);
    }
}
