//! What ingest counts.

use crate::counters::counter_set;

counter_set! {
    /// What ingest counted since it started. Written by ingest alone.
    IngestCounters {
        /// Frames taken.
        frames,
        /// Depth diffs applied.
        diffs,
        /// Depth diffs that told nothing new.
        diffs_stale,
        /// Snapshots taken.
        snapshots,
        /// Snapshots that were no use: older than the book, too old for the diffs that wait, or malformed.
        snapshots_unused,
        /// Level changes and trades seen: the unit in which replays are compared.
        events,
        /// Best bid and ask frames.
        book_tickers,
        /// Trades, single or aggregate.
        trades,
        /// Bar updates.
        bars,
        /// Frames of kinds that the engine does not use.
        skipped_events,
        /// Frames for symbols that are not in the table.
        skipped_symbols,
        /// Frames refused.
        malformed,
        /// Gaps in diff sequences.
        gaps,
        /// Times a book lost its trust.
        distrusts,
        /// Times a book won its trust.
        synchronised,
        /// Snapshots asked for.
        snapshots_requested,
        /// Times an instrument fell silent.
        silences,
        /// Ticks published.
        ticks,
    }
}
