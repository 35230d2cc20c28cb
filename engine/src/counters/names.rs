//! The table of names at the start of a file of counters or histograms.

use std::collections::BTreeSet;
use std::path::Path;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::error::SetupError;
use crate::limits::{COUNTER_NAME_BYTES_MAX, COUNTERS_MAX};
use crate::primitive::AtomicU64;
use crate::shm::words;

/// A name as it lies in the file.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Record {
    length: u64,
    text: [u8; COUNTER_NAME_BYTES_MAX],
}

/// Words of a name: two cache lines.
pub(super) const NAME_WORDS: usize = words::count::<Record>();

const _: () = assert!(NAME_WORDS == 16);

/// Checks that the names can be stored and told apart.
pub(super) fn check(path: &Path, names: &[&str]) -> Result<(), SetupError> {
    if names.len() > COUNTERS_MAX {
        let reason = format!("{} names are more than {COUNTERS_MAX}", names.len());
        return Err(SetupError::file(path, reason));
    }
    let mut seen = BTreeSet::new();
    for name in names {
        if name.is_empty() || name.len() > COUNTER_NAME_BYTES_MAX || name.chars().any(char::is_control) {
            let reason = format!(
                "{name:?} is no name of 1 to {COUNTER_NAME_BYTES_MAX} bytes without control characters"
            );
            return Err(SetupError::file(path, reason));
        }
        if !seen.insert(name) {
            return Err(SetupError::file(path, format!("the name {name} stands twice")));
        }
    }
    Ok(())
}

/// Writes checked names to the start of `body`.
pub(super) fn write(body: &[AtomicU64], names: &[&str]) {
    for (slot, name) in body.chunks_exact(NAME_WORDS).zip(names) {
        let mut record = Record { length: name.len() as u64, text: [0; COUNTER_NAME_BYTES_MAX] };
        record.text[..name.len()].copy_from_slice(name.as_bytes());
        words::store(slot, &record);
    }
}

/// Reads `count` names, each followed somewhere by `words_each` words of its own, from a body that anybody may have
/// written.
pub(super) fn read(
    path: &Path,
    body: &[AtomicU64],
    count: u64,
    words_each: usize,
) -> Result<Vec<String>, SetupError> {
    let count = usize::try_from(count).ok().filter(|&count| count <= COUNTERS_MAX);
    let count =
        count.ok_or_else(|| SetupError::file(path, format!("holds more than {COUNTERS_MAX} names")))?;
    if count * (NAME_WORDS + words_each) > body.len() {
        return Err(SetupError::file(path, format!("is too short for {count} names")));
    }
    let names = body.chunks_exact(NAME_WORDS).take(count).map(|slot| {
        let record: Record = words::load(slot);
        let text = usize::try_from(record.length).ok().and_then(|length| record.text.get(..length))?;
        std::str::from_utf8(text).ok().map(str::to_owned)
    });
    names.collect::<Option<_>>().ok_or_else(|| SetupError::file(path, "holds a name that is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(words: usize) -> Vec<AtomicU64> {
        (0..words).map(|_| AtomicU64::new(0)).collect()
    }

    #[test]
    fn names_survive() {
        let longest = "ä".repeat(COUNTER_NAME_BYTES_MAX / 2);
        let names = ["ticks_total", "lag{from=\"a\"}", longest.as_str()];
        let path = Path::new("file");
        check(path, &names).expect("good names");
        let body = body(3 * NAME_WORDS + 3);
        write(&body, &names);
        assert_eq!(read(path, &body, 3, 1).expect("names"), names);
        assert!(read(path, &body, 3, 2).is_err(), "too short for two words each");
        assert!(read(path, &body, u64::MAX, 1).is_err());
    }

    #[test]
    fn bad_names_are_refused() {
        let too_long = "x".repeat(COUNTER_NAME_BYTES_MAX + 1);
        for bad in [&[""][..], &["a\nb"], &["a", "b", "a"], &[too_long.as_str()]] {
            assert!(check(Path::new("file"), bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_hostile_table_is_refused() {
        let body = body(NAME_WORDS + 1);
        write(&body, &["ab"]);
        words::store(&body, &[121_u64]);
        assert!(read(Path::new("file"), &body, 1, 1).is_err(), "length beyond the record");
        words::store(&body, &[1_u64, 0xff]);
        assert!(read(Path::new("file"), &body, 1, 1).is_err(), "not UTF-8");
    }
}
