//! `Answer`: what a venue says of an order, or of the connection to it.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::domain::{InstrumentIndex, Nanos, OrderId, Price, Quantity};
use crate::wire::wire_enum;

wire_enum! {
    /// What an [`Answer`] says: the kinds of a venue's event.
    AnswerKind {
        /// `Accepted`.
        Accepted = 1 => "accepted",
        /// `Rejected`.
        Rejected = 2 => "rejected",
        /// `Trade`.
        Trade = 3 => "trade",
        /// `Canceled`.
        Canceled = 4 => "canceled",
        /// `Expired`.
        Expired = 5 => "expired",
        /// `CancelRejected`.
        CancelRejected = 6 => "cancel_rejected",
        /// `Unknown`.
        Unknown = 7 => "unknown",
        /// `QueryState`.
        QueryState = 8 => "query_state",
        /// `QueryNotFound`.
        QueryNotFound = 9 => "query_not_found",
        /// `Connected`.
        Connected = 10 => "connected",
        /// `Disconnected`.
        Disconnected = 11 => "disconnected",
        /// `OpenOrdersTold`.
        OpenOrdersTold = 12 => "open_orders_told",
        /// `TradesTold`.
        TradesTold = 13 => "trades_told",
        /// `Throttled`.
        Throttled = 14 => "throttled",
        /// `Banned`.
        Banned = 15 => "banned",
        /// `Amended`.
        Amended = 16 => "amended",
        /// `AmendRejected`.
        AmendRejected = 17 => "amend_rejected",
        /// `OpenOrder`.
        OpenOrder = 18 => "open_order",
        /// `Swept`.
        Swept = 19 => "swept",
        /// `SweepRejected`.
        SweepRejected = 20 => "sweep_rejected",
        /// `StoodIn`.
        StoodIn = 21 => "stood_in",
    }
}

/// A venue's event in a ring or journal, 88 bytes. Written by the exchange's side of a link, and by the input log's owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Answer {
    /// Our id of the order, or of the request that names none; else `OrderId::NONE`.
    pub id: OrderId,
    /// The venue's id of the order; 0 where it gave none.
    pub venue_order_id: u64,
    /// Filled so far, by the venue's account.
    pub cumulative: Quantity,
    /// When it arrives, on the engine's timeline.
    pub received: Nanos,
    /// Price of a trade, or limit of an open order.
    pub price: Price,
    /// Quantity of a trade, or the order's.
    pub quantity: Quantity,
    /// The venue's id of a trade.
    pub trade_id: u64,
    /// Fee of a trade, in units of `10^-8`; where the venue takes no requests, the time until then.
    pub fee: i64,
    /// The instrument.
    pub instrument: InstrumentIndex,
    /// The venue's code of a refusal, such as -2010.
    pub venue_code: i32,
    /// Code of an [`AnswerKind`].
    pub kind: u8,
    /// Code of an `OrderState`, or 0.
    pub state: u8,
    /// Code of a `FeeAsset`, or 0.
    pub fee_asset: u8,
    /// Code of a `Liquidity`, or 0.
    pub liquidity: u8,
    /// Code of a `Side`, or 0.
    pub side: u8,
    /// Spare, zero.
    pub reserved: [u8; 3],
}

const _: () = assert!(size_of::<Answer>() == 88);

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn golden_layout() {
        let offsets = [
            offset_of!(Answer, id),
            offset_of!(Answer, venue_order_id),
            offset_of!(Answer, cumulative),
            offset_of!(Answer, received),
            offset_of!(Answer, price),
            offset_of!(Answer, quantity),
            offset_of!(Answer, trade_id),
            offset_of!(Answer, fee),
            offset_of!(Answer, instrument),
            offset_of!(Answer, venue_code),
            offset_of!(Answer, kind),
            offset_of!(Answer, state),
            offset_of!(Answer, fee_asset),
            offset_of!(Answer, liquidity),
            offset_of!(Answer, side),
            offset_of!(Answer, reserved),
        ];
        assert_eq!(offsets, [0, 16, 24, 32, 40, 48, 56, 64, 72, 76, 80, 81, 82, 83, 84, 85]);
    }
}
