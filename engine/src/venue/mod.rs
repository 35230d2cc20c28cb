//! Venues: two traits, bytes in and bytes out, and everything that stands behind them.
//!
//! Live is Binance for both; a replay is a tape and simulated fills; `trading run` is a generated market and
//! simulated fills. The agents see only the traits.

mod kept;
pub mod binance;
pub mod replay;
pub mod generated;
pub mod simulated;
pub mod exchange;
pub mod link;

use std::fmt;

use crate::domain::{InstrumentIndex, Liquidity, Market, Nanos, OrderId, Price, Quantity, Side};
use crate::message::Order;
use crate::message::report::{FeeAsset, OrderState};
use crate::venue::binance::frames::Read;

pub use kept::{KeptFrame, KeptSource};

/// Where a frame came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// A market stream in JSON.
    Stream,
    /// A market stream in SBE.
    Sbe,
    /// The answer to a REST request for this URL.
    Rest(&'a str),
}

/// One message of the venue, as it was received.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it was received, on the engine's timeline.
    pub received: Nanos,
    /// The market whose feed carried it: symbols repeat across markets.
    pub market: Market,
    /// Where it came from.
    pub source: Source<'a>,
    /// Its bytes.
    pub payload: &'a [u8],
}

/// Market data of a venue, without blocking.
pub trait MarketData {
    /// Hands over the next frame that has arrived by `now`, or returns `false` if there is none.
    fn poll(&mut self, now: Nanos, on_frame: &mut dyn FnMut(&Frame<'_>)) -> bool;

    /// As [`poll`](Self::poll), by a feed whose frames were decoded before: hands over when the frame was received and
    /// each event of it. `None` from every feed that hands over frames.
    #[inline]
    fn poll_read(&mut self, _now: Nanos, _on_event: &mut dyn FnMut(Nanos, &Read<'_>)) -> Option<bool> {
        None
    }

    /// When the next frame arrives, where that is known (virtual time); else `Nanos::NEVER`.
    fn next_deadline(&self) -> Nanos;

    /// Whether to find no frame costs a look at memory, as it does at a ring; to ask the kernel takes as long as a stage.
    #[inline]
    fn is_near(&self) -> bool {
        false
    }

    /// Times that a connection to the venue was made again.
    fn reconnects(&self) -> u64 {
        0
    }

    /// Asks for a depth snapshot of `instrument`, whose book is not trusted. The answer is a frame.
    fn request_snapshot(&mut self, instrument: InstrumentIndex, now: Nanos);
}

/// What the venue said of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VenueEventKind {
    /// It is on the book.
    Accepted,
    /// It was refused; nothing of it reached the book.
    Rejected {
        /// The venue's code, such as -2010.
        code: i32,
    },
    /// It traded.
    Trade {
        /// Price of the trade.
        price: Price,
        /// Quantity of the trade.
        quantity: Quantity,
        /// The venue's id of the trade.
        trade_id: u64,
        /// Fee, in units of `10^-8`.
        fee: i64,
        /// What the fee was taken in.
        fee_asset: FeeAsset,
        /// Whether we made or took.
        liquidity: Liquidity,
    },
    /// It was cancelled.
    Canceled,
    /// It expired.
    Expired,
    /// The cancel was refused.
    CancelRejected {
        /// The venue's code, such as -2011.
        code: i32,
    },
    /// Its quantity was lowered.
    Amended {
        /// What it is now, filled and unfilled.
        quantity: Quantity,
    },
    /// The amendment was refused: the quantity is as it was.
    AmendRejected {
        /// The venue's code, such as -2038.
        code: i32,
    },
    /// Whatever the account had open on the instrument is cancelled, or there was nothing. Of the request that asked for
    /// it, like the next.
    Swept,
    /// That was refused.
    SweepRejected {
        /// The venue's code, such as -1121.
        code: i32,
    },
    /// The outcome of the request is not known: a time-out, 5XX, -1006 or -1007.
    Unknown,
    /// Answer to a query; the cumulative quantity is in `cumulative`.
    QueryState {
        /// Where the order is in its life.
        state: OrderState,
        /// The quantity that it has now; 0 where the venue does not say.
        quantity: Quantity,
    },
    /// Answer to a query: the venue knows no such order (-2013).
    QueryNotFound,
    /// The connection is made, or made again: what happened meanwhile is not known. Of no order, like the rest below.
    Connected,
    /// As `Connected`, by a way on which requests leave and are answered, and nobody tells what becomes of an order later:
    /// until the next `Connected` that has to be asked for.
    StoodIn,
    /// The connection is lost: requests do not leave, events do not come.
    Disconnected,
    /// An order is open: one of the answers to [`Question::OpenOrders`], with what is to be known of an order that
    /// another life of the engine sent.
    OpenOrder {
        /// Where it is in its life.
        state: OrderState,
        /// Its side.
        side: Side,
        /// Its limit; `Price::NONE` where it has none.
        price: Price,
        /// The quantity that it has now, filled and unfilled.
        quantity: Quantity,
    },
    /// Every open order of ours has been told, each as an `OpenOrder`, in answer to [`Question::OpenOrders`].
    OpenOrdersTold,
    /// The trades asked for have been told: of the event's order, or of its instrument where it names no order.
    TradesTold,
    /// The venue takes no requests before `until` (429).
    Throttled {
        /// On the engine's timeline.
        until: Nanos,
    },
    /// The venue has banned us until `until` (418): somebody must look.
    Banned {
        /// On the engine's timeline.
        until: Nanos,
    },
}

/// An answer or user event of the venue about one of our orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueEvent {
    /// What happened.
    pub kind: VenueEventKind,
    /// Our id of the order, or of a request that names none; `OrderId::NONE` for a trade that names only the venue's id,
    /// and for what is of neither.
    pub id: OrderId,
    /// The venue's id of the order; 0 where it gave none.
    pub venue_order_id: u64,
    /// Filled so far, by the venue's account.
    pub cumulative: Quantity,
    /// The instrument.
    pub instrument: InstrumentIndex,
    /// When we received it, on the engine's timeline.
    pub received: Nanos,
}

/// The venue could not take a request: nothing left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSent;

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection to the venue takes no request now")
    }
}

