//! Messages in slots, the same for all rings of fixed-size messages.
//!
//! Message n lies in slot n % capacity with stamp n + 1 (see [`stamped`]): an older stamp means "not yet", a younger
//! one "gone". A consumer that the producer waits for need not look twice.

use std::marker::PhantomData;
use std::path::Path;

use crate::error::SetupError;
use crate::limits::{CACHE_LINE, RING_CAPACITY_MAX, RING_CAPACITY_MIN};
use crate::primitive::AtomicU64;
use crate::ring::message::{Message, element_size, layout_hash};
use crate::room;
use crate::shm::stamped::{self, BUSY, stride};
use crate::shm::words::WORD;
use crate::shm::{Descriptor, Expected, Readable, SegmentKind, SegmentSpec, Writable};

/// Smallest capacity. Models are checked on fewer slots: each is soon reused.
const CAPACITY_MIN: usize = if cfg!(loom) { 2 } else { RING_CAPACITY_MIN };

/// The ring file of `capacity` messages of type `T`.
pub(super) fn spec<T: Message>(
    path: &Path,
    kind: SegmentKind,
    capacity: usize,
    epoch: u32,
) -> Result<SegmentSpec, SetupError> {
    check_capacity(path, capacity as u64)?;
    Ok(SegmentSpec {
        kind,
        layout: layout_hash::<T>(),
        element_size: element_size::<T>(),
        capacity: capacity as u64,
        epoch,
        body_bytes: capacity * stride::<T>() * WORD,
        parent: 0,
    })
}

/// What a reader of messages of type `T` insists on.
pub(super) fn expected<T: Message>(kind: SegmentKind) -> Expected {
    Expected { kind, layout: layout_hash::<T>(), element_size: element_size::<T>() }
}

fn check_capacity(path: &Path, capacity: u64) -> Result<(), SetupError> {
    let range = CAPACITY_MIN as u64..=RING_CAPACITY_MAX as u64;
    if capacity.is_power_of_two() && range.contains(&capacity) {
        return Ok(());
    }
    let (least, most) = (CAPACITY_MIN, RING_CAPACITY_MAX);
    Err(SetupError::file(path, format!("capacity {capacity} is no power of two in {least}..={most}")))
}

/// A mapped file's words.
///
/// # Safety
/// [`body`](Self::body) is as long each time.
#[allow(unsafe_code)]
pub(super) unsafe trait Body {
    /// All of them.
    fn body(&self) -> &[AtomicU64];
}

// SAFETY: a file's mapping is as long until it is dropped, also when the file is cut short meanwhile.
#[allow(unsafe_code)]
unsafe impl Body for Writable {
    #[inline(always)]
    fn body(&self) -> &[AtomicU64] {
        self.body()
    }
}

// SAFETY: as of `Writable`.
#[allow(unsafe_code)]
unsafe impl Body for Readable {
    #[inline(always)]
    fn body(&self) -> &[AtomicU64] {
        self.body()
    }
}

/// The slots of a ring in its mapped `page`.
pub(super) struct Slots<P, T> {
    page: P,
    /// Of slot indices: the page has at least one slot more than this.
    mask: u64,
    _message: PhantomData<fn(T)>,
}

impl<P: Body, T: Message> Slots<P, T> {
    /// Those of the ring file at `path`, mapped to `page`, whose descriptor is `found`.
    ///
    /// # Errors
    /// When its capacity is outside our limits, or the page too short for it.
    pub(super) fn new(path: &Path, page: P, found: &Descriptor) -> Result<Self, SetupError> {
        check_capacity(path, found.capacity)?;
        if found.capacity as usize * stride::<T>() > page.body().len() {
            return Err(SetupError::file(path, format!("is too short for {} messages", found.capacity)));
        }
        Ok(Self { page, mask: found.capacity - 1, _message: PhantomData })
    }

    /// The page.
    #[inline(always)]
    pub(super) const fn page(&self) -> &P {
        &self.page
    }

    /// How many there are: a power of two.
    #[inline(always)]
    pub(super) const fn capacity(&self) -> u64 {
        self.mask + 1
    }

