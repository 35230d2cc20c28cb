//! A venue's event as a message of fixed layout.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::domain::{InstrumentIndex, Liquidity, Nanos, OrderId, Price, Quantity, Side};
use crate::message::report::{FeeAsset, OrderState};
use crate::venue::{VenueEvent, VenueEventKind};
use crate::wire::{UnknownCode, wire_enum};

wire_enum! {
    /// Code of a [`VenueEventKind`].
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
    }
}

/// A [`VenueEvent`] in a ring, 88 bytes. Written by the exchange's side of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Answer {
    id: OrderId,
    venue_order_id: u64,
    cumulative: Quantity,
    received: Nanos,
    price: Price,
    quantity: Quantity,
    trade_id: u64,
    fee: i64,
    instrument: InstrumentIndex,
    venue_code: i32,
    kind: u8,
    state: u8,
    fee_asset: u8,
    liquidity: u8,
    side: u8,
    reserved: [u8; 3],
}

const _: () = assert!(size_of::<Answer>() == 88);

impl From<&VenueEvent> for Answer {
    fn from(event: &VenueEvent) -> Self {
        let mut answer = Self {
            id: event.id,
            venue_order_id: event.venue_order_id,
            cumulative: event.cumulative,
            received: event.received,
            instrument: event.instrument,
            ..Self::default()
        };
        let kind = match event.kind {
            VenueEventKind::Accepted => AnswerKind::Accepted,
            VenueEventKind::Rejected { code } => {
                answer.venue_code = code;
                AnswerKind::Rejected
            }
            VenueEventKind::Trade { price, quantity, trade_id, fee, fee_asset, liquidity } => {
                (answer.price, answer.quantity, answer.trade_id, answer.fee) =
                    (price, quantity, trade_id, fee);
                (answer.fee_asset, answer.liquidity) = (fee_asset.code(), liquidity.code());
                AnswerKind::Trade
            }
            VenueEventKind::Canceled => AnswerKind::Canceled,
            VenueEventKind::Expired => AnswerKind::Expired,
            VenueEventKind::CancelRejected { code } => {
                answer.venue_code = code;
                AnswerKind::CancelRejected
            }
            VenueEventKind::Unknown => AnswerKind::Unknown,
            VenueEventKind::QueryState { state, quantity } => {
                (answer.state, answer.quantity) = (state.code(), quantity);
                AnswerKind::QueryState
            }
            VenueEventKind::OpenOrder { state, side, price, quantity } => {
                (answer.state, answer.side) = (state.code(), side.code());
                (answer.price, answer.quantity) = (price, quantity);
                AnswerKind::OpenOrder
            }
            VenueEventKind::Amended { quantity } => {
                answer.quantity = quantity;
                AnswerKind::Amended
            }
            VenueEventKind::AmendRejected { code } => {
                answer.venue_code = code;
                AnswerKind::AmendRejected
            }
            VenueEventKind::QueryNotFound => AnswerKind::QueryNotFound,
            VenueEventKind::Connected => AnswerKind::Connected,
            VenueEventKind::Disconnected => AnswerKind::Disconnected,
            VenueEventKind::OpenOrdersTold => AnswerKind::OpenOrdersTold,
            VenueEventKind::TradesTold => AnswerKind::TradesTold,
            // The slot of the fee holds the time.
            VenueEventKind::Throttled { until } => {
                answer.fee = until.0;
                AnswerKind::Throttled
            }
            VenueEventKind::Banned { until } => {
                answer.fee = until.0;
                AnswerKind::Banned
            }
        };
        answer.kind = kind.code();
        answer
    }
}

impl TryFrom<&Answer> for VenueEvent {
    type Error = UnknownCode;

