//! `Intent`: what a source wants done. Anybody may make one; only risk can turn it into an `Order`.

use std::mem::offset_of;

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
        /// The upper order of a pair of which one cancels the other (OCO); `target` is the lower one, which follows at once.
        OcoAbove = 6 => "OCO_ABOVE",
        /// The lower one; `target` is the upper one.
        OcoBelow = 7 => "OCO_BELOW",
    }
}

/// A wish of a source, 88 bytes: with its stamp within two cache lines of a ring. Written by the source that owns its
/// intent ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Intent {
    /// Identity of this intent: of the order for what places one, else of the request.
    pub id: OrderId,
    /// The order to cancel, amend or replace, or the other one of a pair; `OrderId::NONE` for `New` and `Sweep`.
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
    /// Whether it asks for a new order: alone, in the place of another, or as one of a pair.
    #[must_use]
    pub const fn places_order(&self) -> bool {
        self.kind == IntentKind::New.code()
            || self.kind >= IntentKind::Replace.code() && self.kind <= IntentKind::OcoBelow.code()
    }

    /// Whether it is one of a pair: then `target` names the other, and nothing is done to that.
    #[must_use]
    pub const fn is_of_pair(&self) -> bool {
        self.opens_pair() || self.kind == IntentKind::OcoBelow.code()
    }

    /// Whether it is the first of a pair, which means something only with the intent behind it.
    #[inline]
    #[must_use]
    pub const fn opens_pair(&self) -> bool {
        // Read with the word that it lies in. A byte read by itself has the compiler copy that word out of a ring in pieces,
        // and whoever then reads it whole waits for them.
        let words: [u64; size_of::<Self>() / 8] = zerocopy::transmute!(*self);
        words[offset_of!(Self, kind) / 8].to_le_bytes()[offset_of!(Self, kind) % 8]
            == IntentKind::OcoAbove.code()
    }

    /// Whether it must not be taken up at `now` before the intent behind it has come.
    #[inline]
    #[must_use]
    pub fn awaits_other(&self, now: Nanos) -> bool {
        self.opens_pair() && self.valid_until >= now
    }

    /// Whether `second`, which stands behind this one, is the other of its pair: each names the other, and its id follows.
    #[must_use]
    pub fn pairs_with(&self, second: &Self) -> bool {
        self.opens_pair()
            && second.kind == IntentKind::OcoBelow.code()
            && (self.target, second.target) == (second.id, self.id)
            && second.id == self.id.next()
    }
}
