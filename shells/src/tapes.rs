//! The tapes that a hosted ingest keeps: names, what a moment is on, and which are removed for room.
//!
//! ```text
//! DATA/INSTANCE/tapes/simulated-1764400000000000000.tsv.zst   named after the venue and the time at which it begins
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use engine::domain::Nanos;
use engine::error::SetupError;

use crate::config::Venue;
use crate::config::places::Places;

/// Ending of a tape's name: text, packed by zstd.
const ENDING: &str = ".tsv.zst";

/// Where the tapes of an instance are kept.
#[must_use]
pub fn directory(places: &Places) -> PathBuf {
    places.owned_by("ingest").join("tapes")
}

/// Name of a tape of `venue` that begins at `start`.
#[must_use]
pub fn name(venue: Venue, start: Nanos) -> String {
    format!("{venue}-{}{ENDING}", start.0)
}

/// The tape in `directory` that holds what came at `at`, if it was kept.
#[must_use]
pub fn covering(directory: &Path, at: Nanos) -> Option<PathBuf> {
    list(directory).into_iter().rev().find(|(start, _)| *start <= at).map(|(_, path)| path)
}

/// Removes the oldest tapes until those left take at most `most` bytes. Others' files are not touched.
///
/// # Errors
/// When one cannot be removed.
pub fn make_room(directory: &Path, most: u64) -> Result<(), SetupError> {
    let sized = |(_, path): (Nanos, PathBuf)| (fs::metadata(&path).map_or(0, |file| file.len()), path);
    let tapes: Vec<_> = list(directory).into_iter().map(sized).collect();
    let mut total: u64 = tapes.iter().map(|(bytes, _)| bytes).sum();
    for (bytes, path) in tapes {
        if total <= most {
            break;
        }
        fs::remove_file(&path).map_err(|error| SetupError::io(&path, "removing an old tape", error))?;
        total -= bytes;
    }
    Ok(())
}

/// Tapes in `directory` and when they begin, oldest first.
fn list(directory: &Path) -> Vec<(Nanos, PathBuf)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut tapes: Vec<_> = entries.filter_map(|entry| Some((start(&entry.path())?, entry.path()))).collect();
    tapes.sort();
    tapes
}

/// When the tape at `path` begins, if it is one.
fn start(path: &Path) -> Option<Nanos> {
    let name = path.file_name()?.to_str()?.strip_suffix(ENDING)?;
    let (venue, start) = name.rsplit_once('-')?;
    venue.parse::<Venue>().ok()?;
    start.parse().ok().map(Nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tape(directory: &Path, start: i64, bytes: usize) -> PathBuf {
        let path = directory.join(name(Venue::BinanceTestnet, Nanos(start)));
        fs::write(&path, vec![0; bytes]).expect("written");
        path
    }

    #[test]
    fn a_moment_is_on_the_last_tape_that_began_before_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let (first, second) = (tape(folder.path(), 99, 1), tape(folder.path(), 1_000, 1));
        assert_eq!(covering(folder.path(), Nanos(98)), None);
        assert_eq!(covering(folder.path(), Nanos(999)), Some(first));
        assert_eq!(covering(folder.path(), Nanos(5_000)), Some(second));
    }

    #[test]
    fn room_is_made_by_the_oldest_tapes_and_by_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().join("notes.txt");
        fs::write(&own, [0; 500]).expect("written");
        let tapes = [9, 10, 11].map(|start| tape(folder.path(), start, 100));
        make_room(folder.path(), 300).expect("nothing to do");
        assert!(tapes.iter().all(|path| path.exists()));
        make_room(folder.path(), 299).expect("made");
        assert_eq!(tapes.map(|path| path.exists()), [false, true, true]);
        assert!(own.exists());
    }
}
