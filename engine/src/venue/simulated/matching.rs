//! `Matching`: the exchange's matching engine for our orders, against flow that does not see us.
//!
//! Time priority, queue position and fills follow from the recorded or generated market; our own fills never move it.
//! Everything is a function of the calls and their times: no clock, no chance, no floats.
//!
//! Owner: whoever hosts the simulated venue. Per step: [`on_market`](Matching::on_market) with each market event at
//! the time it happens at the exchange, [`submit`](Matching::submit) what route sends,
//! [`advance`](Matching::advance), then drain [`next_event`](Matching::next_event). Times handed in must not go back;
//! one that does counts as the latest before it.
//!
//! Simplifications, all documented here:
//! - Our quantity is invisible to the market. What a taker of ours took stays taken until the level changes, and the
//!   last price, which sets off what waits for it, is that of the market's trades.
//! - A level beyond the depth of the snapshot counts as empty until the feed tells of it.
//! - Self-trade prevention is EXPIRE_TAKER: the remainder of a taker that reaches our own order expires. An order that
//!   asks for another mode is refused, as by a symbol that does not allow it.
//! - Market orders are held against the notional filters at the best price of the other side.

use std::collections::VecDeque;
use std::sync::Arc;

use super::account::Account;
use super::clearing::Clearing;
use super::config::{SimulationConfig, code};
use super::filters;
use super::market::{FeedTrade, Market};
use super::queue::{Position, Stamp};
use super::registry::{Past, Place};
use super::request::{Placement, Request, RequestKind, Style};
use super::resting::{OpenOrder, Print};
use super::taker::{self, Plan};
use crate::book::Level;
use crate::domain::{InstrumentIndex, Instruments, Liquidity, Nanos, OrderId, Quantity, SelfTrade};
use crate::message::OrderState;
use crate::venue::binance::MarketEvent;
use crate::venue::{VenueEvent, VenueEventKind};

/// Requests and taker trades that fit before their buffers have to grow.
const CAPACITY_AT_START: usize = 1_024;

/// A request on its way.
#[derive(Clone, Copy, Debug)]
struct InFlight {
    due: Nanos,
    request: Request,
}

/// The exchange's matching engine for our orders.
#[derive(Debug)]
pub struct Matching {
    instruments: Arc<Instruments>,
    config: SimulationConfig,
    /// One an instrument.
    pub(super) markets: Vec<Market>,
    /// In order of arrival.
    in_flight: VecDeque<InFlight>,
    pub(super) clearing: Clearing,
    /// The exchange's time: of the last thing that happened there.
    pub(super) clock: Nanos,
    /// The trades of the taker being planned.
    pub(super) trades: Vec<Level>,
}

impl Matching {
    /// An exchange that lists `instruments`, without books or orders.
    #[must_use]
    pub fn new(instruments: Arc<Instruments>, config: SimulationConfig) -> Self {
        let markets = instruments.iter().map(|(_, instrument)| Market::new(instrument)).collect();
        Self {
            clearing: Clearing::new(instruments.len(), &config),
            instruments,
            config,
            markets,
            in_flight: VecDeque::with_capacity(CAPACITY_AT_START),
            clock: Nanos::ZERO,
            trades: Vec::with_capacity(CAPACITY_AT_START),
        }
    }

    /// Something happened on the market at `now`, on the exchange's side. Requests due by `now` act first.
    pub fn on_market(&mut self, now: Nanos, event: &MarketEvent<'_>) {
        self.advance(now);
        self.clock = self.clock.max(now);
        match *event {
            MarketEvent::Depth { instrument, ids, event_time, bids, asks } => {
                let news = (Some(event_time), false);
                self.on_book(instrument, news, |market| market.depth.on_diff(ids, bids, asks));
            }
            MarketEvent::Snapshot { instrument, last_update_id, bids, asks } => {
                let news = (None, false);
                self.on_book(instrument, news, |market| market.depth.on_snapshot(last_update_id, bids, asks));
            }
            MarketEvent::BookTicker { instrument, update_id, top, event_time } => {
                let news = (event_time, true);
                self.on_book(instrument, news, |market| market.depth.on_ticker(update_id, top));
            }
            MarketEvent::Trade {
                instrument,
                trade_id,
                price,
                quantity,
                aggressor,
                event_time,
                aggregate,
            } => {
                let stamp = Stamp { event: Some(event_time), seen: self.clock };
                let print = Print { price, quantity, stamp };
                self.on_trade(instrument, FeedTrade { trade_id, aggregate, aggressor, print });
            }
            MarketEvent::Kline { .. } | MarketEvent::Skipped(_) => {}
        }
    }

