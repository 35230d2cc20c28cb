//! Recorded frames, read and decoded ahead on a thread of their own: a replay on two cores takes as long as the slower of
//! the two, and comes to the same end.

use std::collections::VecDeque;
use std::num::NonZero;
use std::sync::Arc;

use crate::domain::{InstrumentIndex, Instruments, Nanos};
use crate::error::SetupError;
use crate::simulation::source::{FrameSource, TapeFrames};
use crate::venue::Frame;
use crate::venue::binance::frames::{FrameDecoder, Read};
use crate::venue::link::{Batch, Place};
use crate::venue::replay::TapeSet;
use crate::venue::replay::ahead::Ahead;

/// Frames and levels of a batch, at which it is handed over: what both sides hold of them stays in their nearer caches.
const FULL: (usize, usize) = (1_024, 32_768);

/// What a set of tapes says, for an exchange whose engine is on its thread. Its frames are gone: neither a link nor faults can
/// have them.
pub struct FramesAhead {
    batches: Ahead<Arc<Batch>, SetupError>,
    batch: Arc<Batch>,
    place: Place,
    /// The batch before this one, which the engine's side may not be done with.
    before: Arc<Batch>,
    /// Batches that were begun, for the engine's side.
    begun: VecDeque<Arc<Batch>>,
}

impl FramesAhead {
    /// Starts the thread that reads `tapes`, as frames of `instruments`.
    ///
    /// # Errors
    /// When it cannot be started. What is wrong with a tape is told where it stands.
    pub fn start(tapes: TapeSet, instruments: Arc<Instruments>) -> Result<Self, SetupError> {
        let (mut frames, mut decoder) = (TapeFrames::new(tapes), FrameDecoder::new(instruments));
        let died = SetupError::Invalid("the thread that reads the tapes died".to_owned());
        let read = move |batch: &mut Arc<Batch>| fill(batch, &mut frames, &mut decoder);
        let batches = Ahead::start("read", died, read)
            .map_err(|error| SetupError::Invalid(format!("a thread to read the tapes: {error}")))?;
        let (batch, before) = (Arc::default(), Arc::default());
        Ok(Self { batches, batch, place: Place::default(), before, begun: VecDeque::new() })
    }

    /// Begins the next batch; `false` after the last.
    fn turn(&mut self) -> Result<bool, SetupError> {
        // By now the engine's side has done with the last but one, unless it is long behind: then another is made.
        let turned = self.batches.turn(&mut self.before)?;
        if turned {
            std::mem::swap(&mut self.batch, &mut self.before);
            self.place = Place::default();
            self.begun.push_back(Arc::clone(&self.batch));
        }
        Ok(turned)
    }
}

/// Recorded frames as a replay plays them: read ahead where a second core may be used, else as they are needed.
pub enum RecordedFrames {
    /// On the replay's own thread.
    Here(Box<TapeFrames>),
    /// On a thread of their own.
    Ahead(FramesAhead),
}

impl RecordedFrames {
    /// Plays `tapes`, as frames of `instruments`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn new(tapes: TapeSet, instruments: Arc<Instruments>) -> Result<Self, SetupError> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        if cores > 1 {
            FramesAhead::start(tapes, instruments).map(Self::from)
        } else {
            Ok(TapeFrames::new(tapes).into())
        }
    }
}

impl From<TapeFrames> for RecordedFrames {
    fn from(frames: TapeFrames) -> Self {
        Self::Here(Box::new(frames))
    }
}

impl From<FramesAhead> for RecordedFrames {
    fn from(frames: FramesAhead) -> Self {
        Self::Ahead(frames)
    }
}

/// Puts frames into `batch` until it is full, and says whether there are more.
fn fill(
    batch: &mut Arc<Batch>,
    frames: &mut TapeFrames,
    decoder: &mut FrameDecoder,
) -> Result<bool, SetupError> {
    if Arc::get_mut(batch).is_none() {
        *batch = Arc::default();
    }
    let batch = Arc::get_mut(batch).expect("nobody else has it");
    batch.clear();
    loop {
        let time = frames.next_time()?;
        if time == Nanos::NEVER {
            return Ok(false);
        }
        batch.frame(time);
        let mut is_frame = false;
        frames.next(&mut |frame| {
            is_frame = true;
            decoder.decode(frame, |read| batch.tell(read));
        })?;
        if !is_frame {
            batch.no_frame();
        }
        let (count, levels) = batch.size();
        if count >= FULL.0 || levels >= FULL.1 {
            return Ok(true);
        }
    }
}

impl FrameSource for FramesAhead {
    #[inline]
    fn next_time(&mut self) -> Result<Nanos, SetupError> {
        while self.batch.ends_at(self.place) && self.turn()? {}
        Ok(self.batch.arrival(self.place))
    }