/// How much of the venue's limits is used, in millionths of each; nothing where it has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitsUsed {
    /// Request weight of this minute.
    pub weight_ppm: u64,
    /// New orders, of the window that is nearest to its limit.
    pub orders_ppm: u64,
}

/// What route asks a venue when events alone do not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Every open order of the account. Answered by an `OpenOrder` for each of ours, then `OpenOrdersTold`.
    OpenOrders,
    /// The trades of one order, by the venue's id of it, from a trade's id on. Answered by a `Trade` each, then
    /// `TradesTold`.
    TradesOf {
        /// The instrument.
        instrument: InstrumentIndex,
        /// The order.
        id: OrderId,
        /// The venue's id of it.
        venue_order_id: u64,
        /// The first that is wanted; 0 for all.
        trade_id: u64,
    },
    /// The trades of an instrument from a trade's id on. Answered by a `Trade` each, then `TradesTold`.
    TradesFrom {
        /// The instrument.
        instrument: InstrumentIndex,
        /// The first that is wanted.
        trade_id: u64,
    },
}

/// Order entry of a venue, without blocking. Taken is what left, or is kept to leave by the end of the duty cycle.
pub trait OrderEntry {
    /// Sends a new order, alone or in the place of the intent's target, a cancel or an amendment of the target, or a
    /// cancel of all on its instrument.
    ///
    /// # Errors
    /// When nothing of it left: the caller may say so with certainty.
    fn send(&mut self, order: &Order, now: Nanos) -> Result<(), NotSent>;

    /// Sends two new orders in one request of which one cancels the other: `above` waits at the higher price.
    ///
    /// # Errors
    /// When nothing of it left; always for a venue that takes no pairs.
    fn send_pair(&mut self, above: &Order, below: &Order, now: Nanos) -> Result<(), NotSent> {
        let _ = (above, below, now);
        Err(NotSent)
    }

    /// Asks what became of `id`. The answer is an event.
    ///
    /// # Errors
    /// When the question did not leave.
    fn query(&mut self, instrument: InstrumentIndex, id: OrderId, now: Nanos) -> Result<(), NotSent>;

    /// Asks what only a venue behind a connection needs to be asked. The answers are events.
    ///
    /// # Errors
    /// When the question did not leave; always for a venue in this process, whose events cannot be missed.
    fn ask(&mut self, question: Question, now: Nanos) -> Result<(), NotSent> {
        let _ = (question, now);
        Err(NotSent)
    }

    /// Whether what is asked for above may be kept until [`flush`](Self::flush), so that all of it leaves in one write.
    #[inline]
    fn holds(&self) -> bool {
        false
    }

    /// Lets leave what is kept, at once and in the order in which it was asked for. Whoever asks calls this before its duty
    /// cycle ends: nothing waits for more to come. What fails now was taken before, and may have left: as with a
    /// connection that breaks later, the [`Disconnected`](VenueEventKind::Disconnected) that follows says so.
    #[inline]
    fn flush(&mut self) {}

    /// The next event that has arrived by `now`.
    fn poll(&mut self, now: Nanos) -> Option<VenueEvent>;

    /// Whether to find no event costs a look at memory, as [`MarketData::is_near`].
    #[inline]
    fn is_near(&self) -> bool {
        false
    }

    /// How much of the venue's limits is used.
    fn limits_used(&self) -> LimitsUsed {
        LimitsUsed::default()
    }

    /// The venue's clock less ours, as last measured; zero for a venue in this process, which has no clock of its own.
    fn clock_offset(&self) -> Nanos {
        Nanos::ZERO
    }

    /// When the next event arrives, where that is known (virtual time); else `Nanos::NEVER`.
    fn next_deadline(&self) -> Nanos;
}
