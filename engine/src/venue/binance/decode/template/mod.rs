//! Frames that lie as an earlier one did.
//!
//! From one frame of a stream to the next little changes but digits: how many digits a quantity has before its point,
//! and `true` for `false`; and from one instrument's to another's the letters of its symbol. A template holds what was
//! learned of one: which bytes are fixed, which are digits or letters, and where its numbers and its symbol lie. A frame
//! that fits is compared a lane at a time, and nothing waits for where a number ends. What does not fit is read by
//! `documented`, from whose frames templates are made (`learn`), so both say the same.

mod learn;
mod slots;

use crate::book::DiffIds;
use crate::domain::{InstrumentIndex, Instruments, Market, Price, Quantity, Side};
use crate::message::tick::Top;
use crate::venue::Frame;
use crate::venue::binance::MarketEvent;
use crate::venue::binance::number::{
    Avx2, Digits, LANE, LANES, Lane, Layouts, Places, WHOLE_MAX, Wrong, time, window,
};

use super::MARKETS;
use super::documented::DepthHead;
use super::levels::Shapes;
use super::symbols::{Scales, SymbolPlace, SymbolTable};
use slots::Slots;

/// Most whole lanes up to the first quantity, or to the levels: symbols and the names of streams are long.
const HEAD: usize = 6;

/// Lanes from the end of the last quantity.
const TAIL: usize = 2;

/// Numbers up to the first quantity, or to the levels: `E`, `U`, `u` and `pu`.
const NUMBERS: usize = 4;

/// A number at a known place.
#[derive(Clone, Copy, Debug)]
struct Number {
    /// Where the sixteen bytes start in which it lies, from wherever its part of the frame does.
    at: usize,
    places: Places,
    /// What its digits are multiplied by.
    factor: u64,
}

impl Number {
    const NONE: Self = Self { at: 0, places: Places::NONE, factor: 1 };

    /// Its digits, in a part of the frame that starts at `start`.
    #[inline(always)]
    fn digits(&self, by: Avx2, frame: &[u8], start: usize) -> Option<Digits> {
        Some(by.digits_at(window(frame, start + self.at)?, &self.places))
    }
}

/// How the quantities of a frame lie.
#[derive(Clone, Copy, Debug)]
struct Quantities {
    layouts: &'static Layouts,
    factor: u64,
}

/// What is known of frames of one kind and way to arrive that lie alike, whatever instrument they are about: `head`, a quantity,
/// `middle`, a second quantity or `true` or `false`, `tail`. Of a depth frame only the head counts.
#[derive(Clone, Copy, Debug)]
struct Template {
    /// Decimals that their instruments have: digits are read for these.
    scales: Scales,
    /// Where they name their instrument.
    symbol: SymbolPlace,
    /// Lanes of `head` in use: whole ones; none before anything was learned.
    lanes: usize,
    head_length: usize,
    /// Where the last sixteen bytes of the middle start, from its start.
    middle_last: usize,
    tail_length: usize,
    wrapped: bool,
    quantities: Quantities,
    /// Of a book ticker `u` and `b`, of a trade `E`, `t` and `p`, of a depth frame `E`, `U`, `u` and `pu`.
    numbers: [Number; NUMBERS],
    /// `a` of a book ticker, from the start of the middle.
    ask: Number,
    /// `E` of a book ticker that has one; its `at` is how far before the end.
    event_time: Option<Number>,
    head: [Lane; HEAD],
    /// The last bytes of the head, some of them again.
    head_end: Lane,
    /// The first sixteen bytes of the middle, and the last.
    middle: Lane,
    /// The last bytes of the frame.
    tail: [Lane; TAIL],
}

impl Template {
    /// Whether nothing was learned.
    #[inline(always)]
    const fn is_nothing(&self) -> bool {
        self.lanes == 0
    }

    /// Whose a frame is, if its head is right: a listed instrument's with such numbers.
    #[inline(always)]
    fn whose(&self, by: Avx2, frame: &[u8], symbols: &SymbolTable) -> Option<InstrumentIndex> {
        self.has_head(by, frame)?;
        symbols.find_at(&self.symbol, self.scales, frame)
    }

    /// Whether the head is right. By itself, for among many instruments it may well not be.
    #[inline(always)]
    fn has_head(&self, by: Avx2, frame: &[u8]) -> Option<()> {
        let (lanes, _) = frame.as_chunks::<LANE>();
        let lanes = lanes.get(..self.lanes).filter(|lanes| !lanes.is_empty())?;
        let end = frame.get(..self.head_length)?.last_chunk()?;
        let mut wrong = by.judge(end, &self.head_end);
        // A loop: a closure would not be compiled for the processor.
        for (bytes, lane) in lanes.iter().zip(&self.head) {
            wrong = by.both(wrong, by.judge(bytes, lane));
        }
        by.is_right(wrong).then_some(())
    }

