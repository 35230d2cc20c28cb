//! Room for what is to come, made at the start. The kernel gives a page when it is first touched: whoever only sets memory
//! aside waits for it later, in the middle of trading. Everything here is touched when it is made.

use std::collections::VecDeque;
use std::hint::black_box;

/// An empty vector with room for `capacity` values like `value`.
pub fn vector<T: Clone>(capacity: usize, value: T) -> Vec<T> {
    let mut made = filled(capacity, value);
    made.clear();
    made
}

/// An empty queue with room for `capacity` values like `value`.
pub fn queue<T: Clone>(capacity: usize, value: T) -> VecDeque<T> {
    vector(capacity, value).into()
}

/// `length` times `value`.
pub fn slice<T: Clone>(length: usize, value: T) -> Box<[T]> {
    filled(length, value).into()
}

/// Asks the processor to bring `value` into its caches, and waits for nothing.
#[inline(always)]
#[allow(unsafe_code)]
pub fn fetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which reads nothing that the program could see and cannot fault; SSE is part of this architecture.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

fn filled<T: Clone>(length: usize, value: T) -> Vec<T> {
    let mut made = Vec::with_capacity(length);
    // Nobody may know that it is zero: memory that the kernel will have cleared would not be written.
    made.resize(length, black_box(value));
    black_box(made.as_slice());
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_has_room_and_holds_what_it_should() {
        let (mut vector, mut queue) = (vector(1_000, 7_u64), queue(1_000, 7_u64));
        assert!(vector.is_empty() && queue.is_empty());
        let capacities = (vector.capacity(), queue.capacity());
        assert!(capacities.0 >= 1_000 && capacities.1 >= 1_000);
        vector.extend(0..1_000);
        queue.extend(0..1_000);
        assert_eq!((vector.capacity(), queue.capacity()), capacities, "it does not grow");
        assert_eq!(*slice(3, 7_u8), [7; 3]);
    }
}
