//! What route does about the connection to its venue: nothing new leaves before what happened without it is settled
//! (C24, F17), and nothing at all leaves while the venue asks for a pause (F06).
//!
//! ```text
//! Down ──Connected──▶ Listing ──OpenOrdersTold──▶ Settling ──every live order told, every trade known──▶ Up
//!  ▲                    │  ▲                         │                                                   │
//!  └────────────────────┴──┴─────Disconnected────────┴───────────────────────────────────────────────────┘
//! ```
//!
//! `StoodIn` is a `Connected` after which live orders are asked about in turn (`rounds`), for nobody tells of them.
//!
//! Until `Up` route's own halt page says CANCEL_ONLY, which risk reads too. A latch of route stays above that.

use crate::counters::halt::HaltState;
use crate::domain::{InstrumentIndex, Nanos, OrderId};
use crate::error::RejectCode;
use crate::journal::Halt;
use crate::limits::INSTRUMENTS_MAX;
use crate::message::report::OrderState;
use crate::ring::spsc::Consumer;
use crate::room;
use crate::shm::late::LOOK_EVERY;
use crate::tick_to_trade::route::Route;
use crate::tick_to_trade::route::rounds::Rounds;
use crate::tick_to_trade::route::state::{self, Effect};
use crate::venue::{OrderEntry, Question, VenueEvent, VenueEventKind};

/// Reconciliations are begun again after this many times the time for an answer: one answer may be a long list.
const PATIENCE: i64 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A venue in this process, whose events cannot be missed.
    Steady,
    Down,
    Listing,
    Settling,
    Up,
}

/// The connection as route sees it.
#[derive(Debug)]
pub(super) struct Link {
    phase: Phase,
    /// Route found something that only an operator may clear.
    latched: HaltState,
    /// Its end has begun: nothing new leaves.
    closing: bool,
    throttled_until: Nanos,
    /// When risk's ring is looked at again.
    look_due: Nanos,
    /// When the reconciliation is begun again.
    deadline: Nanos,
    /// Live orders of which the venue has not spoken since the connection was made.
    unconfirmed: usize,
    /// Questions for an instrument's trades that are not answered.
    sweeps: usize,
    /// Greatest id of the trades known, by instrument; 0 where there is none.
    last_trades: Box<[u64]>,
    /// Whose turn it is, while nobody tells what becomes of an order; `None` while events are told.
    pub(super) rounds: Option<Box<Rounds>>,
}

impl Link {
    pub(super) fn new(connection: bool, latched: HaltState) -> Self {
        Self {
            phase: if connection { Phase::Down } else { Phase::Steady },
            // An earlier life's CANCEL_ONLY was its connection's, and is judged anew.
            latched: if latched == HaltState::Halted { HaltState::Halted } else { HaltState::Active },
            closing: false,
            throttled_until: Nanos(i64::MIN),
            look_due: Nanos(i64::MIN),
            deadline: Nanos::NEVER,
            unconfirmed: 0,
            sweeps: 0,
            last_trades: room::slice(INSTRUMENTS_MAX, 0),
            rounds: None,
        }
    }

    pub(super) const fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Steady | Phase::Up)
    }

    /// Whether the connection lets new orders leave.
    fn permits_new(&self, now: Nanos) -> Result<(), RejectCode> {
        match self.phase {
            Phase::Steady | Phase::Up if self.is_throttled(now) => Err(RejectCode::MessageRate),
            Phase::Steady | Phase::Up => match &self.rounds {
                Some(rounds) if rounds.is_unheard(now) => Err(RejectCode::LinkDown),
                _ => Ok(()),
            },
            Phase::Down | Phase::Listing | Phase::Settling => Err(RejectCode::LinkDown),
        }
    }

    /// Whether the venue asked for silence until later than `now`.
    pub(super) fn is_throttled(&self, now: Nanos) -> bool {
        now < self.throttled_until
    }

    /// Whether a reconciliation got no further in time.
    pub(super) fn is_overdue(&self, now: Nanos) -> bool {
        self.deadline <= now
    }

    pub(super) fn next_deadline(&self) -> Nanos {
        self.deadline.min(self.round_due())
    }

    /// When the next order is to be asked about that has done nothing to be asked about.
    pub(super) fn round_due(&self) -> Nanos {
        match &self.rounds {
            Some(rounds) if self.is_settled() => rounds.due(),
            _ => Nanos::NEVER,
        }
    }
}

/// Why an order that risk has not approved halts everything (C27).
pub(super) const UNAPPROVED: &str = "an order that risk has not approved";

impl<E: OrderEntry> Route<E> {
    /// Whether new orders may leave: the connection is settled, and what is journalled reaches a disk (C25).
    pub(super) fn permits_new(&self, now: Nanos) -> Result<(), RejectCode> {
        if self.ports.journal.health().is_sound() {
            self.link.permits_new(now)
        } else {
            Err(RejectCode::Journal)
        }
    }