    fn try_from(answer: &Answer) -> Result<Self, UnknownCode> {
        let code = answer.venue_code;
        let kind = match AnswerKind::try_from(answer.kind)? {
            AnswerKind::Accepted => VenueEventKind::Accepted,
            AnswerKind::Rejected => VenueEventKind::Rejected { code },
            AnswerKind::Trade => VenueEventKind::Trade {
                price: answer.price,
                quantity: answer.quantity,
                trade_id: answer.trade_id,
                fee: answer.fee,
                fee_asset: FeeAsset::try_from(answer.fee_asset)?,
                liquidity: Liquidity::try_from(answer.liquidity)?,
            },
            AnswerKind::Canceled => VenueEventKind::Canceled,
            AnswerKind::Expired => VenueEventKind::Expired,
            AnswerKind::CancelRejected => VenueEventKind::CancelRejected { code },
            AnswerKind::Unknown => VenueEventKind::Unknown,
            AnswerKind::QueryState => VenueEventKind::QueryState {
                state: OrderState::try_from(answer.state)?,
                quantity: answer.quantity,
            },
            AnswerKind::OpenOrder => VenueEventKind::OpenOrder {
                state: OrderState::try_from(answer.state)?,
                side: Side::try_from(answer.side)?,
                price: answer.price,
                quantity: answer.quantity,
            },
            AnswerKind::Amended => VenueEventKind::Amended { quantity: answer.quantity },
            AnswerKind::AmendRejected => VenueEventKind::AmendRejected { code },
            AnswerKind::QueryNotFound => VenueEventKind::QueryNotFound,
            AnswerKind::Connected => VenueEventKind::Connected,
            AnswerKind::Disconnected => VenueEventKind::Disconnected,
            AnswerKind::OpenOrdersTold => VenueEventKind::OpenOrdersTold,
            AnswerKind::TradesTold => VenueEventKind::TradesTold,
            AnswerKind::Throttled => VenueEventKind::Throttled { until: Nanos(answer.fee) },
            AnswerKind::Banned => VenueEventKind::Banned { until: Nanos(answer.fee) },
        };
        Ok(Self {
            kind,
            id: answer.id,
            venue_order_id: answer.venue_order_id,
            cumulative: answer.cumulative,
            instrument: answer.instrument,
            received: answer.received,
        })
    }
}

impl Answer {
    /// When it arrives, on the engine's timeline.
    #[must_use]
    pub const fn received(&self) -> Nanos {
        self.received
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_survives_the_wire() {
        let trade = VenueEventKind::Trade {
            price: Price(7),
            quantity: Quantity(8),
            trade_id: 9,
            fee: -10,
            fee_asset: FeeAsset::Base,
            liquidity: Liquidity::Taker,
        };
        let kinds = [
            VenueEventKind::Accepted,
            VenueEventKind::Rejected { code: -2010 },
            trade,
            VenueEventKind::Canceled,
            VenueEventKind::Expired,
            VenueEventKind::CancelRejected { code: -2011 },
            VenueEventKind::Unknown,
            VenueEventKind::QueryState { state: OrderState::Partial, quantity: Quantity(3) },
            VenueEventKind::OpenOrder {
                state: OrderState::Open,
                side: Side::Sell,
                price: Price(5),
                quantity: Quantity(6),
            },
            VenueEventKind::Amended { quantity: Quantity(2) },
            VenueEventKind::AmendRejected { code: -2038 },
            VenueEventKind::QueryNotFound,
            VenueEventKind::Connected,
            VenueEventKind::Disconnected,
            VenueEventKind::OpenOrdersTold,
            VenueEventKind::TradesTold,
            VenueEventKind::Throttled { until: Nanos(11) },
            VenueEventKind::Banned { until: Nanos(12) },
        ];
        for kind in kinds {
            let event = VenueEvent {
                kind,
                id: OrderId { epoch: 1, sequence: 2, ..OrderId::NONE },
                venue_order_id: 3,
                cumulative: Quantity(4),
                instrument: 5,
                received: Nanos(6),
            };
            assert_eq!(VenueEvent::try_from(&Answer::from(&event)), Ok(event));
        }
        assert!(VenueEvent::try_from(&Answer::default()).is_err());
    }
}
