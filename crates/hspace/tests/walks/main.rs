//! Methods that are not built yet, each as a stub of its own file: the traits carry them as they are.

mod grad_cam;

use hspace::dataset::{Dataset, OpenOptions, Pixels, Sample};

/// Small handwritten digits.
fn digits() -> Dataset {
    Dataset::open("builtin:mnist-mini", &OpenOptions::default()).expect("it is embedded")
}

/// An image's pixels in 0..1, row by row.
fn pixels(dataset: &Dataset, row: usize) -> Vec<f32> {
    match dataset.samples.get(row).expect("it is embedded") {
        Sample::Image(image) => match image.pixels {
            Pixels::U8(bytes) => bytes.iter().map(|&x| f32::from(x) / 255.0).collect(),
            Pixels::U16(_) => panic!("digits have 8 bits"),
        },
        Sample::Vector(_) => panic!("digits are images"),
    }
}
