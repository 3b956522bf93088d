//! How kernels run: by which instructions, and whether by Winograd.

use crate::simd::Isa;

/// How kernels run. Results are a function of it and of the operands, not of the number of
/// threads nor of their timing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    pub(crate) isa: Isa,
    pub(crate) winograd: bool,
}

impl Machine {
    /// The processor's best instruction set, and Winograd where it fits.
    pub fn best() -> Machine {
        Machine {
            isa: Isa::best(),
            winograd: true,
        }
    }

    /// With another instruction set.
    ///
    /// # Panics
    /// If this processor does not have it.
    pub fn with_isa(self, isa: Isa) -> Machine {
        assert!(
            Isa::available().contains(&isa),
            "this processor has no {isa:?}"
        );
        Machine { isa, ..self }
    }

    /// Without Winograd: every convolution is a plain sum of products.
    pub fn direct(self) -> Machine {
        Machine {
            winograd: false,
            ..self
        }
    }
}
