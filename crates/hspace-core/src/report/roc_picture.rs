//! The receiver operating characteristic as a picture.

use std::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::FONT_10X20;
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::prelude::{Drawable, Primitive};
use embedded_graphics::primitives::{Circle, Line, PrimitiveStyle};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

use super::charts::Frame;
use super::head::{in_words, percent};
use super::look::clip;
use super::tables::grouped;
use crate::probe::evaluation::Roc;

/// Width and height, pixels.
const SIZE: [u32; 2] = [960, 980];
/// Shapes are drawn so many times larger and made smaller, so that their edges are smooth.
const TIMES: u32 = 3;
/// The plane of the curve.
const FRAME: Frame = Frame {
    area: [90.0, 930.0, 70.0, 900.0],
    x: [0.0, 1.0],
    y: [0.0, 1.0],
};
/// Pieces of a line.
const PIECES: usize = 8;
/// Characters of a class's name that are shown.
const NAME: usize = 40;

const INK: Rgb888 = Rgb888::new(0x1b, 0x24, 0x30);
const SOFT: Rgb888 = Rgb888::new(0x5b, 0x66, 0x75);
const FAINT: Rgb888 = Rgb888::new(0x8b, 0x95, 0xa3);
const RULE: Rgb888 = Rgb888::new(0xe4, 0xe8, 0xed);
const CURVE: Rgb888 = Rgb888::new(0x1f, 0x5f, 0xd0);
const AT_95: Rgb888 = Rgb888::new(0xcc, 0x66, 0x77);
const CHOSEN: Rgb888 = Rgb888::new(0x11, 0x77, 0x33);

