//! From stored pixels to a picture in floating point: where to look, and the resized result.

use crate::dataset::{Image, Pixels};
use crate::error::{Error, Result};
use crate::views::resize::{Taps, resize};

/// Which part of the source image becomes the picture, in source pixels.
///
/// ```
/// use hspace_core::views::Frame;
///
/// // A square picture of a wide photograph.
/// let mut frame = Frame::centred([100, 200], [32, 32]);
/// assert_eq!((frame.left, frame.width), (50.0, 100.0));
/// frame.look_at(190.0, 0.0, 40.0, 40.0);
/// assert_eq!(frame.left, 160.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The whole source, `[height, width]`.
    pub source: [usize; 2],
    /// Width ÷ height of the picture.
    pub aspect: f64,
    /// Left edge.
    pub left: f64,
    /// Upper edge.
    pub top: f64,
    /// Width of the part.
    pub width: f64,
    /// Height of the part.
    pub height: f64,
    /// Left and right are swapped.
    pub mirror_x: bool,
    /// Top and bottom are swapped.
    pub mirror_y: bool,
}

impl Frame {
    /// The largest centred part of `source` `[height, width]` with the aspect of `target`.
    pub fn centred(source: [usize; 2], target: [usize; 2]) -> Self {
        let [full_height, full_width] = source.map(|side| side as f64);
        let aspect = target[1] as f64 / target[0] as f64;
        let width = full_width.min(full_height * aspect);
        let height = full_height.min(full_width / aspect);
        let mut frame = Frame {
            source,
            aspect,
            left: 0.0,
            top: 0.0,
            width,
            height,
            mirror_x: false,
            mirror_y: false,
        };
        frame.look_at(
            (full_width - width) / 2.0,
            (full_height - height) / 2.0,
            width,
            height,
        );
        frame
    }

    /// Looks at another part, moved inside the source if it is not.
    pub fn look_at(&mut self, left: f64, top: f64, width: f64, height: f64) {
        let [full_height, full_width] = self.source.map(|side| side as f64);
        self.width = width.min(full_width);
        self.height = height.min(full_height);
        self.left = left.clamp(0.0, full_width - self.width);
        self.top = top.clamp(0.0, full_height - self.height);
    }
}

/// A picture in the making: planar `[channels, height, width]`, values in 0..1.
pub struct Canvas<'a> {
    /// Planes: 1 (grey), 3 (RGB) or any other number.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// The values.
    pub pixels: &'a mut [f32],
    /// Room to work in; whatever it holds may be overwritten.
    pub spare: &'a mut Vec<f32>,
}

impl Canvas<'_> {
    /// Pixels in one plane.
    pub fn plane(&self) -> usize {
        self.height * self.width
    }
}

/// Buffers of one thread, reused from picture to picture.
#[derive(Default)]
pub struct Scratch {
    rows: Taps,
    columns: Taps,
    line: Vec<f32>,
    spare: Vec<f32>,
}

