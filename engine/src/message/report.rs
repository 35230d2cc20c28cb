//! `Report`: what became of an order. Reports are the tail of route's journal: nothing is lost.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::domain::{InstrumentIndex, Nanos, OrderId, Price, Quantity};
use crate::wire::wire_enum;

wire_enum! {
    /// Where an order is in its life (reliability.md §2).
    OrderState {
        /// Its bytes are about to leave: journalled before the first one does.
        Sent = 1 => "SENT",
        /// Resting at the venue, nothing filled.
        Open = 2 => "OPEN",
        /// Resting, partly filled.
        Partial = 3 => "PARTIAL",
        /// A cancel is on its way.
        PendingCancel = 4 => "PENDING_CANCEL",
        /// The venue did not say what became of it: counted in full until resolved.
        Unknown = 5 => "UNKNOWN",
        /// Terminal: all of it traded.
        Filled = 6 => "FILLED",
        /// Terminal: cancelled, possibly partly filled.
        Canceled = 7 => "CANCELED",
        /// Terminal: expired, possibly partly filled.
        Expired = 8 => "EXPIRED",
        /// Terminal: refused by the venue.
        Rejected = 9 => "REJECTED",
        /// Terminal: proven never to have reached the venue's book.
        NeverPlaced = 10 => "NEVER_PLACED",
    }
}

impl OrderState {
    /// Whether the order is proven to be off the venue's book.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Filled | Self::Canceled | Self::Expired | Self::Rejected | Self::NeverPlaced)
    }
}

wire_enum! {
    /// What happened.
    ReportKind {
        /// Its bytes leave now.
        Sent = 1 => "SENT",
        /// The venue accepted it.
        Accepted = 2 => "ACCEPTED",
        /// A trade.
        Fill = 3 => "FILL",
        /// The venue cancelled it.
        Canceled = 4 => "CANCELED",
        /// It expired, at the venue or before it was sent.
        Expired = 5 => "EXPIRED",
        /// The venue, or route, refused it.
        Rejected = 6 => "REJECTED",
        /// A cancel was sent.
        CancelSent = 7 => "CANCEL_SENT",
        /// The venue refused the cancel.
        CancelRejected = 8 => "CANCEL_REJECTED",
        /// Its state is not known.
        Unknown = 9 => "UNKNOWN",
        /// Proven never placed.
        NeverPlaced = 10 => "NEVER_PLACED",
        /// An amendment was sent.
        AmendSent = 11 => "AMEND_SENT",
        /// The venue lowered its quantity, to the report's.
        Amended = 12 => "AMENDED",
        /// The venue, or route, refused the amendment: the quantity is as it was.
        AmendRejected = 13 => "AMEND_REJECTED",
        /// The venue cancelled all that the account had open on the instrument. Of no order, like the next: its id is
        /// the request's.
        Swept = 14 => "SWEPT",
        /// The venue, or route, refused to, or did not say whether it has.
        SweepRejected = 15 => "SWEEP_REJECTED",
    }
}

impl ReportKind {
    /// Whether it tells of an order; else of a request that names none.
    #[must_use]
    pub const fn is_of_order(self) -> bool {
        !matches!(self, Self::Swept | Self::SweepRejected)
    }
}

/// One event in the life of an order, 128 bytes with its header in a journal record. Written by route alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Report {
    /// The order.
    pub id: OrderId,
    /// The venue's own id; 0 until known.
    pub venue_order_id: u64,
    /// Price of this fill, else the order's limit price.
    pub price: Price,
    /// Quantity of this fill, else the order's quantity.
    pub quantity: Quantity,
    /// Filled so far.
    pub cumulative: Quantity,
    /// Still open at the venue: zero once terminal.
    pub leaves: Quantity,
    /// Fee of this fill in units of `10^-8` of its asset; a rebate is negative.
    pub fee: i64,
    /// The venue's trade id for a fill, else 0.
    pub trade_id: u64,
    /// The instrument.
    pub instrument: InstrumentIndex,
    /// Code of a [`ReportKind`].
    pub kind: u8,
    /// Code of the order's [`OrderState`] after this event.
    pub state: u8,
    /// Code of the order's `Side`.
    pub side: u8,
    /// For a fill, code of a `Liquidity` in the low four bits and of a [`FeeAsset`] in the high; else a `RejectCode`.
    pub detail: u8,
    /// When route learned of it, on the engine's timeline.
    pub at: Nanos,
}

const _: () = assert!(size_of::<Report>() == 88);

wire_enum! {
    /// What a fee was taken in.
    FeeAsset { /// The instrument's quote asset.
        Quote = 1 => "quote", /// The instrument's base asset.
        Base = 2 => "base", /// An asset that is neither, and not BNB.
        Other = 3 => "other", /// BNB, where the instrument is not of it: the one other asset that Binance charges.
        Bnb = 4 => "BNB" }
}

/// Decimals of a fee (binance.md §8: commissions have eight).
pub const FEE_SCALE: u8 = 8;
