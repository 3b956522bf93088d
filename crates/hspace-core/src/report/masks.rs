//! Masks of test images, and what sources answer, as a picture.

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use maud::{Markup, html};

use super::Drawing;
use super::sections::{drawing, section};
use super::sprite::thumbnail;
use crate::dataset::mask::{IGNORED, colour};
use crate::dataset::{Image, Mask};
use crate::error::Result;
use crate::picture;
use crate::probe::MaskExample;

/// Side of a tile, in pixels; what is no square fills a part of it.
const TILE: u32 = 96;
/// What lies next to an image that is no square.
const MARGIN: Rgb<u8> = Rgb([240; 3]);

/// A row for each example: its image, its mask, and the answer of each source. `images` are those of the examples.
///
/// ```
/// use hspace_core::dataset::{Image, Mask, Pixels};
/// use hspace_core::image::load_from_memory;
/// use hspace_core::probe::MaskExample;
/// use hspace_core::report::mask_examples;
///
/// let mask = |classes: [u8; 2]| Mask { width: 2, height: 1, classes: classes.to_vec() };
/// let answers = vec![("runs/a".into(), mask([1, 1])), ("runs/b".into(), mask([0, 1]))];
/// let example = MaskExample { row: 0, truth: mask([0, 1]), answers };
/// let image = Image { width: 2, height: 1, channels: 1, pixels: Pixels::U8(vec![0, 255].into()) };
/// let drawing = mask_examples(&[example], &[image])?;
/// assert!(drawing.caption.contains("image, mask, runs/a, runs/b"));
/// let picture = load_from_memory(&drawing.picture).expect("a PNG");
/// assert!(picture.width() > 4 * picture.height() / 2); // Four tiles in a row.
/// # Ok::<(), hspace_core::Error>(())
/// ```
///
/// # Errors
/// If there is no example, or an image cannot be drawn.
pub fn mask_examples(examples: &[MaskExample], images: &[Image]) -> Result<Drawing> {
    let row = |(example, image): (&MaskExample, &Image)| -> Result<Vec<RgbImage>> {
        let image = thumbnail(image)?.resize(TILE, TILE, FilterType::Triangle);
        let answers = example.answers.iter().map(|(_, answer)| coloured(answer));
        let tiles = [framed(&image.to_rgb8()), coloured(&example.truth)];
        Ok(tiles.into_iter().chain(answers).collect())
    };
    let rows: Vec<Vec<RgbImage>> = examples
        .iter()
        .zip(images)
        .map(row)
        .collect::<Result<_>>()?;
    let names = examples.first().map_or(&[][..], |first| &first.answers);
    let names: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
    Ok(Drawing {
        title: "Test images, their masks and the answers".into(),
        caption: format!(
            "From left to right: image, mask, {}. White pixels are not scored.",
            names.join(", ")
        ),
        picture: picture::png(&picture::sheet(&rows, true)?)?,
    })
}

/// A mask as large as a tile.
fn coloured(mask: &Mask) -> RgbImage {
    let (width, height) = (mask.width as u32, mask.height as u32);
    let picture = RgbImage::from_fn(width, height, |x, y| {
        Rgb(colour(mask.classes[y as usize * mask.width + x as usize]))
    });
    let longest = width.max(height).max(1);
    let [width, height] = [width, height].map(|side| (side * TILE / longest).max(1));
    framed(&imageops::resize(
        &picture,
        width,
        height,
        FilterType::Nearest,
    ))
}

/// In the middle of a square.
fn framed(picture: &RgbImage) -> RgbImage {
    let mut tile = RgbImage::from_pixel(TILE, TILE, MARGIN);
    let middle = |length: u32| i64::from(TILE.saturating_sub(length) / 2);
    imageops::replace(
        &mut tile,
        picture,
        middle(picture.width()),
        middle(picture.height()),
    );
    tile
}

/// The picture, where there is one, and the colours of `classes`.
pub(super) fn masks(of: Option<&Drawing>, classes: &[String]) -> Markup {
    let Some(of) = of else {
        return html! {};
    };
    let lede = html! { "What the mask probe answers with the most masks, on test images that are spread over all of them, not chosen." };
    // Their names are their numbers.
    let css = |name: &str| {
        let [r, g, b] = colour(name.parse().unwrap_or(IGNORED));
        format!("#{r:02x}{g:02x}{b:02x}")
    };
    let legend = html! {
        ul.legend {
            @for name in classes {
                li { span.dot style={ "background:" (css(name)) } {} (name) }
            }
        }
    };
    section(
        "Masks",
        lede,
        html! { div.drawings { (drawing(of)) } (legend) },
    )
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::dataset::Pixels;

    #[test]
    fn an_example_is_a_row_of_image_mask_and_answers() {
        let mask = |classes: Vec<u8>| Mask {
            width: 2,
            height: 1,
            classes,
        };
        let example = MaskExample {
            row: 3,
            truth: mask(vec![0, 255]),
            answers: vec![("a".into(), mask(vec![1, 0]))],
        };
        let image = Image {
            width: 2,
            height: 1,
            channels: 1,
            pixels: Pixels::U8(Cow::Owned(vec![0, 255])),
        };
        let found = mask_examples(&[example], &[image]).unwrap();
        assert!(found.caption.contains("image, mask, a."));
        let picture = image::load_from_memory(&found.picture).unwrap().to_rgb8();
        // Three tiles of 96, 4 between them and around, 8 more after the first.
        assert_eq!(picture.dimensions(), (3 * 100 + 4 + 8, 104));
        let at = |x: u32| picture.get_pixel(x, 52).0;
        let [mask, answer] = [112, 212];
        assert_eq!([at(mask + 10), at(mask + 80)], [colour(0), colour(IGNORED)]);
        assert_eq!([at(answer + 10), at(answer + 80)], [colour(1), colour(0)]);
    }
}
