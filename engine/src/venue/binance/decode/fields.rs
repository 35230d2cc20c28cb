//! The general way through a frame: any field order, any white space, unknown fields.
//!
//! One walk notes where each known field's value starts; the event is built from those places. Levels are read
//! during the walk when the event and its instrument are known by then, which every documented order allows.

use crate::domain::{InstrumentIndex, Market, Nanos, Price, Quantity};
use crate::venue::binance::json::{Compact, Cursor, Marking, TEXT_BYTES_MAX, Text};
use crate::venue::binance::number::{Avx2, ByWords, Reading, fault, malformed, time};
use crate::venue::binance::{DecodeError, DecodeReason};

use super::levels::{self, Shapes, Sides};
use super::symbols::SymbolTable;

/// The fields that some event needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Event,
    EventTime,
    Symbol,
    FirstUpdate,
    LastUpdate,
    PreviousUpdate,
    Bid,
    Ask,
    BidQuantity,
    AskQuantity,
    TradeId,
    Price,
    Quantity,
    BuyerIsMaker,
    Bar,
    SnapshotId,
    Bids,
    Asks,
    SnapshotSymbol,
    // Of the bar inside a kline event.
    Opened,
    Closed,
    Open,
    High,
    Low,
    Close,
    Volume,
    Trades,
    IsClosed,
}

const KEYS: usize = Key::IsClosed as usize + 1;

/// The fields of an event that have a name of one letter, by the letter.
static LETTERS: [Option<Key>; 256] = {
    let mut letters = [None; 256];
    letters[b'e' as usize] = Some(Key::Event);
    letters[b'E' as usize] = Some(Key::EventTime);
    letters[b's' as usize] = Some(Key::Symbol);
    letters[b'U' as usize] = Some(Key::FirstUpdate);
    letters[b'u' as usize] = Some(Key::LastUpdate);
    letters[b'b' as usize] = Some(Key::Bid);
    letters[b'a' as usize] = Some(Key::Ask);
    letters[b'B' as usize] = Some(Key::BidQuantity);
    letters[b'A' as usize] = Some(Key::AskQuantity);
    letters[b't' as usize] = Some(Key::TradeId);
    letters[b'p' as usize] = Some(Key::Price);
    letters[b'q' as usize] = Some(Key::Quantity);
    letters[b'm' as usize] = Some(Key::BuyerIsMaker);
    letters[b'k' as usize] = Some(Key::Bar);
    letters
};

/// A field of an event.
#[inline(always)]
fn event_key(key: &[u8]) -> Option<Key> {
    Some(match *key {
        [letter] => return LETTERS[usize::from(letter)],
        _ if key == b"pu" => Key::PreviousUpdate,
        _ if key == b"lastUpdateId" => Key::SnapshotId,
        _ if key == b"bids" => Key::Bids,
        _ if key == b"asks" => Key::Asks,
        _ if key == b"symbol" => Key::SnapshotSymbol,
        _ => return None,
    })
}

/// A field of the bar inside a kline event.
pub(super) fn bar_key(key: &[u8]) -> Option<Key> {
    Some(match key {
        b"t" => Key::Opened,
        b"T" => Key::Closed,
        b"o" => Key::Open,
        b"h" => Key::High,
        b"l" => Key::Low,
        b"c" => Key::Close,
        b"v" => Key::Volume,
        b"n" => Key::Trades,
        b"x" => Key::IsClosed,
        _ => return None,
    })
}

/// The kinds of frames that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Depth,
    BookTicker,
    Trade,
    AggregateTrade,
    Kline,
    Snapshot,
    Other,
}

impl Kind {
    /// By the value of `e`.
    #[inline(always)]
    fn named(name: &[u8]) -> Self {
        match name {
            b"depthUpdate" => Self::Depth,
            b"bookTicker" => Self::BookTicker,
            b"trade" => Self::Trade,
            b"aggTrade" => Self::AggregateTrade,
            b"kline" => Self::Kline,
            _ => Self::Other,
        }
    }
}

/// Whether a frame's symbol is known by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Untold,
    Unlisted,
    Listed(InstrumentIndex),
}

/// What one walk over a frame found.
pub(super) struct Fields<'d, 'f> {
    pub(super) bytes: &'f [u8],
    pub(super) market: Market,
    pub(super) symbols: &'d SymbolTable,
    pub(super) shapes: &'d mut [Shapes],
    pub(super) sides: &'d mut Sides,
    /// What it is read by, if the processor has it.
    pub(super) avx2: Option<Avx2>,
    /// The event by `e`, or that it is a snapshot; `None` until told.
    pub(super) kind: Option<Kind>,
    pub(super) subject: Subject,
    /// Where each value starts; 0 is absent: no value of an object starts there.
    at: [usize; KEYS],
    /// Keys found twice, one bit each.
    twice: u64,
    /// Whether the walk has read the bids and the asks already.
    levels_read: [bool; 2],
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
fn plain_fields_avx2(fields: &mut Fields<'_, '_>, by: Avx2, at: usize) -> (usize, bool) {
    fields.plain_fields_by(by, at)
}

impl<'d, 'f> Fields<'d, 'f> {
    pub(super) fn new(
        bytes: &'f [u8],
        market: Market,
        symbols: &'d SymbolTable,
        shapes: &'d mut [Shapes],
        sides: &'d mut Sides,
    ) -> Self {
        Self {
            bytes,
            market,
            symbols,
            avx2: shapes.first().and_then(|shapes| shapes.avx2),
            shapes,
            sides,
            kind: None,
            subject: Subject::Untold,
            at: [0; KEYS],
            twice: 0,
            levels_read: [false; 2],
        }
    }

