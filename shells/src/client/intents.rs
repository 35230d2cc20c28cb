//! The intent ring of an external source: the clients of port 5556, or the operator.

use engine::domain::{
    InstrumentIndex, Nanos, OrderId, OrderType, Price, Quantity, SelfTrade, Side, SourceId, TimeInForce,
};
use engine::error::{RejectCode, SetupError};
use engine::journal::InstrumentFacts;
use engine::limits::CANCEL_RESERVE;
use engine::message::{Intent, IntentKind};
use engine::ring::spsc::Producer;
use engine::shm::paths::IpcPaths;

use crate::api::orders::PlaceOrder;
use crate::api::{ApiError, code};
use crate::service::instruments::{Table, read_price, read_quantity};

/// Intents that the ring of an external source holds.
const CAPACITY: usize = 1_024;

/// How long an intent may wait for its sending unless the client says otherwise, and at most.
const VALID_FOR: Nanos = Nanos::from_secs(1);
const VALID_FOR_MAX_MS: u64 = 3_600_000;

/// A new order, read and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// The instrument.
    pub instrument: InstrumentIndex,
    /// The side.
    pub side: Side,
    /// The type.
    pub order_type: OrderType,
    /// The time in force.
    pub time_in_force: TimeInForce,
    /// Limit price; none for a type without one.
    pub price: Price,
    /// Trigger price; none for a type that waits for none.
    pub trigger: Price,
    /// Self-trade prevention; none for the venue's own.
    pub self_trade: Option<SelfTrade>,
    /// Quantity, above zero.
    pub quantity: Quantity,
    /// How long after the request it may still be sent.
    pub valid_for: Nanos,
}

