//! Route: the order state machine, the journal of orders and reports, and the way to the venue.
//!
//! It takes `Order`s from risk, journals that each is sent *before* its first byte leaves, and turns the venue's
//! events into `Report`s, which are the tail of its journal. It queries and never re-sends: an id leaves once ever.
//! It reads the halt pages before it takes up each request, and holds what it sends against what risk approved (C27). Over
//! sockets what was taken up leaves by the end of the duty cycle.

pub mod counts;
mod adopt;
mod change;
mod leaving;
mod link;
mod observed;
pub mod orders;
mod pair;
mod place;
mod replace;
mod rounds;
pub mod state;
mod sweep;
mod taken;
mod trades;
pub mod timeouts;
mod recovery;

use std::hint::cold_path;

use crate::agent::Agent;
use crate::clock::{Moment, Stopwatch};
use crate::counters::Histograms;
use crate::counters::halt::{HaltPage, HaltPages, HaltState};
use crate::crash;
use crate::domain::{Nanos, OrderId, Quantity};
use crate::error::RejectCode;
use crate::hint::unlikely;
use crate::journal::Journal;
use crate::limits::POLL_BATCH;
use crate::message::report::{OrderState, Report, ReportKind};
use crate::message::{Intent, IntentKind, SealedOrder};
use crate::ring::spsc;
use crate::shm::Late;
use crate::tick_to_trade::route::change::unseen_amend;
use crate::tick_to_trade::route::counts::RouteCounters;
use crate::tick_to_trade::route::leaving::Leaving;
use crate::tick_to_trade::route::link::Link;
use crate::tick_to_trade::route::orders::{Orders, describe};
use crate::tick_to_trade::route::recovery::Past;
use crate::tick_to_trade::route::state::{Effect, OrderRecord, Pairing};
use crate::tick_to_trade::route::sweep::{SWEEPS_MAX, Sweep};
use crate::tick_to_trade::route::timeouts::Timeouts;
use crate::venue::{OrderEntry, VenueEvent, VenueEventKind};

pub use crate::tick_to_trade::route::timeouts::RouteTiming;

/// Journal records that one order or event may need.
const RECORDS_PER_STEP: usize = 4;

/// Answers "no such order" needed, at least a query interval apart, before an order counts as never placed (F03).
const NOT_FOUND_NEEDED: u8 = 3;

/// The rings and pages of route.
pub struct RoutePorts {
    /// Approved orders, from risk.
    pub orders: Late<spsc::Consumer<SealedOrder>>,
    /// Route's own journal; its tail is the report stream.
    pub journal: Journal,
    /// Every owner's halt page.
    pub halts: HaltPages,
    /// Route's own halt page.
    pub own_halts: HaltPage,
    /// Stage latencies: `route` (it may begin where `risk` ended: [`Moment`]), `tick_to_order`, `order_to_ack`, in this order.
    pub histograms: Histograms,
}

/// Names of route's latency histograms, in the order of [`RoutePorts::histograms`].
pub const ROUTE_STAGES: [&str; 3] = ["route", "tick_to_order", "order_to_ack"];

/// The agent.
pub struct Route<E> {
    ports: RoutePorts,
    entry: E,
    stopwatch: Stopwatch,
    /// What the stopwatch said when it was read last, in this duty cycle.
    moment: Moment,
    timing: RouteTiming,
    orders: Orders,
    answers: Timeouts,
    queries: Timeouts,
    last_approval: u64,
    /// Stamp of the frame that caused the request which just left; 0 for none.
    left: u32,
    leaving: Leaving,
    past: Option<Box<Past>>,
    link: Link,
    sweeps: Vec<Sweep>,
    /// Counts since start.
    pub counters: RouteCounters,
}

