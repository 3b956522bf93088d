//! 3 × 3 convolutions of stride 1 and 2 by minimal filtering (Winograd 1980; Lavin & Gray 2016,
//! arXiv:1509.09308), and their gradients.
//!
//! What is multiplied with what is in `scheme.rs`, the transforms before and after in `dense.rs` for
//! stride 1 and in `strided.rs` for stride 2.
//!
//! A unit of work is a few rows of tiles. Its transformed inputs, their products with the
//! transformed weights (a matrix product for each pair of factors) and the results stay in the
//! second-level cache.

mod dense;
mod products;
mod restore;
mod scheme;
mod strided;
mod sums;
mod tiles;
mod transform;
mod weights;

use rayon::prelude::*;

use self::products::{Planes, blocks, multiply};
use self::restore::restore_rows;
use self::scheme::{Scheme, Term};
pub(crate) use self::sums::{FusedWeightGrad, WinogradWeightGrad};
use self::tiles::Images;
use self::weights::{Order, pack};
use crate::buffer::Buffer;
use crate::epilogue::Epilogue;
use crate::fetch::{Area, Fetch};
use crate::machine::Machine;
use crate::partition::{self, Rows};
use crate::scratch::Scratch;
use crate::shape::{Conv, Source};
use crate::simd::LANES;

// In the loops over tiles one address is a `black_box`: the compiler would otherwise carry each of
// the 36 or more addresses of a tile from one tile to the next, in memory since registers run out.

/// Transformed weights that every unit may read: from the second-level cache, or the third.
const CACHED_WEIGHTS: usize = 2 << 20;
/// Numbers that the planes of a unit may take together.
const NUMBERS_OF_PLANES: usize = 128 << 10;

/// Whether it pays for a convolution.
///
/// At stride 2 it saves at most 63 of 144 products of a tile and pair of channels. The transforms cost
/// about as much for an input channel of a tile as 2000 products: too much for few outputs, and
/// where tiles reach beyond the image. The weights are four times as many as direct ones: too much for
/// a few tiles.
///
/// Measured (Zen 4; direct time ÷ ours, forward, data and weight gradient): 16 → 32 channels to
/// 16 × 16 1.2, 1.6, 1.3, but 32 → 16 0.8, 1.4, 1.0; 64 → 128 to 28 × 28 1.4, 1.6, 1.4, to 7 × 7 1.1, 1.2,
/// 1.2, to 9 × 9 0.8, 0.9, 0.9; 256 → 512 to 4 × 4, a tile each, 64 images 1.2, 1.3, 1.4, 16 images
/// 1.0, 1.1, 1.0, one image 0.5, 0.4, 0.2.
pub(crate) fn pays(conv: &Conv) -> bool {
    if conv.kernel != 3 || conv.inputs.min(conv.outputs) < LANES {
        return false;
    }
    let tiles = WinogradPlan::forward(conv).tiles();
    let direct = 9 * conv.out_h() * conv.out_w();
    let saves = direct * conv.outputs >= tiles * (81 * conv.outputs + 2000);
    match conv.stride {
        1 => true,
        2 => saves && conv.n * tiles >= 16,
        _ => false,
    }
}

/// Height, width and channels of an image.
#[derive(Clone, Copy)]
struct Size {
    h: usize,
    w: usize,
    c: usize,
}

impl Size {
    fn len(self) -> usize {
        self.h * self.w * self.c
    }
}

/// What is computed from what, tile by tile.
#[derive(Clone, Copy)]
struct WinogradPlan {
    scheme: Scheme,
    from: Size,
    to: Size,
    /// Zeros before the first number of the first tile, each way.
    pad: usize,
}

impl WinogradPlan {
    fn forward(conv: &Conv) -> WinogradPlan {
        WinogradPlan {
            scheme: match conv.stride {
                1 => Scheme::Dense,
                _ => Scheme::Strided,
            },
            from: Size {
                h: conv.h,
                w: conv.w,
                c: conv.inputs,
            },
            to: Size {
                h: conv.out_h(),
                w: conv.out_w(),
                c: conv.outputs,
            },
            pad: conv.pad,
        }
    }