/// The value of `all` that users call `text`.
fn named<T: Copy>(
    field: &str,
    text: &str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, ApiError> {
    all.iter().copied().find(|value| name(*value) == text).ok_or_else(|| {
        let known: Vec<&str> = all.iter().map(|value| name(*value)).collect();
        ApiError::new(code::BAD_REQUEST, format!("{field}: {text:?} is none of {}", known.join(", ")))
    })
}

/// How long an order of this type lives. A maker that must not rest is a contradiction.
fn read_lifetime(field: &str, text: Option<&str>, order_type: OrderType) -> Result<TimeInForce, ApiError> {
    let Some(text) = text else {
        let market = order_type.is_market();
        return Ok(if market { TimeInForce::ImmediateOrCancel } else { TimeInForce::GoodTillCancel });
    };
    let read = named(field, text, TimeInForce::ALL, TimeInForce::as_str)?;
    if order_type == OrderType::LimitMaker && read != TimeInForce::GoodTillCancel {
        let reason =
            format!("{field}: {text}: an order of type {order_type} has {}", TimeInForce::GoodTillCancel);
        return Err(ApiError::new(code::BAD_REQUEST, reason));
    }
    Ok(read)
}

impl NewOrder {
    /// Reads a request.
    ///
    /// # Errors
    /// `UNKNOWN_SYMBOL`, or `BAD_REQUEST` that names the field.
    pub fn read(table: &Table, request: &PlaceOrder) -> Result<Self, ApiError> {
        Self::read_as("", table, request)
    }

    /// The same of a request that has this before the names of the fields in which its orders differ.
    pub(super) fn read_as(prefix: &str, table: &Table, request: &PlaceOrder) -> Result<Self, ApiError> {
        let facts: &InstrumentFacts = table.find(&request.symbol)?;
        let bad = |reason: String| Err::<Price, _>(ApiError::new(code::BAD_REQUEST, reason));
        let field = |name: &str| format!("{prefix}{name}");
        let side = named("side", &request.side, Side::ALL, Side::as_str)?;
        let order_type = named(&field("type"), &request.order_type, OrderType::ALL, OrderType::as_str)?;
        let time_in_force =
            read_lifetime(&field("time_in_force"), request.time_in_force.as_deref(), order_type)?;
        let price_of = |name: &str, text: &Option<String>, needed: bool| match text {
            Some(text) if needed => read_price(facts, &field(name), text),
            None if !needed => Ok(Price::NONE),
            None => bad(format!("{prefix}{name}: missing")),
            Some(_) => bad(format!("{prefix}{name}: an order of type {order_type} has none")),
        };
        let price = price_of("price", &request.price, !order_type.is_market())?;
        let trigger = price_of("stop_price", &request.stop_price, order_type.is_conditional())?;
        let mode = |text: &String| named("self_trade_prevention", text, SelfTrade::ALL, SelfTrade::as_str);
        let self_trade = request.self_trade_prevention.as_ref().map(mode).transpose()?;
        let valid_for = match request.valid_for_ms {
            None => VALID_FOR,
            Some(millis) if (1..=VALID_FOR_MAX_MS).contains(&millis) => {
                Nanos::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
            }
            Some(millis) => {
                let reason = format!("valid_for_ms: {millis} is not 1 to {VALID_FOR_MAX_MS}");
                return Err(ApiError::new(code::BAD_REQUEST, reason));
            }
        };
        let quantity = read_quantity(facts, "quantity", &request.quantity)?;
        let instrument = facts.index;
        Ok(Self {
            instrument,
            side,
            order_type,
            time_in_force,
            price,
            trigger,
            self_trade,
            quantity,
            valid_for,
        })
    }

    /// The order of `quantity` that trades at once at any price.
    #[must_use]
    pub const fn market(instrument: InstrumentIndex, side: Side, quantity: Quantity) -> Self {
        Self {
            instrument,
            side,
            order_type: OrderType::Market,
            time_in_force: TimeInForce::ImmediateOrCancel,
            price: Price::NONE,
            trigger: Price::NONE,
            self_trade: None,
            quantity,
            valid_for: VALID_FOR,
        }
    }

    /// It as an intent of nobody yet.
    #[must_use]
    pub fn intent(&self) -> Intent {
        Intent {
            price: self.price,
            trigger: self.trigger,
            quantity: self.quantity,
            instrument: self.instrument,
            kind: IntentKind::New.code(),
            side: self.side.code(),
            order_type: self.order_type.code(),
            time_in_force: self.time_in_force.code(),
            self_trade: self.self_trade.map_or(0, SelfTrade::code),
            ..Intent::default()
        }
    }
}

/// The writing end of a source's ring. One process holds it at a time.
pub struct Intents {
    producer: Producer<Intent>,
    epoch: u32,
    source: SourceId,
    source_epoch: u16,
    sequence: u64,
}

impl Intents {
    /// Opens the ring of `source` for the engine of `epoch`: goes on with the one that an earlier process left, under
    /// a source epoch of its own, so that no id is given twice.
    ///
    /// The caller makes sure that no other process writes it.
    ///
    /// # Errors
    /// When it cannot be made, or this engine has seen too many lives of the source.
    pub fn open(ipc: &IpcPaths, source: SourceId, epoch: u32) -> Result<Self, SetupError> {
        let (ring, cursor) = (ipc.intents(source), ipc.intents_cursor(source));
        let producer = Producer::open(&ring, &cursor, CAPACITY, epoch)?;
        let life = producer.life().checked_add(1).and_then(|life| u16::try_from(life).ok());
        let source_epoch =
            life.ok_or_else(|| SetupError::file(&ring, "was opened too often: restart the engine"))?;
        Ok(Self { producer, epoch, source, source_epoch, sequence: 0 })
    }

    /// The engine's epoch for which it was opened.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The source.
    #[must_use]
    pub const fn source(&self) -> SourceId {
        self.source
    }

    /// Sends a new order to risk; gives its id.
    ///
    /// # Errors
    /// `RING_FULL`: nothing was sent.
    pub fn place(&mut self, order: &NewOrder, now: Nanos) -> Result<OrderId, RejectCode> {
        if self.producer.free() <= CANCEL_RESERVE {
            return Err(RejectCode::RingFull);
        }
        self.send(Intent { valid_until: now.saturating_add(order.valid_for), ..order.intent() }, now)
    }

    /// Sends two orders to risk of which one cancels the other, the upper one first; gives their ids.
    ///
    /// # Errors
    /// `RING_FULL`: nothing was sent.
    pub fn place_pair(&mut self, orders: &[NewOrder; 2], now: Nanos) -> Result<[OrderId; 2], RejectCode> {
        if self.producer.free() <= CANCEL_RESERVE + 1 {
            return Err(RejectCode::RingFull);
        }
        let above = self.own_id().next();
        let targets = [(IntentKind::OcoAbove, above.next()), (IntentKind::OcoBelow, above)];
        for (order, (kind, target)) in orders.iter().zip(targets) {
            let valid_until = now.saturating_add(order.valid_for);
            self.send(Intent { target, kind: kind.code(), valid_until, ..order.intent() }, now)?;
        }
        Ok([above, above.next()])
    }

    /// Asks risk to cancel `target`; gives the id of the request.
    ///
    /// # Errors
    /// `RING_FULL`: nothing was sent.
    pub fn cancel(
        &mut self,
        target: OrderId,
        instrument: InstrumentIndex,
        now: Nanos,
    ) -> Result<OrderId, RejectCode> {
        let kind = IntentKind::Cancel.code();
        let valid_until = now.saturating_add(VALID_FOR);
        self.send(Intent { target, instrument, kind, valid_until, ..Intent::default() }, now)
    }

    /// Sends a new order in the place of `target` to risk; gives its id.
    ///
    /// # Errors
    /// `RING_FULL`: nothing was sent.
    pub fn replace(&mut self, target: OrderId, order: &NewOrder, now: Nanos) -> Result<OrderId, RejectCode> {
        if self.producer.free() <= CANCEL_RESERVE {
            return Err(RejectCode::RingFull);
        }
        let kind = IntentKind::Replace.code();
        let valid_until = now.saturating_add(order.valid_for);
        self.send(Intent { target, kind, valid_until, ..order.intent() }, now)
    }

    /// Asks risk to have the venue cancel whatever the account has open on `instrument`; gives the id of the request.
    ///
    /// # Errors
    /// `RING_FULL`: nothing was sent.
    pub fn sweep(&mut self, instrument: InstrumentIndex, now: Nanos) -> Result<OrderId, RejectCode> {
        let kind = IntentKind::Sweep.code();
        let valid_until = now.saturating_add(VALID_FOR);
        self.send(Intent { instrument, kind, valid_until, ..Intent::default() }, now)
    }

    /// Asks risk to lower the quantity of `target` to `quantity`; gives the id of the request.
    ///
    /// # Errors
    /// `RING_FULL`: nothing was sent.
    pub fn amend(
        &mut self,
        target: OrderId,
        instrument: InstrumentIndex,
        quantity: Quantity,
        now: Nanos,
    ) -> Result<OrderId, RejectCode> {
        if self.producer.free() <= CANCEL_RESERVE {
            return Err(RejectCode::RingFull);
        }
        let kind = IntentKind::Amend.code();
        let valid_until = now.saturating_add(VALID_FOR);
        self.send(Intent { target, instrument, quantity, kind, valid_until, ..Intent::default() }, now)
    }

    /// The id given last.
    const fn own_id(&self) -> OrderId {
        let Self { epoch, source, source_epoch, sequence, .. } = *self;
        OrderId { epoch, source, source_epoch, sequence }
    }

    fn send(&mut self, intent: Intent, now: Nanos) -> Result<OrderId, RejectCode> {
        let id = self.own_id().next();
        self.producer.try_push(&Intent { id, decided: now, ..intent }).map_err(|_| RejectCode::RingFull)?;
        self.sequence += 1;
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::instruments::sample;
    use engine::ring::spsc::Consumer;

    fn request(change: impl FnOnce(&mut PlaceOrder)) -> PlaceOrder {
        let mut request = PlaceOrder {
            client_id: None,
            symbol: "ETHUSDT".into(),
            side: "BUY".into(),
            order_type: "LIMIT".into(),
            time_in_force: None,
            quantity: "0.5".into(),
            price: Some("2500.25".into()),
            stop_price: None,
            self_trade_prevention: None,
            valid_for_ms: None,
        };
        change(&mut request);
        request
    }

    #[test]
    fn a_request_is_exact_or_refused_by_field() {
        let table = sample();
        let order = NewOrder::read(&table, &request(|_| {})).expect("good");
        assert_eq!((order.price, order.quantity), (Price(250_025), Quantity(50_000)));
        let stop = request(|r| {
            (r.order_type, r.price, r.stop_price) = ("STOP_LOSS".into(), None, Some("2400".into()));
            r.self_trade_prevention = Some("EXPIRE_BOTH".into());
        });
        let intent = NewOrder::read(&table, &stop).expect("good").intent();
        assert_eq!((intent.order_type, intent.time_in_force), (4, TimeInForce::ImmediateOrCancel.code()));
        assert_eq!((intent.price, intent.trigger), (Price::NONE, Price(240_000)));
        assert_eq!(intent.self_trade, SelfTrade::ExpireBoth.code());
        type Spoil = fn(&mut PlaceOrder);
        let cases: [(&str, Spoil); 13] = [
            ("no such symbol", |r| r.symbol = "X".into()),
            ("side: \"buy\" is none of BUY, SELL", |r| r.side = "buy".into()),
            ("type: ", |r| r.order_type = "STOP".into()),
            ("time_in_force: ", |r| r.time_in_force = Some("GTX".into())),
            ("price: missing", |r| r.price = None),
            ("price: an order of type MARKET has none", |r| r.order_type = "MARKET".into()),
            ("price: an order of type STOP_LOSS has none", |r| r.order_type = "STOP_LOSS".into()),
            ("stop_price: missing", |r| r.order_type = "TAKE_PROFIT_LIMIT".into()),
            ("stop_price: an order of type LIMIT has none", |r| r.stop_price = Some("1".into())),
            ("stop_price: \"x\"", |r| {
                (r.order_type, r.stop_price) = ("STOP_LOSS_LIMIT".into(), Some("x".into()));
            }),
            ("self_trade_prevention: \"BOTH\" is none of NONE, ", |r| {
                r.self_trade_prevention = Some("BOTH".into());
            }),
            ("quantity: \"0\"", |r| r.quantity = "0".into()),
            ("valid_for_ms: 0", |r| r.valid_for_ms = Some(0)),
        ];
        for (reason, spoil) in cases {
            let error = NewOrder::read(&table, &request(spoil)).expect_err(reason);
            assert!(error.message.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_pair_is_two_intents_that_name_each_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let ipc = IpcPaths::new(folder.path());
        ipc.create().expect("made");
        let mut intents = Intents::open(&ipc, SourceId::CLIENT, 9).expect("opened");
        let orders = [Side::Sell, Side::Sell].map(|side| NewOrder::market(0, side, Quantity(5)));
        let ids = intents.place_pair(&orders, Nanos(1)).expect("sent");
        let (ring, cursor) = (ipc.intents(SourceId::CLIENT), ipc.intents_cursor(SourceId::CLIENT));
        let mut risk = Consumer::<Intent>::attach(&ring, &cursor).expect("attached");
        let sent: Vec<Intent> = std::iter::from_fn(|| risk.poll()).collect();
        assert_eq!(sent.iter().map(|intent| intent.id).collect::<Vec<_>>(), ids);
        assert!(sent[0].pairs_with(&sent[1]) && !sent[1].pairs_with(&sent[0]));
        // Both or none find room.
        while intents.producer.free() > CANCEL_RESERVE + 1 {
            intents.place(&orders[0], Nanos(2)).expect("room");
        }
        assert_eq!(intents.place_pair(&orders, Nanos(3)), Err(RejectCode::RingFull));
        assert!(intents.place(&orders[0], Nanos(3)).is_ok());
    }

    #[test]
    fn each_life_of_a_source_has_ids_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let ipc = IpcPaths::new(folder.path());
        ipc.create().expect("made");
        let order = NewOrder::market(0, Side::Sell, Quantity(5));
        let mut first = Intents::open(&ipc, SourceId::CLIENT, 9).expect("opened");
        let a = first.place(&order, Nanos(1)).expect("sent");
        drop(first);
        let mut second = Intents::open(&ipc, SourceId::CLIENT, 9).expect("opened");
        let b = second.cancel(a, 0, Nanos(2)).expect("sent");
        assert_eq!(((a.source_epoch, a.sequence), (b.source_epoch, b.sequence)), ((1, 1), (2, 1)));
        let (ring, cursor) = (ipc.intents(SourceId::CLIENT), ipc.intents_cursor(SourceId::CLIENT));
        let mut risk = Consumer::<Intent>::attach(&ring, &cursor).expect("attached");
        assert_eq!(risk.poll().map(|intent| intent.id), Some(a));
        assert_eq!(risk.poll().map(|intent| (intent.id, intent.target)), Some((b, a)));
        // Another engine: another ring, whose ids begin anew under its own epoch.
        let mut third = Intents::open(&ipc, SourceId::CLIENT, 10).expect("opened");
        assert_eq!(third.place(&order, Nanos(3)).map(|id| (id.epoch, id.source_epoch)), Ok((10, 1)));
    }
}
