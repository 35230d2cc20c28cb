//! Floods of equal rejects, gathered into one record.

use crate::domain::{InstrumentIndex, SourceId};
use crate::error::RejectCode;
use crate::hint::likely;
use crate::journal::Decision;
use crate::message::Intent;

/// Rejects in a row with one source, instrument and code. The first has a record of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flood {
    kind: Option<(SourceId, InstrumentIndex, RejectCode)>,
    latest: Intent,
    gathered: u16,
}

impl Flood {
    /// A reject that got a record of its own: more like it may be gathered behind it.
    pub(super) fn begin(&mut self, source: SourceId, intent: &Intent, code: RejectCode) {
        *self = Self { kind: Some((source, intent.instrument, code)), latest: *intent, gathered: 0 };
    }

    /// Gathers a reject, if it is like those before it.
    pub(super) fn absorbs(&mut self, source: SourceId, intent: &Intent, code: RejectCode) -> bool {
        if self.kind != Some((source, intent.instrument, code)) || self.gathered == u16::MAX {
            return false;
        }
        self.latest = *intent;
        self.gathered += 1;
        true
    }

    /// The record of what was gathered: the latest intent, and how many more there were.
    #[inline]
    pub(super) fn pending(&self) -> Option<Decision> {
        if likely(self.gathered == 0) {
            return None;
        }
        let (_, _, code) = self.kind?;
        let more = self.gathered - 1;
        Some(Decision::new(self.latest, code, more))
    }

    /// Something else follows, or the record is written.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reject_is_in_one_record() {
        let (intent, source) = (Intent { instrument: 5, ..Intent::default() }, SourceId(1));
        let mut flood = Flood::default();
        assert!(!flood.absorbs(source, &intent, RejectCode::Journal), "the first of a kind");
        flood.begin(source, &intent, RejectCode::Journal);
        assert_eq!(flood.pending(), None);
        for stamp in 1..=3 {
            assert!(flood.absorbs(source, &Intent { stamp, ..intent }, RejectCode::Journal));
        }
        let expected = Decision::new(Intent { stamp: 3, ..intent }, RejectCode::Journal, 2);
        assert_eq!(flood.pending(), Some(expected));
        assert!(!flood.absorbs(SourceId(2), &intent, RejectCode::Journal));
        assert!(!flood.absorbs(source, &Intent { instrument: 6, ..intent }, RejectCode::Journal));
        assert!(!flood.absorbs(source, &intent, RejectCode::RingFull));
        flood.clear();
        assert_eq!(flood.pending(), None);
    }

    #[test]
    fn a_record_that_can_count_no_further_takes_no_more() {
        let (intent, source) = (Intent::default(), SourceId(1));
        let mut flood = Flood::default();
        flood.begin(source, &intent, RejectCode::Journal);
        let taken = (0..=u32::from(u16::MAX)).filter(|_| flood.absorbs(source, &intent, RejectCode::Journal));
        assert_eq!(taken.count(), usize::from(u16::MAX));
        assert_eq!(flood.pending(), Some(Decision::new(intent, RejectCode::Journal, u16::MAX - 1)));
    }
}