    /// News of a book, with the event's time, or only of its best prices.
    #[inline]
    fn on_book(
        &mut self,
        index: InstrumentIndex,
        (event, only_top): (Option<Nanos>, bool),
        apply: impl FnOnce(&mut Market) -> bool,
    ) {
        let Self { instruments, config, markets, clearing, clock, .. } = self;
        if let Some((market, instrument)) = markets.get_mut(index as usize).zip(instruments.get(index))
            && apply(market)
        {
            market.on_book((Stamp { event, seen: *clock }, only_top), config, instrument, clearing);
        }
    }

    fn on_trade(&mut self, index: InstrumentIndex, trade: FeedTrade) {
        let Self { instruments, config, markets, clearing, .. } = self;
        if let Some((market, instrument)) = markets.get_mut(index as usize).zip(instruments.get(index)) {
            market.on_trade(trade, config, instrument, clearing);
        }
        self.set_off(index);
    }

    /// A request leaves us at `now`. It acts when it reaches the exchange, in the order of submission.
    pub fn submit(&mut self, request: &Request, now: Nanos) {
        let due = now.saturating_add(self.config.order_latency.max(Nanos::ZERO));
        self.in_flight.push_back(InFlight { due, request: Request { sent: now, ..*request } });
    }

    /// Requests that are due by `now` reach the exchange, in order of arrival, each at its own time.
    #[inline]
    pub fn advance(&mut self, now: Nanos) {
        // Asked around every frame, and mostly there are none.
        if self.in_flight.front().is_some_and(|next| next.due <= now) {
            self.arrive(now);
        }
    }

    fn arrive(&mut self, now: Nanos) {
        while let Some(InFlight { due, request }) = self.in_flight.pop_front_if(|next| next.due <= now) {
            self.clock = self.clock.max(due);
            match RequestKind::try_from(request.kind) {
                Ok(RequestKind::Place) => self.place(&request),
                Ok(RequestKind::Cancel) => self.cancel(&request),
                Ok(RequestKind::Query) => self.query(&request),
                Ok(RequestKind::Amend) => self.amend(&request),
                Ok(RequestKind::Sweep) => self.sweep(&request),
                Ok(RequestKind::Replace) => self.replace(&request),
                Ok(RequestKind::PlaceAbove) => {
                    let below = self.in_flight.pop_front_if(|next| request.pairs_with(&next.request));
                    match below {
                        Some(below) => self.place_pair(&request, &below.request),
                        None => self.reject(&request, code::MALFORMED),
                    }
                }
                Ok(RequestKind::PlaceBelow) | Err(_) => self.reject(&request, code::MALFORMED),
            }
        }
    }

    /// The next event that has arrived by `now`. Arrival times never go back.
    pub fn next_event(&mut self, now: Nanos) -> Option<VenueEvent> {
        self.clearing.next_event(now)
    }

    /// When the next event reaches us; `Nanos::NEVER` if none is on its way.
    #[inline]
    #[must_use]
    pub fn next_arrival(&self) -> Nanos {
        self.clearing.next_arrival()
    }

    /// When the next request reaches the exchange or the next event reaches us; `Nanos::NEVER` if neither is on its
    /// way.
    #[must_use]
    pub fn next_deadline(&self) -> Nanos {
        let due = self.in_flight.front().map_or(Nanos::NEVER, |next| next.due);
        due.min(self.clearing.next_arrival())
    }

    /// Our orders: by instrument, buys on the book first, best price first, then by time; last those that wait.
    pub fn open_orders(&self) -> impl Iterator<Item = &OpenOrder> {
        self.markets.iter().flat_map(Market::orders)
    }