    /// Something that only an operator may clear: nothing new leaves any more, for as long as this engine epoch lasts.
    pub(super) fn latch(&mut self, cause: RejectCode, reason: &str, now: Nanos) {
        self.shut();
        let elapsed = self.moment().0;
        // The page is what holds; a full journal takes nothing from it.
        let _ = self.ports.journal.append(now, elapsed, &Halt::global(HaltState::Halted, cause, reason));
    }

    /// The latch alone, where the journal is what failed.
    pub(super) fn shut(&mut self) {
        self.link.latched = HaltState::Halted;
        self.publish_halt();
    }

    /// Looks, at most every 100 ms, whether risk has made another order ring, and whether the one at hand lies: then
    /// nothing is taken from it any more, and an operator has to look into it (C27). Says whether it did.
    #[inline]
    pub(super) fn look_at_orders(&mut self, now: Nanos) -> bool {
        let due = now >= self.link.look_due;
        if due {
            self.look_at_orders_now(now);
        }
        due
    }

    #[cold]
    fn look_at_orders_now(&mut self, now: Nanos) {
        self.link.look_due = now.saturating_add(LOOK_EVERY);
        self.counters.journal_state = u64::from(self.ports.journal.health().state().code());
        self.meet();
        let orders = &mut self.ports.orders;
        orders.refresh(now);
        let Some(defect) = orders.get().and_then(Consumer::defect) else { return };
        let reason = format!("{} {defect}", orders.name());
        orders.quarantine(defect.to_string());
        self.latch(RejectCode::Unapproved, &reason, now);
    }

    /// Looks for the journal's writer, before the first record has to.
    pub fn meet(&mut self) {
        self.ports.journal.meet();
    }

    /// Begins route's end: nothing new leaves any more, cancels do, and risk is told by route's page.
    pub fn close(&mut self) {
        self.link.closing = true;
        self.publish_halt();
    }

    pub(super) fn publish_halt(&mut self) {
        let open = self.link.is_settled() && !self.link.closing;
        let connection = if open { HaltState::Active } else { HaltState::CancelOnly };
        self.ports.own_halts.set_global(self.link.latched.max(connection));
    }

    /// Takes an event that is of no order; `false` if it is of one.
    pub(super) fn on_link_event(&mut self, event: &VenueEvent, now: Nanos) -> bool {
        match event.kind {
            VenueEventKind::Connected => self.connected(None, now),
            VenueEventKind::StoodIn => self.connected(Some(Box::default()), now),
            VenueEventKind::Disconnected => self.disconnected(now),
            VenueEventKind::OpenOrdersTold => self.listed(now),
            VenueEventKind::TradesTold => self.trades_told(event.id, now),
            VenueEventKind::Throttled { until } => self.throttle(until),
            VenueEventKind::Banned { until } => {
                self.throttle(until);
                self.latch(RejectCode::MessageRate, "the venue has banned this address or account", now);
            }
            _ => return false,
        }
        true
    }

    fn throttle(&mut self, until: Nanos) {
        self.counters.throttled += 1;
        self.link.throttled_until = self.link.throttled_until.max(until);
    }

    fn disconnected(&mut self, now: Nanos) {
        self.counters.disconnects += 1;
        (self.link.phase, self.link.deadline) = (Phase::Down, Nanos::NEVER);
        self.link.rounds = None;
        self.publish_halt();
        // What was under way when the connection broke may or may not have arrived (F01).
        for id in self.live(|state| state == OrderState::Sent) {
            self.lose(id, now);
        }
    }

    fn connected(&mut self, rounds: Option<Box<Rounds>>, now: Nanos) {
        self.link.rounds = rounds;
        self.list(now);
    }

    /// Begins to settle what happened without the connection.
    pub(super) fn list(&mut self, now: Nanos) {
        self.link.phase = Phase::Listing;
        self.link.deadline = now.saturating_add(Nanos(self.timing.answer.0 * PATIENCE));
        self.link.sweeps = 0;
        self.publish_halt();
        let live = self.live(|_| true);
        self.link.unconfirmed = live.len();
        for id in live {
            if let Some(order) = self.orders.get_mut(id) {
                order.unconfirmed = true;
                // What was asked over another connection is answered there or not at all.
                order.question = state::Question::None;
            }
        }
        // While the venue wants silence the deadline asks later.
        if !self.link.is_throttled(now) {
            let _ = self.entry.ask(Question::OpenOrders, now);
        }
    }

    /// Every open order has been told; what is not among them needs a question each.
    fn listed(&mut self, now: Nanos) {
        if self.link.phase != Phase::Listing {
            return;
        }
        self.link.phase = Phase::Settling;
        for id in self.live(|_| true) {
            let Some(order) = self.orders.get(id) else { continue };
            if !order.unconfirmed {
                continue;
            }
            if order.state == OrderState::Sent {
                self.lose(id, now);
            } else {
                self.ask(id, now);
            }
        }
        for (instrument, &last) in (0..).zip(&self.link.last_trades) {
            let question = Question::TradesFrom { instrument, trade_id: last + 1 };
            if last != 0 {
                // One that does not leave is asked for when the deadline begins again.
                self.link.sweeps += 1;
                let _ = self.entry.ask(question, now);
            }
        }
        self.check_settled();
    }