    /// The gradient for the input.
    fn back(conv: &Conv) -> WinogradPlan {
        let WinogradPlan { from, to, .. } = WinogradPlan::forward(conv);
        let (scheme, pad) = match conv.stride {
            1 => (Scheme::Dense, 2 - conv.pad),
            _ => {
                let mirrored = conv.pad.is_multiple_of(2);
                (Scheme::Spread { mirrored }, usize::from(conv.pad == 0))
            }
        };
        WinogradPlan {
            scheme,
            from: to,
            to: from,
            pad,
        }
    }

    fn tiles_per_row(&self) -> usize {
        self.to.w.div_ceil(self.scheme.tile())
    }

    /// Tiles of an image.
    fn tiles(&self) -> usize {
        self.to.h.div_ceil(self.scheme.tile()) * self.tiles_per_row()
    }

    /// Units of work for `n` images: so that the planes of a unit fit.
    fn cut(&self, n: usize) -> Vec<Rows> {
        let [from, to] = [self.from.c, self.to.c].map(|c| c.next_multiple_of(LANES));
        let (inputs, products) = (self.scheme.inputs().pow(2), self.scheme.products().pow(2));
        self.cut_by(
            n,
            (NUMBERS_OF_PLANES / (inputs * from + products * to)).max(16),
        )
    }

    /// Units of about so many tiles.
    fn cut_by(&self, n: usize, tiles: usize) -> Vec<Rows> {
        let size = self.scheme.tile();
        let target = size * (tiles / self.tiles_per_row()).max(1);
        partition::cut(n, self.to.h, target, size)
    }
}

/// The weights of a convolution, or of the gradient for its input, ready for use: a plane for each
/// pair of points.
pub(crate) struct Packed {
    plan: WinogradPlan,
    /// What is added up at each place.
    terms: Vec<Vec<Term>>,
    weights: Buffer,
}

impl Packed {
    pub(crate) fn forward(on: Machine, conv: &Conv, weight: &[f32]) -> Packed {
        Packed::new(on, WinogradPlan::forward(conv), weight, Order::Given)
    }

    /// For the gradient for the input.
    pub(crate) fn back(on: Machine, conv: &Conv, weight: &[f32]) -> Packed {
        let plan = WinogradPlan::back(conv);
        let order = match plan.scheme {
            Scheme::Spread { mirrored: true } => Order::Swapped,
            _ => Order::Turned,
        };
        Packed::new(on, plan, weight, order)
    }

    fn new(on: Machine, plan: WinogradPlan, weight: &[f32], order: Order) -> Packed {
        let channels = (plan.from.c, plan.to.c);
        Packed {
            terms: plan.scheme.by_product(),
            weights: pack(on, plan.scheme, channels, weight, order),
            plan,
        }
    }

    /// Units of work for `n` images.
    pub(crate) fn cut(&self, n: usize) -> Vec<Rows> {
        self.plan.cut(n)
    }

    /// Numbers in a row of what it writes.
    pub(crate) fn row(&self) -> usize {
        self.plan.to.w * self.plan.to.c
    }

    /// Whether the weights are too many for the cache, so that they had better be read once.
    pub(crate) fn is_large(&self) -> bool {
        self.weights.len() > CACHED_WEIGHTS
    }

    /// The planes of the products of so many tiles.
    fn products(&self, tiles: usize) -> Planes {
        Planes {
            places: self.plan.scheme.products().pow(2),
            tiles,
            channels: self.plan.to.c.next_multiple_of(LANES),
        }
    }

