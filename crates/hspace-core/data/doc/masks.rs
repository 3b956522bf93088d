// Included by examples of the documentation, hidden.

use hspace_core::Result;
use hspace_core::dataset::Mask;
use hspace_core::probe::mask::{FeatureMaps, UseMaps};

/// 4 x 4 pixels, of which the left 1 to 3 columns are of class 1.
pub fn mask(row: usize) -> Mask {
    let class = |pixel: usize| u8::from(pixel % 4 <= row % 3);
    Mask {
        width: 4,
        height: 4,
        classes: (0..16).map(class).collect(),
    }
}

/// Maps with one feature: the class of each pixel of [`mask`].
pub struct Classes;

impl FeatureMaps for Classes {
    fn dims(&self) -> [usize; 3] {
        [4, 4, 1]
    }

    fn input(&self) -> [usize; 2] {
        [4, 4]
    }

    fn each(&self, rows: &[usize], use_them: &mut UseMaps<'_>) -> Result<()> {
        let classes = rows.iter().flat_map(|&row| mask(row).classes);
        let maps: Vec<f32> = classes.map(f32::from).collect();
        use_them(rows, &maps)
    }
}
