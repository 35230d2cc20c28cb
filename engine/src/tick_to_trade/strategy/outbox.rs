//! The only way out of a strategy: an outbox makes intents, and nothing but intents.

use crate::crash;
use crate::domain::{
    InstrumentIndex, Nanos, OrderId, OrderType, Price, Quantity, Side, SourceId, TimeInForce,
};
use crate::error::RejectCode;
use crate::limits::CANCEL_RESERVE;
use crate::message::{Intent, IntentKind};
use crate::ring::spsc::Producer;
use crate::tick_to_trade::strategy::parameter::{Kind, Parameter, Table};
use crate::tick_to_trade::strategy::working::{WORKING_MAX, Working, WorkingState};

/// How long an intent lives unless set otherwise: later it is EXPIRED, never sent.
pub const ORDER_LIFE: Nanos = Nanos::from_secs(1);

/// What can be set of an outbox, beside the parameters of its strategy.
pub static PARAMETERS: Table<Nanos> = Table {
    strategy: "outbox",
    rows: &[Parameter {
        key: "order_life",
        doc: "how long after the decision an intent may still be sent",
        kind: Kind::Duration { min: Nanos::from_millis(1), max: Nanos::from_secs(3_600), slot: |life| life },
    }],
    check: |_| Ok(()),
};

/// Who an outbox speaks for: the parts of an order id that do not change while it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Counts starts of the engine.
    pub epoch: u32,
    /// The source.
    pub source: SourceId,
    /// Counts starts of the source.
    pub source_epoch: u16,
}

/// Makes intents for one source. It gives each its id, times and cause, and keeps the source's view of its working
/// orders. A refusal here costs no id: the sequence has no holes.
pub struct Outbox {
    producer: Producer<Intent>,
    identity: Identity,
    sequence: u64,
    life: Nanos,
    now: Nanos,
    stamp: u32,
    working: Working,
}

impl Outbox {
    /// An outbox of `identity` that writes to `producer`, with the source's `working` orders from before.
    #[must_use]
    pub fn new(producer: Producer<Intent>, identity: Identity, working: Working) -> Self {
        Self { producer, identity, sequence: 0, life: ORDER_LIFE, now: Nanos::ZERO, stamp: 0, working }
    }