impl<E: OrderEntry> Route<E> {
    /// Joins the ports to a venue's order entry.
    pub fn new(ports: RoutePorts, entry: E, stopwatch: Stopwatch, timing: RouteTiming) -> Self {
        let mut route = Self {
            link: Link::new(timing.connection, ports.own_halts.global()),
            ports,
            entry,
            stopwatch,
            moment: Moment::UNKNOWN,
            timing,
            orders: Orders::default(),
            answers: Timeouts::new(timing.answer),
            queries: Timeouts::new(timing.query),
            last_approval: 0,
            left: 0,
            leaving: Leaving::default(),
            past: None,
            sweeps: Vec::with_capacity(SWEEPS_MAX),
            counters: RouteCounters::default(),
        };
        route.publish_halt();
        route
    }

    /// Every order that route remembers.
    pub const fn orders(&self) -> &Orders {
        &self.orders
    }

    /// Records that it has journalled.
    pub const fn records(&self) -> u64 {
        self.ports.journal.position()
    }

    /// Requests that it has made of the venue.
    pub const fn requests(&self) -> u64 {
        let RouteCounters { sent, pairs, cancels, amends, queries, .. } = self.counters;
        sent - pairs + cancels + amends + queries
    }

    /// The halt pages that it obeys.
    pub const fn halts(&self) -> &HaltPages {
        &self.ports.halts
    }

    /// The way to the venue.
    pub const fn entry(&self) -> &E {
        &self.entry
    }

    /// The way to the venue, for who records it or plays it again.
    pub const fn entry_mut(&mut self) -> &mut E {
        &mut self.entry
    }

    #[inline]
    fn work_from(&mut self, now: Nanos, moment: &mut Moment) -> usize {
        self.moment = Moment::UNKNOWN;
        let looked = self.ports.halts.refresh(now) | self.look_at_orders(now);
        if unlikely(self.past.is_some()) {
            moment.forget();
            let taken = self.take_past(now);
            if self.past.is_some() {
                // Nothing new leaves before what may have left is asked about.
                return taken + self.take_events(now) + self.take_timeouts(now);
            }
        }
        // Events first: a fill that has arrived must be known before the next order leaves.
        let first = self.take_events(now) + self.take_timeouts(now);
        if looked || first > 0 || !self.entry.is_near() {
            moment.forget();
        }
        first + self.take_orders(now, moment)
    }

    /// Reports an order that never left, or a change that did not and whose order stays as it is.
    fn refuse(&mut self, intent: &Intent, code: RejectCode, now: Nanos) {
        self.counters.withheld += 1;
        let change = match IntentKind::try_from(intent.kind) {
            Ok(IntentKind::Cancel) => Some(ReportKind::CancelRejected),
            Ok(IntentKind::Amend) => Some(ReportKind::AmendRejected),
            Ok(IntentKind::Sweep) => return self.report_sweep(intent.id, intent.instrument, Err(code), now),
            _ => None,
        };
        if let Some(kind) = change
            && self.orders.get(intent.target).is_some()
        {
            return self.report(intent.target, kind, code, now);
        }
        let (kind, state) = match code {
            _ if let Some(kind) = change => (kind, OrderState::Rejected),
            RejectCode::Expired => (ReportKind::Expired, OrderState::Expired),
            _ => (ReportKind::Rejected, OrderState::Rejected),
        };
        let report = Report {
            id: if change.is_some() { intent.target } else { intent.id },
            price: intent.price,
            quantity: intent.quantity,
            instrument: intent.instrument,
            kind: kind.code(),
            state: state.code(),
            side: intent.side,
            detail: code.code(),
            at: now,
            ..Report::default()
        };
        self.append(&report, now);
    }

    #[inline]
    fn take_events(&mut self, now: Nanos) -> usize {
        let mut taken = 0;
        while taken < POLL_BATCH && self.ports.journal.free() >= RECORDS_PER_STEP {
            let Some(event) = self.entry.poll(now) else { break };
            taken += 1;
            crash::point("route.event_taken");
            self.on_event(&event, now);
            crash::point("route.event_journalled");
        }
        taken
    }

