//! The only way out of a strategy: an outbox makes intents, and nothing but intents.

mod pair;

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

pub use pair::{Better, Pair};

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

    /// Looks for risk's end of the ring; see [`Producer::meet`].
    pub(super) fn meet(&mut self) {
        self.producer.meet();
    }

    /// Who it speaks for.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        self.identity
    }

    /// Brings to hand where the next intent goes.
    #[inline(always)]
    pub fn prepare(&self) {
        self.producer.prepare();
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
    /// `NO_REPLACE` when it has begun to fill, waits for a trigger, is one of a pair, or was sent before this source began, so
    /// that nobody here knows whether it does.
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
        types: [OrderType; 2],
    ) -> Result<OrderId, RejectCode> {
        let (prices, how) = waiting((trigger, limit), types)?;
        self.new_order(instrument, side, prices, quantity, how)
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

    /// Out of line, and all that it is made by in line: an intent goes from registers to the ring.
    #[inline(never)]
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
    #[inline(always)]
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
        self.has_room(1)?;
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

    const fn next_id(&self) -> OrderId {
        let Identity { epoch, source, source_epoch } = self.identity;
        OrderId { epoch, source, source_epoch, sequence: self.sequence + 1 }
    }

    /// Whether there is room for so many new orders.
    fn has_room(&mut self, orders: usize) -> Result<(), RejectCode> {
        if self.working.orders().len() + orders > WORKING_MAX {
            return Err(RejectCode::MaxOpen);
        }
        if self.producer.free() < CANCEL_RESERVE + orders {
            return Err(RejectCode::RingFull);
        }
        Ok(())
    }

    #[inline(always)]
    fn send(&mut self, intent: Intent) -> Result<OrderId, RejectCode> {
        let id = self.next_id();
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

/// Limit and trigger of an order, and its type and lifetime.
type Terms = ((Price, Price), (OrderType, TimeInForce));

/// The terms of an order that waits for `trigger`, of the types without and with a limit.
fn waiting(
    (trigger, limit): (Price, Option<Price>),
    [at_any, at_limit]: [OrderType; 2],
) -> Result<Terms, RejectCode> {
    if !trigger.is_some() || limit.is_some_and(|limit| !limit.is_some()) {
        return Err(RejectCode::FilterPrice);
    }
    let how = match limit {
        Some(_) => (at_limit, TimeInForce::GoodTillCancel),
        None => (at_any, TimeInForce::ImmediateOrCancel),
    };
    Ok(((limit.unwrap_or(Price::NONE), trigger), how))
}

#[cfg(test)]
mod tests;
