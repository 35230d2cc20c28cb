//! Trust as a state, and what became of diffs and snapshots.

use crate::wire::wire_enum;

wire_enum! {
    /// Why a book is not trusted.
    Distrust {
        /// No snapshot has been loaded yet.
        NeverSynced = 1 => "never_synced",
        /// A diff is missing.
        Gap = 2 => "gap",
        /// A frame of this book could not be read, or makes no sense.
        Malformed = 3 => "malformed",
        /// The best bid is not below the best ask.
        Crossed = 4 => "crossed",
        /// A side has more than `BOOK_LEVELS_MAX` levels.
        Overflow = 5 => "overflow",
        /// The stream was cut: the next one begins anew.
        Disconnected = 6 => "disconnected",
    }
}

/// Whether a book is the venue's book at its update id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It is.
    Trusted,
    /// It may not be. Nothing may be decided on it.
    Untrusted(Distrust),
}

/// What became of a diff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffOutcome {
    /// Its levels are set.
    Applied,
    /// It is older than the book, or a repetition: ignored.
    Stale,
    /// It waits for a snapshot.
    Buffered,
    /// Diffs are missing before it: the book is not trusted, and the diff waits for a snapshot.
    Gap,
    /// It makes no sense: nothing of it was applied, and the book is not trusted.
    Malformed,
    /// Its levels are set, but the sides cross or a side is too long: the book is not trusted.
    Unsound,
}

/// What became of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotOutcome {
    /// The book is loaded, continued by the diffs that waited, and trusted.
    Loaded,
    /// The book is trusted and as new: an answer that came late.
    Ignored,
    /// Diffs that follow it are gone. The book stays as it is, untrusted: another snapshot is needed.
    TooOld,
    /// It makes no sense: the book stays as it is.
    Malformed,
    /// The book is loaded, but the sides cross or a side is too long: it is not trusted.
    Unsound,
}

/// What happened to a book since the start. Written by its owner alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BookCounts {
    /// Places where the diff stream did not continue.
    pub gaps: u64,
    /// Diffs that were older than the book or repeated.
    pub stale: u64,
    /// Deletes of levels that the book does not hold: normal where the snapshot was cut at a depth.
    pub unknown_deletes: u64,
    /// Snapshots loaded after the first.
    pub resyncs: u64,
    /// Diffs dropped while they waited, for want of room or because a gap followed them.
    pub buffered_drops: u64,
    /// Diffs and snapshots that make no sense.
    pub malformed: u64,
    /// Times the book crossed or a side grew too long.
    pub unsound: u64,
    /// Snapshots that were too old.
    pub too_old: u64,
}