    /// Who it speaks for.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        self.identity
    }

    /// Intents made so far.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// How long its intents live.
    #[must_use]
    pub const fn life(&self) -> Nanos {
        self.life
    }

    /// The source's working orders and positions.
    #[must_use]
    pub const fn working(&self) -> &Working {
        &self.working
    }

    /// An order at `price` or better.
    ///
    /// # Errors
    /// Why it was not sent: no price, no quantity, too many working orders, or the ring is full.
    pub fn limit(
        &mut self,
        instrument: InstrumentIndex,
        side: Side,
        price: Price,
        quantity: Quantity,
        time_in_force: TimeInForce,
    ) -> Result<OrderId, RejectCode> {
        self.priced(instrument, side, price, quantity, (OrderType::Limit, time_in_force))
    }

    /// An order at `price` that the venue refuses where it would take.
    ///
    /// # Errors
    /// As [`limit`](Self::limit).
    pub fn limit_maker(
        &mut self,
        instrument: InstrumentIndex,
        side: Side,
        price: Price,
        quantity: Quantity,
    ) -> Result<OrderId, RejectCode> {
        self.priced(instrument, side, price, quantity, (OrderType::LimitMaker, TimeInForce::GoodTillCancel))
    }

    /// An order at any price.
    ///
    /// # Errors
    /// As [`limit`](Self::limit).
    pub fn market(
        &mut self,
        instrument: InstrumentIndex,
        side: Side,
        quantity: Quantity,
    ) -> Result<OrderId, RejectCode> {
        let how = (OrderType::Market, TimeInForce::ImmediateOrCancel);
        self.new_order(instrument, side, (Price::NONE, Price::NONE), quantity, how)
    }

    /// An order that waits at the venue until the last price has moved against `side` to `trigger`; then one at any price,
    /// or at `limit` or better.
    ///
    /// # Errors
    /// As [`limit`](Self::limit).
    pub fn stop_loss(
        &mut self,
        instrument: InstrumentIndex,
        side: Side,
        (trigger, limit): (Price, Option<Price>),
        quantity: Quantity,
    ) -> Result<OrderId, RejectCode> {
        let types = [OrderType::StopLoss, OrderType::StopLossLimit];
        self.waiting(instrument, side, (trigger, limit), quantity, types)
    }

    /// The same for a last price that has moved in favour of `side`.
    ///
    /// # Errors
    /// As [`limit`](Self::limit).
    pub fn take_profit(
        &mut self,
        instrument: InstrumentIndex,
        side: Side,
        (trigger, limit): (Price, Option<Price>),
        quantity: Quantity,
    ) -> Result<OrderId, RejectCode> {
        let types = [OrderType::TakeProfit, OrderType::TakeProfitLimit];
        self.waiting(instrument, side, (trigger, limit), quantity, types)
    }

    /// An order at `price` in the place of the working order `target`, which keeps its side: the venue cancels the one and
    /// places the other in one request, or neither. Where that cannot be, as at a venue that offers no such request, risk
    /// or route refuses it, and `target` works on. Until the venue has spoken both count as working. With `maker_only` it is
    /// refused where it would take, and `target` is cancelled then.
    ///
    /// # Errors
    /// As [`limit`](Self::limit), and `UNKNOWN_ORDER` when no such order works, `UNRESOLVED` when it does not rest, or
    /// `NO_REPLACE` when it has begun to fill, waits for a trigger, or was sent before this source began, so that nobody
    /// here knows whether it does.
    pub fn replace(
        &mut self,
        target: OrderId,
        price: Price,
        quantity: Quantity,
        maker_only: bool,
    ) -> Result<OrderId, RejectCode> {
        let order = *self.working.find(target).ok_or(RejectCode::UnknownOrder)?;
        if order.state != WorkingState::Open {
            return Err(RejectCode::Unresolved);
        }
        if order.filled > Quantity::ZERO || !order.plain {
            return Err(RejectCode::NoReplace);
        }
        if !price.is_some() {
            return Err(RejectCode::FilterPrice);
        }
        let order_type = if maker_only { OrderType::LimitMaker } else { OrderType::Limit };
        let how = (order_type, TimeInForce::GoodTillCancel);
        let intent = self.new_intent(order.instrument, order.side, (price, Price::NONE), quantity, how)?;
        self.send(Intent { target, kind: IntentKind::Replace.code(), ..intent })
    }

    /// Cancels the working order `target`. Returns the id of the request.
    ///
    /// # Errors
    /// Why it was not sent: no such order works (`UNKNOWN_ORDER`), a cancel of it is on its way already (`DUP_ID`),
    /// or the ring is full.
    pub fn cancel(&mut self, target: OrderId) -> Result<OrderId, RejectCode> {
        let order = self.working.find(target).ok_or(RejectCode::UnknownOrder)?;
        if order.state == WorkingState::Cancelling && !order.half_cancel {
            return Err(RejectCode::DuplicateId);
        }
        let kind = IntentKind::Cancel.code();
        self.send(Intent { target, instrument: order.instrument, kind, ..Intent::default() })
    }

    /// Cancels every order that still works, of `instrument` or of all; returns how many requests it sent.
    ///
    /// # Errors
    /// When the ring is full before all are sent.
    pub fn cancel_all(&mut self, instrument: Option<InstrumentIndex>) -> Result<usize, RejectCode> {
        let mut sent = 0;
        for at in 0..self.working.orders().len() {
            let order = self.working.orders()[at];
            let meant = instrument.is_none_or(|instrument| instrument == order.instrument);
            if meant && (order.state != WorkingState::Cancelling || order.half_cancel) {
                self.cancel(order.id)?;
                sent += 1;
            }
        }
        Ok(sent)
    }

    /// Begins a callback at `now`, caused by the tick with `stamp`, or by none (0).
    pub(super) const fn begin(&mut self, now: Nanos, stamp: u32) {
        self.now = now;
        self.stamp = stamp;
    }

    /// Changes how long its intents live.
    pub(super) const fn set_life(&mut self, life: Nanos) {
        self.life = life;
    }

    /// The source's working orders, for the host to apply what it is told.
    pub(super) const fn working_mut(&mut self) -> &mut Working {
        &mut self.working
    }

    fn waiting(
        &mut self,
        instrument: InstrumentIndex,
        side: Side,
        (trigger, limit): (Price, Option<Price>),
        quantity: Quantity,
        [at_any, at_limit]: [OrderType; 2],
    ) -> Result<OrderId, RejectCode> {
        if !trigger.is_some() || limit.is_some_and(|limit| !limit.is_some()) {
            return Err(RejectCode::FilterPrice);
        }
        let how = match limit {
            Some(_) => (at_limit, TimeInForce::GoodTillCancel),
            None => (at_any, TimeInForce::ImmediateOrCancel),
        };
        self.new_order(instrument, side, (limit.unwrap_or(Price::NONE), trigger), quantity, how)
    }

    fn priced(
        &mut self,
        instrument: InstrumentIndex,
        side: Side,
        price: Price,
        quantity: Quantity,
        how: (OrderType, TimeInForce),
    ) -> Result<OrderId, RejectCode> {
        if !price.is_some() {
            return Err(RejectCode::FilterPrice);
        }
        self.new_order(instrument, side, (price, Price::NONE), quantity, how)
    }

    fn new_order(
        &mut self,
        instrument: InstrumentIndex,
        side: Side,
        prices: (Price, Price),
        quantity: Quantity,
        how: (OrderType, TimeInForce),
    ) -> Result<OrderId, RejectCode> {
        let intent = self.new_intent(instrument, side, prices, quantity, how)?;
        self.send(intent)
    }

    /// An order that there is room for, of nobody yet.
    fn new_intent(
        &mut self,
        instrument: InstrumentIndex,
        side: Side,
        (price, trigger): (Price, Price),
        quantity: Quantity,
        (order_type, time_in_force): (OrderType, TimeInForce),
    ) -> Result<Intent, RejectCode> {
        if quantity <= Quantity::ZERO {
            return Err(RejectCode::FilterLot);
        }
        if self.working.orders().len() >= WORKING_MAX {
            return Err(RejectCode::MaxOpen);
        }
        if self.producer.free() <= CANCEL_RESERVE {
            return Err(RejectCode::RingFull);
        }
        Ok(Intent {
            price,
            trigger,
            quantity,
            instrument,
            kind: IntentKind::New.code(),
            side: side.code(),
            order_type: order_type.code(),
            time_in_force: time_in_force.code(),
            ..Intent::default()
        })
    }

    fn send(&mut self, intent: Intent) -> Result<OrderId, RejectCode> {
        let Identity { epoch, source, source_epoch } = self.identity;
        let id = OrderId { epoch, source, source_epoch, sequence: self.sequence + 1 };
        let valid_until = self.now.saturating_add(self.life);
        let intent = Intent { id, decided: self.now, valid_until, stamp: self.stamp, ..intent };
        crash::point("intent.before");
        self.producer.try_push(&intent).map_err(|_| RejectCode::RingFull)?;
        crash::point("intent.committed");
        self.sequence += 1;
        self.working.sent(&intent);
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::report::{OrderState, ReportKind};
    use crate::tick_to_trade::strategy::testing::{CAPACITY, Rig, report_of};

    const NOW: Nanos = Nanos::from_secs(50);

    fn rig() -> Rig {
        let mut rig = Rig::new();
        rig.outbox.begin(NOW, 77);
        rig
    }

    fn place(rig: &mut Rig) -> Result<OrderId, RejectCode> {
        rig.outbox.limit(4, Side::Buy, Price(100), Quantity(8), TimeInForce::GoodTillCancel)
    }

    #[test]
    fn an_intent_carries_its_identity_times_and_cause() {
        let mut rig = rig();
        let id = place(&mut rig).expect("sent");
        let cancel = rig.outbox.cancel(id).expect("sent");
        assert_eq!(rig.outbox.market(1, Side::Sell, Quantity(2)).map(|id| id.sequence), Ok(3));
        let sent = rig.sent();
        assert_eq!((sent[0].id, sent[1].id, sent[1].target), (id, cancel, id));
        for (intent, sequence) in sent.iter().zip(1..) {
            let id = OrderId { epoch: 3, source: SourceId(2), source_epoch: 5, sequence };
            assert_eq!((intent.id, intent.decided, intent.valid_until), (id, NOW, NOW + ORDER_LIFE));
            assert_eq!((intent.stamp, intent.reserved), (77, [0; 3]));
        }
        assert_eq!((sent[1].instrument, sent[1].kind, sent[1].side, sent[1].order_type), (4, 2, 0, 0));
        assert_eq!((sent[2].price, sent[2].order_type), (Price::NONE, OrderType::Market.code()));
    }

    #[test]
    fn what_waits_has_a_trigger_and_its_type_follows_from_its_limit() {
        let mut rig = rig();
        let (trigger, limit, quantity) = (Price(95), Price(94), Quantity(2));
        for at in [None, Some(limit)] {
            rig.outbox.stop_loss(1, Side::Sell, (trigger, at), quantity).expect("sent");
            rig.outbox.take_profit(1, Side::Buy, (trigger, at), quantity).expect("sent");
        }
        let sent: Vec<_> = rig.sent().iter().map(|i| (i.order_type, i.price, i.trigger, i.side)).collect();
        let none = Price::NONE;
        assert_eq!(
            sent,
            [(4, none, trigger, 2), (6, none, trigger, 1), (5, limit, trigger, 2), (7, limit, trigger, 1)]
        );
        for prices in [(Price::NONE, None), (trigger, Some(Price::NONE))] {
            let refused = rig.outbox.stop_loss(1, Side::Sell, prices, quantity);
            assert_eq!(refused, Err(RejectCode::FilterPrice));
        }
    }

    #[test]
    fn what_waits_for_a_trigger_is_not_replaced_by_what_does_not() {
        let mut rig = rig();
        let stop =
            rig.outbox.stop_loss(1, Side::Sell, (Price(95), Some(Price(94))), Quantity(2)).expect("sent");
        let placed = rig.sent()[0];
        rig.outbox.working_mut().apply(&report_of(&placed, ReportKind::Accepted, OrderState::Open, 0));
        assert_eq!(rig.outbox.replace(stop, Price(93), Quantity(2), false), Err(RejectCode::NoReplace));
    }

    #[test]
    fn an_order_can_be_cancelled_though_another_is_to_take_its_place() {
        let mut rig = rig();
        let old = place(&mut rig).expect("sent");
        let placed = rig.sent()[0];
        rig.outbox.working_mut().apply(&report_of(&placed, ReportKind::Accepted, OrderState::Open, 0));
        rig.outbox.replace(old, Price(101), Quantity(6), true).expect("sent");
        let report = report_of(&placed, ReportKind::CancelSent, OrderState::PendingCancel, 0);
        rig.outbox.working_mut().apply(&report);
        assert_eq!(rig.outbox.cancel_all(None), Ok(2));
        assert_eq!(rig.outbox.cancel(old), Err(RejectCode::DuplicateId), "one is enough");
    }

    #[test]
    fn what_rests_untouched_is_replaced_on_its_side_and_works_until_the_venue_has_spoken() {
        let mut rig = rig();
        let old = place(&mut rig).expect("sent");
        let placed = rig.sent()[0];
        let replace = |rig: &mut Rig, target| rig.outbox.replace(target, Price(101), Quantity(6), true);
        assert_eq!(replace(&mut rig, old), Err(RejectCode::Unresolved), "it does not rest yet");
        let report = |kind, state, filled| report_of(&placed, kind, state, filled);
        rig.outbox.working_mut().apply(&report(ReportKind::Accepted, OrderState::Open, 0));
        let new = replace(&mut rig, old).expect("sent");
        let [sent] = rig.sent()[..] else { panic!("one intent") };
        assert_eq!((sent.id, sent.target, sent.kind), (new, old, IntentKind::Replace.code()));
        assert_eq!((sent.instrument, sent.side, sent.price), (4, Side::Buy.code(), Price(101)));
        assert_eq!((sent.order_type, sent.quantity), (OrderType::LimitMaker.code(), Quantity(6)));
        assert_eq!(rig.outbox.working().orders().len(), 2);
        // Refused by risk: the one works on, and the other never did.
        assert!(rig.outbox.working_mut().refuse(new, RejectCode::MaxPosition).is_some());
        assert_eq!(rig.outbox.working().find(old).map(|order| order.state), Some(WorkingState::Open));
        assert_eq!(rig.outbox.working().find(new), None);
        rig.outbox.working_mut().apply(&report(ReportKind::Fill, OrderState::Partial, 3));
        assert_eq!(replace(&mut rig, old), Err(RejectCode::NoReplace));
        assert_eq!(replace(&mut rig, new), Err(RejectCode::UnknownOrder));
        assert_eq!(rig.outbox.replace(old, Price(101), Quantity(6), false), Err(RejectCode::NoReplace));
    }

    #[test]
    fn ids_have_no_holes_whatever_is_refused() {
        let mut rig = rig();
        for n in 1..=20 {
            let limit_maker = rig.outbox.limit_maker(0, Side::Sell, Price::NONE, Quantity(1));
            assert_eq!(limit_maker, Err(RejectCode::FilterPrice));
            assert_eq!(rig.outbox.market(0, Side::Buy, Quantity(-1)), Err(RejectCode::FilterLot));
            assert_eq!(rig.outbox.cancel(OrderId::NONE), Err(RejectCode::UnknownOrder));
            assert_eq!(place(&mut rig).map(|id| id.sequence), Ok(n));
        }
        let sequences: Vec<_> = rig.sent().iter().map(|intent| intent.id.sequence).collect();
        assert_eq!(sequences, (1..=20).collect::<Vec<_>>());
    }

    #[test]
    fn cancels_find_room_where_new_orders_do_not() {
        let mut rig = rig();
        let mut placed = Vec::new();
        let refused = loop {
            match place(&mut rig) {
                Ok(id) => placed.push(id),
                Err(code) => break code,
            }
        };
        assert_eq!((refused, placed.len()), (RejectCode::RingFull, CAPACITY - CANCEL_RESERVE));
        for &id in placed.iter().take(CANCEL_RESERVE) {
            rig.outbox.cancel(id).expect("room is kept for cancels");
        }
        assert_eq!(rig.outbox.cancel(placed[0]), Err(RejectCode::DuplicateId), "one is on its way");
        assert_eq!(rig.outbox.cancel(placed[CANCEL_RESERVE]), Err(RejectCode::RingFull));
        let mut sent = rig.sent();
        assert_eq!(rig.outbox.cancel_all(None), Ok(placed.len() - CANCEL_RESERVE));
        sent.extend(rig.sent());
        let sequences: Vec<_> = sent.iter().map(|intent| intent.id.sequence).collect();
        let all = CAPACITY + placed.len() - CANCEL_RESERVE;
        assert_eq!(sequences, (1..=all as u64).collect::<Vec<_>>(), "a full ring costs no id");
    }

    #[test]
    fn working_orders_are_bounded() {
        let mut rig = rig();
        for _ in 0..WORKING_MAX {
            place(&mut rig).expect("room");
            let intent = rig.sent()[0];
            rig.outbox.working_mut().apply(&report_of(&intent, ReportKind::Accepted, OrderState::Open, 0));
        }
        assert_eq!(place(&mut rig), Err(RejectCode::MaxOpen));
        assert_eq!(rig.outbox.cancel_all(Some(3)), Ok(0), "none of that instrument");
    }

    #[test]
    fn the_life_of_an_intent_can_be_set() {
        let mut rig = rig();
        let mut life = rig.outbox.life();
        PARAMETERS.set(&mut life, "order_life", "250ms").expect("valid");
        rig.outbox.set_life(life);
        place(&mut rig).expect("sent");
        assert_eq!(rig.sent()[0].valid_until, NOW + Nanos::from_millis(250));
        let error = PARAMETERS.set(&mut life, "order_life", "0s").expect_err("no life");
        assert_eq!(error.to_string(), r#"outbox: order_life = "0s": out of range; it takes 1ms to 1h"#);
    }
}
