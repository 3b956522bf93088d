//! What training spends its time on, on the CPU: convolution, batch normalisation, products.
//!
//! Plain slices and shapes in, no tensor engine. Images are channels last, `[n, h, w, c]`. Every
//! kernel is compiled for each instruction set ([`Isa`]) and chosen when the program runs; work is
//! stolen by images or rows, and sums are taken in an order that does not depend on who did what.
//!
//! Results differ in the last digits between instruction sets, and between Winograd and direct
//! convolution, but not from run to run nor with the number of threads.

pub mod attention;

mod buffer;
pub mod conv;
pub mod cross_entropy;
mod epilogue;
mod fetch;
mod functions;
pub mod gelu;
pub mod layer_norm;
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
