//! The order state machine (reliability.md §2): what each event of the venue does to an order.
//!
//! A trade is accepted in every state, terminal or not. Nothing here knows of time, journals or connections.

use crate::domain::{InstrumentIndex, Nanos, OrderId, Price, Quantity, Side};
use crate::error::RejectCode;
use crate::message::Intent;
use crate::message::report::{OrderState, ReportKind};
use crate::tick_to_trade::route::trades::Trades;
use crate::venue::{VenueEvent, VenueEventKind};

/// Most trades of one order that are told apart; more are refused as duplicates would be, and counted.
const TRADES_PER_ORDER_MAX: usize = 4_096;

/// What route knows of one order. Owned by route.
#[derive(Clone, Debug)]
pub struct OrderRecord {
    /// Our id.
    pub id: OrderId,
    /// The venue's id; 0 until it said.
    pub venue_order_id: u64,
    /// The instrument.
    pub instrument: InstrumentIndex,
    /// Its side.
    pub side: Side,
    /// Its limit price; 0 for a market order.
    pub price: Price,
    /// Its quantity.
    pub quantity: Quantity,
    /// Filled so far: the sum of its trades.
    pub cumulative: Quantity,
    /// What of that was filled before this session, of an order that an earlier one sent; and how much of it the trades
    /// that the venue has told of since make up: they are no fills of this session.
    pub before: Quantity,
    /// See `before`.
    pub before_told: Quantity,
    /// What an amendment under way shall lower the quantity to, and when that was sent; 0 when none is. Until the venue
    /// says that it has, `quantity` is the old one.
    pub amending: Quantity,
    /// See `amending`.
    pub amend_sent: Nanos,
    /// Where it is in its life.
    pub state: OrderState,
    /// When it left, on the engine's timeline.
    pub sent: Nanos,
    /// Conclusive answers that the venue knows no such order, and when the last one counted.
    pub not_found: u8,
    /// See `not_found`.
    pub not_found_at: Nanos,
    /// Whether a query of it is due or out.
    pub asking: bool,
    /// Whether the venue counts more of it as filled than its known trades sum to, and when they were last asked for.
    pub missing: bool,
    /// See `missing`.
    pub missing_asked: Nanos,
    /// Whether the venue has not spoken of it since the connection was made.
    pub unconfirmed: bool,
    /// The order in whose place it was sent, by one request; `OrderId::NONE` for any other.
    pub replaces: OrderId,
    /// Whether the cancel on its way is one half of a replacement, which may be refused whole before anything is cancelled.
    pub half_cancel: bool,
    /// Which of a pair it is, of those that this life has sent.
    pub pairing: Pairing,
    /// Whether a cancel of all on its instrument has left, or the other of its pair trades or has ended, and the venue has not
    /// said since whether it rests on.
    pub swept: bool,
    /// Whether a question is out whose answer may be older than a cancel.
    pub question: Question,
    /// Trades applied, to tell a repeat (F11).
    pub(super) trades: Trades,
}

/// A question about an order, which may go another way than its cancel and be answered first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// None is out.
    None,
    /// One is.
    Out,
    /// One is, and a cancel has left behind it: that the order rests, as it says, is no answer to the cancel.
    Overtaken,
}

/// Whether an order is one of a pair of which one cancels the other. Their ids follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// It is not.
    Alone,
    /// It is the upper one, whose id names the request.
    Above,
    /// It is the lower one.
    Below,
}

impl Pairing {
    /// The id of the other of the pair of order `id`; of an order alone its own.
    #[must_use]
    pub const fn other_of(self, id: OrderId) -> OrderId {
        match self {
            Self::Alone => id,
            Self::Above => id.next(),
            Self::Below => id.previous(),
        }
    }
}

/// What an event meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changed the order, and is to be reported.
    Report {
        /// What happened.
        kind: ReportKind,
        /// Why, for a rejection.
        reject: RejectCode,
        /// The order was thought never to have lived: alert, and stop the symbol (F04).
        revived: bool,
        /// A trade came before the acknowledgement: report the acceptance first (F13).
        implied_accept: bool,
    },
    /// It repeats or contradicts what is known already: counted, not reported (F10, F11).
    Stale,
    /// The venue does not say what became of the order: ask (F01, F07).
    Ask,
    /// The venue counts trades that are not known here: ask for them (F02, F08, F14).
    AskTrades,
    /// The trade would fill more than was ordered: not applied; the account cannot be trusted.
    Overfill,
}