    /// The slot of message `index`. The index is the caller's own; the mask keeps it inside the ring.
    #[inline(always)]
    #[allow(unsafe_code)]
    fn slot(&self, index: u64) -> &[AtomicU64] {
        let at = (index & self.mask) as usize * stride::<T>();
        // SAFETY: `new` has seen that the page has a slot for each index up to the mask, and neither changes. It is
        // not looked at again with every message.
        unsafe { self.page.body().get_unchecked(at..at + stride::<T>()) }
    }

    /// Asks for every line of the slot of message `index`, and for the stamp of the next: whoever takes the message looks there.
    #[inline(always)]
    pub(super) fn fetch_next(&self, index: u64) {
        let (slot, next) = (self.slot(index), self.slot(index + 1));
        room::fetch(&slot[0]);
        fetch_rest::<T>(slot);
        room::fetch(&next[0]);
    }

    /// Reads message `index` if it is there; for the consumer that the producer waits for.
    #[inline]
    pub(super) fn read(&self, index: u64) -> Option<T> {
        let mut message = T::new_zeroed();
        self.read_into(index, &mut message).then_some(message)
    }

    /// The same to where the message is to stay; false if there is none.
    #[inline]
    pub(super) fn read_into(&self, index: u64, message: &mut T) -> bool {
        let slot = self.slot(index);
        fetch_rest::<T>(slot);
        let is_there = stamped::stamp(slot) == index + 1;
        if is_there {
            // No second look at the stamp: the producer does not come back to this slot before the cursor has passed it.
            stamped::copy_into(slot, message);
        }
        is_there
    }

    /// Whether the slot of `index` holds what it may while its consumer waits for `index`: that message or the one a lap
    /// before, complete or under way.
    pub(super) fn is_possible(&self, index: u64) -> bool {
        let newest = self.begun(index);
        newest == index + 1 || newest + self.capacity() == index + 1 || (newest == 0 && index <= self.mask)
    }

    /// Whether the slot of `index` holds what it may while a reader that nobody waits for stands at `index`: nothing yet, or
    /// any message of this slot.
    pub(super) fn is_of_slot(&self, index: u64) -> bool {
        let newest = self.begun(index);
        newest == 0 || newest & self.mask == (index + 1) & self.mask
    }

    /// Whether message `index` was surely not begun yet: its slot is an older one's.
    #[inline]
    pub(super) fn is_older(&self, index: u64) -> bool {
        // A stamp that is marked is above all indices.
        stamped::stamp(self.slot(index)) <= index
    }

    /// Reads message `index`, and checks after the copy that it was not overwritten meanwhile.
    #[inline]
    pub(super) fn read_checked(&self, index: u64) -> Found<T> {
        let slot = self.slot(index);
        fetch_rest::<T>(slot);
        let stamp = stamped::stamp(slot);
        if stamp <= index {
            return Found::NotYet;
        }
        if stamp != index + 1 {
            // It may be under way.
            return if stamp & !BUSY > index + 1 { Found::Gone } else { Found::NotYet };
        }
        let message = stamped::copy(slot);
        if stamped::is_unchanged(slot, stamp) { Found::Message(message) } else { Found::Gone }
    }

    /// 1 + the newest message of the slot of `index` that was begun; 0 for none.
    fn begun(&self, index: u64) -> u64 {
        stamped::stamp(self.slot(index)) & !BUSY
    }

    /// One past the newest message that was written, or was begun, when the call was made.
    ///
    /// `known` is the caller's own position or 0. Its slot tells the lap, a binary search over one lap the rest: a few
    /// loads, and no head word that the producer would have to store with every message.
    pub(super) fn head(&self, known: u64) -> u64 {
        // The newest message in the slot of `known`. A stamp that does not belong there cannot lead outside the ring:
        // indices are masked.
        let stamp = self.begun(known);
        let (mut low, mut high) = match stamp.checked_sub(1) {
            Some(newest) if newest <= BUSY / 2 => (newest, newest + self.capacity()),
            Some(_) => return known,
            // Never used: nothing at or after this slot in the first lap, so the head is before it.
            None => {
                if known & self.mask == 0 || self.begun(0) == 0 {
                    return 0;
                }
                (0, known & self.mask)
            }
        };
        // `low` was begun, `high` was not when we looked; the head is one past the last that was.
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.begun(middle) > middle {
                low = middle;
            } else {
                high = middle;
            }
        }
        low + 1
    }
}