    /// What is wrong with the tail.
    #[inline(always)]
    fn judge_tail(&self, by: Avx2, frame: &[u8]) -> Option<Wrong> {
        let [first, last] = frame.last_chunk::<{ LANE * TAIL }>()?.as_chunks().0 else { return None };
        Some(by.both(by.judge(first, &self.tail[0]), by.judge(last, &self.tail[1])))
    }

    /// The quantity behind the head, and where the middle starts, with what is wrong with either.
    #[inline(always)]
    fn quantity(&self, by: Avx2, frame: &[u8]) -> Option<(Digits, usize, Wrong)> {
        let layouts = self.quantities.layouts;
        let bytes = window(frame, self.head_length)?;
        let whole = by.whole_digits(bytes, layouts);
        if !(1..=WHOLE_MAX).contains(&whole) {
            return None;
        }
        let (digits, wrong) = by.decimal(bytes, layouts, whole);
        let middle = self.head_length + whole + layouts.behind;
        let halves = [window(frame, middle)?, window(frame, middle + self.middle_last)?];
        Some((digits, middle, by.both(wrong, by.judge_halves(halves, &self.middle))))
    }

    #[inline(always)]
    fn amount(&self, value: u64, number: &Number) -> i64 {
        // Below 10^15, as in `Shape::joined`.
        (value * number.factor).cast_signed()
    }

    #[inline(always)]
    fn size(&self, value: u64) -> Quantity {
        Quantity((value * self.quantities.factor).cast_signed())
    }

    #[inline(always)]
    fn book_ticker(
        &self,
        by: Avx2,
        frame: &[u8],
        instrument: InstrumentIndex,
    ) -> Option<MarketEvent<'static>> {
        let (bid_size, middle, wrong) = self.quantity(by, frame)?;
        let layouts = self.quantities.layouts;
        let end = frame.len().checked_sub(self.tail_length)?;
        let whole = end.checked_sub(middle + self.middle_last + LANES + layouts.behind)?;
        if !(1..=WHOLE_MAX).contains(&whole) {
            return None;
        }
        let (ask_size, wrong_size) = by.decimal_before(window(frame, end - LANES)?, layouts, whole);
        let wrong = by.both(by.both(wrong, wrong_size), self.judge_tail(by, frame)?);
        if !by.is_right(wrong) {
            return None;
        }
        let [id, bid, ..] = &self.numbers;
        let [update_id, bid_price] = by.integers(id.digits(by, frame, 0)?, bid.digits(by, frame, 0)?);
        let [bid_size, ask_price] = by.integers(bid_size, self.ask.digits(by, frame, middle)?);
        let (ask_size, event_time) = match &self.event_time {
            Some(number) => {
                let digits = by.digits_at(window(frame, frame.len() - number.at)?, &number.places);
                let [size, at] = by.integers(ask_size, digits);
                (size, Some(time(at)?.0))
            }
            None => (by.integers(ask_size, ask_size)[0], None),
        };
        let top = Top {
            bid: Price(self.amount(bid_price, bid)),
            bid_quantity: self.size(bid_size),
            ask: Price(self.amount(ask_price, &self.ask)),
            ask_quantity: self.size(ask_size),
        };
        Some(MarketEvent::BookTicker { instrument, update_id, top, event_time })
    }

    #[inline(always)]
    fn trade(&self, by: Avx2, frame: &[u8], instrument: InstrumentIndex) -> Option<MarketEvent<'static>> {
        let (size, middle, wrong) = self.quantity(by, frame)?;
        let end = frame.len().checked_sub(self.tail_length)?;
        let aggressor = match frame.get(middle + self.middle_last + LANES..end)? {
            b"true" => Side::Sell,
            b"false" => Side::Buy,
            _ => return None,
        };
        if !by.is_right(by.both(wrong, self.judge_tail(by, frame)?)) {
            return None;
        }
        let [told_at, id, price, _] = &self.numbers;
        let [at, trade_id] = by.integers(told_at.digits(by, frame, 0)?, id.digits(by, frame, 0)?);
        let [value, size] = by.integers(price.digits(by, frame, 0)?, size);
        Some(MarketEvent::Trade {
            instrument,
            trade_id,
            price: Price(self.amount(value, price)),
            quantity: self.size(size),
            aggressor,
            event_time: time(at)?.0,
            aggregate: false,
        })
    }

    #[inline(always)]
    fn depth(
        &self,
        by: Avx2,
        frame: &[u8],
        (market, instrument): (Market, InstrumentIndex),
    ) -> Option<DepthHead> {
        let [told_at, first, last, previous] = &self.numbers;
        let [at, first] = by.integers(told_at.digits(by, frame, 0)?, first.digits(by, frame, 0)?);
        let [last, previous] = by.integers(last.digits(by, frame, 0)?, previous.digits(by, frame, 0)?);
        Some(DepthHead {
            instrument,
            ids: DiffIds { first, last, previous: (market != Market::Spot).then_some(previous) },
            event_time: time(at)?.0,
            levels: self.head_length,
            wrapped: self.wrapped,
        })
    }
}

