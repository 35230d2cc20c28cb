//! `Tick`: ingest's broadcast, one line per event that matters to a decision.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::domain::{InstrumentIndex, Interval, Nanos, Price, Quantity, Side};
use crate::wire::wire_enum;

wire_enum! {
    /// What a tick tells, and so how its four `values` are read.
    TickKind {
        /// The best bid or ask changed: bid price, bid quantity, ask price, ask quantity (0 = side empty).
        Top = 1 => "top",
        /// A trade: price, quantity, trade id, aggressor's side code.
        Trade = 2 => "trade",
        /// A bar opened, moved or closed: open, high, low, close. `BarVolume` follows at once.
        Bar = 3 => "bar",
        /// The rest of the bar: volume, trades, open time (ms), 1 if closed.
        BarVolume = 4 => "bar_volume",
        /// The book's trust changed: 1 trusted, 0 not; then the book's update id.
        Trust = 5 => "trust",
        /// A stream that should speak is silent: nanoseconds since its last frame.
        Silence = 6 => "silence",
    }
}

/// Set in `flags` when the book was trusted at the moment of the tick.
pub const TRUSTED: u8 = 1;

/// Where in `flags` the code of a bar's interval begins, and the bits that it has.
const INTERVAL_SHIFT: u32 = 1;
const INTERVAL_BITS: u8 = 0x1f;

/// `flags` of a bar's ticks, but for [`TRUSTED`].
#[must_use]
pub const fn interval_flags(interval: Interval) -> u8 {
    interval.code() << INTERVAL_SHIFT
}

const _: () = assert!(Interval::ALL.len() <= INTERVAL_BITS as usize);

/// One event of the market: 56 bytes, so that with its sequence stamp it fills one cache line.
///
/// Written by ingest alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Tick {
    /// Four values, by [`kind`](Self::kind).
    pub values: [i64; 4],
    /// When the frame was received, on the engine's timeline.
    pub received: Nanos,
    /// The instrument.
    pub instrument: InstrumentIndex,
    /// Exchange event time minus `received`, in microseconds, held at the ends of its range. Recorders' clocks lag
    /// the exchange, so it may be positive.
    pub exchange_offset_us: i32,
    /// Stopwatch stamp (low 32 bits of nanoseconds) of when the frame was taken up, for `tick_to_order`.
    pub stamp: u32,
    /// Low bits of the book's version at this tick.
    pub book_version: u16,
    /// Code of a [`TickKind`].
    pub kind: u8,
    /// [`TRUSTED`], a bar's interval ([`interval_flags`]) and spare bits.
    pub flags: u8,
}

const _: () = assert!(size_of::<Tick>() == 56);

/// The best of each side of a book. A side without levels has price 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Top {
    /// Best bid.
    pub bid: Price,
    /// Quantity at the best bid.
    pub bid_quantity: Quantity,
    /// Best ask.
    pub ask: Price,
    /// Quantity at the best ask.
    pub ask_quantity: Quantity,
}

impl Top {
    /// Whether both sides have levels and they do not cross.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.bid.0 > 0 && self.bid.0 < self.ask.0
    }

    /// Twice the mid price: bid + ask, exact.
    #[must_use]
    pub const fn mid_times_two(&self) -> i64 {
        self.bid.0 + self.ask.0
    }
}

impl Tick {
    /// Whether the book was trusted at the moment of the tick.
    #[must_use]
    pub const fn trusted(&self) -> bool {
        self.flags & TRUSTED != 0
    }

    /// The interval of a bar; `None` in every other tick, and of a bar of another length than the venue's.
    #[must_use]
    pub fn interval(&self) -> Option<Interval> {
        Interval::try_from(self.flags >> INTERVAL_SHIFT & INTERVAL_BITS).ok()
    }

    /// The best bid and ask; meaningful for [`TickKind::Top`].
    #[must_use]
    pub const fn top(&self) -> Top {
        let [bid, bid_quantity, ask, ask_quantity] = self.values;
        Top {
            bid: Price(bid),
            bid_quantity: Quantity(bid_quantity),
            ask: Price(ask),
            ask_quantity: Quantity(ask_quantity),
        }
    }

    /// Price, quantity and aggressor of a trade; meaningful for [`TickKind::Trade`].
    #[must_use]
    pub fn trade(&self) -> (Price, Quantity, Option<Side>) {
        let side = u8::try_from(self.values[3]).ok().and_then(|code| Side::try_from(code).ok());
        (Price(self.values[0]), Quantity(self.values[1]), side)
    }
}
