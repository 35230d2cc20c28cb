//! Every capacity of the engine in one place, with the relations between them asserted.

/// Bytes of a cache line on the machines we run on.
pub const CACHE_LINE: usize = 64;

/// Longest symbol, in bytes of UTF-8. Binance's longest listed in 2026 is under 30; a longer one is refused.
pub const SYMBOL_BYTES_MAX: usize = 40;

/// Longest name of an asset, in bytes.
pub const ASSET_BYTES_MAX: usize = 39;

/// Most instruments in one engine. Binance Spot lists about 3,500.
pub const INSTRUMENTS_MAX: usize = 16_384;

/// Most sources of intents (strategies, the clients of port 5556, the operator).
pub const SOURCES_MAX: usize = 64;

/// Levels a side that ingest publishes in a book cell.
pub const BOOK_CELL_LEVELS: usize = 20;

/// Most levels a side of a book may hold; more, and the book is not trusted. Deep books of liquid symbols hold some
/// ten thousand.
pub const BOOK_LEVELS_MAX: usize = 1 << 18;

/// Most diffs a book keeps while it waits for a snapshot: 13 minutes of a 100 ms stream.
pub const BOOK_BUFFER_DIFFS_MAX: usize = 8_192;

/// Most bytes a book keeps while it waits for a snapshot: about two minutes of the busiest symbol at 100 ms.
pub const BOOK_BUFFER_BYTES_MAX: usize = 1 << 20;

/// Largest frame accepted from a venue, in bytes. The largest recorded exchangeInfo is 3.3 MB.
pub const FRAME_BYTES_MAX: usize = 16 << 20;

/// Smallest capacity of a ring, in messages: one frame may publish a few ticks, one duty cycle a few intents,
/// and behaviour must not depend on the size of a ring.
pub const RING_CAPACITY_MIN: usize = 64;

/// Largest capacity of a ring, in messages.
pub const RING_CAPACITY_MAX: usize = 1 << 24;

/// Smallest ring of variable-length records, in bytes.
pub const BYTE_RING_MIN: usize = 4096;

/// Largest ring of variable-length records, in bytes: many of the largest frames.
pub const BYTE_RING_MAX: usize = 1 << 30;

/// Most counters in one file, and most latency histograms.
pub const COUNTERS_MAX: usize = 1 << 16;

/// Longest name of a counter or histogram, labels included, in bytes of UTF-8.
pub const COUNTER_NAME_BYTES_MAX: usize = 120;

/// Most messages an agent takes from one input in one duty cycle, so that no input starves another.
pub const POLL_BATCH: usize = 16;

/// Slots of an intent or order ring that new orders may not use: cancels always find room.
pub const CANCEL_RESERVE: usize = 16;

/// Finished orders that the simulated venue remembers for queries. The oldest is forgotten first, and the venue says
/// so rather than call it unknown.
pub const SIMULATED_HISTORY: usize = 16_384;

const _: () = {
    assert!(RING_CAPACITY_MIN.is_power_of_two() && RING_CAPACITY_MAX.is_power_of_two());
    assert!(CANCEL_RESERVE * 2 <= RING_CAPACITY_MIN);
    assert!(POLL_BATCH <= RING_CAPACITY_MIN);
    assert!(BYTE_RING_MIN.is_power_of_two() && BYTE_RING_MAX.is_power_of_two());
    assert!(FRAME_BYTES_MAX * 4 <= BYTE_RING_MAX);
};
