//! `Intent`: what a source wants done. Anybody may make one; only risk can turn it into an `Order`.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::domain::{InstrumentIndex, Nanos, OrderId, Price, Quantity};
use crate::wire::wire_enum;

wire_enum! {
    /// What an intent asks for.
    IntentKind {
        /// A new order.
        New = 1 => "NEW",
        /// Cancel `target`.
        Cancel = 2 => "CANCEL",
        /// Lower the quantity of `target` to `quantity`; it keeps its id and its place in the queue.
        Amend = 3 => "AMEND",
        /// Cancel at the venue whatever the account has open on the instrument, whoever placed it.
        Sweep = 4 => "SWEEP",
        /// A new order in the place of `target`, which is cancelled first: both in one request, or neither.
        Replace = 5 => "REPLACE",
    }
}

/// A wish of a source, 88 bytes: with its stamp within two cache lines of a ring. Written by the source that owns its
/// intent ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Intent {
    /// Identity of this intent: of the order for `New` and `Replace`, else of the request.
    pub id: OrderId,
    /// The order to cancel, amend or replace; `OrderId::NONE` for `New` and `Sweep`.
    pub target: OrderId,
    /// Limit price; 0 for an order without one, and for what places none.
    pub price: Price,
    /// Price at which a stop or take-profit order is triggered; 0 for all else.
    pub trigger: Price,
    /// Quantity; what the order shall have in all for an amendment; 0 for `Cancel` and `Sweep`.
    pub quantity: Quantity,
    /// Later than this it is EXPIRED and never sent.
    pub valid_until: Nanos,
    /// When the source decided, on the engine's timeline.
    pub decided: Nanos,
    /// The instrument.
    pub instrument: InstrumentIndex,
    /// Stamp of the tick that caused it (see `Tick::stamp`); 0 if none did.
    pub stamp: u32,
    /// Code of an [`IntentKind`].
    pub kind: u8,
    /// Code of a `Side`; 0 for what places no order, as in the next three.
    pub side: u8,
    /// Code of an `OrderType`, or 0.
    pub order_type: u8,
    /// Code of a `TimeInForce`, or 0.
    pub time_in_force: u8,
    /// Code of a `SelfTrade`; 0 also for what the venue does without one.
    pub self_trade: u8,
    /// Spare, zero: other bits are refused (C02). The journal keeps what risk decided here (see `Decision`).
    pub reserved: [u8; 3],
}

const _: () = assert!(size_of::<Intent>() == 88);

impl Intent {
    /// Whether it asks for a new order, alone or in the place of another.
    #[must_use]
    pub const fn places_order(&self) -> bool {
        self.kind == IntentKind::New.code() || self.kind == IntentKind::Replace.code()
    }
}
