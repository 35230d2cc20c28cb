//! Messages in slots, the same for all rings of fixed-size messages.
//!
//! Message n lies in slot n % capacity with stamp n + 1 (see [`stamped`]): an older stamp means "not yet", a younger
//! one "gone". A consumer that the producer waits for need not look twice.

use std::path::Path;

use crate::error::SetupError;
use crate::limits::{CACHE_LINE, RING_CAPACITY_MAX, RING_CAPACITY_MIN};
use crate::primitive::AtomicU64;
use crate::ring::message::{Message, element_size, layout_hash};
use crate::room;
use crate::shm::stamped::{self, BUSY, stride};
use crate::shm::words::WORD;
use crate::shm::{Descriptor, Expected, SegmentKind, SegmentSpec};

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

/// Checks a ring file's capacity against our limits and its own body, and gives the mask of slot indices.
pub(super) fn checked_mask<T: Message>(path: &Path, found: &Descriptor) -> Result<u64, SetupError> {
    check_capacity(path, found.capacity)?;
    if found.capacity * (stride::<T>() * WORD) as u64 > found.body_bytes {
        return Err(SetupError::file(path, format!("is too short for {} messages", found.capacity)));
    }
    Ok(found.capacity - 1)
}

fn check_capacity(path: &Path, capacity: u64) -> Result<(), SetupError> {
    let range = CAPACITY_MIN as u64..=RING_CAPACITY_MAX as u64;
    if capacity.is_power_of_two() && range.contains(&capacity) {
        return Ok(());
    }
    let (least, most) = (CAPACITY_MIN, RING_CAPACITY_MAX);
    Err(SetupError::file(path, format!("capacity {capacity} is no power of two in {least}..={most}")))
}

/// The slot of message `index`. The index is the caller's own; the mask keeps it inside the ring.
#[inline]
fn slot<T>(body: &[AtomicU64], mask: u64, index: u64) -> &[AtomicU64] {
    let at = (index & mask) as usize * stride::<T>();
    &body[at..at + stride::<T>()]
}

/// Asks for the lines behind the first of a slot, beside it and not when it has come: from another core each takes as long.
#[inline(always)]
fn fetch_rest<T>(slot: &[AtomicU64]) {
    const LINE: usize = CACHE_LINE / WORD;
    (LINE..stride::<T>()).step_by(LINE).for_each(|at| room::fetch(&slot[at]));
}

/// Asks for every line of the slot of message `index`.
#[inline(always)]
pub(super) fn fetch<T>(body: &[AtomicU64], mask: u64, index: u64) {
    let slot = slot::<T>(body, mask, index);
    room::fetch(&slot[0]);
    fetch_rest::<T>(slot);
}

/// Writes message `index`, marked while it is written if somebody is `watching` beside the consumer that the producer waits
/// for. Only the ring's one producer calls this.
#[inline(always)]
pub(super) fn write<T: Message>(body: &[AtomicU64], mask: u64, index: u64, message: &T, watching: bool) {
    let slot = slot::<T>(body, mask, index);
    if watching {
        stamped::mark(slot, index + 1);
    }
    stamped::write_unseen(slot, index + 1, message);
}

/// The kinds of rings whose producer waits for one consumer.
pub(super) fn lossless<T: Message>() -> [Expected; 2] {
    [SegmentKind::Ring, SegmentKind::WatchedRing].map(expected::<T>)
}

/// Reads message `index` if it is there; for the consumer that the producer waits for.
#[inline]
pub(super) fn read<T: Message>(body: &[AtomicU64], mask: u64, index: u64) -> Option<T> {
    let mut message = T::new_zeroed();
    read_into(body, mask, index, &mut message).then_some(message)
}