const fn report(kind: ReportKind) -> Effect {
    Effect::Report { kind, reject: RejectCode::None, revived: false, implied_accept: false }
}

impl OrderRecord {
    /// An order whose bytes are about to leave.
    #[inline]
    #[must_use]
    pub const fn new(
        id: OrderId,
        instrument: InstrumentIndex,
        side: Side,
        price: Price,
        quantity: Quantity,
        sent: Nanos,
    ) -> Self {
        Self {
            id,
            venue_order_id: 0,
            instrument,
            side,
            price,
            quantity,
            cumulative: Quantity::ZERO,
            before: Quantity::ZERO,
            before_told: Quantity::ZERO,
            amending: Quantity::ZERO,
            amend_sent: Nanos::ZERO,
            state: OrderState::Sent,
            sent,
            not_found: 0,
            not_found_at: Nanos::ZERO,
            asking: false,
            missing: false,
            missing_asked: Nanos::ZERO,
            unconfirmed: false,
            replaces: OrderId::NONE,
            half_cancel: false,
            pairing: Pairing::Alone,
            swept: false,
            question: Question::None,
            trades: Trades::new(),
        }
    }

    /// The order that `intent` asks for, whose side has been read.
    #[inline]
    #[must_use]
    pub const fn of(intent: &Intent, side: Side, sent: Nanos) -> Self {
        Self::new(intent.id, intent.instrument, side, intent.price, intent.quantity, sent)
    }

    /// The same, of which `before` was filled in an earlier session, by the venue's own account of the order.
    #[must_use]
    pub fn filled_before(mut self, before: Quantity, venue_order_id: u64) -> Self {
        (self.cumulative, self.before, self.venue_order_id) = (before, before, venue_order_id);
        self.missing = before > Quantity::ZERO;
        self
    }

    /// What may still trade at the venue: zero once terminal.
    #[must_use]
    pub const fn leaves(&self) -> Quantity {
        if self.state.is_terminal() { Quantity::ZERO } else { Quantity(self.quantity.0 - self.cumulative.0) }
    }

    /// Applies an event of the venue.
    pub fn apply(&mut self, event: &VenueEvent) -> Effect {
        if event.venue_order_id != 0 {
            self.venue_order_id = event.venue_order_id;
        }
        let is_state = matches!(event.kind, VenueEventKind::QueryState { .. });
        let overtaken =
            is_state && std::mem::replace(&mut self.question, Question::None) == Question::Overtaken;
        match event.kind {
            VenueEventKind::Accepted => self.accepted(),
            VenueEventKind::Trade { quantity, trade_id, .. } => {
                let earlier = self.traded_before(event, quantity, trade_id);
                earlier.unwrap_or_else(|| self.traded(quantity, trade_id))
            }
            VenueEventKind::Canceled
            | VenueEventKind::Expired
            | VenueEventKind::QueryState { .. }
            | VenueEventKind::OpenOrder { .. }
                if event.cumulative > self.cumulative =>
            {
                Effect::AskTrades
            }
            VenueEventKind::Canceled => self.ended(OrderState::Canceled),
            VenueEventKind::Expired => self.ended(OrderState::Expired),
            VenueEventKind::Rejected { .. } => self.rejected(),
            VenueEventKind::CancelRejected { .. } => self.cancel_rejected(),
            VenueEventKind::Unknown => self.lost(),
            VenueEventKind::Amended { quantity } => self.amended(quantity),
            VenueEventKind::AmendRejected { .. } => self.amend_rejected(),
            VenueEventKind::QueryState { state, .. } if overtaken && !state.is_terminal() => Effect::Stale,
            VenueEventKind::QueryState { state, quantity }
            | VenueEventKind::OpenOrder { state, quantity, .. } => self.resolved(state, quantity),
            // Whether "no such order" is conclusive depends on time: the agent decides.
            VenueEventKind::QueryNotFound => Effect::Ask,
            // Of no order: the agent takes them before it looks for one.
            VenueEventKind::Swept
            | VenueEventKind::SweepRejected { .. }
            | VenueEventKind::Connected
            | VenueEventKind::StoodIn
            | VenueEventKind::Disconnected
            | VenueEventKind::OpenOrdersTold
            | VenueEventKind::TradesTold
            | VenueEventKind::Throttled { .. }
            | VenueEventKind::Banned { .. } => Effect::Stale,
        }
    }

