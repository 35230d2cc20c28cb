//! Market frames to events, in one pass over the bytes, straight to integers at the instrument's scale.
//!
//! Two ways lead through a frame, and a short cut. `documented` reads the field orders that Binance documents and sends, straight
//! through. `fields` and `event` read any order and tolerate unknown fields; they decide whenever the first way sees
//! anything unusual, and so every refusal comes from them. `template` knows frames that lie as an earlier one did.

mod symbols;
mod levels;
mod documented;
#[cfg(target_arch = "x86_64")]
mod template;
mod fields;
mod event;
mod request;

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tape_tests;
#[cfg(test)]
pub(super) mod tests;
#[cfg(test)]
pub(super) use tape_tests::{lines, recordings, source};

use std::sync::Arc;

use crate::domain::{InstrumentIndex, Instruments, Market};
use crate::room::Line;
use crate::venue::{Frame, Source};

use super::json::{Cursor, TEXT_BYTES_MAX};
use super::number::{Avx2, ByWords, Reading};
use super::{DecodeError, MarketEvent};

use documented::Documented;
use fields::{Fields, Subject};
use levels::{Shapes, Sides};
pub(super) use symbols::SymbolTable;
#[cfg(target_arch = "x86_64")]
use template::{Templates, ending};

/// Decodes the market frames of Binance. Owned by one agent; it allocates only while its buffers grow to the largest
/// frame met.
#[derive(Debug)]
pub struct Decoder {
    instruments: Arc<Instruments>,
    /// One table a market, by the market's code.
    symbols: [SymbolTable; 3],
    /// By instrument.
    shapes: Box<[Shapes]>,
    sides: Sides,
    /// What numbers are read by, if the processor has it.
    avx2: Option<Avx2>,
    #[cfg(target_arch = "x86_64")]
    templates: Templates,
}

/// The markets, each in its place.
const MARKETS: [Market; 3] = [Market::Spot, Market::UsdMargined, Market::CoinMargined];

/// How many instruments a market has.
#[cfg(target_arch = "x86_64")]
fn listed(instruments: &Instruments, market: Market) -> usize {
    instruments.iter().filter(|(_, instrument)| instrument.market == market).count()
}

/// Place of a market's table.
const fn slot(market: Market) -> usize {
    match market {
        Market::Spot => 0,
        Market::UsdMargined => 1,
        Market::CoinMargined => 2,
    }
}

impl Decoder {
    /// A decoder for these instruments.
    #[must_use]
    pub fn new(instruments: Arc<Instruments>) -> Self {
        let symbols = MARKETS.map(|market| SymbolTable::new(&instruments, market));
        let avx2 = Avx2::detect();
        let shapes = instruments.iter().map(|(_, instrument)| Shapes::new(instrument, avx2)).collect();
        Self {
            #[cfg(target_arch = "x86_64")]
            templates: Templates::new(MARKETS.map(|market| listed(&instruments, market))),
            instruments,
            symbols,
            shapes,
            sides: Sides::new(),
            avx2,
        }
    }

    /// As on a processor without AVX2.
    #[cfg(test)]
    fn by_words(&mut self) {
        self.avx2 = None;
        self.shapes.iter_mut().for_each(|shapes| shapes.avx2 = None);
    }

    /// What the straight way alone makes of a frame.
    #[cfg(test)]
    fn straight(&mut self, frame: &Frame<'_>) -> Option<MarketEvent<'static>> {
        match self.avx2 {
            #[cfg(target_arch = "x86_64")]
            Some(reading) => self.documented(reading, frame),
            _ => self.documented(ByWords, frame),
        }
    }

    /// Has these lines of an instrument brought as soon as a frame has named it.
    pub fn bring(&mut self, lines: [Line; 2]) {
        self.symbols.iter_mut().for_each(|table| table.bring(lines));
    }

    /// The instruments it decodes for.
    #[must_use]
    pub fn instruments(&self) -> &Arc<Instruments> {
        &self.instruments
    }

    /// Decodes one frame (binance.md §4). Levels borrow the decoder's buffers until the next call.
    ///
    /// # Errors
    /// When the frame is not JSON, not of its event's shape, or holds a number that is not exact here. The error names
    /// the instrument as soon as the frame has: its book must not be trusted any more.
    #[inline]
    pub fn decode(&mut self, frame: &Frame<'_>) -> Result<MarketEvent<'_>, DecodeError> {
        match self.avx2 {
            #[cfg(target_arch = "x86_64")]
            Some(reading) => self.decode_avx2(reading, frame),
            _ => self.decode_by(ByWords, frame),
        }
    }

    /// By `reading`, all in one function, so that no event is moved on its way out.
    #[inline(always)]
    fn decode_by(
        &mut self,
        reading: impl Reading,
        frame: &Frame<'_>,
    ) -> Result<MarketEvent<'_>, DecodeError> {
        let event = match self.documented(reading, frame) {
            Some(event) => event,
            None => self.general(frame)?,
        };
        Ok(self.lend(event))
    }

    /// An event with the levels that were read of it.
    #[inline(always)]
    fn lend<'d>(&'d self, mut event: MarketEvent<'d>) -> MarketEvent<'d> {
        match &mut event {
            MarketEvent::Depth { bids, asks, .. } | MarketEvent::Snapshot { bids, asks, .. } => {
                *bids = self.sides.bids.levels();
                *asks = self.sides.asks.levels();
            }
            _ => {}
        }
        event
    }

    /// By templates first, compiled for the processors that the proof is of.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    #[allow(unsafe_code)]
    fn decode_avx2(&mut self, avx2: Avx2, frame: &Frame<'_>) -> Result<MarketEvent<'_>, DecodeError> {
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
        fn decode<'d>(
            decoder: &'d mut Decoder,
            avx2: Avx2,
            frame: &Frame<'_>,
        ) -> Result<MarketEvent<'d>, DecodeError> {
            let event = match decoder.alike(avx2, frame) {
                Some(event) => event,
                None => match decoder.documented(avx2, frame) {
                    Some(event) => {
                        let Decoder { templates, symbols, instruments, shapes, .. } = decoder;
                        let place = slot(frame.market);
                        let known = (&**instruments, &**shapes);
                        templates.missed(avx2, frame, (place, &symbols[place]), &event, known);
                        event
                    }
                    None => decoder.general(frame)?,
                },
            };
            Ok(decoder.lend(event))
        }
        // SAFETY: the processor has them, for there is an `Avx2`.
        unsafe { decode(self, avx2, frame) }
    }

