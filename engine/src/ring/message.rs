//! What may travel in a ring.

use xxhash_rust::xxh3::xxh3_64;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A value that may cross shared memory: no padding and any bit pattern valid (zerocopy's traits prove both).
///
/// Its size must be a multiple of 8 bytes; a ring of another size does not compile.
pub trait Message: Copy + FromBytes + IntoBytes + Immutable + Send + 'static {}

impl<T: Copy + FromBytes + IntoBytes + Immutable + Send + 'static> Message for T {}

/// The ring has no room: nothing was written, nothing waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ring is full")]
pub struct Full;

/// Hash of a message's name, size and alignment. Field offsets are covered by the build hash, which is compared too.
pub(crate) fn layout_hash<T>() -> u64 {
    let text = format!("{} {} {}", std::any::type_name::<T>(), size_of::<T>(), align_of::<T>());
    xxh3_64(text.as_bytes())
}

/// Bytes of a `T` as descriptors hold it.
pub(crate) const fn element_size<T>() -> u32 {
    const { assert!(size_of::<T>() <= u32::MAX as usize) };
    size_of::<T>() as u32
}