    /// Whether it is to be asked about again.
    #[must_use]
    pub const fn is_open_question(&self) -> bool {
        self.missing
            || self.unconfirmed
            || ((self.is_amending() || self.swept) && !self.state.is_terminal())
            || matches!(self.state, OrderState::Unknown | OrderState::PendingCancel)
    }

    /// Takes the order as never placed, once that is proven (F03).
    pub fn never_placed(&mut self) -> Effect {
        self.state = OrderState::NeverPlaced;
        report(ReportKind::NeverPlaced)
    }

    /// Marks a cancel as on its way.
    ///
    /// Where events are not `told`, the answer to its own request says too that it rests, and is older.
    pub fn cancel_sent(&mut self, told: bool) -> Effect {
        if self.question == Question::Out || (!told && self.state == OrderState::Sent) {
            self.question = Question::Overtaken;
        }
        self.state = OrderState::PendingCancel;
        report(ReportKind::CancelSent)
    }

    /// Marks the outcome as unknown, unless it is known.
    pub fn lost(&mut self) -> Effect {
        match self.state {
            OrderState::Sent => {
                self.state = OrderState::Unknown;
                report(ReportKind::Unknown)
            }
            state if state.is_terminal() => Effect::Stale,
            _ => Effect::Ask,
        }
    }

    /// Whether an amendment is under way.
    #[must_use]
    pub const fn is_amending(&self) -> bool {
        self.amending.0 != 0
    }

    /// Marks an amendment to `quantity` as on its way.
    pub fn amend_sent(&mut self, quantity: Quantity, now: Nanos) {
        (self.amending, self.amend_sent) = (quantity, now);
    }

    /// The venue has lowered the quantity, or says in answer to a query what it is.
    fn amended(&mut self, quantity: Quantity) -> Effect {
        if self.is_amending() && quantity <= self.amending {
            self.amending = Quantity::ZERO;
        }
        if quantity <= Quantity::ZERO || quantity >= self.quantity || self.state.is_terminal() {
            return Effect::Stale;
        }
        if quantity < self.cumulative {
            return Effect::Ask;
        }
        let before = self.state;
        self.quantity = quantity;
        self.state = match before {
            _ if quantity == self.cumulative => OrderState::Filled,
            OrderState::PendingCancel => before,
            _ => self.working_state(),
        };
        Effect::Report {
            kind: ReportKind::Amended,
            reject: RejectCode::None,
            revived: false,
            implied_accept: matches!(before, OrderState::Sent | OrderState::Unknown),
        }
    }

    /// The venue refused the amendment under way.
    pub fn amend_rejected(&mut self) -> Effect {
        if !self.is_amending() {
            return Effect::Stale;
        }
        self.amending = Quantity::ZERO;
        if self.state.is_terminal() {
            return Effect::Stale;
        }
        Effect::Report {
            kind: ReportKind::AmendRejected,
            reject: RejectCode::Venue,
            revived: false,
            implied_accept: false,
        }
    }

    const fn working_state(&self) -> OrderState {
        if self.cumulative.0 > 0 { OrderState::Partial } else { OrderState::Open }
    }

    fn accepted(&mut self) -> Effect {
        match self.state {
            OrderState::Sent | OrderState::Unknown => {
                self.state = self.working_state();
                report(ReportKind::Accepted)
            }
            OrderState::NeverPlaced | OrderState::Rejected => {
                self.state = self.working_state();
                Effect::Report {
                    kind: ReportKind::Accepted,
                    reject: RejectCode::None,
                    revived: true,
                    implied_accept: false,
                }
            }
            _ => Effect::Stale,
        }
    }

