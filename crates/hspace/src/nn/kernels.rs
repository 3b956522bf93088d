//! Our kernels inside burn's automatic differentiation, on the CPU.
//!
//! Feature maps are channels last here, `[n, h, w, c]`, as ordinary contiguous tensors. An
//! operation computes forward on slices and, where a gradient is asked for, leaves what the backward pass
//! back needs in its own state in burn's graph: layers hold nothing, and several graphs (two
//! views, two networks, a teacher) live side by side.

mod bytes;
mod chain;
mod conv;
mod cross_entropy;
mod layout;
mod linear;
mod tied;
mod tokens;

pub(super) use chain::{BlockWeights, Unit, training_chain};
pub(super) use conv::{convolve, inference_block, max_pool, upsample};
pub(super) use cross_entropy::cross_entropy;
pub(super) use layout::{channels_first, channels_last};
pub(super) use linear::{known_linear, linear};
pub(super) use tied::{autoencoder, logistic, visible};
pub(super) use tokens::{attend, gelu, layer_norm};

use std::fmt::Debug;
use std::marker::PhantomData;

use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward as Differentiable, Ops, OpsKind};
use burn_autodiff::{Autodiff, NodeId};
use burn_backend::{DType, Shape};
use burn_flex::{Flex, FlexTensor, Layout};
use burn_tensor::Tensor;
use hspace_kernels::Buffer;

type Node = <Autodiff<Flex> as burn_backend::BackendTypes>::FloatTensorPrimitive;

/// A tensor's numbers in burn's memory, contiguous.
#[derive(Clone, Debug)]
struct FlatTensor(FlexTensor);

impl FlatTensor {
    /// Of a tensor, without its graph.
    fn of<const D: usize>(tensor: Tensor<D>) -> FlatTensor {
        let inner = tensor.inner().try_into_primitive::<Flex>();
        FlatTensor(
            inner
                .expect("our kernels see tensors on the CPU")
                .to_contiguous(),
        )
    }

    fn get(&self) -> &[f32] {
        let numbers = self.0.as_slice::<f32>();
        numbers.expect("contiguous numbers of single precision")
    }

    /// To be written; what is shared is copied.
    fn get_mut(&mut self) -> &mut [f32] {
        let (start, end) = self.0.layout().contiguous_offsets().expect("contiguous");
        &mut self.0.storage_mut()[start..end]
    }
}

/// Numbers in our memory as a tensor of burn's.
fn primitive(numbers: Buffer, shape: &[usize]) -> FlexTensor {
    let layout = Layout::contiguous(Shape::from(shape.to_vec()));
    FlexTensor::new(bytes::bytes(numbers), layout, DType::F32)
}

/// A number for each channel, as a tensor of burn's.
fn vector(values: &[f32]) -> FlexTensor {
    primitive(Buffer::copy_of(values), &[values.len()])
}

/// A tensor's node in the graph.
fn node<const D: usize>(tensor: Tensor<D>) -> Node {
    let tracked = tensor.autodiff().try_into_primitive::<Autodiff<Flex>>();
    tracked.expect("our kernels see tensors on the CPU")
}

/// What an operation keeps for its backward pass.
trait Backward: Clone + Debug + Send + 'static {
    /// Gives the parents that ask for it their gradients, from that for the output.
    fn backward(self, dout: FlatTensor, parents: &mut Parents);
}

/// Who asks for gradients, in the order in which the operation named its parents.
struct Parents<'a> {
    ids: &'a [Option<NodeId>],
    gradients: &'a mut Gradients,
}

impl Parents<'_> {
    /// Whether parent `i` is there and asks for a gradient.
    fn ask(&self, i: usize) -> bool {
        self.ids.get(i).is_some_and(Option::is_some)
    }

    /// Gives parent `i` its gradient, if it asks for it.
    fn accumulate(&mut self, i: usize, gradient: impl FnOnce() -> FlexTensor) {
        if let Some(id) = self.ids.get(i).copied().flatten() {
            self.gradients.register::<Flex>(id, gradient());
        }
    }
}

/// An operation in burn's graph, whose backward pass is `S`.
#[derive(Debug)]
struct Operation<S>(PhantomData<S>);

impl<S: Backward, const N: usize> Differentiable<Flex, N> for Operation<S> {
    type State = S;

    fn backward(self, ops: Ops<S, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dout = FlatTensor(gradients.consume::<Flex>(&ops.node).to_contiguous());
        let ids = ops.parents.map(|parent| parent.map(|node| node.id));
        let ids = &ids;
        ops.state.backward(dout, &mut Parents { ids, gradients });
    }
}

/// The output of an operation on `parents`: a part of their graph if one of them asks for a gradient, or else
/// as it is, and the `state` for the backward pass is forgotten.
fn attach<S: Backward, const D: usize>(parents: &[Node], state: S, out: FlexTensor) -> Tensor<D> {
    fn with<S: Backward, const N: usize, const D: usize>(
        parents: &[Node],
        state: S,
        out: FlexTensor,
    ) -> Tensor<D> {
        let nodes = std::array::from_fn::<_, N, _>(|i| parents[i].node());
        let prepared = Operation(PhantomData).prepare::<NoCheckpointing>(nodes);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                Tensor::from_primitive::<Autodiff<Flex>>(prepared.finish(state, out))
            }
            OpsKind::UnTracked(_) => Tensor::from_primitive::<Flex>(out),
        }
    }
    // burn wants to know their number when it is compiled: an operation's own, or those of a chain.
    macro_rules! of {
        ($($n:literal)*) => {
            match parents.len() {
                $($n => with::<S, $n, D>(parents, state, out),)*
                n => unreachable!("an operation on {n} tensors"),
            }
        };
    }
    of!(1 2 3 4 7 10 13 16 19 22 25 28 31 34 37 40 43 46 49 52 55 58 61 64 67 70 73)
}