    /// Forgets what was found: it was the outside of a wrapper.
    pub(super) fn forget(&mut self) {
        self.kind = None;
        self.subject = Subject::Untold;
        self.at = [0; KEYS];
        self.twice = 0;
        self.levels_read = [false; 2];
        self.sides.clear();
    }

    /// Notes the values of the object at the cursor, which is the event.
    #[inline(never)]
    pub(super) fn event_fields(&mut self, mut cursor: Cursor<'f>) -> Result<usize, DecodeError> {
        let mut buffer = [0; TEXT_BYTES_MAX];
        let mut more = cursor.opened()?;
        while more {
            let (at, ended) = self.plain_fields(cursor.at);
            cursor.at = at;
            if ended {
                break;
            }
            let key = cursor.next_key(&mut buffer)?;
            self.event_field(&mut cursor, key)?;
            more = cursor.another()?;
        }
        Ok(cursor.at)
    }

    /// Notes and passes fields from the key at `at` on, as long as they are plain. Where the next key is, or where the
    /// object ends and that it did. The next field is then for [`Self::event_field`].
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(super) fn plain_fields(&mut self, at: usize) -> (usize, bool) {
        match self.avx2 {
            // SAFETY: the processor has what it was compiled for.
            #[cfg(target_arch = "x86_64")]
            Some(avx2) => unsafe { plain_fields_avx2(self, avx2, at) },
            _ => self.plain_fields_by(ByWords, at),
        }
    }

    /// The same, by a way to find them.
    #[inline(always)]
    fn plain_fields_by(&mut self, by: impl Marking, at: usize) -> (usize, bool) {
        let mut walk = Compact::new(by, self.bytes, at);
        while let Some(field) = walk.next() {
            if let Some(key) = LETTERS[usize::from(field.letter)] {
                // A key that was there before, and levels that are none.
                let levels = self.kind == Some(Kind::Depth) && matches!(key, Key::Bid | Key::Ask);
                if self.has(key) || levels {
                    break;
                }
                let at = walk.value_at();
                if key == Key::Event {
                    if !field.quoted {
                        break;
                    }
                    self.kind = Some(Kind::named(walk.text(&field)));
                } else if key == Key::Symbol && field.quoted {
                    let index = self.symbols.find_quoted(self.bytes, at + 1);
                    self.subject = index.map_or(Subject::Unlisted, |(index, _)| Subject::Listed(index));
                }
                self.note(key, at);
            }
            walk.pass(&field);
            if field.last {
                return (walk.at(), true);
            }
        }
        (walk.at(), false)
    }

    /// Notes a known key's value and reads or passes it.
    #[inline(always)]
    pub(super) fn event_field(&mut self, cursor: &mut Cursor<'f>, key: &[u8]) -> Result<(), DecodeError> {
        let Some(key) = event_key(key) else { return cursor.pass() };
        self.note(key, cursor.at);
        match key {
            Key::Event => self.event_name(cursor),
            Key::Symbol => self.symbol(cursor),
            Key::Bid | Key::Bids => self.levels_field(cursor, key, 0),
            Key::Ask | Key::Asks => self.levels_field(cursor, key, 1),
            _ => cursor.pass(),
        }
    }

    /// Notes where the value of `key` starts.
    #[inline(always)]
    pub(super) fn note(&mut self, key: Key, at: usize) {
        if self.at[key as usize] != 0 {
            self.twice |= 1 << key as usize;
        }
        self.at[key as usize] = at;
    }

    #[inline(always)]
    fn event_name(&mut self, cursor: &mut Cursor<'f>) -> Result<(), DecodeError> {
        let start = cursor.at;
        let mut buffer = [0; TEXT_BYTES_MAX];
        let name = cursor.string()?;
        if self.kind.is_some() {
            return Err(malformed(start));
        }
        self.kind = Some(name.resolve(&mut buffer).map_or(Kind::Other, Kind::named));
        Ok(())
    }

    #[inline(always)]
    fn symbol(&mut self, cursor: &mut Cursor<'f>) -> Result<(), DecodeError> {
        if cursor.peek() != Some(b'"') {
            return cursor.skip();
        }
        let start = cursor.at + 1;
        let text = cursor.string()?;
        self.subject = if text.escaped {
            self.look_up(text)
        } else {
            // Where it stands, because what is behind it may be read too.
            let index = self.symbols.find(self.bytes, start, text.raw.len());
            index.map_or(Subject::Unlisted, Subject::Listed)
        };
        Ok(())
    }

