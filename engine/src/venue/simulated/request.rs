//! `Request`: what route asks of the simulated venue, as a message that a ring can carry.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::waiting::Condition;
use crate::domain::{InstrumentIndex, Nanos, OrderId, OrderType, Price, Quantity, Side, TimeInForce};
use crate::limits::SOURCES_MAX;
use crate::message::{IntentKind, Order};
use crate::wire::wire_enum;

wire_enum! {
    /// What a request asks for.
    RequestKind {
        /// A new order.
        Place = 1 => "PLACE",
        /// Cancel `target`.
        Cancel = 2 => "CANCEL",
        /// What became of `target`.
        Query = 3 => "QUERY",
        /// Lower the quantity of `target`.
        Amend = 4 => "AMEND",
        /// Cancel every order on the instrument.
        Sweep = 5 => "SWEEP",
        /// Cancel `target` and place a new order, or neither.
        Replace = 6 => "REPLACE",
        /// The upper order of a pair of which one cancels the other; the lower one is the request behind it.
        PlaceAbove = 7 => "PLACE_ABOVE",
        /// The lower one.
        PlaceBelow = 8 => "PLACE_BELOW",
    }
}

/// A request on its way to the exchange, 80 bytes. Written by route alone.
///
/// Any bit pattern is a valid value; the exchange judges the codes when the request arrives, as a venue would.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Request {
    /// Identity of the order to place, or of the request itself; `OrderId::NONE` for a query.
    pub id: OrderId,
    /// The order to cancel, amend, replace or tell of, or the other one of a pair; `OrderId::NONE` where there is none.
    pub target: OrderId,
    /// Limit price; 0 for all but a new order with a limit.
    pub price: Price,
    /// Trigger price; 0 for all but a new order that waits for one.
    pub trigger: Price,
    /// Quantity; 0 for a cancel or a query.
    pub quantity: Quantity,
    /// When it left, on the engine's timeline. Set by `Matching::submit`.
    pub sent: Nanos,
    /// The instrument.
    pub instrument: InstrumentIndex,
    /// Code of a [`RequestKind`]; any other is answered as a malformed request.
    pub kind: u8,
    /// Code of a `Side`; 0 for all but a new order.
    pub side: u8,
    /// Code of an `OrderType`; 0 for all but a new order.
    pub order_type: u8,
    /// Code of a `TimeInForce`, read only for types that have one.
    pub time_in_force: u8,
    /// Code of a `SelfTrade`, or 0: this exchange does `EXPIRE_TAKER` and nothing else.
    pub self_trade: u8,
    /// Spare, zero.
    pub reserved: [u8; 7],
}

const _: () = assert!(size_of::<Request>() == 80);

impl Request {
    /// The request that `order` stands for. An order of a kind this build does not know keeps its code, and the
    /// exchange refuses it.
    #[must_use]
    pub fn from_order(order: &Order) -> Self {
        let intent = order.intent();
        let kind = match IntentKind::try_from(intent.kind) {
            Ok(IntentKind::New) => RequestKind::Place.code(),
            Ok(IntentKind::Cancel) => RequestKind::Cancel.code(),
            Ok(IntentKind::Amend) => RequestKind::Amend.code(),
            Ok(IntentKind::Sweep) => RequestKind::Sweep.code(),
            Ok(IntentKind::Replace) => RequestKind::Replace.code(),
            Ok(IntentKind::OcoAbove) => RequestKind::PlaceAbove.code(),
            Ok(IntentKind::OcoBelow) => RequestKind::PlaceBelow.code(),
            Err(_) => 0,
        };
        Self {
            id: intent.id,
            target: intent.target,
            price: intent.price,
            trigger: intent.trigger,
            quantity: intent.quantity,
            sent: Nanos::ZERO,
            instrument: intent.instrument,
            kind,
            side: intent.side,
            order_type: intent.order_type,
            time_in_force: intent.time_in_force,
            self_trade: intent.self_trade,
            reserved: [0; 7],
        }
    }

    /// Whether it is the first of a pair, which means something only with the request behind it.
    #[must_use]
    pub const fn opens_pair(&self) -> bool {
        self.kind == RequestKind::PlaceAbove.code()
    }

    /// Whether `second`, which stands behind it, is the other of its pair.
    #[must_use]
    pub fn pairs_with(&self, second: &Self) -> bool {
        self.opens_pair()
            && second.kind == RequestKind::PlaceBelow.code()
            && (self.target, second.target) == (second.id, self.id)
            && self.id != second.id
    }

    /// Asks what became of `id`.
    #[must_use]
    pub fn query(instrument: InstrumentIndex, id: OrderId) -> Self {
        Self { target: id, instrument, kind: RequestKind::Query.code(), ..Self::default() }
    }
}

/// What a new order may do when it arrives, and what becomes of its remainder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Takes up to its price, then rests.
    Rest,
    /// Rests, or is refused where it would take.
    MakerOnly,
    /// Takes up to its price, then expires.
    Immediate,
    /// Takes all of it up to its price, or expires untouched.
    AllOrNothing,
    /// Takes at any price, then expires. Its time in force is not read.
    Market,
}