    fn lose(&mut self, id: OrderId, now: Nanos) {
        let Some(order) = self.orders.get_mut(id) else { return };
        let (before, effect) = (order.state, order.lost());
        self.settle(id, Some(effect), before, None, now);
    }

    fn live(&self, chosen: impl Fn(OrderState) -> bool) -> Vec<OrderId> {
        let orders = self.orders.open();
        orders.filter(|o| !o.state.is_terminal() && chosen(o.state)).map(|o| o.id).collect()
    }

    fn trades_told(&mut self, id: OrderId, now: Nanos) {
        if let Some(order) = self.orders.get_mut(id) {
            order.missing = false;
            // What it came to with them, only the venue tells.
            if !order.state.is_terminal() {
                self.query(id, now);
            }
        } else if id == OrderId::NONE {
            self.link.sweeps = self.link.sweeps.saturating_sub(1);
        }
        self.check_settled();
    }

    /// The order that an event is of. The venue's lists of trades name only its own id of it.
    pub(super) fn find(&self, event: &VenueEvent) -> Option<OrderId> {
        if event.id != OrderId::NONE {
            return self.orders.get(event.id).map(|order| order.id);
        }
        let same = |venue: u64, instrument: InstrumentIndex| {
            venue != 0 && venue == event.venue_order_id && instrument == event.instrument
        };
        self.orders.iter().find(|o| same(o.venue_order_id, o.instrument)).map(|order| order.id)
    }

    /// The venue spoke of an order.
    pub(super) fn spoken_of(&mut self, id: OrderId, effect: Effect, event: &VenueEvent, now: Nanos) {
        let Some(order) = self.orders.get_mut(id) else { return };
        if let (VenueEventKind::Trade { trade_id, .. }, Effect::Report { .. }) = (event.kind, effect)
            && let Some(last) = self.link.last_trades.get_mut(order.instrument as usize)
        {
            *last = (*last).max(trade_id);
        }
        let unanswered = matches!(effect, Effect::AskTrades | Effect::Ask);
        // A trade says that there is an order, and not what became of it.
        let says_state = !matches!(event.kind, VenueEventKind::Trade { .. } | VenueEventKind::Unknown);
        if order.unconfirmed && ((says_state && !unanswered) || order.state.is_terminal()) {
            order.unconfirmed = false;
            self.link.unconfirmed = self.link.unconfirmed.saturating_sub(1);
            // A cancel whose answer was lost: the order is as told, and the cancel may be asked for again.
            if order.state == OrderState::PendingCancel || order.is_amending() {
                self.ask(id, now);
            }
            self.check_settled();
        }
    }

    fn check_settled(&mut self) {
        if self.link.phase == Phase::Settling && self.link.unconfirmed == 0 && self.link.sweeps == 0 {
            (self.link.phase, self.link.deadline) = (Phase::Up, Nanos::NEVER);
            self.counters.reconciled += 1;
            self.publish_halt();
        }
    }

    /// Asks about an order now, and again until it is settled; one chain of questions an order.
    pub(super) fn ask(&mut self, id: OrderId, now: Nanos) {
        let Some(order) = self.orders.get_mut(id) else { return };
        if order.asking || (order.state.is_terminal() && !order.missing) {
            return;
        }
        order.asking = true;
        if order.missing && order.venue_order_id != 0 {
            self.query_trades(id, now);
        } else {
            self.query(id, now);
        }
        self.queries.start(id, now);
    }

    /// The venue counts more than the known trades: asks for them at once, but not more often than for anything else.
    pub(super) fn ask_trades(&mut self, id: OrderId, now: Nanos) {
        let Some(order) = self.orders.get_mut(id) else { return };
        order.missing = true;
        if order.missing_asked == Nanos::ZERO || now >= order.missing_asked.saturating_add(self.timing.query)
        {
            self.query_trades(id, now);
        }
        let Some(order) = self.orders.get_mut(id) else { return };
        if !order.asking {
            order.asking = true;
            self.queries.start(id, now);
        }
    }

    pub(super) fn query(&mut self, id: OrderId, now: Nanos) {
        let Some(order) = self.orders.get_mut(id) else { return };
        if !self.link.is_throttled(now) && self.entry.query(order.instrument, id, now).is_ok() {
            self.counters.queries += 1;
            // One that was overtaken stays so: its answer may still come, and comes first.
            if order.question == state::Question::None {
                order.question = state::Question::Out;
            }
        }
    }

    fn query_trades(&mut self, id: OrderId, now: Nanos) {
        let Some(order) = self.orders.get_mut(id) else { return };
        order.missing_asked = now;
        let (instrument, venue_order_id) = (order.instrument, order.venue_order_id);
        let question = Question::TradesOf { instrument, id, venue_order_id, trade_id: 0 };
        if !self.link.is_throttled(now) && self.entry.ask(question, now).is_ok() {
            self.counters.queries += 1;
        }
    }
}