    /// Whether `text` is a listed symbol.
    pub(super) fn look_up(&self, text: Text<'_>) -> Subject {
        let mut buffer = [0; TEXT_BYTES_MAX];
        text.resolve(&mut buffer)
            .and_then(|symbol| self.symbols.find(symbol, 0, symbol.len()))
            .map_or(Subject::Unlisted, Subject::Listed)
    }

    #[inline(always)]
    fn levels_field(&mut self, cursor: &mut Cursor<'f>, key: Key, side: usize) -> Result<(), DecodeError> {
        let snapshot = matches!(key, Key::Bids | Key::Asks);
        match (self.kind, self.subject) {
            (Some(Kind::Depth), Subject::Listed(instrument)) if !snapshot => {
                self.levels(cursor, instrument, side)
            }
            (Some(Kind::Snapshot), Subject::Listed(instrument)) if snapshot => {
                self.levels(cursor, instrument, side)
            }
            _ => cursor.pass(),
        }
    }

    #[inline(always)]
    fn levels(
        &mut self,
        cursor: &mut Cursor<'f>,
        instrument: InstrumentIndex,
        side: usize,
    ) -> Result<(), DecodeError> {
        let shapes = &mut self.shapes[instrument as usize];
        let levels = if side == 0 { &mut self.sides.bids } else { &mut self.sides.asks };
        levels::read(cursor, shapes, levels)?;
        self.levels_read[side] = true;
        Ok(())
    }

    /// Reads the levels of `key` now, unless the walk did.
    pub(super) fn late_levels(
        &mut self,
        key: Key,
        instrument: InstrumentIndex,
        side: usize,
    ) -> Result<(), DecodeError> {
        let at = self.place(key)?;
        if self.levels_read[side] {
            return Ok(());
        }
        self.levels(&mut Cursor::new(self.bytes, at), instrument, side)
    }

    /// Whether no field was met yet.
    pub(super) fn is_empty(&self) -> bool {
        self.at == [0; KEYS]
    }

    /// Whether the frame has `key`.
    pub(super) fn has(&self, key: Key) -> bool {
        self.at[key as usize] != 0
    }

    /// Where the one value of `key` starts.
    ///
    /// # Errors
    /// When it is missing, or there twice: nobody can say which one counts.
    #[inline(always)]
    pub(super) fn place(&self, key: Key) -> Result<usize, DecodeError> {
        match self.at[key as usize] {
            0 => Err(fault(DecodeReason::Missing, self.bytes.len())),
            at if self.twice & 1 << key as usize != 0 => Err(malformed(at)),
            at => Ok(at),
        }
    }

    #[inline(always)]
    pub(super) fn unsigned(&self, reading: impl Reading, key: Key) -> Result<u64, DecodeError> {
        let at = self.place(key)?;
        Cursor::new(self.bytes, at).integer(reading.unsigned(self.bytes, at))
    }

    /// A time and the length of its unit.
    #[inline(always)]
    pub(super) fn time_and_unit(
        &self,
        reading: impl Reading,
        key: Key,
    ) -> Result<(Nanos, Nanos), DecodeError> {
        let at = self.place(key)?;
        let value = Cursor::new(self.bytes, at).integer(reading.milliseconds(self.bytes, at))?;
        time(value).ok_or_else(|| malformed(at))
    }

    #[inline(always)]
    pub(super) fn time(&self, reading: impl Reading, key: Key) -> Result<Nanos, DecodeError> {
        self.time_and_unit(reading, key).map(|(time, _)| time)
    }

    #[inline(always)]
    pub(super) fn boolean(&self, key: Key) -> Result<bool, DecodeError> {
        Cursor::new(self.bytes, self.place(key)?).boolean()
    }

    pub(super) fn price(&mut self, key: Key, instrument: InstrumentIndex) -> Result<i64, DecodeError> {
        let at = self.opened(key)?;
        self.shapes[instrument as usize].price.read(self.bytes, at).map(|(value, _)| value)
    }

    pub(super) fn quantity(&mut self, key: Key, instrument: InstrumentIndex) -> Result<i64, DecodeError> {
        let at = self.opened(key)?;
        self.shapes[instrument as usize].quantity.read(self.bytes, at).map(|(value, _)| value)
    }

    /// A price and a quantity, wherever they stand.
    #[inline(always)]
    pub(super) fn amounts(
        &mut self,
        reading: impl Reading,
        [price, quantity]: [Key; 2],
        instrument: InstrumentIndex,
    ) -> Result<(Price, Quantity), DecodeError> {
        if let (Ok(first), Ok(second)) = (self.opened(price), self.opened(quantity))
            && let Shapes { price, quantity, .. } = &self.shapes[instrument as usize]
            && let Some([price, quantity]) = reading.apart(self.bytes, [first, second], [price, quantity])
        {
            return Ok((Price(price), Quantity(quantity)));
        }
        Ok((Price(self.price(price, instrument)?), Quantity(self.quantity(quantity, instrument)?)))
    }

    /// Behind the opening quote of a string.
    #[inline(always)]
    fn opened(&self, key: Key) -> Result<usize, DecodeError> {
        let at = self.place(key)?;
        if self.bytes[at] == b'"' { Ok(at + 1) } else { Err(malformed(at)) }
    }
}