    /// The outputs of the rows of `unit`, to `y`; to `weight_grad` the sums of the same tiles, of the unit's images.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn outputs(
        &self,
        on: Machine,
        x: Source,
        unit: Rows,
        y: &mut [f32],
        epilogue: &Epilogue,
        later: &[Area],
        weight_grad: Option<FusedWeightGrad>,
    ) {
        let plan = &self.plan;
        let (inputs, from) = Images::inputs(plan, x).tiles(on, plan, unit);
        let mut weight_grad =
            weight_grad.map(|weight_grad| (weight_grad.inputs(on, unit), weight_grad));
        let to = self.products(from.tiles);
        let mut products = Scratch::any(to.len());
        // Products need no memory but the cache.
        let all = self.terms.iter().map(Vec::len).sum::<usize>() * blocks(on.isa, to);
        let touched = epilogue.touches(y).into_iter().chain(later.iter().copied());
        let mut soon: Vec<Fetch> = touched.map(|area| Fetch::new(area, all)).collect();
        let places = products.chunks_exact_mut(to.stride());
        for (place, (terms, products)) in self.terms.iter().zip(places).enumerate() {
            if let Some(((filters, of), weight_grad)) = &mut weight_grad {
                weight_grad.add(on, place, (filters, *of), (&inputs, from));
            }
            for (i, term) in terms.iter().enumerate() {
                self.multiply(on, term, &inputs, from, products, i == 0, &mut soon);
            }
        }
        restore_rows(on, plan, &products, to, 0, unit, y, epilogue);
    }

    /// The products of all tiles of the images. A thread takes a place, and all tiles' products
    /// with its weights; in the order of units each unit would read all weights.
    pub(crate) fn by_place(&self, on: Machine, x: Source, units: &[Rows]) -> ByPlace<'_> {
        let plan = &self.plan;
        let units = units.into_par_iter().with_max_len(1);
        let units = units.map(|&unit| Images::inputs(plan, x).tiles(on, plan, unit));
        let inputs: Vec<(Scratch, Planes)> = units.collect();
        let planes = self.products(inputs.iter().map(|(_, planes)| planes.tiles).sum());
        let mut products = Buffer::any(planes.len());
        let places = products.par_chunks_exact_mut(planes.stride());
        let places = places.zip(&self.terms).with_max_len(1);
        places.for_each(|(products, terms)| {
            for (i, term) in terms.iter().enumerate() {
                let mut products = &mut products[..];
                for (inputs, from) in &inputs {
                    self.multiply(on, term, inputs, *from, products, i == 0, &mut []);
                    products = &mut products[from.tiles * planes.channels..];
                }
            }
        });
        ByPlace {
            plan,
            products,
            planes,
        }
    }

    /// The products of one term, added to those of others unless `fresh`; some of what is needed `soon` is fetched
    /// meanwhile.
    #[allow(clippy::too_many_arguments)]
    fn multiply(
        &self,
        on: Machine,
        term: &Term,
        inputs: &[f32],
        from: Planes,
        products: &mut [f32],
        fresh: bool,
        soon: &mut [Fetch],
    ) {
        let to = self.products(from.tiles);
        let (deep, wide) = (from.channels, to.channels);
        let weights = &self.weights[term.weight * weights::stride(deep, wide)..][..deep * wide];
        let inputs = &inputs[term.input * from.stride()..][..from.tiles * from.channels];
        assert!(
            products.len() >= to.tiles * to.channels,
            "room for the products"
        );
        // SAFETY: the parts are as long as the kernel asks.
        unsafe { multiply(on.isa, inputs, from, weights, products, to, fresh, soon) };
    }
}

/// The products of all tiles with the weights.
pub(crate) struct ByPlace<'a> {
    plan: &'a WinogradPlan,
    products: Buffer,
    planes: Planes,
}

impl ByPlace<'_> {
    /// The outputs of the rows of `unit`, to `y`.
    pub(crate) fn outputs(&self, on: Machine, unit: Rows, y: &mut [f32], epilogue: &Epilogue) {
        let plan = self.plan;
        let (image, row) = (unit.first / plan.to.h, unit.first % plan.to.h);
        let tile_row = row / plan.scheme.tile();
        let tile = image * plan.tiles() + tile_row * plan.tiles_per_row();
        restore_rows(
            on,
            plan,
            &self.products,
            self.planes,
            tile,
            unit,
            y,
            epilogue,
        );
    }
}
