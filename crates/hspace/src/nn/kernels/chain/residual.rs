//! One residual block of a chain: its convolutions, and what goes around them.

use hspace_kernels::norm::{Added, BlockEpilogue, Normalised, PartialSums};
use hspace_kernels::{Buffer, Machine};

use super::super::{FlatTensor, Parents};
use super::convolution::{Convolution, Input, Shared};
use super::{BatchStatistics, Unit};
use crate::nn::blocks::{Residual, Shortcut};

/// What a residual block leaves for the backward pass.
#[derive(Clone, Debug)]
pub(super) struct Block {
    branch: Vec<Convolution>,
    /// Whether the input was added.
    identity: bool,
    /// What was added.
    project: Option<Convolution>,
}

impl Block {
    /// Of maps of that `size`; the batch's statistics are added to those so far. The output is yet to be computed.
    pub(super) fn forward(
        on: Machine,
        size: [usize; 4],
        x: Input,
        residual: &Residual<Unit>,
        epsilon: f64,
        statistics: &mut Vec<BatchStatistics>,
    ) -> Block {
        let mut convolve = |size: [usize; 4], x: Input, unit: &Unit| {
            let (convolution, found) = Convolution::forward(on, size, x, unit, epsilon);
            statistics.push(found);
            convolution
        };
        let (first, others) = residual.branch.split_first().expect("a convolution");
        let mut branch = vec![convolve(size, x, first)];
        for unit in others {
            let before = &branch[branch.len() - 1];
            let (size, x) = (before.size(), before.seen_by(unit));
            branch.push(convolve(size, Input::Seen(x), unit));
        }
        let identity = matches!(residual.shortcut, Shortcut::Input);
        assert!(
            !identity || branch.len() > 1,
            "an identity around one convolution"
        );
        let project = match &residual.shortcut {
            Shortcut::Nothing | Shortcut::Input => None,
            Shortcut::Project(unit) => {
                let x = branch[0].seen().clone();
                Some(convolve(size, Input::Seen(x), unit))
            }
        };
        Block {
            branch,
            identity,
            project,
        }
    }

    /// The output as `compute` computes it, and what that gives.
    pub(super) fn end_with<T>(
        &mut self,
        compute: impl FnOnce(BlockEpilogue) -> T,
    ) -> (FlatTensor, T) {
        let given = self.branch[0].seen().given().filter(|_| self.identity);
        let given = given.cloned();
        let identity = given.as_ref().map(|numbers| Added {
            numbers: numbers.get(),
            line: None,
        });
        let added = self.project.as_ref().map(Convolution::added).or(identity);
        let end = self.branch.last_mut().expect("at least one convolution");
        end.end_with(added, compute)
    }

    fn end(&self) -> &Convolution {
        self.branch.last().expect("at least one convolution")
    }

    /// Shape of the output.
    pub(super) fn size(&self) -> [usize; 4] {
        self.end().size()
    }

    /// The normalisations whose outputs add up to this block's, without the input. The ReLU after them
    /// is the first one's.
    pub(super) fn ends(&self) -> Vec<Normalised<'_>> {
        let ends = self.branch.last().into_iter().chain(&self.project);
        ends.map(Convolution::normalised).collect()
    }

    pub(super) fn convolutions(&self) -> usize {
        self.branch.len() + usize::from(self.project.is_some())
    }

    /// Gives the weights their gradients, as the parents from the `first` on. `sums` are those of
    /// [`Self::ends`], where `gradients` have gone through their ReLU mask. Leaves the gradient for the input, if it is
    /// asked for, and the sums of `before`, the ends of the block before, if it has passed theirs.
    pub(super) fn backward(
        self,
        gradients: &mut [f32],
        sums: Vec<PartialSums>,
        before: &[Normalised],
        asked: bool,
        first: usize,
        parents: &mut Parents,
    ) -> (Option<Buffer>, Vec<PartialSums>) {
        let mut sums = passed(self.end().on, &self.ends(), gradients, sums);
        let (dz, of_project) = (&*gradients, sums.split_off(1));
        let mut dx = None::<Buffer>;
        for (i, convolution) in self.branch.iter().enumerate().rev() {
            let inner = i.checked_sub(1).map(|i| self.branch[i].normalised());
            // What is projected has its gradients yet to come.
            let before = match (&inner, &self.project) {
                (Some(inner), _) => std::slice::from_ref(inner),
                (None, Some(_)) => &[],
                (None, None) => before,
            };
            if let Some(dx) = &mut dx {
                sums = passed(convolution.on, &[convolution.normalised()], dx, sums);
            }
            let from = (dx.as_deref().unwrap_or(dz), &sums[0]);
            let shared = match self.identity && i == 0 {
                true => Shared::Passed(dz),
                false => Shared::Nothing,
            };
            let (asked, first) = (i > 0 || asked, first + 3 * i);
            (dx, sums) = convolution.backward(from, before, asked, shared, first, parents);
        }
        if let Some(project) = &self.project {
            let first = first + 3 * self.branch.len();
            let (from, shared) = (
                (dz, &of_project[0]),
                dx.map_or(Shared::Nothing, Shared::SoFar),
            );
            return project.backward(from, before, asked, shared, first, parents);
        }
        (dx, sums)
    }
}

/// The sums of normalisations whose outputs were added up, once the gradient for the whole has passed
/// their ReLU mask: as they were found, or found now.
fn passed(
    on: Machine,
    ends: &[Normalised],
    gradients: &mut [f32],
    found: Vec<PartialSums>,
) -> Vec<PartialSums> {
    match found.is_empty() {
        true => ends
            .iter()
            .map(|end| end.relu_backward_sums(on, gradients))
            .collect(),
        false => found,
    }
}
