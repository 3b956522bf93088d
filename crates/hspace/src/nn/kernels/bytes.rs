//! Our pooled memory as burn's bytes: the one place outside hspace-kernels with unsafe code.

use std::mem::MaybeUninit;

use burn_backend::Bytes;
use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty};
use hspace_kernels::Buffer;

/// A buffer that burn holds. Dropped, it goes back to the pool.
struct Pooled(Buffer);

/// The bytes of a buffer, without a copy.
pub(super) fn bytes(buffer: Buffer) -> Bytes {
    let len = size_of_val(&buffer[..]);
    // SAFETY: the controller gives `len` bytes, all initialised, as a buffer's numbers are.
    unsafe { Bytes::from_controller(Box::new(Pooled(buffer)), len) }
}

impl AllocationController for Pooled {
    fn alloc_align(&self) -> usize {
        align_of::<f32>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Native
    }

    unsafe fn memory_mut(
        &mut self,
        _: AccessPolicy,
    ) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        let len = size_of_val(&self.0[..]);
        // SAFETY: the numbers' own memory, borrowed as exclusively as `self`; the caller writes
        // initialised bytes alone, and any bytes are numbers.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), len) })
    }

    fn memory(&self, _: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        let len = size_of_val(&self.0[..]);
        // SAFETY: the numbers' own memory, borrowed as `self` is.
        Ok(unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), len) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burn_reads_writes_and_copies_the_buffer() {
        let mut bytes = bytes(Buffer::copy_of(&[1.0, 2.0, 3.0]));
        assert_eq!(bytes.len(), 12);
        assert_eq!(bytes[4..8], 2.0f32.to_le_bytes());
        bytes[..4].copy_from_slice(&5.0f32.to_le_bytes());
        let copy = bytes.clone();
        drop(bytes);
        assert_eq!(copy[..4], 5.0f32.to_le_bytes());
    }
}