/// Pixels that shapes and text are drawn on.
struct Canvas(RgbImage);

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Infallible> {
        for Pixel(Point { x, y }, colour) in pixels {
            let place = (u32::try_from(x), u32::try_from(y));
            if let (Ok(x), Ok(y)) = place
                && let Some(pixel) = self.0.get_pixel_mut_checked(x, y)
            {
                *pixel = Rgb([colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}

impl Canvas {
    fn draw(&mut self, shape: impl Drawable<Color = Rgb888>) {
        let Ok(_) = shape.draw(self);
    }

    /// A line between two places of the plane, `width` pixels wide.
    fn line(&mut self, from: [f64; 2], to: [f64; 2], colour: Rgb888, width: u32) {
        let style = PrimitiveStyle::with_stroke(colour, width * TIMES);
        self.draw(Line::new(large(from), large(to)).into_styled(style));
    }

    /// [`Canvas::line`] from each place to the next, with round corners. It is drawn in short pieces: for longer ones the library's arithmetic of 32
    /// bits is too small.
    fn path(&mut self, places: &[[f64; 2]], colour: Rgb888, width: u32) {
        let corner = PrimitiveStyle::with_fill(colour);
        for pair in places.windows(2) {
            let [from, to] = [pair[0], pair[1]];
            for piece in 0..PIECES {
                let at = |end: usize| {
                    let share = end as f64 / PIECES as f64;
                    [0, 1].map(|axis| from[axis] + share * (to[axis] - from[axis]))
                };
                let (start, end) = (at(piece), at(piece + 1));
                self.line(start, end, colour, width);
                self.draw(Circle::with_center(large(end), width * TIMES).into_styled(corner));
            }
        }
    }

    /// [`Canvas::line`], of so many dashes.
    fn dashed(&mut self, from: [f64; 2], to: [f64; 2], colour: Rgb888, dashes: usize) {
        let steps = (2 * dashes - 1) as f64;
        let at = |step: usize| {
            let share = step as f64 / steps;
            [0, 1].map(|axis| from[axis] + share * (to[axis] - from[axis]))
        };
        for dash in 0..dashes {
            self.line(at(2 * dash), at(2 * dash + 1), colour, 2);
        }
    }

    /// A place of the plane.
    fn mark(&mut self, at: [f64; 2], colour: Rgb888) {
        self.dot(large(at), colour);
    }

    fn dot(&mut self, at: Point, colour: Rgb888) {
        let style = PrimitiveStyle::with_fill(colour);
        self.draw(Circle::with_center(at, 15 * TIMES).into_styled(style));
    }

    /// One line of text, from the left, around the middle or to the right of `at`, in pixels.
    fn text(&mut self, text: &str, at: [f64; 2], colour: Rgb888, alignment: Alignment) {
        let style = MonoTextStyle::new(&FONT_10X20, colour);
        let how = TextStyleBuilder::new()
            .alignment(alignment)
            .baseline(Baseline::Middle);
        let [x, y] = at.map(|place| place.round() as i32);
        self.draw(Text::with_text_style(
            text,
            Point::new(x, y),
            style,
            how.build(),
        ));
    }
}

/// A place of the plane, enlarged.
fn large([x, y]: [f64; 2]) -> Point {
    let enlarged = |place: f64| (place * f64::from(TIMES)).round() as i32;
    Point::new(enlarged(FRAME.x(x)), enlarged(FRAME.y(y)))
}

/// The curve with its area, the sensitivity at 95 % specificity and, where a threshold was chosen, what it gives; with 95 % intervals. 960 × 980
/// pixels. Text is drawn in Latin-1: other letters of classes' names are shown as question marks.
///
/// ```
/// use hspace_core::probe::Estimate;
/// use hspace_core::probe::evaluation::Roc;
/// use hspace_core::report::roc_picture;
///
/// let roc = Roc {
///     classes: ["healthy".into(), "ill".into()],
///     counts: [40, 60],
///     points: vec![[0.0, 0.0], [0.0, 0.5], [0.5, 1.0], [1.0, 1.0]],
///     auroc: Estimate { mean: 0.875, low: 0.8, high: 0.93 },
///     chosen: None,
///     sensitivity_at_95: Estimate { mean: 0.55, low: 0.4, high: 0.7 },
/// };
/// let picture = roc_picture(&roc);
/// assert_eq!(picture.dimensions(), (960, 980));
/// assert!(picture.pixels().any(|pixel| pixel.0 != [255; 3]));
/// ```
pub fn roc_picture(roc: &Roc) -> RgbImage {
    let [width, height] = SIZE;
    let white = Rgb([255; 3]);
    let mut canvas = Canvas(RgbImage::from_pixel(width * TIMES, height * TIMES, white));
    shapes(&mut canvas, roc);
    let smooth = imageops::resize(&canvas.0, width, height, FilterType::Triangle);
    let mut canvas = Canvas(smooth);
    words(&mut canvas, roc);
    canvas.0
}

/// Shares that have lines.
const TICKS: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];
/// Where the lines of text begin, in the empty half below the diagonal: what, and its value below.
const LEGEND: [f64; 2] = [440.0, 640.0];
/// From one to the next, pixels.
const LINE: f64 = 68.0;

/// Everything but text.
fn shapes(canvas: &mut Canvas, roc: &Roc) {
    for tick in TICKS {
        canvas.line([0.0, tick], [1.0, tick], RULE, 2);
        canvas.line([tick, 0.0], [tick, 1.0], RULE, 2);
    }
    canvas.line([0.0, 0.0], [1.0, 0.0], FAINT, 2);
    canvas.line([0.0, 0.0], [0.0, 1.0], FAINT, 2);
    canvas.dashed([0.0, 0.0], [1.0, 1.0], FAINT, 40);
    canvas.dashed([0.05, 0.0], [0.05, 1.0], FAINT, 40);
    canvas.path(&roc.points, CURVE, 4);
    let at = roc.sensitivity_at_95;
    if at.has_interval() {
        canvas.line([0.05, at.low], [0.05, at.high], AT_95, 3);
    }
    canvas.mark([0.05, at.mean], AT_95);
    if let Some(c) = &roc.chosen {
        let (x, y) = (1.0 - c.specificity.mean, c.sensitivity.mean);
        if c.sensitivity.has_interval() {
            canvas.line([x, c.sensitivity.low], [x, c.sensitivity.high], CHOSEN, 3);
        }
        if c.specificity.has_interval() {
            let [low, high] = [c.specificity.high, c.specificity.low].map(|s| 1.0 - s);
            canvas.line([low, y], [high, y], CHOSEN, 3);
        }
        canvas.mark([x, y], CHOSEN);
    }
    let dots = [AT_95]
        .into_iter()
        .chain(roc.chosen.as_ref().map(|_| CHOSEN));
    for (row, colour) in dots.enumerate() {
        let [x, y] = [LEGEND[0] - 20.0, LEGEND[1] + LINE * (row + 1) as f64];
        let [x, y] = [x, y].map(|place| (place * f64::from(TIMES)) as i32);
        canvas.dot(Point::new(x, y), colour);
    }
}

/// All text.
fn words(canvas: &mut Canvas, roc: &Roc) {
    use Alignment::{Center, Left, Right};
    for tick in TICKS {
        let (text, [left, _, _, bottom]) = (percent(tick), FRAME.area);
        canvas.text(&text, [left - 12.0, FRAME.y(tick)], SOFT, Right);
        canvas.text(&text, [FRAME.x(tick), bottom + 20.0], SOFT, Center);
    }
    let [first, second] = roc.classes.each_ref();
    // The font has no ellipsis.
    let [first, second] = [first, second].map(|name| clip(name, NAME).replace('…', "..."));
    let [negatives, positives] = roc.counts.map(grouped);
    let title = format!("sensitivity, % of {positives} \"{second}\"");
    canvas.text(&title, [16.0, 36.0], INK, Left);
    let title = format!("1 - specificity, % of {negatives} \"{first}\"");
    canvas.text(&title, [FRAME.x(0.5), 956.0], INK, Center);
    let mut legend = vec![
        ("area under the curve".to_owned(), in_words(&roc.auroc)),
        (
            "sensitivity at 95 % specificity".to_owned(),
            in_words(&roc.sensitivity_at_95),
        ),
    ];
    legend.extend(roc.chosen.as_ref().map(|c| {
        let (sensitivity, specificity) = (percent(c.sensitivity.mean), percent(c.specificity.mean));
        (
            format!("chosen threshold {:.3}", c.threshold),
            format!("sensitivity {sensitivity} %, specificity {specificity} %"),
        )
    }));
    for (row, (what, value)) in legend.iter().enumerate() {
        let y = LEGEND[1] + LINE * row as f64;
        canvas.text(what, [LEGEND[0], y], SOFT, Left);
        canvas.text(value, [LEGEND[0], y + 24.0], INK, Left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Estimate;
    use crate::probe::evaluation::Operation;

    fn roc(chosen: bool) -> Roc {
        Roc {
            classes: ["healthy".into(), "ill".into()],
            counts: [40, 60],
            points: vec![[0.0, 0.0], [0.0, 0.5], [0.5, 1.0], [1.0, 1.0]],
            auroc: Estimate::without_interval(0.875),
            chosen: chosen.then(|| Operation {
                threshold: 0.4,
                sensitivity: Estimate::without_interval(0.75),
                specificity: Estimate::without_interval(0.6),
            }),
            sensitivity_at_95: Estimate::without_interval(0.55),
        }
    }

    /// The colour at a place of the plane.
    fn at(picture: &RgbImage, [x, y]: [f64; 2]) -> [u8; 3] {
        let [x, y] = [FRAME.x(x), FRAME.y(y)].map(|place| place.round() as u32);
        picture.get_pixel(x, y).0
    }

    #[test]
    fn the_curve_and_the_marks_are_where_they_belong() {
        let [curve, at_95, chosen] = [CURVE, AT_95, CHOSEN].map(|c| [c.r(), c.g(), c.b()]);
        let picture = roc_picture(&roc(true));
        assert_eq!(picture.dimensions(), (SIZE[0], SIZE[1]));
        for place in [[0.0, 0.3], [0.3, 0.8], [0.8, 1.0]] {
            assert_eq!(at(&picture, place), curve, "{place:?}");
        }
        // It is a line, and fills nothing.
        let of_curve = picture.pixels().filter(|pixel| pixel.0 == curve).count();
        assert!((2000..8000).contains(&of_curve), "{of_curve} pixels");
        assert_eq!(at(&picture, [0.1, 0.9]), [255; 3]);
        assert_eq!(at(&picture, [0.05, 0.55]), at_95);
        assert_eq!(at(&picture, [0.4, 0.75]), chosen);
        assert_eq!(at(&picture, [0.3, 0.6]), [255; 3]);
        // Without a threshold nothing has its colour.
        let without = roc_picture(&roc(false));
        assert!(without.pixels().all(|pixel| pixel.0 != chosen));
    }
}
