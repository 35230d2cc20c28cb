//! What is held of every reader of foreign bytes, whatever the bytes: it does not panic, it ends, and where there are
//! two ways to read, both say the same. Each check is a fuzz target, and runs in `engine/tests/fuzz.rs` too.

mod protocol;
mod shared;

/// Something that reads bytes from outside.
pub struct Check {
    /// Its name, and that of its fuzz target.
    pub name: &'static str,
    /// Reads `data` and panics when something does not hold.
    pub run: fn(&[u8]),
    /// Inputs that are taken, to begin from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every check.
pub static CHECKS: &[Check] = &[
    Check { name: "frames", run: protocol::frames, seeds: protocol::frame_seeds },
    Check { name: "snapshots", run: protocol::snapshots, seeds: protocol::snapshot_seeds },
    Check { name: "numbers", run: protocol::numbers, seeds: protocol::number_seeds },
    Check { name: "exchange_info", run: protocol::exchange_info, seeds: protocol::exchange_info_seeds },
    Check { name: "user_data", run: protocol::user_data, seeds: protocol::user_data_seeds },
    Check { name: "requests", run: protocol::requests, seeds: protocol::request_seeds },
    Check { name: "sbe", run: protocol::sbe, seeds: protocol::sbe_seeds },
    Check { name: "tapes", run: shared::tapes, seeds: shared::tape_seeds },
    Check { name: "records", run: shared::records, seeds: shared::record_seeds },
    Check { name: "segments", run: shared::segments, seeds: shared::segment_seeds },
    Check { name: "mappings", run: shared::mappings, seeds: shared::mapping_seeds },
];

/// Runs the check called `name`.
///
/// # Panics
/// When there is none, or something does not hold.
pub fn check(name: &str, data: &[u8]) {
    let check = CHECKS.iter().find(|check| check.name == name);
    (check.unwrap_or_else(|| panic!("no check {name}")).run)(data);
}
