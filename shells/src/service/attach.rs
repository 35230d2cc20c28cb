//! Files that may not be there yet, or were replaced by a newer life of their owner.

use engine::domain::Nanos;
use engine::error::SetupError;

/// How often a file is looked for, or checked for a successor, at most.
const LOOK_EVERY: Nanos = Nanos::from_millis(100);

/// Something that can tell whether its file still stands under its name.
pub trait Current {
    /// Whether it does. A system call.
    fn is_current(&self) -> bool;
}

/// A reader of a file that comes and goes.
pub struct Attached<T> {
    attach: Box<dyn FnMut() -> Result<T, SetupError> + Send>,
    held: Option<T>,
    reason: String,
    due: Nanos,
    generation: u64,
}

impl<T: Current> Attached<T> {
    /// Attaches by `attach` when first refreshed.
    pub fn new(attach: impl FnMut() -> Result<T, SetupError> + Send + 'static) -> Self {
        Self {
            attach: Box::new(attach),
            held: None,
            reason: "not looked for yet".to_owned(),
            due: Nanos(i64::MIN),
            generation: 0,
        }
    }

    /// Looks, at most every 100 ms, whether the file is there and the same; returns whether it was attached anew.
    pub fn refresh(&mut self, now: Nanos) -> bool {
        if now < self.due {
            return false;
        }
        self.due = now.saturating_add(LOOK_EVERY);
        if self.held.as_ref().is_some_and(Current::is_current) {
            return false;
        }
        match (self.attach)() {
            Ok(reader) => {
                self.held = Some(reader);
                self.generation += 1;
                true
            }
            Err(error) => {
                self.held = None;
                self.reason = error.to_string();
                false
            }
        }
    }

    /// Looks at once, for whoever knows that there is something new.
    pub fn refresh_now(&mut self, now: Nanos) -> bool {
        self.due = now;
        self.refresh(now)
    }

    /// The reader.
    ///
    /// # Errors
    /// Why there is none.
    pub fn get(&self) -> Result<&T, &str> {
        self.held.as_ref().ok_or(self.reason.as_str())
    }

    /// The reader, to read on.
    pub const fn get_mut(&mut self) -> Option<&mut T> {
        self.held.as_mut()
    }

    /// Counts attachments: another number means another file.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }
}

macro_rules! current {
    ($($type:ty [$($generic:ident)?]),+ $(,)?) => {
        $(impl$(<$generic: engine::ring::Message>)? Current for $type {
            fn is_current(&self) -> bool {
                Self::is_current(self)
            }
        })+
    };
}
current!(
    engine::counters::CellReader<T> [T],
    engine::ring::broadcast::Reader<T> [T],
    engine::counters::CounterReader [],
    engine::counters::HistogramReader [],
    engine::counters::HaltReader [],
);

#[cfg(test)]
mod tests {
    use super::*;
    use engine::counters::{CounterReader, Counters};

    #[test]
    fn it_attaches_late_and_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("counters");
        let sought = path.clone();
        let mut attached = Attached::new(move || CounterReader::attach(&sought));
        assert!(!attached.refresh(Nanos::ZERO));
        assert!(attached.get().err().expect("missing").contains("counters"));
        let _first = Counters::create(&path, &["a"], 1).expect("made");
        assert!(!attached.refresh(Nanos::from_millis(99)), "not before the time is over");
        assert!(attached.refresh(Nanos::from_millis(100)));
        assert!(!attached.refresh(Nanos::from_millis(200)), "the same file");
        let _second = Counters::create(&path, &["b"], 2).expect("made");
        assert!(attached.refresh(Nanos::from_millis(300)));
        assert_eq!(attached.get().expect("attached").get("b"), Some(0));
        assert_eq!(attached.generation(), 2);
    }
}
