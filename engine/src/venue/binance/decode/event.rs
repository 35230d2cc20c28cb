//! From the fields of a frame to the event it tells.

use crate::book::DiffIds;
use crate::domain::{InstrumentIndex, Market, Nanos, Price, Quantity, Side};
use crate::message::tick::Top;
use crate::venue::binance::json::{Cursor, TEXT_BYTES_MAX};
#[cfg(target_arch = "x86_64")]
use crate::venue::binance::number::Avx2;
use crate::venue::binance::number::{ByWords, Reading, fault, malformed};
use crate::venue::binance::{Bar, DecodeError, DecodeReason, MarketEvent, Skip};

use super::fields::{Fields, Key, Kind, Subject, bar_key};

/// The outside of a frame: what the walk over it has met.
#[derive(Default)]
struct Wrapper {
    stream: bool,
    /// Where `data` starts; 0 is absent.
    data: usize,
    /// `data` was walked as the event that it is.
    walked: bool,
    /// Whether `data` may be taken for the event before `stream` is met.
    guess: bool,
}

/// A frame that is none of ours: it must be JSON all the same.
pub(super) fn not_ours(bytes: &[u8]) -> Result<MarketEvent<'static>, DecodeError> {
    let mut cursor = Cursor::new(bytes, 0);
    cursor.skip()?;
    cursor.finish()?;
    Ok(MarketEvent::Skipped(Skip::Event))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
fn stream_avx2(fields: &mut Fields<'_, '_>, reading: Avx2) -> Result<MarketEvent<'static>, DecodeError> {
    fields.stream_by(reading)
}