/// A new order whose fields have been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    pub(super) id: OrderId,
    pub(super) instrument: InstrumentIndex,
    pub(super) side: Side,
    pub(super) style: Style,
    /// Positive, except for [`Style::Market`], where it is zero.
    pub(super) price: Price,
    /// Positive.
    pub(super) quantity: Quantity,
    /// What it waits for before it may do anything.
    pub(super) condition: Option<Condition>,
}

impl Placement {
    /// Reads a new order; `None` where a code is unknown, or a price or quantity is missing or out of place.
    pub(super) fn read(request: &Request) -> Option<Self> {
        let order_type = OrderType::try_from(request.order_type).ok()?;
        let style = match order_type {
            _ if order_type.is_market() => Style::Market,
            OrderType::LimitMaker => Style::MakerOnly,
            _ => match TimeInForce::try_from(request.time_in_force).ok()? {
                TimeInForce::GoodTillCancel => Style::Rest,
                TimeInForce::ImmediateOrCancel => Style::Immediate,
                TimeInForce::FillOrKill => Style::AllOrNothing,
            },
        };
        let side = Side::try_from(request.side).ok()?;
        let in_place = |price: Price, needed| if needed { price.is_some() } else { price == Price::NONE };
        let prices = in_place(request.price, !order_type.is_market())
            && in_place(request.trigger, order_type.is_conditional());
        let known = request.id != OrderId::NONE && usize::from(request.id.source.0) < SOURCES_MAX;
        let sound = known && request.quantity.0 > 0 && prices;
        sound.then_some(Self {
            id: request.id,
            instrument: request.instrument,
            side,
            style,
            price: request.price,
            quantity: request.quantity,
            condition: order_type
                .is_conditional()
                .then_some(Condition { order_type, trigger: request.trigger }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SourceId;
    use crate::message::Intent;
    use crate::message::SealedOrder;

    fn id(sequence: u64) -> OrderId {
        OrderId { epoch: 1, source: SourceId(2), source_epoch: 3, sequence }
    }

    fn limit() -> Request {
        Request {
            id: id(1),
            price: Price(5),
            quantity: Quantity(7),
            kind: RequestKind::Place.code(),
            side: Side::Sell.code(),
            order_type: OrderType::Limit.code(),
            time_in_force: TimeInForce::FillOrKill.code(),
            ..Request::default()
        }
    }

    #[test]
    fn an_order_becomes_the_request_it_stands_for() {
        let intent = Intent {
            id: id(9),
            target: id(8),
            instrument: 4,
            kind: IntentKind::Cancel.code(),
            ..Intent::default()
        };
        let request = Request::from_order(SealedOrder::approve(&intent, 1).unseal().expect("intact"));
        let expected = Request {
            id: id(9),
            target: id(8),
            instrument: 4,
            kind: RequestKind::Cancel.code(),
            ..Request::default()
        };
        assert_eq!(request, expected);
        let foreign = SealedOrder::approve(&Intent { kind: 77, ..intent }, 1);
        let foreign = Request::from_order(foreign.unseal().expect("intact"));
        assert!(RequestKind::try_from(foreign.kind).is_err());
        let question = Request::query(4, id(8));
        assert_eq!((question.target, question.kind), (id(8), RequestKind::Query.code()));
    }

    #[test]
    fn every_field_of_a_new_order_is_judged() {
        let read = Placement::read(&limit()).expect("a sound order");
        assert_eq!(
            (read.style, read.side, read.price.0, read.quantity.0),
            (Style::AllOrNothing, Side::Sell, 5, 7)
        );
        let broken = [
            Request { id: OrderId::NONE, ..limit() },
            Request { id: OrderId { source: SourceId(64), ..id(1) }, ..limit() },
            Request { price: Price(0), ..limit() },
            Request { price: Price(-5), ..limit() },
            Request { quantity: Quantity(0), ..limit() },
            Request { quantity: Quantity(-7), ..limit() },
            Request { side: 3, ..limit() },
            Request { order_type: 9, ..limit() },
            Request { time_in_force: 0, ..limit() },
            Request { order_type: OrderType::Market.code(), ..limit() },
            Request { trigger: Price(4), ..limit() },
            Request { order_type: OrderType::StopLossLimit.code(), ..limit() },
            Request { order_type: OrderType::StopLoss.code(), trigger: Price(4), ..limit() },
            Request { order_type: OrderType::TakeProfitLimit.code(), trigger: Price(-4), ..limit() },
        ];
        for request in broken {
            assert_eq!(Placement::read(&request), None, "{request:?}");
        }
        let market =
            Request { order_type: OrderType::Market.code(), price: Price(0), time_in_force: 0, ..limit() };
        assert_eq!(Placement::read(&market).map(|p| p.style), Some(Style::Market));
        let trigger = Price(4);
        for (order_type, request) in [
            (OrderType::StopLoss, market),
            (OrderType::TakeProfit, market),
            (OrderType::StopLossLimit, limit()),
            (OrderType::TakeProfitLimit, limit()),
        ] {
            let plain = Placement::read(&request).expect("a sound order");
            let waits = Placement::read(&Request { order_type: order_type.code(), trigger, ..request });
            assert_eq!(
                waits,
                Some(Placement { condition: Some(Condition { order_type, trigger }), ..plain })
            );
        }
    }
}
