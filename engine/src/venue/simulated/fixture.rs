//! What the tests of this folder share.

use std::sync::Arc;

use super::{FeeRate, Matching, QueueModel, Request, RequestKind, SimulationConfig};
use crate::book::{DiffIds, Level};
use crate::domain::{
    Filters, Instrument, InstrumentKind, Instruments, Market, Nanos, OrderId, OrderType, Price, Quantity,
    Scale, Side, SourceId, Symbol, TimeInForce,
};
use crate::message::tick::Top;
use crate::venue::binance::MarketEvent;
use crate::venue::{VenueEvent, VenueEventKind};

/// Everything at zero decimals and no filters: integers in tests are what they say.
pub(super) fn instrument() -> Instrument {
    Instrument {
        symbol: Symbol::new("BTCUSDT").expect("it fits"),
        market: Market::Spot,
        kind: InstrumentKind::Spot,
        base: "BTC".into(),
        quote: "USDT".into(),
        price_scale: Scale::ZERO,
        quantity_scale: Scale::ZERO,
        multiplier: 1,
        filters: Filters::default(),
        untradable: None,
    }
}

pub(super) fn order_id(sequence: u64) -> OrderId {
    OrderId { epoch: 1, source: SourceId(1), source_epoch: 1, sequence }
}

pub(super) fn levels(levels: &[(i64, i64)]) -> Vec<Level> {
    levels
        .iter()
        .map(|&(price, quantity)| Level { price: Price(price), quantity: Quantity(quantity) })
        .collect()
}

/// No latency, 0.1 % to take, nothing to make, partial fills, the careful queue.
pub(super) const CONFIG: SimulationConfig = SimulationConfig {
    queue: QueueModel::RiskAverse,
    maker_fee: FeeRate(0),
    taker_fee: FeeRate(1_000),
    order_latency: Nanos::ZERO,
    answer_latency: Nanos::ZERO,
    partial_fills: true,
};

/// A venue with one instrument, and the market and requests it is driven by. Times are in milliseconds.
pub(super) struct Rig {
    pub(super) venue: Matching,
    last_update_id: u64,
    last_trade_id: u64,
    pub(super) now: Nanos,
}

impl Rig {
    /// Bids 99 × 5 and 98 × 7, asks 101 × 4 and 102 × 6.
    pub(super) fn new(config: SimulationConfig) -> Self {
        Self::listing(instrument(), config)
    }

    pub(super) fn listing(instrument: Instrument, config: SimulationConfig) -> Self {
        let mut rig = Self::without_book(instrument, config);
        rig.snapshot(&[(99, 5), (98, 7)], &[(101, 4), (102, 6)]);
        rig
    }

    pub(super) fn without_book(instrument: Instrument, config: SimulationConfig) -> Self {
        let instruments = Instruments::new(vec![instrument]).expect("one instrument");
        let venue = Matching::new(Arc::new(instruments), config);
        Self { venue, last_update_id: 0, last_trade_id: 0, now: Nanos::from_millis(100) }
    }

    pub(super) fn wait(&mut self, ms: i64) -> &mut Self {
        self.now = self.now + Nanos::from_millis(ms);
        self
    }

    pub(super) fn snapshot(&mut self, bids: &[(i64, i64)], asks: &[(i64, i64)]) -> &mut Self {
        self.last_update_id += 1;
        let (bids, asks) = (&levels(bids)[..], &levels(asks)[..]);
        let event = MarketEvent::Snapshot { instrument: 0, last_update_id: self.last_update_id, bids, asks };
        self.venue.on_market(self.now, &event);
        self
    }

    pub(super) fn diff(&mut self, bids: &[(i64, i64)], asks: &[(i64, i64)]) -> &mut Self {
        self.last_update_id += 1;
        let ids = DiffIds { first: self.last_update_id, last: self.last_update_id, previous: None };
        let (bids, asks) = (&levels(bids)[..], &levels(asks)[..]);
        let event = MarketEvent::Depth { instrument: 0, ids, event_time: self.now, bids, asks };
        self.venue.on_market(self.now, &event);
        self
    }

    /// Loses `lost` updates of the feed.
    pub(super) fn gap(&mut self, lost: u64) -> &mut Self {
        self.last_update_id += lost;
        self
    }