    /// What our trades add up to.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.clearing.account
    }

    /// Whether the exchange has a book of `instrument` to match against: without one it takes no orders.
    #[must_use]
    pub fn has_book(&self, instrument: InstrumentIndex) -> bool {
        self.markets.get(instrument as usize).is_some_and(|market| market.depth.is_live())
    }

    pub(super) fn reject(&mut self, request: &Request, code: i32) {
        self.clearing.answer(self.clock, VenueEventKind::Rejected { code }, request.id, request.instrument);
    }

    /// Cancels an order of which nothing is filled, and places another; where there is none, or the new one breaks a
    /// rule, neither. What only the book tells, such as that it would take, refuses the new one after the cancel.
    fn replace(&mut self, request: &Request) {
        if let Err(code) = self.judge(request) {
            return self.reject(request, code);
        }
        let place = self.clearing.registry.find(request.target);
        let market = self.markets.get_mut(request.instrument as usize);
        let order = place.zip(market).and_then(|(place, market)| {
            market.order(place).filter(|order| order.filled == Quantity::ZERO)?;
            market.remove(place)
        });
        let Some(order) = order else { return self.reject(request, code::CANCEL) };
        self.end_cancelled(&order);
        self.place(request);
    }

    fn place(&mut self, request: &Request) {
        match self.admit(request, 0) {
            Ok((order, plan)) => self.execute(&order, plan, OrderId::NONE),
            Err(code) => self.reject(request, code),
        }
    }

    /// Judges a new order by the rules of its instrument.
    fn judge(&self, request: &Request) -> Result<Placement, i32> {
        let order = Placement::read(request).ok_or(code::MALFORMED)?;
        let instrument = self.instruments.get(order.instrument).ok_or(code::SYMBOL)?;
        let market = self.markets.get(order.instrument as usize).ok_or(code::SYMBOL)?;
        if instrument.untradable.is_some() || !market.depth.is_live() {
            return Err(code::NEW_ORDER);
        }
        match SelfTrade::try_from(request.self_trade) {
            Ok(SelfTrade::ExpireTaker) => {}
            Ok(_) => return Err(code::FILTER),
            Err(_) if request.self_trade == 0 => {}
            Err(_) => return Err(code::MALFORMED),
        }
        let reference = market.depth.best_open(order.side.opposite());
        if filters::passes(instrument, &order, reference) { Ok(order) } else { Err(code::FILTER) }
    }

    /// Judges a new order as the venue would, `beside` others of the same request, and plans its trades into `self.trades`.
    /// Changes nothing else.
    pub(super) fn admit(&mut self, request: &Request, beside: usize) -> Result<(Placement, Plan), i32> {
        let order = self.judge(request)?;
        let instrument = self.instruments.get(order.instrument).ok_or(code::SYMBOL)?;
        let market = self.markets.get(order.instrument as usize).ok_or(code::SYMBOL)?;
        let open = market.orders().count() + beside;
        if instrument.filters.max_open_orders.is_some_and(|most| open >= most as usize) {
            return Err(code::FILTER);
        }
        let other = order.side.opposite();
        if self.clearing.registry.find(order.id).is_some() {
            return Err(code::NEW_ORDER);
        }
        if order.condition.is_some_and(|condition| condition.is_met(order.side, market.last)) {
            return Err(code::NEW_ORDER);
        }
        let plan = taker::plan(&market.depth, market.own.get(other).best(), &order, &mut self.trades);
        let takes = plan.filled.0 > 0 || plan.self_trade;
        if order.style == Style::MakerOnly && takes {
            return Err(code::NEW_ORDER);
        }
        if !self.pays(&order, plan) {
            return Err(code::FILTER);
        }
        Ok((order, plan))
    }

    /// Whether the fees of the trades of `plan`, and of what then rests, can be accounted for.
    pub(super) fn pays(&self, order: &Placement, plan: Plan) -> bool {
        let rest = Quantity(order.quantity.0 - plan.filled.0);
        let rests = matches!(order.style, Style::Rest | Style::MakerOnly);
        let rest = rests.then_some(Level { price: order.price, quantity: rest });
        let listed = self.instruments.get(order.instrument);
        listed.is_some_and(|instrument| self.clearing.affordable(instrument, &self.trades, rest))
    }

    /// Accepts an admitted order, which then waits or is carried out; `other` is that of its pair, if it is of one.
    pub(super) fn execute(&mut self, order: &Placement, plan: Plan, other: OrderId) {
        let open = OpenOrder {
            id: order.id,
            venue_order_id: self.clearing.next_order(),
            instrument: order.instrument,
            side: order.side,
            price: order.price,
            quantity: order.quantity,
            filled: Quantity::ZERO,
            accepted: self.clock,
            other,
            position: Position::behind(0),
        };
        self.clearing.say(self.clock, VenueEventKind::Accepted, &open);
        let Some(condition) = order.condition else { return self.carry_out(open, order, plan) };
        self.clearing.registry.open(Place { id: open.id, side: open.side });
        if let Some(market) = self.markets.get_mut(order.instrument as usize) {
            market.waiting.insert(open, *order, condition);
        }
    }

    /// Carries an accepted order out: its trades, then it rests or expires.
    pub(super) fn carry_out(&mut self, mut open: OpenOrder, order: &Placement, plan: Plan) {
        let Self { instruments, markets, clearing, clock, trades, .. } = self;
        let now = *clock;
        let Some((market, instrument)) =
            markets.get_mut(order.instrument as usize).zip(instruments.get(order.instrument))
        else {
            return;
        };
        open.accepted = now;
        open.position = Position::behind(market.depth.quantity_at(order.side, order.price).0);
        if order.style == Style::AllOrNothing && plan.filled < order.quantity {
            clearing.end(now, &open, OrderState::Expired);
            return;
        }
        for &trade in trades.iter() {
            open.filled.0 += trade.quantity.0;
            market.depth.take(order.side.opposite(), trade.price, trade.quantity);
            clearing.trade(now, instrument, &open, trade, Liquidity::Taker);
        }
        if open.leaves() == Quantity::ZERO {
            return;
        }
        if plan.self_trade || !matches!(order.style, Style::Rest | Style::MakerOnly) {
            clearing.end(now, &open, OrderState::Expired);
            return;
        }
        clearing.registry.open(Place { id: open.id, side: open.side });
        market.own.get_mut(order.side).insert(open);
    }

    fn cancel(&mut self, request: &Request) {
        let (id, instrument, now) = (request.target, request.instrument, self.clock);
        let place = self.clearing.registry.find(id);
        let market = self.markets.get_mut(instrument as usize);
        let order = place.zip(market).and_then(|(place, market)| market.remove(place));
        match order {
            Some(order) => self.end_cancelled(&order),
            None => {
                let code = if id == OrderId::NONE { code::MALFORMED } else { code::CANCEL };
                self.clearing.answer(now, VenueEventKind::CancelRejected { code }, id, instrument);
            }
        }
    }

    /// Cancels every order on an instrument. That there was none is no failure.
    fn sweep(&mut self, request: &Request) {
        let (instrument, now) = (request.instrument, self.clock);
        let Some(market) = self.markets.get_mut(instrument as usize) else {
            let kind = VenueEventKind::SweepRejected { code: code::SYMBOL };
            return self.clearing.answer(now, kind, request.id, instrument);
        };
        let open: Vec<Place> =
            market.orders().map(|order| Place { id: order.id, side: order.side }).collect();
        for order in open.into_iter().filter_map(|place| market.remove(place)) {
            self.clearing.end(now, &order, OrderState::Canceled);
        }
        self.clearing.answer(now, VenueEventKind::Swept, request.id, instrument);
    }

    /// Lowers an order's quantity where it stands: its place in the queue is its price and time, which stay.
    fn amend(&mut self, request: &Request) {
        let (id, instrument, now) = (request.target, request.instrument, self.clock);
        let place = self.clearing.registry.find(id);
        let market = self.markets.get_mut(instrument as usize);
        let order = place.zip(market).and_then(|(place, market)| market.order_mut(place));
        let lot = self.instruments.get(instrument).map(|instrument| instrument.filters.lot);
        let code = match order {
            None => code::NO_SUCH_ORDER,
            Some(order) if request.quantity >= order.quantity || request.quantity <= order.filled => {
                code::AMEND
            }
            Some(_) if !lot.is_some_and(|lot| lot.passes(request.quantity)) => code::FILTER,
            Some(order) => {
                order.quantity = request.quantity;
                let kind = VenueEventKind::Amended { quantity: request.quantity };
                return self.clearing.say(now, kind, order);
            }
        };
        self.clearing.answer(now, VenueEventKind::AmendRejected { code }, id, instrument);
    }

    fn query(&mut self, request: &Request) {
        let (id, instrument, now) = (request.target, request.instrument, self.clock);
        let place = self.clearing.registry.find(id);
        let market = self.markets.get(instrument as usize);
        let order = place.zip(market).and_then(|(place, market)| market.order(place));
        if let Some(order) = order {
            let state = if order.filled == Quantity::ZERO { OrderState::Open } else { OrderState::Partial };
            self.clearing.say(now, VenueEventKind::QueryState { state, quantity: order.quantity }, order);
            return;
        }
        match self.clearing.registry.past(instrument, id) {
            Past::Ended(end) => {
                let kind = VenueEventKind::QueryState { state: end.state, quantity: Quantity::ZERO };
                let (venue_order_id, cumulative) = (end.venue_order_id, end.cumulative);
                let event = VenueEvent { kind, id, venue_order_id, cumulative, instrument, received: now };
                self.clearing.send(now, event);
            }
            Past::Forgotten => self.clearing.answer(now, VenueEventKind::Unknown, id, instrument),
            Past::Never => self.clearing.answer(now, VenueEventKind::QueryNotFound, id, instrument),
        }
    }
}