impl<'f> Fields<'_, 'f> {
    /// The event of a stream frame, raw or combined, in the fastest way that the processor has.
    #[allow(unsafe_code)]
    pub(super) fn stream(&mut self) -> Result<MarketEvent<'static>, DecodeError> {
        match self.avx2 {
            // SAFETY: the processor has what it was compiled for.
            #[cfg(target_arch = "x86_64")]
            Some(reading) => unsafe { stream_avx2(self, reading) },
            _ => self.stream_by(ByWords),
        }
    }

    /// The same by `reading`.
    #[inline(always)]
    fn stream_by(&mut self, reading: impl Reading) -> Result<MarketEvent<'static>, DecodeError> {
        let mut cursor = Cursor::new(self.bytes, 0);
        cursor.space();
        if cursor.peek() != Some(b'{') {
            return not_ours(self.bytes);
        }
        // `data` before `stream` is most likely an event, so it is read on the way. Was it not, all is read again.
        let mut wrapper = Wrapper { guess: true, ..Wrapper::default() };
        let mut walk = self.outer_fields(cursor.at, &mut wrapper);
        if wrapper.walked && !wrapper.stream {
            self.forget();
            wrapper = Wrapper::default();
            walk = self.outer_fields(cursor.at, &mut wrapper);
        }
        cursor.at = walk?;
        cursor.finish()?;
        if wrapper.stream && wrapper.data != 0 && !wrapper.walked {
            if self.bytes[wrapper.data] != b'{' {
                return Ok(MarketEvent::Skipped(Skip::Event));
            }
            self.forget();
            self.event_fields(Cursor::new(self.bytes, wrapper.data))?;
        }
        self.event(reading)
    }

    /// Walks over the outermost object, which starts at `at`.
    #[inline(never)]
    fn outer_fields(&mut self, at: usize, wrapper: &mut Wrapper) -> Result<usize, DecodeError> {
        let mut cursor = Cursor::new(self.bytes, at);
        let mut buffer = [0; TEXT_BYTES_MAX];
        let mut more = cursor.opened()?;
        while more {
            if !wrapper.walked {
                let (at, ended) = self.plain_fields(cursor.at);
                cursor.at = at;
                if ended {
                    break;
                }
            }
            let key = cursor.next_key(&mut buffer)?;
            match *key {
                [_] if !wrapper.walked => self.event_field(&mut cursor, key)?,
                // Cursors go by value: one that is lent out lives in memory, and everything waits for it there.
                _ => cursor.at = self.outer_field(cursor, key, wrapper)?,
            }
            more = cursor.another()?;
        }
        Ok(cursor.at)
    }

    /// A field of the outermost object, and where it ends. With both `stream` and `data` it is a combined stream's wrapper and nothing
    /// else in it counts; with only one of them that one is an unknown field.
    #[inline(never)]
    fn outer_field(
        &mut self,
        mut cursor: Cursor<'f>,
        key: &[u8],
        wrapper: &mut Wrapper,
    ) -> Result<usize, DecodeError> {
        match key {
            b"stream" if wrapper.stream => return Err(malformed(cursor.at)),
            b"stream" => {
                wrapper.stream = true;
                cursor.skip()?;
            }
            b"data" if wrapper.data != 0 => return Err(malformed(cursor.at)),
            b"data" => {
                wrapper.data = cursor.at;
                let event = wrapper.stream || (wrapper.guess && self.is_empty());
                if event && cursor.peek() == Some(b'{') {
                    wrapper.walked = true;
                    self.forget();
                    return self.event_fields(cursor);
                }
                cursor.skip()?;
            }
            _ if wrapper.walked => cursor.skip()?,
            _ => self.event_field(&mut cursor, key)?,
        }
        Ok(cursor.at)
    }

    /// The snapshot of a REST answer to a depth request for `subject`.
    pub(super) fn snapshot(&mut self, subject: Subject) -> Result<MarketEvent<'static>, DecodeError> {
        self.kind = Some(Kind::Snapshot);
        self.subject = subject;
        let mut cursor = Cursor::new(self.bytes, 0);
        cursor.space();
        if cursor.peek() != Some(b'{') {
            return not_ours(self.bytes);
        }
        cursor.object(|cursor, key| match key {
            // An event's fields mean nothing in an answer.
            b"e" | b"s" => cursor.skip(),
            _ => self.event_field(cursor, key),
        })?;
        cursor.finish()?;
        if !(self.has(Key::SnapshotId) || self.has(Key::Bids) || self.has(Key::Asks)) {
            // The body of an error: {"code":..,"msg":..}.
            return Ok(MarketEvent::Skipped(Skip::Event));
        }
        self.answer_symbol()?;
        let instrument = match self.subject {
            Subject::Listed(instrument) => instrument,
            Subject::Unlisted => return Ok(MarketEvent::Skipped(Skip::Symbol)),
            Subject::Untold => return Err(fault(DecodeReason::Missing, 0)),
        };
        let last_update_id = self.unsigned(ByWords, Key::SnapshotId)?;
        self.late_levels(Key::Bids, instrument, 0)?;
        self.late_levels(Key::Asks, instrument, 1)?;
        Ok(MarketEvent::Snapshot { instrument, last_update_id, bids: &[], asks: &[] })
    }

    /// COIN-M answers name their symbol: it must be the one asked for.
    fn answer_symbol(&mut self) -> Result<(), DecodeError> {
        if !self.has(Key::SnapshotSymbol) {
            return Ok(());
        }
        let at = self.place(Key::SnapshotSymbol)?;
        let named = self.look_up(Cursor::new(self.bytes, at).string()?);
        if self.subject == Subject::Untold {
            self.subject = named;
        }
        if self.subject == named { Ok(()) } else { Err(malformed(at)) }
    }

    /// The event whose fields were walked.
    #[inline(always)]
    fn event(&mut self, reading: impl Reading) -> Result<MarketEvent<'static>, DecodeError> {
        let kind = match self.kind {
            Some(kind) => kind,
            // Spot's book ticker is the one event without a name (binance.md §4).
            None if self.is_book_ticker() => Kind::BookTicker,
            None => Kind::Other,
        };
        if kind == Kind::Other {
            return Ok(MarketEvent::Skipped(Skip::Event));
        }
        let at = self.place(Key::Symbol)?;
        let instrument = match self.subject {
            Subject::Listed(instrument) => instrument,
            Subject::Unlisted => return Ok(MarketEvent::Skipped(Skip::Symbol)),
            Subject::Untold => return Err(malformed(at)),
        };
        match kind {
            Kind::Depth => self.depth(reading, instrument),
            Kind::BookTicker => self.book_ticker(reading, instrument),
            Kind::Trade => self.trade(reading, instrument, Key::TradeId),
            Kind::AggregateTrade => self.trade(reading, instrument, Key::Ask),
            Kind::Kline => self.kline(instrument),
            Kind::Snapshot | Kind::Other => Ok(MarketEvent::Skipped(Skip::Event)),
        }
    }

    /// Enough of spot's `u s b B a A` to be one, so that one with a field missing is refused, not passed over.
    fn is_book_ticker(&self) -> bool {
        let all = |keys: &[Key]| keys.iter().all(|&key| self.has(key));
        all(&[Key::LastUpdate, Key::Symbol]) || all(&[Key::Bid, Key::BidQuantity, Key::Ask, Key::AskQuantity])
    }

    #[inline(always)]
    fn depth(
        &mut self,
        reading: impl Reading,
        instrument: InstrumentIndex,
    ) -> Result<MarketEvent<'static>, DecodeError> {
        let previous = match self.market {
            Market::Spot => None,
            Market::UsdMargined | Market::CoinMargined => Some(self.unsigned(reading, Key::PreviousUpdate)?),
        };
        let ids = DiffIds {
            first: self.unsigned(reading, Key::FirstUpdate)?,
            last: self.unsigned(reading, Key::LastUpdate)?,
            previous,
        };
        let event_time = self.time(reading, Key::EventTime)?;
        self.late_levels(Key::Bid, instrument, 0)?;
        self.late_levels(Key::Ask, instrument, 1)?;
        Ok(MarketEvent::Depth { instrument, ids, event_time, bids: &[], asks: &[] })
    }

    #[inline(always)]
    fn book_ticker(
        &mut self,
        reading: impl Reading,
        instrument: InstrumentIndex,
    ) -> Result<MarketEvent<'static>, DecodeError> {
        let (bid, bid_quantity) = self.amounts(reading, [Key::Bid, Key::BidQuantity], instrument)?;
        let (ask, ask_quantity) = self.amounts(reading, [Key::Ask, Key::AskQuantity], instrument)?;
        let top = Top { bid, bid_quantity, ask, ask_quantity };
        let update_id = self.unsigned(reading, Key::LastUpdate)?;
        let event_time =
            if self.has(Key::EventTime) { Some(self.time(reading, Key::EventTime)?) } else { None };
        Ok(MarketEvent::BookTicker { instrument, update_id, top, event_time })
    }

    /// A `trade` or an `aggTrade`, whose ids are `t` and `a`.
    #[inline(always)]
    fn trade(
        &mut self,
        reading: impl Reading,
        instrument: InstrumentIndex,
        id: Key,
    ) -> Result<MarketEvent<'static>, DecodeError> {
        let trade_id = self.unsigned(reading, id)?;
        let (price, quantity) = self.amounts(reading, [Key::Price, Key::Quantity], instrument)?;
        Ok(MarketEvent::Trade {
            instrument,
            trade_id,
            price,
            quantity,
            aggressor: if self.boolean(Key::BuyerIsMaker)? { Side::Sell } else { Side::Buy },
            event_time: self.time(reading, Key::EventTime)?,
            aggregate: id == Key::Ask,
        })
    }

    fn kline(&mut self, instrument: InstrumentIndex) -> Result<MarketEvent<'static>, DecodeError> {
        let event_time = self.time(ByWords, Key::EventTime)?;
        let at = self.place(Key::Bar)?;
        Cursor::new(self.bytes, at).object(|cursor, key| {
            if let Some(key) = bar_key(key) {
                self.note(key, cursor.at);
            }
            cursor.skip()
        })?;
        let (opened, _) = self.time_and_unit(ByWords, Key::Opened)?;
        // `T` is the last unit of time that still belongs to the bar.
        let (closed, unit) = self.time_and_unit(ByWords, Key::Closed)?;
        let length = closed - opened + unit;
        if length <= Nanos::ZERO {
            return Err(malformed(at));
        }
        let bar = Bar {
            open: Price(self.price(Key::Open, instrument)?),
            high: Price(self.price(Key::High, instrument)?),
            low: Price(self.price(Key::Low, instrument)?),
            close: Price(self.price(Key::Close, instrument)?),
            volume: Quantity(self.quantity(Key::Volume, instrument)?),
            trades: self.unsigned(ByWords, Key::Trades)?,
            opened,
            length,
            closed: self.boolean(Key::IsClosed)?,
        };
        Ok(MarketEvent::Kline { instrument, bar, event_time })
    }
}
