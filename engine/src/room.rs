//! Room for what is to come, made at the start. The kernel gives a page when it is first touched: whoever only sets memory
//! aside waits for it later, in the middle of trading. What is made here is touched when it is made. And lines of the cache that
//! are asked for before they are needed.

use std::collections::VecDeque;
use std::hint::black_box;

use crate::limits::CACHE_LINE;

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
pub fn fetch<T>(value: &T) {
    fetch_at(std::ptr::from_ref(value).addr());
}

/// The same for every line of `value`.
#[inline(always)]
pub fn fetch_whole<T>(value: &T) {
    let (first, last) = (std::ptr::from_ref(value).addr(), size_of::<T>().saturating_sub(1));
    (0..last).step_by(CACHE_LINE).chain([last]).for_each(|at| fetch_at(first + at));
}

#[inline(always)]
#[allow(unsafe_code)]
fn fetch_at(address: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which reads nothing that the program could see and cannot fault, whatever is at the address; SSE is
        // part of this architecture.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::without_provenance(address)) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Where a table has one of the lines of the cache that begin each entry. Whoever learns first which entry it will be about can
/// have its lines brought, and neither reads nor knows what is there.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Address of the first entry's.
    first: usize,
    /// Bytes from one entry's to the next one's.
    stride: usize,
}

impl Line {
    /// Of no table: one that lies somewhere, for to ask for what is nowhere takes a walk through the kernel's tables each time.
    #[must_use]
    pub fn none() -> Self {
        static SOMEWHERE: u64 = 0;
        Self { first: std::ptr::from_ref(&SOMEWHERE).addr(), stride: 0 }
    }

    /// The first `N` lines of each entry of `table`, which has as many. Where the table lies later somewhere else, what is
    /// brought is of no use, and does no harm.
    #[must_use]
    pub fn first_of<T, const N: usize>(table: &[T]) -> [Self; N] {
        const { assert!(N <= lines_of::<T>(), "an entry has fewer lines") };
        let first = table.as_ptr().addr();
        std::array::from_fn(|line| Self { first: first + line * CACHE_LINE, stride: size_of::<T>() })
    }

    /// Asks for that of entry `index`.
    #[inline(always)]
    pub fn fetch(&self, index: usize) {
        fetch_at(self.address(index));
    }

    #[inline(always)]
    const fn address(&self, index: usize) -> usize {
        self.first.wrapping_add(self.stride.wrapping_mul(index))
    }
}

/// Lines of the cache that a `T` fills, the last perhaps in part.
#[must_use]
pub const fn lines_of<T>() -> usize {
    size_of::<T>().div_ceil(CACHE_LINE)
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

    #[test]
    fn lines_are_those_of_the_entry() {
        #[repr(align(64))]
        #[derive(Clone, Copy)]
        struct Entry([u64; 20]);
        let table = [Entry([0; 20]); 5];
        let (two, all) =
            (Line::first_of::<_, 2>(&table), Line::first_of::<_, { lines_of::<Entry>() }>(&table));
        for (index, entry) in table.iter().enumerate() {
            let lines = [0, 8, 16].map(|at| std::ptr::from_ref(&entry.0[at]).addr());
            assert_eq!(two.map(|line| line.address(index)), lines[..2]);
            assert_eq!(all.map(|line| line.address(index)), lines);
        }
        assert_eq!(Line::none().address(7), Line::none().address(0));
        all[2].fetch(usize::MAX);
    }
}
