//! Images made here, and trainings on them.

use std::path::Path;

use image::{GrayImage, Luma, RgbImage};

use crate::ok;

/// 60 pictures in two classes by sub-folder: a bright bar, upright or lying. PNG and JPEG.
pub fn pictures(folder: &Path) {
    for i in 0..60u32 {
        let (class, upright) = if i % 2 == 0 {
            ("up", true)
        } else {
            ("lie", false)
        };
        let at = 3 + (i * 7) % 10;
        let picture = GrayImage::from_fn(16, 16, |x, y| {
            let on = if upright {
                x.abs_diff(at) < 2
            } else {
                y.abs_diff(at) < 2
            };
            Luma([if on { 220 } else { 20 + (x * y + i) as u8 % 30 }])
        });
        let folder = folder.join("data").join(class);
        std::fs::create_dir_all(&folder).unwrap();
        match i % 3 {
            0 => {
                let rgb =
                    RgbImage::from_fn(16, 16, |x, y| image::Rgb([picture.get_pixel(x, y).0[0]; 3]));
                rgb.save(folder.join(format!("{i}.jpg"))).unwrap();
            }
            _ => picture.save(folder.join(format!("{i}.png"))).unwrap(),
        }
    }
}

/// Next to them, files that are no pictures.
pub fn broken(folder: &Path) {
    let up = folder.join("data/up");
    std::fs::write(up.join("empty.png"), b"").unwrap();
    std::fs::write(up.join("text.jpg"), b"this is no picture").unwrap();
    let whole = std::fs::read(up.join("4.png")).unwrap();
    // Several, so that both splits have some.
    for i in 0..6 {
        std::fs::write(up.join(format!("cut{i}.png")), &whole[..whole.len() / 2]).unwrap();
    }
}

/// A short training on them, but for where to and how long.
pub const SMALL: &str =
    "train --data data --encoder cnn --set encoder.width=4 --batch-size 16 --seed 3";

pub fn train(folder: &Path, out: &str, more: &str) -> String {
    ok(folder, &format!("{SMALL} --out {out} {more}"))
}