/// The same to where the message is to stay; false if there is none.
#[inline]
pub(super) fn read_into<T: Message>(body: &[AtomicU64], mask: u64, index: u64, message: &mut T) -> bool {
    let slot = slot::<T>(body, mask, index);
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
pub(super) fn is_possible<T>(body: &[AtomicU64], mask: u64, index: u64) -> bool {
    let newest = stamped::stamp(slot::<T>(body, mask, index)) & !BUSY;
    newest == index + 1 || newest + mask + 1 == index + 1 || (newest == 0 && index <= mask)
}

/// Whether the slot of `index` holds what it may while a reader that nobody waits for stands at `index`: nothing yet, or
/// any message of this slot.
pub(super) fn is_of_slot<T>(body: &[AtomicU64], mask: u64, index: u64) -> bool {
    let newest = stamped::stamp(slot::<T>(body, mask, index)) & !BUSY;
    newest == 0 || newest & mask == (index + 1) & mask
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

/// Whether message `index` is not there yet: its slot is older, or it is being written for the first time.
#[inline]
pub(super) fn is_not_yet<T>(body: &[AtomicU64], mask: u64, index: u64) -> bool {
    let stamp = stamped::stamp(slot::<T>(body, mask, index));
    stamp != index + 1 && stamp & !BUSY <= index + 1
}

/// Reads message `index`, and checks after the copy that it was not overwritten meanwhile.
#[inline]
pub(super) fn read_checked<T: Message>(body: &[AtomicU64], mask: u64, index: u64) -> Found<T> {
    let slot = slot::<T>(body, mask, index);
    fetch_rest::<T>(slot);
    let stamp = stamped::stamp(slot);
    if stamp != index + 1 {
        // As `is_not_yet` has it.
        return if stamp & !BUSY > index + 1 { Found::Gone } else { Found::NotYet };
    }
    let message = stamped::copy(slot);
    if stamped::is_unchanged(slot, stamp) { Found::Message(message) } else { Found::Gone }
}

/// One past the newest message that was written, or was begun, when the call was made.
///
/// `known` is the caller's own position or 0. Its slot tells the lap, a binary search over one lap the rest: a few
/// loads, and no head word that the producer would have to store with every message.
pub(super) fn head<T>(body: &[AtomicU64], mask: u64, known: u64) -> u64 {
    let begun = |index: u64| stamped::stamp(slot::<T>(body, mask, index)) & !BUSY;
    // The newest message in the slot of `known`. A stamp that does not belong there cannot lead outside the ring:
    // indices are masked.
    let stamp = begun(known);
    let (mut low, mut high) = match stamp.checked_sub(1) {
        Some(newest) if newest <= BUSY / 2 => (newest, newest + mask + 1),
        Some(_) => return known,
        // Never used: nothing at or after this slot in the first lap, so the head is before it.
        None => {
            if known & mask == 0 || begun(0) == 0 {
                return 0;
            }
            (0, known & mask)
        }
    };
    // `low` was begun, `high` was not when we looked; the head is one past the last that was.
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if begun(middle) > middle {
            low = middle;
        } else {
            high = middle;
        }
    }
    low + 1
}

/// One past the newest message that was committed; for a producer that takes over from one that is dead. A message
/// whose writing was only begun was never seen by anybody, and its number is given again.
pub(super) fn committed<T>(body: &[AtomicU64], mask: u64) -> u64 {
    let head = head::<T>(body, mask, 0);
    let begun = head.checked_sub(1).map(|last| stamped::stamp(slot::<T>(body, mask, last)));
    if begun.is_some_and(|stamp| stamp & BUSY != 0) { head - 1 } else { head }
}

/// Leaves message `index` as a producer leaves it that dies while it writes, with its mark or in a ring that has none.
#[cfg(any(test, loom))]
pub(super) fn begin<T>(body: &[AtomicU64], mask: u64, index: u64, marked: bool) {
    use crate::primitive::Ordering;
    let slot = slot::<T>(body, mask, index);
    if marked {
        slot[0].store(BUSY | (index + 1), Ordering::Relaxed);
    }
    slot[1].store(!index, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitive::Ordering;

    #[test]
    fn the_head_is_found_from_every_position_that_was_reached() {
        const MASK: u64 = 7;
        let body: Vec<AtomicU64> = (0..8 * stride::<u64>()).map(|_| AtomicU64::new(0)).collect();
        for published in 0..30 {
            for known in 0..=published {
                assert_eq!(head::<u64>(&body, MASK, known), published, "from {known}");
            }
            // A message under way counts: its predecessor in the slot is lost.
            let next = &slot::<u64>(&body, MASK, published)[0];
            let before = next.swap(BUSY | (published + 1), Ordering::Relaxed);
            assert_eq!(head::<u64>(&body, MASK, published), published + 1);
            assert_eq!(committed::<u64>(&body, MASK), published);
            next.store(before, Ordering::Relaxed);
            write(&body, MASK, published, &published, true);
            assert_eq!(committed::<u64>(&body, MASK), published + 1);
        }
    }
}
