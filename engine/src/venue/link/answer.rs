//! A venue's event as a message of fixed layout, and back.

use crate::domain::{Liquidity, Nanos, Side};
use crate::message::answer::{Answer, AnswerKind};
use crate::message::report::{FeeAsset, OrderState};
use crate::venue::{VenueEvent, VenueEventKind};
use crate::wire::UnknownCode;

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
            VenueEventKind::Swept => AnswerKind::Swept,
            VenueEventKind::SweepRejected { code } => {
                answer.venue_code = code;
                AnswerKind::SweepRejected
            }
            VenueEventKind::QueryNotFound => AnswerKind::QueryNotFound,
            VenueEventKind::Connected => AnswerKind::Connected,
            VenueEventKind::StoodIn => AnswerKind::StoodIn,
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
            AnswerKind::Swept => VenueEventKind::Swept,
            AnswerKind::SweepRejected => VenueEventKind::SweepRejected { code },
            AnswerKind::QueryNotFound => VenueEventKind::QueryNotFound,
            AnswerKind::Connected => VenueEventKind::Connected,
            AnswerKind::StoodIn => VenueEventKind::StoodIn,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{OrderId, Price, Quantity};

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
            VenueEventKind::Swept,
            VenueEventKind::SweepRejected { code: -1121 },
            VenueEventKind::QueryNotFound,
            VenueEventKind::Connected,
            VenueEventKind::StoodIn,
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