    fn next(&mut self, _on_frame: &mut dyn FnMut(&Frame<'_>)) -> Result<(), SetupError> {
        Ok(())
    }

    #[inline(always)]
    fn next_read(&mut self, on_event: &mut dyn FnMut(Nanos, &Read<'_>)) -> Option<Result<(), SetupError>> {
        self.batch.read(&mut self.place, Nanos::ZERO, on_event);
        Some(Ok(()))
    }

    #[inline]
    fn begun(&mut self) -> Option<Arc<Batch>> {
        self.begun.pop_front()
    }

    fn request_snapshot(&mut self, _instrument: InstrumentIndex, _now: Nanos) {}
}

impl FrameSource for RecordedFrames {
    #[inline]
    fn next_time(&mut self) -> Result<Nanos, SetupError> {
        match self {
            Self::Here(frames) => frames.next_time(),
            Self::Ahead(frames) => frames.next_time(),
        }
    }

    #[inline]
    fn next(&mut self, on_frame: &mut dyn FnMut(&Frame<'_>)) -> Result<(), SetupError> {
        match self {
            Self::Here(frames) => frames.next(on_frame),
            Self::Ahead(frames) => frames.next(on_frame),
        }
    }

    #[inline(always)]
    fn next_read(&mut self, on_event: &mut dyn FnMut(Nanos, &Read<'_>)) -> Option<Result<(), SetupError>> {
        match self {
            Self::Here(frames) => frames.next_read(on_event),
            Self::Ahead(frames) => frames.next_read(on_event),
        }
    }

    #[inline]
    fn begun(&mut self) -> Option<Arc<Batch>> {
        match self {
            Self::Here(frames) => frames.begun(),
            Self::Ahead(frames) => frames.begun(),
        }
    }

    fn request_snapshot(&mut self, instrument: InstrumentIndex, now: Nanos) {
        match self {
            Self::Here(frames) => frames.request_snapshot(instrument, now),
            Self::Ahead(frames) => frames.request_snapshot(instrument, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::domain::Market;
    use crate::venue::binance::exchange_info::instruments;
    use crate::venue::generated::GeneratedMarket;

    /// What a source says, frame by frame, and how it ends.
    type Said = (Vec<(Nanos, Vec<String>)>, Result<(), String>);

    fn played(path: &Path, ahead: bool) -> Said {
        let market = GeneratedMarket::new(&["BTCUSDT"], 1, Nanos::ZERO, 1).expect("a market");
        let listed = instruments(&market.exchange_info(), Market::Spot).expect("listed");
        let table = Arc::new(Instruments::new(listed).expect("a table"));
        let tapes = TapeSet::open(&[path.to_path_buf()]).expect("a tape");
        let mut decoder = FrameDecoder::new(Arc::clone(&table));
        let mut source: RecordedFrames = if ahead {
            FramesAhead::start(tapes, table).expect("a thread").into()
        } else {
            TapeFrames::new(tapes).into()
        };
        let mut frames = Vec::new();
        let mut step = || {
            let (time, mut told) = (source.next_time()?, Vec::new());
            if time == Nanos::NEVER {
                return Ok(false);
            }
            let mut hear = |read: &Read<'_>| told.push(format!("{read:?}"));
            let read = source.next_read(&mut |received, read| {
                assert_eq!(received, time);
                hear(read);
            });
            assert_eq!(read.is_some(), ahead);
            match read {
                Some(outcome) => outcome?,
                None => source.next(&mut |frame| decoder.decode(frame, &mut hear))?,
            }
            frames.push((time, told));
            Ok::<_, SetupError>(true)
        };
        let end = loop {
            match step() {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error.to_string()),
            }
        };
        (frames, end)
    }

    /// Frames of every kind for some batches, among them lines of no market and one that cannot be read.
    fn text() -> String {
        let mut text = String::from(
            "1\trest https://api.binance.com/api/v3/depth?symbol=BTCUSDT\t\
             {\"lastUpdateId\":10,\"bids\":[[\"1.00\",\"2\"]],\"asks\":[[\"3.00\",\"4\"],[\"5.00\",\"6\"]]}\n",
        );
        for n in 2..3 * FULL.0 {
            let (source, frame) = match n % 5 {
                0 => (
                    "ws",
                    format!(
                        r#"{{"e":"depthUpdate","E":1700000000000,"s":"BTCUSDT","U":{n},"u":{n},"b":[["1.00","{n}"],["0.99","1"]],"a":[]}}"#
                    ),
                ),
                1 => ("user", "{}".to_owned()),
                2 => ("ws", format!(r#"{{"u":{n},"s":"BTCUSDT","b":"1.00","B":"2","a":"3.00","A":"4"}}"#)),
                3 => ("ws", format!(r#"{{"u":{n},"s":"BTCUSDT","b":"1.00","#)),
                _ => (
                    "ws",
                    format!(
                        r#"{{"e":"trade","E":1700000000000,"s":"BTCUSDT","t":{n},"p":"1","q":"1","T":1700000000000,"m":true,"M":true}}"#
                    ),
                ),
            };
            text.push_str(&format!("{n}\t{source}\t{frame}\n"));
        }
        text
    }

    #[test]
    fn what_was_read_ahead_is_what_is_read_here() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tape.tsv");
        std::fs::write(&path, text()).expect("written");
        let here = played(&path, false);
        assert_eq!((here.0.len(), &here.1), (3 * FULL.0 - 1, &Ok(())));
        let said = |what: &str| here.0.iter().any(|(_, told)| told.iter().any(|event| event.contains(what)));
        assert!(here.0.iter().any(|(_, told)| told.is_empty()), "a line of no market");
        for what in ["Ok(Depth", "Ok(Snapshot", "Ok(BookTicker", "Ok(Trade", "Err("] {
            assert!(said(what), "{what}");
        }
        assert_eq!(played(&path, true), here);
    }

    #[test]
    fn what_is_wrong_with_a_tape_is_told_behind_all_before_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tape.tsv");
        std::fs::write(&path, text() + "x\n").expect("written");
        let here = played(&path, false);
        assert!(here.1.as_ref().is_err_and(|error| error.contains("bad receive time")), "{:?}", here.1);
        assert_eq!(played(&path, true), here);
    }
}