impl<T: Message> Slots<Writable, T> {
    /// Writes message `index`, marked while it is written if somebody is `watching` beside the consumer that the producer waits
    /// for. Only the ring's one producer calls this.
    #[inline(always)]
    pub(super) fn write(&mut self, index: u64, message: &T, watching: bool) {
        write(self.slot(index), index, message, watching);
    }

    /// One past the newest message that was committed; for a producer that takes over from one that is dead. A message
    /// whose writing was only begun was never seen by anybody, and its number is given again.
    pub(super) fn committed(&self) -> u64 {
        committed(self)
    }

    /// Leaves message `index` as a producer leaves it that dies while it writes, with its mark or in a ring that has none.
    #[cfg(any(test, loom))]
    pub(super) fn begin(&self, index: u64, marked: bool) {
        use crate::primitive::Ordering;
        let slot = self.slot(index);
        if marked {
            slot[0].store(BUSY | (index + 1), Ordering::Relaxed);
        }
        slot[1].store(!index, Ordering::Relaxed);
    }
}

#[inline(always)]
fn write<T: Message>(slot: &[AtomicU64], index: u64, message: &T, watching: bool) {
    if watching {
        stamped::mark(slot, index + 1);
    }
    stamped::write_unseen(slot, index + 1, message);
}

fn committed<P: Body, T: Message>(slots: &Slots<P, T>) -> u64 {
    let head = slots.head(0);
    let is_begun = |last: u64| stamped::stamp(slots.slot(last)) & BUSY != 0;
    if head.checked_sub(1).is_some_and(is_begun) { head - 1 } else { head }
}

/// Asks for the lines behind the first of a slot, beside it and not when it has come: from another core each takes as long.
#[inline(always)]
fn fetch_rest<T>(slot: &[AtomicU64]) {
    const LINE: usize = CACHE_LINE / WORD;
    (LINE..stride::<T>()).step_by(LINE).for_each(|at| room::fetch(&slot[at]));
}

/// The kinds of rings whose producer waits for one consumer.
pub(super) fn lossless<T: Message>() -> [Expected; 2] {
    [SegmentKind::Ring, SegmentKind::WatchedRing].map(expected::<T>)
}

/// What a reader that nobody waits for finds at its position.
pub(super) enum Found<T> {
    /// The message, untorn.
    Message(T),
    /// Not there yet.
    NotYet,
    /// Overwritten by a later one, or being overwritten.
    Gone,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitive::Ordering;

    // SAFETY: nobody makes it longer or shorter here.
    #[allow(unsafe_code)]
    unsafe impl Body for Vec<AtomicU64> {
        fn body(&self) -> &[AtomicU64] {
            self
        }
    }

    #[test]
    fn the_head_is_found_from_every_position_that_was_reached() {
        let page: Vec<AtomicU64> = (0..8 * stride::<u64>()).map(|_| AtomicU64::new(0)).collect();
        let slots = Slots::<_, u64> { page, mask: 7, _message: PhantomData };
        for published in 0..30 {
            for known in 0..=published {
                assert_eq!(slots.head(known), published, "from {known}");
            }
            // A message under way counts: its predecessor in the slot is lost.
            let next = &slots.slot(published)[0];
            let before = next.swap(BUSY | (published + 1), Ordering::Relaxed);
            assert_eq!(slots.head(published), published + 1);
            assert_eq!(committed(&slots), published);
            next.store(before, Ordering::Relaxed);
            write(slots.slot(published), published, &published, true);
            assert_eq!(committed(&slots), published + 1);
        }
    }
}