    #[inline(never)]
    fn on_event(&mut self, event: &VenueEvent, now: Nanos) {
        self.counters.events += 1;
        if self.on_link_event(event, now) || self.on_sweep_event(event, now) {
            return;
        }
        if let Some(rounds) = &mut self.link.rounds {
            rounds.heard(event.kind);
        }
        let Some(id) = self.find(event) else {
            cold_path();
            self.counters.foreign += u64::from(!self.adopt(event, now));
            return;
        };
        let Some(order) = self.orders.get_mut(id) else { return };
        let (before, replaces, pairing) = (order.state, order.replaces, order.pairing);
        if before == OrderState::Sent {
            let wait = now - order.sent;
            self.ports.histograms.note(2, wait.max(Nanos::ZERO));
        }
        let effect = if unlikely(event.kind == VenueEventKind::QueryNotFound) {
            not_found(order, now, &self.timing)
        } else {
            unseen_amend(order, event, now, &self.timing).unwrap_or_else(|| order.apply(event))
        };
        self.settle(id, Some(effect), before, Some(event), now);
        self.spoken_of(id, effect, event, now);
        self.after_refused_amend(id, event, now);
        self.after_refused_replace(replaces, event, now);
        if unlikely(pairing != Pairing::Alone) {
            self.tell_other(id, event, now);
        }
    }

    /// Reports what an effect was and keeps the books about the order.
    fn settle(
        &mut self,
        id: OrderId,
        effect: Option<Effect>,
        before: OrderState,
        event: Option<&VenueEvent>,
        now: Nanos,
    ) {
        match effect {
            None => {}
            Some(Effect::Stale) => self.counters.stale += 1,
            Some(Effect::Ask) => self.ask(id, now),
            Some(Effect::AskTrades) => self.ask_trades(id, now),
            Some(Effect::Overfill) => {
                self.counters.overfills += 1;
                self.latch(RejectCode::Venue, "more was filled than ordered", now);
            }
            Some(Effect::Report { kind, reject, revived, implied_accept }) => {
                if unlikely(implied_accept) {
                    self.report(id, ReportKind::Accepted, RejectCode::None, now);
                }
                match (kind, event.map(|event| &event.kind)) {
                    (ReportKind::Fill, Some(trade)) => self.report_fill(id, trade, now),
                    _ => self.report(id, kind, reject, now),
                }
                self.keep(id, before, revived, now);
            }
        }
    }

    fn keep(&mut self, id: OrderId, before: OrderState, revived: bool, now: Nanos) {
        let Some(order) = self.orders.get(id) else { return };
        let (state, instrument) = (order.state, order.instrument);
        if before.is_terminal() != state.is_terminal() {
            self.orders.ended(id, state.is_terminal());
            if state.is_terminal() {
                self.shed_answers(id);
            }
        }
        if unlikely(revived) {
            self.counters.revived += 1;
            self.ports.own_halts.set_instrument(instrument, HaltState::CancelOnly);
        }
        if state == OrderState::Unknown && before != OrderState::Unknown {
            self.counters.unknown += 1;
            self.ask(id, now);
        }
    }

    #[inline]
    fn take_timeouts(&mut self, now: Nanos) -> usize {
        if self.next_due() <= now { self.take_due(now) } else { 0 }
    }

    /// When the next of the delays is over that route itself waits for.
    #[inline]
    fn next_due(&self) -> Nanos {
        self.answers.next_deadline().min(self.queries.next_deadline()).min(self.link.next_deadline())
    }

