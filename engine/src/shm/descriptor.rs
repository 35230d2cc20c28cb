//! The descriptor page: what a mapped file is, checked before a reader believes a word of its body.

use std::mem::offset_of;

use xxhash_rust::xxh3::xxh3_64;
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::primitive::{AtomicU64, Ordering, SyncPoint};
use crate::shm::identity::{BUILD_HASH, BootId};
use crate::shm::words::{self, WORD};
use crate::wire::wire_enum;

/// Bytes in front of the body: one page, so that the body is aligned for anything. Loom checks no more words than are
/// used.
pub const DESCRIPTOR_BYTES: usize = if cfg!(loom) { size_of::<Page>() + WORD } else { 4096 };
/// Words in front of the body.
pub const DESCRIPTOR_WORDS: usize = DESCRIPTOR_BYTES / WORD;
/// First word of every file of ours; the digit is the version of this page.
pub const MAGIC: u64 = u64::from_le_bytes(*b"TRADSHM1");

wire_enum! {
    /// What a mapped file holds.
    SegmentKind {
        /// A ring whose producer waits for one consumer, who alone reads it.
        Ring = 1 => "ring",
        /// A ring whose producer waits for nobody.
        Broadcast = 2 => "broadcast ring",
        /// A ring of variable-length records.
        ByteRing = 3 => "byte ring",
        /// How far the consumer of a ring has read.
        Cursor = 4 => "cursor",
        /// Named counters.
        Counters = 5 => "counters",
        /// Named latency histograms.
        Histograms = 6 => "histograms",
        /// Halt states.
        Halt = 7 => "halt page",
        /// Seqlock cells.
        Cells = 8 => "cells",
        /// The duty cycles of an agent.
        Heartbeat = 9 => "heartbeat",
        /// A bell that wakes who sleeps.
        Bell = 10 => "bell",
        /// A ring whose producer waits for one consumer, and that others may watch.
        WatchedRing = 11 => "watched ring",
    }
}

/// What a mapped file is. Immutable once the file has its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// What the body holds.
    pub kind: SegmentKind,
    /// Hash of the element's layout.
    pub layout: u64,
    /// [`BUILD_HASH`] of the writer.
    pub build: u64,
    /// The boot in which it was made.
    pub boot: BootId,
    /// Epoch of the writer.
    pub epoch: u32,
    /// Bytes of an element.
    pub element_size: u32,
    /// Number of elements.
    pub capacity: u64,
    /// Bytes of the body.
    pub body_bytes: u64,
    /// Nanoseconds since boot at which it was made: tells two files of one name apart.
    pub instance: u64,
    /// `instance` of the file that this one belongs to; 0 if none.
    pub parent: u64,
    /// User id of the writer, for people: who may write is the file system's business.
    pub owner: u32,
}

/// The page's first 136 bytes, as they lie in memory.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Page {
    magic: u64,
    kind: u64,
    layout: u64,
    build: u64,
    boot: [u64; 2],
    epoch: u32,
    element_size: u32,
    capacity: u64,
    body_bytes: u64,
    instance: u64,
    parent: u64,
    owner: u64,
    spare: [u64; 4],
    /// Hash of everything above, written last. 0 while the page is being filled.
    ready: u64,
}

const READY_AT: usize = offset_of!(Page, ready) / WORD;

/// The word behind the page: how many writers have taken the file over from a dead one. It is no part of the
/// descriptor, which never changes: one word is stored or not, so that a writer that dies while it takes over leaves
/// a whole file.
const LIFE_AT: usize = size_of::<Page>() / WORD;

const _: () = {
    assert!(offset_of!(Page, magic) == 0 && offset_of!(Page, kind) == 8 && offset_of!(Page, layout) == 16);
    assert!(offset_of!(Page, build) == 24 && offset_of!(Page, boot) == 32 && offset_of!(Page, epoch) == 48);
    assert!(offset_of!(Page, element_size) == 52 && offset_of!(Page, capacity) == 56);
    assert!(offset_of!(Page, body_bytes) == 64 && offset_of!(Page, instance) == 72);
    assert!(offset_of!(Page, parent) == 80 && offset_of!(Page, owner) == 88);
    assert!(offset_of!(Page, ready) == 128 && size_of::<Page>() == 136);
    assert!(size_of::<Page>() + WORD <= DESCRIPTOR_BYTES);
};

/// How many times the file was taken over by a later life of its owner.
pub(super) fn life(page: &[AtomicU64]) -> u64 {
    page[LIFE_AT].load(Ordering::Relaxed)
}

/// Notes that a later life of the owner takes the file over. Only the file's one writer calls this.
pub(super) fn begin_life(page: &[AtomicU64]) {
    // The count tells lives apart and orders nothing: what the earlier life wrote, the kernel has seen it die.
    page[LIFE_AT].store(life(page).wrapping_add(1), Ordering::Relaxed);
}

