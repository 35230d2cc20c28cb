//! Where the simulated exchange's frames come from: a set of tapes, or a generated market.

use std::sync::Arc;

use crate::domain::{InstrumentIndex, Instruments, Market, Nanos};
use crate::error::SetupError;
use crate::venue::Frame;
use crate::venue::binance::frames::Read;
use crate::venue::generated::GeneratedMarket;
use crate::venue::link::Batch;
use crate::venue::replay::TapeSet;

/// Frames in the order of their times.
pub trait FrameSource: Send {
    /// When the next frame is due; `Nanos::NEVER` at the end.
    ///
    /// # Errors
    /// When the source cannot be read on.
    fn next_time(&mut self) -> Result<Nanos, SetupError>;

    /// Hands over the next frame. Does nothing at the end.
    ///
    /// # Errors
    /// When the source cannot be read on.
    fn next(&mut self, on_frame: &mut dyn FnMut(&Frame<'_>)) -> Result<(), SetupError>;

    /// As [`next`](Self::next), by a source whose frames were decoded before: hands over when the frame was received and each
    /// event of it. `None` from every source that hands over frames.
    #[inline]
    fn next_read(&mut self, _on_event: &mut dyn FnMut(Nanos, &Read<'_>)) -> Option<Result<(), SetupError>> {
        None
    }

    /// The next batch that [`next_read`](Self::next_read) has come to, each once: whoever is to hear the same reads it there.
    #[inline]
    fn begun(&mut self) -> Option<Arc<Batch>> {
        None
    }

    /// Looks, at `now`, for what cannot be foretold: when the next frame is due, or `None` from every source that has
    /// said so before.
    fn look(&mut self, _now: Nanos) -> Option<Nanos> {
        None
    }

    /// Asks for a depth snapshot, where the source can make one.
    fn request_snapshot(&mut self, instrument: InstrumentIndex, now: Nanos);
}

/// Recorded frames. A tape answers no requests: its next snapshot is whatever was recorded.
pub struct TapeFrames {
    tapes: TapeSet,
}

impl TapeFrames {
    /// Plays `tapes`.
    #[must_use]
    pub const fn new(tapes: TapeSet) -> Self {
        Self { tapes }
    }
}

impl FrameSource for TapeFrames {
    #[inline]
    fn next_time(&mut self) -> Result<Nanos, SetupError> {
        self.tapes.next_time()
    }

    #[inline]
    fn next(&mut self, on_frame: &mut dyn FnMut(&Frame<'_>)) -> Result<(), SetupError> {
        let Some(line) = self.tapes.next()? else { return Ok(()) };
        // What became of the recorded session's own orders is passed over: the replay has orders of its own.
        let Some(source) = line.source.market_data() else { return Ok(()) };
        on_frame(&Frame { received: line.received, market: line.market, source, payload: line.payload });
        Ok(())
    }

    fn request_snapshot(&mut self, _instrument: InstrumentIndex, _now: Nanos) {}
}

/// A generated market.
pub struct GeneratedFrames {
    market: GeneratedMarket,
    /// For each of the market's symbols, its index in the instrument table.
    symbols: Vec<Option<InstrumentIndex>>,
}

impl GeneratedFrames {
    /// Plays `market`, whose `symbols` are known to the engine by `instruments`.
    #[must_use]
    pub fn new(market: GeneratedMarket, symbols: &[String], instruments: &Arc<Instruments>) -> Self {
        let symbols = symbols.iter().map(|symbol| instruments.find(Market::Spot, symbol)).collect();
        Self { market, symbols }
    }
}

impl FrameSource for GeneratedFrames {
    fn next_time(&mut self) -> Result<Nanos, SetupError> {
        Ok(self.market.next_time())
    }

    fn next(&mut self, on_frame: &mut dyn FnMut(&Frame<'_>)) -> Result<(), SetupError> {
        self.market.next_frame(&mut |received, source, payload| {
            on_frame(&Frame { received, market: Market::Spot, source: *source, payload });
        });
        Ok(())
    }

    fn request_snapshot(&mut self, instrument: InstrumentIndex, now: Nanos) {
        if let Some(symbol) = self.symbols.iter().position(|&known| known == Some(instrument)) {
            self.market.request_snapshot(symbol, now);
        }
    }
}