    /// What a frame tells that lies as an earlier one did; levels are left in `sides`.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn alike(&mut self, avx2: Avx2, frame: &Frame<'_>) -> Option<MarketEvent<'static>> {
        if frame.source != Source::Stream {
            return None;
        }
        let place = slot(frame.market);
        let known = (place, &self.symbols[place]);
        match ending(frame.payload)? {
            b']' => {
                let head = self.templates.depth(avx2, frame, known)?;
                self.straight_way(avx2, frame).behind(&head)
            }
            last => self.templates.event(avx2, frame, last, known),
        }
    }

    /// The straight way; levels are left in `sides`.
    #[inline(always)]
    fn documented(&mut self, reading: impl Reading, frame: &Frame<'_>) -> Option<MarketEvent<'static>> {
        if frame.source != Source::Stream {
            return None;
        }
        self.straight_way(reading, frame).read()
    }

    #[inline(always)]
    fn straight_way<'d, 'f, R: Reading>(
        &'d mut self,
        reading: R,
        frame: &Frame<'f>,
    ) -> Documented<'d, 'f, R> {
        let Self { symbols, shapes, sides, .. } = self;
        let (rest, market) = (frame.payload, frame.market);
        let symbols = &symbols[slot(market)];
        Documented { reading, frame: rest, rest, market, symbols, shapes, sides }
    }

    /// The general way; levels are left in `sides`.
    #[inline(never)]
    fn general(&mut self, frame: &Frame<'_>) -> Result<MarketEvent<'static>, DecodeError> {
        self.sides.clear();
        let symbols = &self.symbols[slot(frame.market)];
        let mut fields = Fields::new(frame.payload, frame.market, symbols, &mut self.shapes, &mut self.sides);
        let found = match frame.source {
            // Binary is refused: it is not JSON.
            Source::Stream | Source::Sbe => fields.stream(),
            Source::Rest(url) => {
                let mut buffer = [0; TEXT_BYTES_MAX];
                match request::depth_symbol(url, &mut buffer) {
                    None => event::not_ours(frame.payload),
                    Some(None) => fields.snapshot(Subject::Untold),
                    Some(Some(symbol)) => {
                        let index = symbols.find(symbol, 0, symbol.len());
                        fields.snapshot(index.map_or(Subject::Unlisted, Subject::Listed))
                    }
                }
            }
        };
        let subject = fields.subject;
        found.map_err(|error| DecodeError { instrument: self.told(subject, frame), ..error })
    }

    /// Which instrument a broken frame was about: by its symbol, else by the name of its stream.
    #[cold]
    fn told(&self, subject: Subject, frame: &Frame<'_>) -> Option<InstrumentIndex> {
        if let Subject::Listed(instrument) = subject {
            return Some(instrument);
        }
        let mut cursor = Cursor::new(frame.payload, 0);
        cursor.literal(b"{\"stream\":\"")?;
        let name = cursor.string_rest().ok()?.raw.split(|&byte| byte == b'@').next()?;
        let mut symbol = [0; TEXT_BYTES_MAX];
        let symbol = symbol.get_mut(..name.len())?;
        symbol.copy_from_slice(name);
        symbol.make_ascii_uppercase();
        self.symbols[slot(frame.market)].find(symbol, 0, name.len())
    }
}
