//! Where lines end: looked for once in every byte, as it comes, and for sixty-four of them at a time.
//!
//! A search for each line would end at a place that the processor cannot foresee, once a line.

/// Bytes looked at at once: a bit of a word each.
#[cfg(target_arch = "x86_64")]
const BLOCK: usize = u64::BITS as usize;

/// The line feeds of a text that comes piece by piece.
#[derive(Debug)]
pub(super) struct LineEnds {
    /// Where they stand, in order; only those from `next` up to `known` count.
    places: Vec<usize>,
    next: usize,
    known: usize,
    /// The one at `next`; `NONE` where it is not known.
    first: usize,
}

/// No place.
const NONE: usize = usize::MAX;

impl LineEnds {
    /// Of no text yet; more than `expected` at once need more memory.
    pub(super) fn new(expected: usize) -> Self {
        Self { places: vec![0; expected], next: 0, known: 0, first: NONE }
    }

    /// The first that stands at `at` or behind.
    #[inline]
    pub(super) fn next_at(&self, at: usize) -> Option<usize> {
        // Only who looks ahead asks for one behind others.
        let place = if self.first >= at { self.first } else { self.farther(at) };
        (place != NONE).then_some(place)
    }

    fn farther(&self, at: usize) -> usize {
        let known = &self.places[self.next..self.known];
        known.get(known.partition_point(|&place| place < at)).copied().unwrap_or(NONE)
    }

    /// Forgets those before `at`.
    #[inline]
    pub(super) fn pass(&mut self, at: usize) {
        while self.first < at {
            self.next += 1;
            self.find_first();
        }
    }

    #[inline]
    fn find_first(&mut self) {
        self.first = if self.next < self.known { self.places[self.next] } else { NONE };
    }

    /// Counts from `by` bytes further on: what stands there has been passed.
    pub(super) fn shift(&mut self, by: usize) {
        self.places.copy_within(self.next..self.known, 0);
        (self.next, self.known) = (0, self.known - self.next);
        self.places[..self.known].iter_mut().for_each(|place| *place -= by);
        self.find_first();
    }

    /// Notes those in `bytes`, which stand at `at`, behind all before.
    #[allow(unsafe_code)]
    pub(super) fn note(&mut self, bytes: &[u8], at: usize) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") {
            // SAFETY: the processor has what the function is compiled for.
            unsafe { self.note_avx2(bytes, at) };
            return self.find_first();
        }
        self.search(bytes, at);
        self.find_first();
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1")]
    fn note_avx2(&mut self, bytes: &[u8], mut at: usize) {
        let (blocks, rest) = bytes.as_chunks();
        // In hand: else the count would go through memory, for all the compiler knows of where places are written.
        let (mut places, mut known) = (std::mem::take(&mut self.places), self.known);
        for block in blocks {
            let mut feeds = feeds(block);
            while feeds & feeds.wrapping_sub(1) != 0 {
                write(&mut places, known, at + feeds.trailing_zeros() as usize);
                known += 1;
                feeds &= feeds.wrapping_sub(1);
            }
            // Mostly there is one in a block or none, and which cannot be foreseen: it is written in any case, and counts if
            // there is one.
            write(&mut places, known, at + feeds.trailing_zeros() as usize);
            known += usize::from(feeds != 0);
            at += BLOCK;
        }
        (self.places, self.known) = (places, known);
        self.search(rest, at);
    }

    fn search(&mut self, bytes: &[u8], at: usize) {
        for place in memchr::memchr_iter(b'\n', bytes) {
            write(&mut self.places, self.known, at + place);
            self.known += 1;
        }
    }
}

/// Writes `place` at `known`, which is not behind the end.
#[inline(always)]
fn write(places: &mut Vec<usize>, known: usize, place: usize) {
    match places.get_mut(known) {
        Some(next) => *next = place,
        None => places.push(place),
    }
}

/// A bit for every byte: set where it is a line feed.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[allow(unsafe_code)]
fn feeds(block: &[u8; BLOCK]) -> u64 {
    use std::arch::x86_64::{_mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_set1_epi8};
    let (halves, _) = block.as_chunks::<32>();
    let half = |half: &[u8; 32]| {
        // SAFETY: thirty-two bytes can be read there, and the load asks for no alignment.
        let bytes = unsafe { _mm256_loadu_si256(half.as_ptr().cast()) };
        let feeds = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\n'.cast_signed()));
        u64::from(_mm256_movemask_epi8(feeds).cast_unsigned())
    };
    halves.iter().rev().fold(0, |bits, bytes| bits << 32 | half(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_are_found_wherever_pieces_begin(
            text in prop::collection::vec(prop_oneof![3 => Just(b'x'), 1 => Just(b'\n'), 1 => any::<u8>()], 0..700),
            cuts in prop::collection::vec(0..300_usize, 0..6),
            ahead in 0..40_usize,
        ) {
            let mut ends = LineEnds::new(4);
            let (mut start, mut end, mut moved, mut cuts) = (0, 0, 0, cuts.into_iter());
            while end < text.len() {
                let more = cuts.next().unwrap_or(text.len()).min(text.len() - end);
                ends.note(&text[end..end + more], end - moved);
                end += more;
                let wanted = |from: usize| text[from..end].iter().position(|&byte| byte == b'\n');
                let far = (start + ahead).min(end);
                prop_assert_eq!(ends.next_at(far - moved), wanted(far).map(|at| far + at - moved));
                // Some lines are taken, and the rest moves to the front.
                for _ in 0..3 {
                    let found = ends.next_at(start - moved);
                    prop_assert_eq!(found, wanted(start).map(|at| start + at - moved));
                    let Some(found) = found else { break };
                    start = found + moved + 1;
                    ends.pass(start - moved);
                }
                ends.shift(start - moved);
                moved = start;
            }
        }
    }
}
