//! Where tensors are computed, and how.

use std::ops::Deref;

use hspace_kernels::{Isa, Machine, keep_workers_spinning};

use crate::error::{Error, Result, unknown};

/// The devices this build can use; `cpu` is always among them.
///
/// `cpu:direct` computes convolutions as plain sums of products, without Winograd. `cpu:avx2` and
/// `cpu:portable` use no better instructions than that: results differ between instruction sets in
/// their last digits, and these are the same on processors that have more. `cpu:burn` leaves all to
/// burn: slow, and there to compare with.
///
/// What moves weights ([`crate::nn::update`]) does not ask for any of this: on all of these it is one
/// pass of ours by the best instructions there are, which round alike with AVX2, AVX-512 and NEON.
pub const DEVICES: &[&str] = &[
    "cpu",
    "cpu:direct",
    "cpu:avx2",
    "cpu:portable",
    "cpu:burn",
    #[cfg(feature = "wgpu")]
    "wgpu",
    #[cfg(feature = "vulkan")]
    "vulkan",
    #[cfg(feature = "metal")]
    "metal",
    #[cfg(feature = "cuda")]
    "cuda",
    #[cfg(feature = "rocm")]
    "rocm",
];

/// A place for burn's tensors, and our kernels if they run there.
///
/// ```
/// use hspace::device::Device;
///
/// let cpu = Device::cpu();
/// assert!(cpu.kernels().is_some());
/// assert_eq!(cpu.run(|| 6 * 7), 42);
/// // Everything left to burn: slow, and there to compare with.
/// assert!(Device::cpu_with(None).kernels().is_none());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    place: burn_tensor::Device,
    kernels: Option<Machine>,
}

impl Device {
    /// The processor, with our kernels at their fastest.
    pub fn cpu() -> Device {
        Device::cpu_with(Some(Machine::best()))
    }

    /// The processor with these kernels; without, all is left to burn.
    pub fn cpu_with(kernels: Option<Machine>) -> Device {
        Device {
            place: burn_tensor::Device::flex(),
            kernels,
        }
    }

    /// How our kernels run, if they do.
    pub fn kernels(&self) -> Option<Machine> {
        self.kernels
    }

    /// Runs what computes on this device: on the CPU on one of the threads of rayon's pool, and where our kernels
    /// compute, the other threads wait for them without sleeping ([`keep_workers_spinning`]). On a GPU all is asked for by the thread
    /// that calls: burn has a stream for each thread, and what one of them writes another may read too early.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match self.kernels {
            Some(_) => keep_workers_spinning(work),
            None if on_cpu(&self.place) => rayon::scope(|_| work()),
            None => work(),
        }
    }
}

/// A GPU of burn's.
///
/// # Errors
/// If there is none.
#[cfg(any(
    feature = "wgpu",
    feature = "vulkan",
    feature = "metal",
    feature = "cuda",
    feature = "rocm"
))]
fn gpu(name: &str, place: impl FnOnce() -> burn_tensor::Device) -> Result<Device> {
    use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
    // Where there is none burn panics, in a thread of its own and here, once something is to be computed.
    let hook = take_hook();
    set_hook(Box::new(|_| ()));
    let found = catch_unwind(AssertUnwindSafe(|| {
        let place = place();
        burn_tensor::Tensor::<1>::zeros([1], &place).into_data();
        place
    }));
    set_hook(hook);
    match found {
        Ok(place) => Ok(Device {
            place,
            kernels: None,
        }),
        Err(_) => Err(Error::config(format!(
            "device `{name}`: no such GPU, or no driver for it, was found on this machine; use `cpu`"
        ))),
    }
}

impl Deref for Device {
    type Target = burn_tensor::Device;
    fn deref(&self) -> &burn_tensor::Device {
        &self.place
    }
}

// So that tensors are made on a `&Device` as on one of burn's.
impl From<&Device> for burn_tensor::TensorCreationOptions {
    fn from(device: &Device) -> Self {
        (&device.place).into()
    }
}

/// Whether that is the processor.
pub(crate) fn on_cpu(place: &burn_tensor::Device) -> bool {
    *place == burn_tensor::Device::flex()
}

/// Computes with so many threads from here on. Results do not depend on it.
///
/// ```
/// use hspace::device::{threads, use_threads};
///
/// use_threads(1)?;
/// assert_eq!(threads(), 1);
/// assert!(use_threads(2).is_err()); // They have been started already.
/// # Ok::<(), hspace::Error>(())
/// ```
///
/// # Errors
/// When threads have been started already.
pub fn use_threads(count: usize) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count);
    pool.build_global()
        .map_err(|e| Error::config(format!("--threads {count}: {e}")))
}

/// Threads that are computed with.
///
/// ```
/// assert!(hspace::device::threads() >= 1);
/// ```
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// The device of that name.
///
/// ```
/// use hspace::device::device;
///
/// assert!(device("cpu").is_ok());
/// assert!(device("cpuu").err().unwrap().to_string().contains("cpu"));
/// ```
///
/// # Errors
/// If this build or this machine does not have it.
pub fn device(name: &str) -> Result<Device> {
    let with = |isa: Isa| match Isa::available().contains(&isa) {
        true => Ok(Device::cpu_with(Some(Machine::best().with_isa(isa)))),
        false => Err(Error::config(format!(
            "device `{name}`: this processor has no {isa:?}; use `cpu`"
        ))),
    };
    match name {
        "cpu" => Ok(Device::cpu()),
        "cpu:direct" => Ok(Device::cpu_with(Some(Machine::best().direct()))),
        "cpu:avx2" => with(Isa::Avx2),
        "cpu:portable" => with(Isa::Portable),
        "cpu:burn" => Ok(Device::cpu_with(None)),
        #[cfg(feature = "wgpu")]
        "wgpu" => gpu(name, || burn_tensor::Device::wgpu(Default::default())),
        #[cfg(feature = "vulkan")]
        "vulkan" => gpu(name, || burn_tensor::Device::vulkan(Default::default())),
        #[cfg(feature = "metal")]
        "metal" => gpu(name, || burn_tensor::Device::metal(Default::default())),
        #[cfg(feature = "cuda")]
        "cuda" => gpu(name, || burn_tensor::Device::cuda(0)),
        #[cfg(feature = "rocm")]
        "rocm" => gpu(name, || burn_tensor::Device::rocm(0)),
        _ => Err(Error::config(format!(
            "{}; GPU devices are chosen when hspace is built, such as with --features cuda",
            unknown("device", name, DEVICES.iter().copied())
        ))),
    }
}