/// The kinds of frames that there are templates of; also their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    BookTicker,
    Trade,
    Depth,
}

impl Kind {
    const ALL: usize = 3;
}

/// The last byte of a frame before the braces that close it, by which kinds are told apart: where a combined stream's
/// frame names its event depends on how long the names before are. `None` of what is too short for any template.
#[inline(always)]
pub(super) const fn ending(frame: &[u8]) -> Option<u8> {
    let Some([.., outer, inner, _]) = frame.last_chunk::<{ LANE * TAIL }>() else { return None };
    Some(if *inner == b'}' { *outer } else { *inner })
}

/// A frame to learn of, and what it told.
struct Lesson<'l> {
    frame: &'l Frame<'l>,
    kind: Kind,
    event: &'l MarketEvent<'l>,
    /// Of its instrument.
    scales: Scales,
    shapes: &'l Shapes,
    /// Of its market.
    symbols: &'l SymbolTable,
}

/// The templates of a decoder.
#[derive(Debug)]
pub(super) struct Templates {
    slots: Slots,
}

impl Templates {
    /// For so many instruments of each market.
    pub(super) fn new(instruments: [usize; MARKETS.len()]) -> Self {
        Self { slots: Slots::new(instruments) }
    }

    /// What a frame tells that has no levels and [ends](ending) so, if it fits; `place` and `symbols` are its market's.
    #[inline(always)]
    pub(super) fn event(
        &mut self,
        by: Avx2,
        Frame { payload: frame, .. }: &Frame<'_>,
        last: u8,
        (place, symbols): (usize, &SymbolTable),
    ) -> Option<MarketEvent<'static>> {
        let slots = &mut self.slots;
        // The kind is a question for itself, and no place in an array: places would wait for the frame's bytes.
        Some(if last == b'e' {
            let (slot, instrument) = slots.find(by, frame, (place, Kind::Trade), symbols)?;
            let event = slot.template.trade(by, frame, instrument)?;
            slot.fitted();
            event
        } else {
            let (slot, instrument) = slots.find(by, frame, (place, Kind::BookTicker), symbols)?;
            let event = slot.template.book_ticker(by, frame, instrument)?;
            slot.fitted();
            event
        })
    }

    /// What a depth frame tells up to its levels, if it fits; the same.
    #[inline(always)]
    pub(super) fn depth(
        &mut self,
        by: Avx2,
        Frame { payload: frame, market, .. }: &Frame<'_>,
        (place, symbols): (usize, &SymbolTable),
    ) -> Option<DepthHead> {
        let (slot, instrument) = self.slots.find(by, frame, (place, Kind::Depth), symbols)?;
        let head = slot.template.depth(by, frame, (*market, instrument))?;
        slot.fitted();
        Some(head)
    }

    /// Notes a frame that fitted nothing, the last that was asked about, and what it told.
    #[inline(always)]
    pub(super) fn missed(
        &mut self,
        by: Avx2,
        frame: &Frame<'_>,
        (place, symbols): (usize, &SymbolTable),
        event: &MarketEvent<'_>,
        (instruments, shapes): (&Instruments, &[Shapes]),
    ) {
        let (kind, instrument) = match *event {
            MarketEvent::BookTicker { instrument, .. } => (Kind::BookTicker, instrument),
            MarketEvent::Trade { instrument, .. } => (Kind::Trade, instrument),
            MarketEvent::Depth { instrument, .. } => (Kind::Depth, instrument),
            MarketEvent::Snapshot { .. } | MarketEvent::Kline { .. } | MarketEvent::Skipped(_) => return,
        };
        if ending(frame.payload).is_none() {
            // So short a frame fits none, and none was asked.
            return;
        }
        let Some(place_of) = self.slots.missed(by, frame.payload, (place, kind)) else { return };
        let (Some(known), Some(shapes)) = (instruments.get(instrument), shapes.get(instrument as usize))
        else {
            return;
        };
        let lesson = Lesson { frame, kind, event, scales: Scales::of(known), shapes, symbols };
        self.slots.learn(by, (place, place_of), &lesson);
    }
}

#[cfg(test)]
mod tests;
