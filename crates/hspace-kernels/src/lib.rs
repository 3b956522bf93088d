//! What training spends its time on, on the CPU: convolution, batch normalisation, products.
//!
//! Plain slices and shapes in, no tensor engine. Images are channels last, `[n, h, w, c]`. Every
//! kernel is compiled for each instruction set ([`Isa`]) and chosen when the program runs; work is
//! stolen by images or rows, and sums are taken in an order that does not depend on who did what.
//!
//! Results differ in the last digits between instruction sets, and between Winograd and direct
//! convolution, but not from run to run nor with the number of threads.
//!
//! A convolution with the ReLU that follows it:
//!
//! ```
//! use hspace_kernels::{Conv, Epilogue, Machine, conv};
//!
//! // Two images of 8 × 8 ones; every weight is ¼, or −¼ for the second output.
//! let shape = Conv { n: 2, h: 8, w: 8, inputs: 4, outputs: 2, kernel: 3, stride: 1, pad: 1 };
//! let x = vec![1.0; shape.input_len()];
//! let weight: Vec<f32> = [0.25, -0.25].into_iter().flat_map(|w| [w; 4 * 9]).collect();
//! let mut y = vec![0.0; shape.output_len()];
//! let relu = Epilogue { slope: Some(0.0), ..Epilogue::default() };
//! conv::forward(Machine::best(), &shape, &x, &weight, &mut y, relu);
//! // Channels last: in the middle of an image 9 of 4 ones are seen, in its corner 4 of 4.
//! let at = |row: usize, column: usize| &y[(8 * row + column) * 2..][..2];
//! assert!((at(4, 4)[0] - 9.0).abs() < 1e-4 && (at(0, 0)[0] - 4.0).abs() < 1e-4);
//! assert_eq!(at(4, 4)[1], 0.0);
//! ```
//!
//! | module | for |
//! | --- | --- |
//! | [`conv`] | convolution: forward, both gradients, fused with what precedes and follows it |
//! | [`norm`], [`moments`] | batch normalisation with ReLU and residual addition; mean and variance |
//! | [`mod@product`] | products of matrices |
//! | [`attention`], [`layer_norm`], [`gelu`] | what transformers are made of |
//! | [`logistic`], [`relu`], [`pool`], [`upsample`], [`transpose`] | activations, max pooling, nearest-neighbour upsampling, rows to columns |
//! | [`cross_entropy`] | Bernoulli log-likelihoods |
//! | [`update`] | SGD, Adam, and momentum teachers on flat weights |

pub mod attention;

mod buffer;
pub mod conv;
pub mod cross_entropy;
mod epilogue;
mod fetch;
mod functions;
pub mod gelu;
pub mod layer_norm;
pub mod logistic;
mod machine;
pub mod moments;
pub mod norm;
mod partition;
pub mod pool;
pub mod product;
pub mod relu;
mod scratch;
mod shape;
mod simd;
mod spinning;
pub mod transpose;
pub mod update;
pub mod upsample;

pub use buffer::Buffer;
pub use epilogue::{Accumulate, Epilogue};
pub use machine::Machine;
pub use shape::{Conv, Source};
pub use simd::Isa;
pub use spinning::keep_workers_spinning;