    /// What a trade means that may be of an earlier session; `None` if it is not. The trades of an order are told in
    /// their order, so the first ones that make up `before` are those.
    fn traded_before(&mut self, event: &VenueEvent, quantity: Quantity, trade_id: u64) -> Option<Effect> {
        let all_told = self.before_told >= self.before;
        // The stream's trades say what the order came to with them; a list's say nothing.
        if all_told || event.cumulative > self.before || self.trades.contains(trade_id) {
            return None;
        }
        if event.id == OrderId::NONE {
            // One of an instrument's trades, from the middle: the order's own list tells which they are.
            return Some(Effect::AskTrades);
        }
        self.trades.push(trade_id);
        self.before_told = Quantity(self.before_told.0.saturating_add(quantity.0.max(0)));
        Some(Effect::Stale)
    }

    fn traded(&mut self, quantity: Quantity, trade_id: u64) -> Effect {
        if self.trades.contains(trade_id) {
            return Effect::Stale;
        }
        let Some(cumulative) = self.cumulative.0.checked_add(quantity.0) else { return Effect::Overfill };
        if quantity.0 <= 0 || cumulative > self.quantity.0 || self.trades.len() >= TRADES_PER_ORDER_MAX {
            return Effect::Overfill;
        }
        self.trades.push(trade_id);
        self.cumulative = Quantity(cumulative);
        let before = self.state;
        let full = cumulative == self.quantity.0;
        self.state = match before {
            _ if full => OrderState::Filled,
            // A cancelled or expired order keeps its end, with more filled than it ended with (F09).
            OrderState::Canceled | OrderState::Expired | OrderState::PendingCancel => before,
            _ => OrderState::Partial,
        };
        Effect::Report {
            kind: ReportKind::Fill,
            reject: RejectCode::None,
            revived: matches!(before, OrderState::NeverPlaced | OrderState::Rejected),
            implied_accept: matches!(before, OrderState::Sent | OrderState::Unknown),
        }
    }

    fn ended(&mut self, state: OrderState) -> Effect {
        if self.state.is_terminal() && self.state != OrderState::NeverPlaced {
            return Effect::Stale;
        }
        self.state = state;
        report(if state == OrderState::Canceled { ReportKind::Canceled } else { ReportKind::Expired })
    }

    fn rejected(&mut self) -> Effect {
        match self.state {
            OrderState::Sent | OrderState::Unknown => {
                self.state = OrderState::Rejected;
                Effect::Report {
                    kind: ReportKind::Rejected,
                    reject: RejectCode::Venue,
                    revived: false,
                    implied_accept: false,
                }
            }
            _ => Effect::Stale,
        }
    }

    /// A cancel refused because the order filled, or never was: only a query tells (F07). Until then the order stays
    /// pending.
    const fn cancel_rejected(&self) -> Effect {
        if self.state.is_terminal() { Effect::Stale } else { Effect::Ask }
    }

    fn resolved(&mut self, state: OrderState, quantity: Quantity) -> Effect {
        if self.state.is_terminal() && self.state != OrderState::NeverPlaced {
            return Effect::Stale;
        }
        self.not_found = 0;
        self.swept = false;
        if quantity > Quantity::ZERO && quantity < self.quantity {
            if !state.is_terminal() || state == OrderState::Filled {
                return self.amended(quantity);
            }
            self.quantity = quantity.max(self.cumulative);
        }
        match state {
            OrderState::Open | OrderState::Partial => match self.state {
                OrderState::Sent | OrderState::Unknown | OrderState::NeverPlaced => self.accepted(),
                OrderState::PendingCancel => {
                    self.state = self.working_state();
                    report(ReportKind::CancelRejected)
                }
                _ => Effect::Stale,
            },
            OrderState::Canceled | OrderState::Expired => self.ended(state),
            OrderState::Rejected => self.rejected(),
            // The venue says filled: its trades, which carry prices and fees, are on their way or must be asked for.
            _ => Effect::Stale,
        }
    }
}

#[cfg(test)]
mod tests;
