//! A network that learns masks: an encoder, and a decoder that goes back up to the image's size.
//!
//! The decoder begins with the encoder's smallest maps, and doubles them until they are as large as the image. At each size it is given the
//! encoder's maps of that size too (skip connections), then two 3 × 3 convolutions with batch normalisation and ReLU; a 1 × 1 convolution at the
//! end gives the logits of the classes (U-Net: Ronneberger, Fischer & Brox 2015, arXiv:1505.04597). The loss is
//!
//! ```text
//! cross-entropy, mean over pixels  +  dice · (1 − mean over classes of (2 Σ p t + 1) / (Σ p + Σ t + 1))
//! ```
//!
//! with probabilities p and targets t in 0, 1, summed over the pixels of a batch (Milletari, Navab & Ahmadi 2016, arXiv:1606.04797, with p in place of
//! p² below the line). Pixels that are ignored count nowhere.
//!
//! The weights of an encoder that was trained before stay as they are while the decoder alone learns for `decoder_share` of the steps; then both learn, the encoder
//! at `encoder_rate` times the rate (LP-FT: Kumar et al. 2022, arXiv:2202.10054). An untrained one learns from the first step on. Each part has a
//! learning rate of its own that falls to 0 on half a cosine.
//!
//! Deviations from Ronneberger et al.: padded convolutions with batch normalisation, nearest places in place of transposed convolutions, no weights
//! for borders between cells; images are shifted and, where the data may be mirrored, mirrored, not deformed. Batch normalisation uses the batch's statistics,
//! and moves its running ones, while the decoder learns alone too.

mod batches;
mod loss;
mod network;
mod settings;
mod train;

pub(crate) use network::UNet;
pub use settings::Settings;
pub(crate) use train::{Examples, train};