    #[inline(never)]
    fn take_due(&mut self, now: Nanos) -> usize {
        let mut taken = 0;
        while taken < POLL_BATCH && self.ports.journal.free() >= RECORDS_PER_STEP {
            if let Some(id) = self.answers.due(now) {
                taken += 1;
                let Some(order) = self.orders.get_mut(id) else {
                    self.sweep_unanswered(id, now);
                    continue;
                };
                let before = order.state;
                let effect = match before {
                    OrderState::Sent => Some(order.lost()),
                    OrderState::PendingCancel => Some(Effect::Ask),
                    _ if order.is_amending() || order.swept => Some(Effect::Ask),
                    _ => None,
                };
                self.settle(id, effect, before, None, now);
            } else if let Some(id) = self.queries.due(now) {
                taken += 1;
                let Some(order) = self.orders.get_mut(id) else { continue };
                order.asking = false;
                if order.is_open_question() {
                    self.ask(id, now);
                }
            } else if self.link.is_overdue(now) {
                taken += 1;
                self.list(now);
            } else if self.link.round_due() <= now {
                taken += 1;
                self.ask_next(now);
            } else {
                break;
            }
        }
        taken
    }

    fn report(&mut self, id: OrderId, kind: ReportKind, reject: RejectCode, now: Nanos) {
        let Some(order) = self.orders.get(id) else { return };
        let report = Report { detail: reject.code(), ..describe(order, kind, now) };
        self.append(&report, now);
    }

    fn report_fill(&mut self, id: OrderId, trade: &VenueEventKind, now: Nanos) {
        let VenueEventKind::Trade { price, quantity, trade_id, fee, fee_asset, liquidity } = *trade else {
            return;
        };
        let Some(order) = self.orders.get(id) else { return };
        self.counters.fills += 1;
        let report = Report {
            price,
            quantity,
            fee,
            trade_id,
            detail: liquidity.code() | fee_asset.code() << 4,
            ..describe(order, ReportKind::Fill, now)
        };
        self.append(&report, now);
    }

    /// When this duty cycle is, on the monotonic clock: as `now` one moment for all that it tells. The clock is read once for
    /// that, and for each order that it takes up.
    fn moment(&mut self) -> Nanos {
        let elapsed = self.moment.or_read(&self.stopwatch);
        self.moment = Moment::at(elapsed);
        elapsed
    }

    fn append(&mut self, report: &Report, now: Nanos) {
        let elapsed = self.moment();
        self.append_at(report, now, elapsed);
    }

    /// The same at `elapsed` on the monotonic clock.
    #[inline(always)]
    fn append_at(&mut self, report: &Report, now: Nanos, elapsed: Nanos) {
        // Room was checked before the order or event was taken up, so this cannot fail; if it does, a report is lost
        // and nothing may be trusted any more.
        if unlikely(self.ports.journal.append(now, elapsed.0, report).is_err()) {
            self.shut();
        }
    }
}

/// "No such order" proves something only when nothing that was sent can still arrive, and only when repeated with time
/// between (F03).
fn not_found(order: &mut OrderRecord, now: Nanos, timing: &RouteTiming) -> Effect {
    // A cancel may have followed an order that never arrived; one that the venue has ever told of is not unsaid.
    let unheard = order.venue_order_id == 0 && order.cumulative == Quantity::ZERO;
    let open = order.state == OrderState::Unknown || (order.state == OrderState::PendingCancel && unheard);
    if !open || now < order.sent.saturating_add(timing.conclusive) {
        return Effect::Stale;
    }
    if order.not_found > 0 && now < order.not_found_at.saturating_add(timing.query) {
        return Effect::Stale;
    }
    order.not_found += 1;
    order.not_found_at = now;
    if order.not_found >= NOT_FOUND_NEEDED { order.never_placed() } else { Effect::Stale }
}

impl<E: OrderEntry> Agent for Route<E> {
    fn name(&self) -> &'static str {
        "route"
    }

    fn do_work(&mut self, now: Nanos) -> usize {
        self.do_work_from(now, &mut Moment::default())
    }

    fn do_work_from(&mut self, now: Nanos, moment: &mut Moment) -> usize {
        let taken = self.work_from(now, moment);
        if self.entry.holds() {
            self.let_leave(moment);
        }
        taken
    }

    fn next_deadline(&self) -> Nanos {
        self.entry.next_deadline().min(self.next_due())
    }
}

#[cfg(test)]
mod tests;
