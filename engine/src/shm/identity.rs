//! What must agree before two processes share memory: the machine's boot and the engine's build.

use std::fs;

use rustix::time::{ClockId, clock_gettime};

use crate::error::SetupError;

const BOOT_ID_FILE: &str = "/proc/sys/kernel/random/boot_id";

/// The kernel's random id of this boot. A file left by an earlier boot is stale, whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootId(pub [u64; 2]);

impl BootId {
    /// Asks the kernel.
    ///
    /// # Errors
    /// When the kernel's file cannot be read or holds no UUID.
    pub fn read() -> Result<Self, SetupError> {
        let text = fs::read_to_string(BOOT_ID_FILE)
            .map_err(|source| SetupError::io(BOOT_ID_FILE, "read the boot id", source))?;
        Self::parse(&text).ok_or_else(|| SetupError::file(BOOT_ID_FILE, "holds no UUID"))
    }

    fn parse(text: &str) -> Option<Self> {
        let digits: String = text.trim().chars().filter(|&c| c != '-').collect();
        if digits.len() != 32 {
            return None;
        }
        let value = u128::from_str_radix(&digits, 16).ok()?;
        Some(Self([(value >> 64) as u64, value as u64]))
    }
}

/// Hash of the engine's sources and the lock file, computed by `build.rs`.
pub const BUILD_HASH: u64 = parse_hex(env!("ENGINE_BUILD_HASH"));

const fn parse_hex(text: &str) -> u64 {
    match u64::from_str_radix(text, 16) {
        Ok(value) => value,
        Err(_) => panic!("build.rs writes a hexadecimal number"),
    }
}

/// Nanoseconds since boot: names one creation of a file among all of this boot.
///
/// Time decides nothing here; it is a number that a later creation cannot repeat.
pub(super) fn instance() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_uuid_and_nothing_else() {
        let id = BootId::parse("00112233-4455-6677-8899-aabbccddeeff\n");
        assert_eq!(id, Some(BootId([0x0011_2233_4455_6677, 0x8899_aabb_ccdd_eeff])));
        for bad in
            ["", "00112233", "00112233-4455-6677-8899-aabbccddeefg", "00112233-4455-6677-8899-aabbccddeeff00"]
        {
            assert_eq!(BootId::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn this_boot_has_an_id() {
        let first = BootId::read().expect("a Linux kernel");
        assert_eq!(first, BootId::read().expect("a Linux kernel"));
        assert_ne!(first, BootId([0, 0]));
    }
}