impl Page {
    fn seal(&self) -> u64 {
        // The lowest bit keeps a finished page apart from an empty one.
        xxh3_64(&self.as_bytes()[..offset_of!(Page, ready)]) | 1
    }
}

impl Descriptor {
    /// Writes the page, the ready word last. `page` is the start of a new file that nobody else has mapped yet.
    pub(super) fn write(&self, page: &[AtomicU64]) {
        let mut image = Page {
            magic: MAGIC,
            kind: u64::from(self.kind.code()),
            layout: self.layout,
            build: self.build,
            boot: self.boot.0,
            epoch: self.epoch,
            element_size: self.element_size,
            capacity: self.capacity,
            body_bytes: self.body_bytes,
            instance: self.instance,
            parent: self.parent,
            owner: u64::from(self.owner),
            spare: [0; 4],
            ready: 0,
        };
        words::store(page, &image);
        image.ready = image.seal();
        // Release: partner is the acquire in `read`; who sees the ready word sees the page.
        SyncPoint::Ready.publish(&page[READY_AT], image.ready);
    }

    /// Reads a page that anybody may have written. The answer is checked for sense, not for agreement.
    ///
    /// # Errors
    /// What is wrong, without the file's name.
    pub(super) fn read(page: &[AtomicU64]) -> Result<Self, String> {
        if page[0].load(Ordering::Relaxed) != MAGIC {
            return Err("is no shared-memory file of this version".into());
        }
        let ready = page[READY_AT].load(Ordering::Relaxed);
        // Acquire: partner is the release of the ready word in `write`.
        SyncPoint::Ready.acquire(&page[READY_AT]);
        if ready == 0 {
            return Err("is half-initialised: its writer died or is still at work".into());
        }
        let image: Page = words::load(page);
        if ready != image.seal() {
            return Err("has a damaged descriptor".into());
        }
        let kind = u8::try_from(image.kind).ok().and_then(|code| SegmentKind::try_from(code).ok());
        Ok(Self {
            kind: kind.ok_or_else(|| format!("holds an unknown kind {}", image.kind))?,
            layout: image.layout,
            build: image.build,
            boot: BootId(image.boot),
            epoch: image.epoch,
            element_size: image.element_size,
            capacity: image.capacity,
            body_bytes: image.body_bytes,
            instance: image.instance,
            parent: image.parent,
            owner: u32::try_from(image.owner).map_err(|_| "names no owner".to_owned())?,
        })
    }

    /// Whether a process of this build and boot may share memory with the writer.
    ///
    /// # Errors
    /// What differs, without the file's name.
    pub(super) fn check_identity(&self, boot: BootId) -> Result<(), String> {
        if self.boot != boot {
            return Err("was left by an earlier boot of the machine".into());
        }
        if self.build != BUILD_HASH {
            return Err(format!("was made by build {:016x}, this is build {BUILD_HASH:016x}", self.build));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Descriptor {
        Descriptor {
            kind: SegmentKind::Broadcast,
            layout: 0x1111,
            build: 0x2222,
            boot: BootId([0x3333, 0x4444]),
            epoch: 0x55,
            element_size: 0x66,
            capacity: 0x77,
            body_bytes: 0x88,
            instance: 0x99,
            parent: 0xaa,
            owner: 0xbb,
        }
    }

    fn page() -> Vec<AtomicU64> {
        (0..DESCRIPTOR_WORDS).map(|_| AtomicU64::new(0)).collect()
    }

    #[test]
    fn the_layout_is_the_golden_one() {
        let page = page();
        example().write(&page);
        let found: Vec<u64> = page[..18].iter().map(|word| word.load(Ordering::Relaxed)).collect();
        let epoch_and_size = 0x55 | (0x66 << 32);
        let golden = [MAGIC, 2, 0x1111, 0x2222, 0x3333, 0x4444, epoch_and_size, 0x77, 0x88, 0x99, 0xaa, 0xbb];
        assert_eq!(found[..12], golden);
        assert_eq!(found[12..16], [0; 4]);
        assert_ne!(found[16], 0);
        assert_eq!(found[17], 0);
        assert_eq!(MAGIC.to_le_bytes(), *b"TRADSHM1");
    }

    #[test]
    fn any_changed_word_is_found() {
        let page = page();
        example().write(&page);
        assert_eq!(Descriptor::read(&page), Ok(example()));
        for word in &page[..=READY_AT] {
            for bit in 0..64 {
                let good = word.load(Ordering::Relaxed);
                word.store(good ^ (1 << bit), Ordering::Relaxed);
                assert!(Descriptor::read(&page).is_err());
                word.store(good, Ordering::Relaxed);
            }
        }
    }
}
