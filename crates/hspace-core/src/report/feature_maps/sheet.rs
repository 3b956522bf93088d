//! Filters and feature maps as one picture.

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

use super::FeatureMaps;
use crate::error::{Error, Result};
use crate::picture;

/// Smallest side of a tile of [`FeatureMaps::sheet`], pixels.
const TILE: u32 = 64;

/// White between the stages of [`FeatureMaps::sheet`], pixels.
pub(super) const GAP: u32 = 16;

impl FeatureMaps {
    /// All as one picture: the filters, then of each stage a row for each image, which comes first.
    ///
    /// # Errors
    /// If there is nothing to draw.
    pub fn sheet(&self) -> Result<RgbImage> {
        let large = |tile: &RgbImage, [width, height]: [u32; 2]| {
            imageops::resize(tile, width, height, FilterType::Nearest)
        };
        let mut parts = Vec::new();
        if let Some(filters) = &self.filters {
            let tiles = filters.tiles.tiles()?;
            let times = TILE.div_ceil(filters.tiles.width.max(filters.tiles.height).max(1));
            let size = [filters.tiles.width, filters.tiles.height].map(|side| side * times);
            let tiles: Vec<RgbImage> = tiles.iter().map(|tile| large(tile, size)).collect();
            let rows: Vec<Vec<RgbImage>> = tiles.chunks(12).map(<[_]>::to_vec).collect();
            parts.push(picture::sheet(&rows, false)?);
        }
        let images = self.images.tiles()?;
        for stage in &self.stages {
            let maps = stage.maps.tiles()?;
            // The smallest multiple of the maps' size that is as large as the images and the tiles.
            let least = TILE.max(self.images.width).max(self.images.height);
            let times = least.div_ceil(stage.maps.width.max(stage.maps.height).max(1));
            let size = [stage.maps.width, stage.maps.height].map(|side| side * times);
            let rows: Vec<Vec<RgbImage>> = images
                .iter()
                .zip(maps.chunks(stage.shown.len().max(1)))
                .map(|(image, maps)| {
                    let row = [image].into_iter().chain(maps);
                    row.map(|tile| large(tile, size)).collect()
                })
                .collect();
            parts.push(picture::sheet(&rows, true)?);
        }
        if parts.is_empty() {
            return Err(Error::data(
                "there are no filters and no feature maps to draw",
            ));
        }
        Ok(stacked(&parts))
    }
}

/// Pictures below one another on white.
fn stacked(parts: &[RgbImage]) -> RgbImage {
    let width = parts.iter().map(RgbImage::width).max().unwrap_or(0);
    let heights: u32 = parts.iter().map(|part| part.height() + GAP).sum();
    let mut all = RgbImage::from_pixel(width, heights.saturating_sub(GAP), Rgb([255; 3]));
    let mut top = 0;
    for part in parts {
        imageops::replace(&mut all, part, 0, i64::from(top));
        top += part.height() + GAP;
    }
    all
}