    /// A ticker `ahead` updates newer than the depth.
    pub(super) fn ticker(&mut self, ahead: u64, bid: (i64, i64), ask: (i64, i64)) -> &mut Self {
        let top = Top {
            bid: Price(bid.0),
            bid_quantity: Quantity(bid.1),
            ask: Price(ask.0),
            ask_quantity: Quantity(ask.1),
        };
        let update_id = self.last_update_id + ahead;
        let event = MarketEvent::BookTicker { instrument: 0, update_id, top, event_time: None };
        self.venue.on_market(self.now, &event);
        self
    }

    pub(super) fn trade(&mut self, aggressor: Side, price: i64, quantity: i64) -> &mut Self {
        self.last_trade_id += 1;
        let event = MarketEvent::Trade {
            instrument: 0,
            trade_id: self.last_trade_id,
            price: Price(price),
            quantity: Quantity(quantity),
            aggressor,
            event_time: self.now,
            aggregate: false,
        };
        self.venue.on_market(self.now, &event);
        self
    }

    pub(super) fn send(&mut self, request: &Request) -> &mut Self {
        self.venue.submit(request, self.now);
        self
    }

    pub(super) fn cancel(&mut self, sequence: u64) -> &mut Self {
        let request = Request {
            id: order_id(900),
            target: order_id(sequence),
            kind: RequestKind::Cancel.code(),
            ..Request::default()
        };
        self.send(&request)
    }

    /// Everything that has arrived by now.
    pub(super) fn events(&mut self) -> Vec<VenueEvent> {
        self.venue.advance(self.now);
        std::iter::from_fn(|| self.venue.next_event(self.now)).collect()
    }

    /// The same, in short form.
    pub(super) fn told(&mut self) -> Vec<Told> {
        self.events().iter().map(short).collect()
    }
}

/// An event in short form: the order's sequence, what happened, and its cumulative quantity.
pub(super) type Told = (u64, What, i64);

/// What an event says, without ids and fees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Accepted,
    Rejected(i32),
    /// Price and quantity.
    Made(i64, i64),
    /// Price and quantity.
    Took(i64, i64),
    Canceled,
    Expired,
    CancelRejected(i32),
    Other(VenueEventKind),
}

fn short(event: &VenueEvent) -> Told {
    use crate::domain::Liquidity;
    let what = match event.kind {
        VenueEventKind::Accepted => What::Accepted,
        VenueEventKind::Rejected { code } => What::Rejected(code),
        VenueEventKind::Trade { price, quantity, liquidity: Liquidity::Maker, .. } => {
            What::Made(price.0, quantity.0)
        }
        VenueEventKind::Trade { price, quantity, .. } => What::Took(price.0, quantity.0),
        VenueEventKind::Canceled => What::Canceled,
        VenueEventKind::Expired => What::Expired,
        VenueEventKind::CancelRejected { code } => What::CancelRejected(code),
        other => What::Other(other),
    };
    (event.id.sequence, what, event.cumulative.0)
}

/// A limit order that rests.
pub(super) fn limit(sequence: u64, side: Side, price: i64, quantity: i64) -> Request {
    Request {
        id: order_id(sequence),
        price: Price(price),
        quantity: Quantity(quantity),
        kind: RequestKind::Place.code(),
        side: side.code(),
        order_type: OrderType::Limit.code(),
        time_in_force: TimeInForce::GoodTillCancel.code(),
        ..Request::default()
    }
}

pub(super) fn with_tif(request: Request, time_in_force: TimeInForce) -> Request {
    Request { time_in_force: time_in_force.code(), ..request }
}

pub(super) fn maker_only(sequence: u64, side: Side, price: i64, quantity: i64) -> Request {
    Request {
        order_type: OrderType::LimitMaker.code(),
        time_in_force: 0,
        ..limit(sequence, side, price, quantity)
    }
}

/// `request` once the last price has reached `trigger`.
pub(super) fn waits(order_type: OrderType, trigger: i64, request: Request) -> Request {
    Request { order_type: order_type.code(), trigger: Price(trigger), ..request }
}

pub(super) fn market(sequence: u64, side: Side, quantity: i64) -> Request {
    Request { order_type: OrderType::Market.code(), time_in_force: 0, ..limit(sequence, side, 0, quantity) }
}
