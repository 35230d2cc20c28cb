//! Placement: which agents share a thread, on which core it runs, and how it idles.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Which agents share a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Placement {
    /// All on one pinned thread, polled in the order of the path.
    Shared,
    /// One pinned thread each.
    Dedicated,
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shared => "shared",
            Self::Dedicated => "dedicated",
        })
    }
}

/// Threads that can be placed. `engine` is the shared one.
const THREADS: [&str; 6] = ["engine", "venue", "ingest", "strategy", "risk", "route"];

/// Core of each thread that has one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cores(BTreeMap<String, usize>);

impl Cores {
    /// The core of `thread`.
    #[must_use]
    pub fn of(&self, thread: &str) -> Option<usize> {
        self.0.get(thread).copied()
    }

    /// Every core that a thread is placed on, once a thread.
    pub fn all(&self) -> impl Iterator<Item = usize> {
        self.0.values().copied()
    }
}

impl FromStr for Cores {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut cores = BTreeMap::new();
        for part in text.split(',') {
            let (thread, core) =
                part.split_once('=').ok_or_else(|| format!("{part:?}: expected THREAD=CORE"))?;
            if !THREADS.contains(&thread) {
                return Err(format!("{thread:?} is no thread: {}", THREADS.join(", ")));
            }
            let core = core.parse().map_err(|_| format!("{core:?} is no core number"))?;
            if cores.insert(thread.to_owned(), core).is_some() {
                return Err(format!("{thread} is placed twice"));
            }
        }
        Ok(Self(cores))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_name_threads_that_exist_once() {
        let cores: Cores = "ingest=2,strategy=3".parse().expect("two cores");
        assert_eq!((cores.of("ingest"), cores.of("risk")), (Some(2), None));
        for bad in ["", "ingest", "ingest=x", "gateway=1", "risk=1,risk=2"] {
            assert!(bad.parse::<Cores>().is_err(), "{bad}");
        }
    }
}