impl Scratch {
    /// Resizes the frame's part of `image` to `[planes, height, width]` into `pixels`, in 0..1.
    ///
    /// `planes` is the number of the image's channels; or 1 for an RGB image, which becomes its luma.
    ///
    /// # Errors
    /// If the image is empty, does not have as many values as pixels and channels, or has other channels than `planes`.
    pub fn draw<'a>(
        &'a mut self,
        image: &Image,
        frame: &Frame,
        [planes, height, width]: [usize; 3],
        pixels: &'a mut [f32],
    ) -> Result<Canvas<'a>> {
        let (stored, white) = match &image.pixels {
            Pixels::U8(values) => (values.len(), 255.0),
            Pixels::U16(values) => (values.len(), 65535.0),
        };
        let channels = image.channels;
        if channels != planes && (channels, planes) != (3, 1) {
            return Err(Error::data(format!(
                "an image of {channels} channels, where {planes} are needed"
            )));
        }
        if stored == 0 || stored != image.width * image.height * channels {
            return Err(Error::data(format!(
                "an image of {}x{} pixels and {channels} channels with {stored} values",
                image.width, image.height
            )));
        }

        self.rows
            .set(image.height, [frame.top, frame.height], height, 1.0 / white);
        self.columns
            .set(image.width, [frame.left, frame.width], width, 1.0);
        let shape = [image.width, channels];
        let taps = [&self.rows, &self.columns];
        match &image.pixels {
            Pixels::U8(values) => resize(values, shape, taps, planes, &mut self.line, pixels),
            Pixels::U16(values) => resize(values, shape, taps, planes, &mut self.line, pixels),
        }
        if frame.mirror_x {
            pixels.chunks_exact_mut(width).for_each(<[f32]>::reverse);
        }
        if frame.mirror_y {
            for plane in pixels.chunks_exact_mut(height * width) {
                let (above, below) = plane.split_at_mut(height / 2 * width);
                let below = below.rchunks_exact_mut(width);
                above
                    .chunks_exact_mut(width)
                    .zip(below)
                    .for_each(|(a, b)| a.swap_with_slice(b));
            }
        }
        Ok(Canvas {
            channels: planes,
            height,
            width,
            pixels,
            spare: &mut self.spare,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(
        height: usize,
        width: usize,
        channels: usize,
        pixels: Pixels<'static>,
    ) -> Image<'static> {
        Image {
            width,
            height,
            channels,
            pixels,
        }
    }

    fn ramp(n: usize) -> Vec<u8> {
        (0..n).map(|i| (i * 37 % 256) as u8).collect()
    }

    fn draw(image: &Image, frame: &Frame, shape: [usize; 3]) -> Vec<f32> {
        let mut out = vec![0.0; shape.iter().product()];
        Scratch::default()
            .draw(image, frame, shape, &mut out)
            .expect("drawn");
        out
    }

    #[test]
    fn the_same_size_is_a_copy_in_planes() {
        let bytes = ramp(4 * 5 * 3);
        let picture = image(4, 5, 3, Pixels::U8(bytes.clone().into()));
        let out = draw(&picture, &Frame::centred([4, 5], [4, 5]), [3, 4, 5]);
        for (i, v) in out.iter().enumerate() {
            let (channel, pixel) = (i / 20, i % 20);
            assert!((v - f32::from(bytes[pixel * 3 + channel]) / 255.0).abs() < 1e-6);
        }
    }

    #[test]
    fn mirrored_twice_is_upside_down_and_turned() {
        let picture = image(4, 5, 1, Pixels::U8(ramp(20).into()));
        let frame = Frame::centred([4, 5], [4, 5]);
        let turned = Frame {
            mirror_x: true,
            mirror_y: true,
            ..frame.clone()
        };
        let mut out = draw(&picture, &turned, [1, 4, 5]);
        out.reverse();
        assert_eq!(out, draw(&picture, &frame, [1, 4, 5]));
    }

    #[test]
    fn eight_and_sixteen_bits_agree() {
        for channels in [1, 2, 3, 5] {
            let bytes = ramp(9 * 7 * channels);
            let wide: Vec<u16> = bytes.iter().map(|b| u16::from(*b) * 257).collect();
            let frame = Frame::centred([9, 7], [6, 6]);
            let a = draw(
                &image(9, 7, channels, Pixels::U8(bytes.into())),
                &frame,
                [channels, 6, 6],
            );
            let b = draw(
                &image(9, 7, channels, Pixels::U16(wide.into())),
                &frame,
                [channels, 6, 6],
            );
            for (a, b) in a.iter().zip(&b) {
                assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
        }
    }

    #[test]
    fn broken_images_are_refused() {
        let frame = Frame::centred([4, 5], [4, 4]);
        for (channels, values) in [(1, 19), (3, 20), (2, 40), (1, 0)] {
            let broken = image(4, 5, channels, Pixels::U8(ramp(values).into()));
            let mut out = vec![0.0; 16];
            assert!(
                Scratch::default()
                    .draw(&broken, &frame, [1, 4, 4], &mut out)
                    .is_err()
            );
        }
    }
}
