//! Waking a thread that sleeps, between processes that cannot write each other's memory.
//!
//! ```text
//! body = | how often its owner rang | 7 words | whether its owner sleeps | 7 words |
//! ```
//!
//! Who rings counts in its own file, and asks the kernel to wake those who wait on that word only when some peer's file
//! says that it sleeps. Who goes to sleep says so in its own file, looks at all its inputs once more, and then waits on the
//! words of all peers at once, each as long as it is what it was before that last look (`futex_waitv`, which needs no more
//! than to read). So a ring in between is never lost, and between threads that are awake a ring is one store and one
//! fence per duty cycle, and no system call.
//!
//! A bell that is replaced, because its owner was restarted, is found with the next look; until then nobody sleeps longer
//! than the longest sleep.

use std::path::Path;
use std::time::Duration;

use crate::domain::Nanos;
use crate::error::SetupError;
use crate::limits::CACHE_LINE;
use crate::primitive::{AtomicU64, End, Ordering, SyncPoint};
use crate::shm::SegmentKind;
#[cfg(not(any(loom, miri, tsan)))]
use crate::shm::futex;
use crate::shm::late::{Late, Presence};
use crate::shm::mapping::{Expected, Readable, SegmentSpec, Writable};
use crate::shm::paths::{self, IpcPaths};
#[cfg(any(loom, miri, tsan))]
use crate::shm::process_local as futex;
use crate::shm::words::WORD;

const EXPECTED: Expected = Expected { kind: SegmentKind::Bell, layout: 1, element_size: WORD as u32 };
const RUNG: usize = 0;
/// In a line of its own: peers look at it whenever they ring.
const ASLEEP: usize = CACHE_LINE / WORD;

/// Somebody else's bell.
struct Peer {
    file: Readable,
}

impl Peer {
    fn attach(path: &Path) -> Result<Self, SetupError> {
        Ok(Self { file: Readable::attach(path, &EXPECTED)? })
    }

    fn word(&self) -> &AtomicU64 {
        &self.file.body()[RUNG]
    }

    fn sleeps(&self) -> bool {
        self.file.body()[ASLEEP].load(Ordering::Relaxed) != 0
    }
}

/// A thread's own bell, and those of its peers.
pub struct Bell {
    file: Writable,
    rung: u64,
    peers: Vec<Late<Peer>>,
    /// What each peer's word was when this thread said that it sleeps.
    heard: Vec<u32>,
    due: Nanos,
}

impl Bell {
    /// The bell of `owner`, in its directory, with all other owners as its peers.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn of(ipc: &IpcPaths, owner: &str, epoch: u32) -> Result<Self, SetupError> {
        let others: Vec<_> = paths::OWNERS.iter().filter(|&&other| other != owner).collect();
        let others: Vec<_> = others.into_iter().map(|other| ipc.bell(other)).collect();
        Self::between(&ipc.bell(owner), &others, epoch)
    }

    /// The bell at `own`, whose owner is woken by those at `peers`; they may come late.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn between<P: AsRef<Path>>(own: &Path, peers: &[P], epoch: u32) -> Result<Self, SetupError> {
        let spec = SegmentSpec {
            kind: EXPECTED.kind,
            layout: EXPECTED.layout,
            element_size: EXPECTED.element_size,
            capacity: 1,
            epoch,
            body_bytes: 2 * CACHE_LINE,
            parent: 0,
        };
        let file = Writable::create(own, &spec)?;
        let peers: Vec<_> = peers.iter().map(|path| Late::new(path.as_ref(), Peer::attach)).collect();
        let heard = vec![0; peers.len()];
        Ok(Self { file, rung: 0, peers, heard, due: Nanos(i64::MIN) })
    }

    /// Looks, at most every 100 ms, for bells that came or were replaced.
    #[inline]
    pub fn look(&mut self, now: Nanos) {
        if now >= self.due {
            self.peers.iter_mut().for_each(|peer| _ = peer.refresh(now));
            self.due = self.peers.iter().map(Late::due).min().unwrap_or(Nanos::NEVER);
        }
    }

    fn present(&self) -> impl Iterator<Item = &Peer> {
        self.peers.iter().filter(|peer| peer.presence() == Presence::Here).filter_map(Late::get)
    }

    /// Wakes every peer that sleeps: to be called after each duty cycle that may have given a peer something to do.
    #[inline]
    pub fn ring(&mut self) {
        self.rung = self.rung.wrapping_add(1);
        let word = &self.file.body()[RUNG];
        // Partner is the barrier in `listen`: either we see below that it sleeps, or its last look sees what we published.
        // Whoever hears this ring before its barrier sees that, too, for the ring comes after ours.
        SyncPoint::Asleep.barrier(End::Release, word);
        word.store(self.rung, Ordering::Relaxed);
        if self.present().any(Peer::sleeps) {
            futex::wake(word);
        }
    }

    /// Says that this thread is about to sleep. It must look at all its inputs once more before it does
    /// [`sleep`](Self::sleep), or [`rise`](Self::rise) if it found something.
    pub fn listen(&mut self) {
        for (peer, heard) in self.peers.iter().zip(&mut self.heard) {
            if let Some(peer) = peer.get() {
                *heard = peer.word().load(Ordering::Relaxed) as u32;
            }
        }
        let asleep = &self.file.body()[ASLEEP];
        asleep.store(1, Ordering::Relaxed);
        // Partner is the barrier in `ring`.
        SyncPoint::Asleep.barrier(End::Acquire, asleep);
    }

    /// Sleeps until a peer has rung since [`listen`](Self::listen), for `longest` at most; then it is risen.
    pub fn sleep(&mut self, longest: Duration) {
        let peers = self.peers.iter().zip(&self.heard);
        let peers = peers.filter(|(peer, _)| peer.presence() == Presence::Here);
        let words = peers.filter_map(|(peer, &heard)| Some((peer.get()?.word(), heard)));
        futex::wait_any(words, longest);
        self.rise();
    }

    /// Says that this thread does not sleep.
    pub fn rise(&mut self) {
        // A ring that still takes us for asleep costs it a system call and nothing else.
        self.file.body()[ASLEEP].store(0, Ordering::Relaxed);
    }
}
