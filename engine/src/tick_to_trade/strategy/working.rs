//! A source's own view of its working orders and positions, from what it sent and what it was told.
//!
//! The outbox records what is sent, the host applies reports and refusals; strategies read. Tables are small and of
//! fixed size, so that nothing allocates while trading.

use crate::domain::{InstrumentIndex, Nanos, OrderId, Price, Quantity, Side};
use crate::error::RejectCode;
use crate::message::report::{OrderState, Report, ReportKind};
use crate::message::{Intent, IntentKind};
use crate::room;
use crate::tick_to_trade::strategy::position::Position;

/// Most working orders of a source: the outbox refuses more.
pub const WORKING_MAX: usize = 64;

/// How many orders that have ended are remembered, so that a repeated or late fill of theirs counts once.
const ENDED_MAX: usize = 64;

/// How long after its `valid_until` an intent without any answer is taken for lost. By then neither risk nor route
/// may send it, and had they sent it in time, the report would be in the journal since.
const ANSWER_GRACE: Nanos = Nanos::from_secs(1);

/// Where a working order is, as its source knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkingState {
    /// Sent to risk; the venue has not accepted it yet.
    Pending,
    /// On the venue's book.
    Open,
    /// A cancel is on its way.
    Cancelling,
    /// Route does not know what became of it, and is asking.
    Unresolved,
}

/// An order that may trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkingOrder {
    /// Its identity.
    pub id: OrderId,
    /// The instrument.
    pub instrument: InstrumentIndex,
    /// Its side.
    pub side: Side,
    /// Where it is.
    pub state: WorkingState,
    /// Its limit; `Price::NONE` for a market order.
    pub price: Price,
    /// Its quantity.
    pub quantity: Quantity,
    /// What of it has traded.
    pub filled: Quantity,
    /// The cancel on its way, if this source sent it.
    cancel: OrderId,
    /// When an intent for it that nobody answered is lost; `NEVER` when all are answered.
    answer_by: Nanos,
    /// Whether any report of it has come.
    heard: bool,
    /// Whether it is known to rest alone at its price from the start, not to wait for a trigger: reports do not tell.
    pub(super) plain: bool,
    /// Whether the cancel on its way may be half of a replacement, which may be refused whole.
    pub(super) half_cancel: bool,
}

impl WorkingOrder {
    /// Fills the room for orders; one that nobody has answered yet.
    const VACANT: Self = Self {
        id: OrderId::NONE,
        instrument: 0,
        side: Side::Buy,
        state: WorkingState::Pending,
        price: Price::NONE,
        quantity: Quantity::ZERO,
        filled: Quantity::ZERO,
        cancel: OrderId::NONE,
        answer_by: Nanos::NEVER,
        heard: false,
        plain: false,
        half_cancel: false,
    };

    /// What of it may still trade.
    #[must_use]
    pub const fn leaves(&self) -> Quantity {
        Quantity(self.quantity.0.saturating_sub(self.filled.0))
    }
}

/// An intent that was refused, or that nobody answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The intent.
    pub id: OrderId,
    /// The order that it was to cancel; `OrderId::NONE` when the intent was a new order.
    pub target: OrderId,
    /// The order's instrument.
    pub instrument: InstrumentIndex,
    /// The order's side.
    pub side: Side,
    /// Why.
    pub code: RejectCode,
}

/// Working orders and positions of one source.
#[derive(Debug)]
pub struct Working {
    orders: Vec<WorkingOrder>,
    positions: Vec<Position>,
    /// Orders that have ended, with what of them was filled: a ring.
    ended: [(OrderId, Quantity); ENDED_MAX],
    next_ended: usize,
}

impl Working {
    /// Starts with `positions` and the working orders that `open` reports, from before the source's start.
    #[must_use]
    pub fn new(positions: &[Position], open: &[Report]) -> Self {
        let mut working = Self {
            orders: room::vector(2 * WORKING_MAX, WorkingOrder::VACANT),
            positions: room::vector(positions.len().max(WORKING_MAX), Position::default()),
            ended: [(OrderId::NONE, Quantity::ZERO); ENDED_MAX],
            next_ended: 0,
        };
        working.positions.extend_from_slice(positions);
        for report in open {
            // The positions hold the fills of these orders already.
            working.follow(report, report.cumulative);
        }
        working
    }

    /// Every working order, oldest first.
    #[must_use]
    pub fn orders(&self) -> &[WorkingOrder] {
        &self.orders
    }

    /// The working orders of `instrument`, oldest first.
    pub fn of(&self, instrument: InstrumentIndex) -> impl Iterator<Item = &WorkingOrder> {
        self.orders.iter().filter(move |order| order.instrument == instrument)
    }

    /// The working orders of `instrument` on `side`, oldest first.
    pub fn side(&self, instrument: InstrumentIndex, side: Side) -> impl Iterator<Item = &WorkingOrder> {
        self.of(instrument).filter(move |order| order.side == side)
    }

    /// The working order `id`.
    #[must_use]
    pub fn find(&self, id: OrderId) -> Option<&WorkingOrder> {
        self.orders.iter().find(|order| order.id == id)
    }

    /// The position in `instrument`.
    #[must_use]
    pub fn position(&self, instrument: InstrumentIndex) -> Position {
        let held = self.positions.iter().find(|position| position.instrument == instrument);
        held.copied().unwrap_or(Position::flat(instrument))
    }

    /// Records an intent that has just been sent. In line, where it is known what kind of intent that is.
    #[inline(always)]
    pub(super) fn sent(&mut self, intent: &Intent) {
        let answer_by = intent.valid_until.saturating_add(ANSWER_GRACE);
        if intent.kind == IntentKind::Cancel.code() {
            if let Some(order) = self.orders.iter_mut().find(|order| order.id == intent.target) {
                order.state = WorkingState::Cancelling;
                order.cancel = intent.id;
                order.answer_by = answer_by;
                order.half_cancel = false;
            }
        } else if let Ok(side) = Side::try_from(intent.side) {
            // The target of one of a pair is the other, to which nothing is done.
            let replaces = !intent.is_of_pair() && intent.target != OrderId::NONE;
            if replaces && let Some(replaced) = self.orders.iter_mut().find(|order| order.id == intent.target)
            {
                replaced.half_cancel = true;
            }
            self.orders.push(WorkingOrder {
                id: intent.id,
                instrument: intent.instrument,
                side,
                price: intent.price,
                quantity: intent.quantity,
                answer_by,
                plain: intent.trigger == Price::NONE && !intent.is_of_pair(),
                ..WorkingOrder::VACANT
            });
        }
    }

    /// Applies a report. Each fill counts once, however often it is told: by the order's cumulative quantity, and for
    /// an order not known here by the fill's own. A fill is taken in every state, ended or not (F09).
    pub fn apply(&mut self, report: &Report) {
        let Ok(side) = Side::try_from(report.side) else { return };
        let known = match self.find(report.id) {
            Some(order) => Some(order.filled),
            None => self.ended.iter().find(|(id, _)| *id == report.id).map(|&(_, filled)| filled),
        };
        let traded = match known {
            Some(filled) => report.cumulative.0.saturating_sub(filled.0).max(0),
            None if report.kind == ReportKind::Fill.code() => report.quantity.0.max(0),
            None => 0,
        };
        if traded > 0 {
            self.position_mut(report.instrument).apply(side, report.price, Quantity(traded));
        }
        self.follow(report, report.cumulative.max(known.unwrap_or_default()));
    }

    /// Brings the order's row to what `report` says.
    fn follow(&mut self, report: &Report, filled: Quantity) {
        let (Ok(state), Ok(side)) = (OrderState::try_from(report.state), Side::try_from(report.side)) else {
            return;
        };
        let at = self.orders.iter().position(|order| order.id == report.id);
        if state.is_terminal() {
            if let Some(at) = at {
                self.orders.remove(at);
            }
            self.remember(report.id, filled);
            return;
        }
        let at = at.unwrap_or_else(|| {
            // Sent before our start, or revived (F04): route knows better.
            self.orders.push(WorkingOrder {
                id: report.id,
                instrument: report.instrument,
                side,
                price: report.price,
                quantity: Quantity(filled.0.saturating_add(report.leaves.0)),
                filled,
                heard: true,
                ..WorkingOrder::VACANT
            });
            self.orders.len() - 1
        });
        let order = &mut self.orders[at];
        order.filled = filled;
        order.heard = true;
        if report.kind == ReportKind::Amended.code() {
            order.quantity = report.quantity;
        }
        let told = match state {
            OrderState::Sent => WorkingState::Pending,
            OrderState::PendingCancel => WorkingState::Cancelling,
            OrderState::Unknown => WorkingState::Unresolved,
            _ => WorkingState::Open,
        };
        // What the venue says of the order before it sees our cancel does not call the cancel back.
        let ours_on_its_way = order.cancel != OrderId::NONE
            && order.state == WorkingState::Cancelling
            && matches!(told, WorkingState::Pending | WorkingState::Open)
            && report.kind != ReportKind::CancelRejected.code();
        if !ours_on_its_way {
            order.state = told;
            order.answer_by = Nanos::NEVER;
            order.cancel = OrderId::NONE;
        }
    }

    /// Applies a refusal of the intent `id`. `None` when it changes nothing: the order has ended.
    pub fn refuse(&mut self, id: OrderId, code: RejectCode) -> Option<Refusal> {
        let at = self.orders.iter().position(|order| order.id == id || order.cancel == id)?;
        let order = &mut self.orders[at];
        let &mut WorkingOrder { instrument, side, .. } = order;
        let mut refusal = Refusal { id, target: OrderId::NONE, instrument, side, code };
        if order.id == id {
            self.end(at);
            return Some(refusal);
        }
        refusal.target = order.id;
        order.cancel = OrderId::NONE;
        order.answer_by = Nanos::NEVER;
        order.state = if order.heard { WorkingState::Open } else { WorkingState::Pending };
        if code == RejectCode::UnknownOrder && !order.heard {
            // Risk never approved the order that it was to cancel.
            self.end(at);
        }
        Some(refusal)
    }

    /// Takes one intent that nobody answered in time for lost. Call it only when all reports and refusals made by
    /// `now` have been applied.
    pub fn lost(&mut self, now: Nanos) -> Option<Refusal> {
        let order = self.orders.iter().find(|order| order.answer_by <= now)?;
        let (order, cancel) = (order.id, order.cancel);
        if cancel == OrderId::NONE {
            self.refuse(order, RejectCode::Expired)
        } else if self.find(order).is_some_and(|order| order.heard) {
            self.refuse(cancel, RejectCode::Expired)
        } else {
            // The cancel was sent after the order: both are lost.
            self.refuse(order, RejectCode::Expired)
        }
    }

    /// When [`lost`](Self::lost) should next be asked.
    #[must_use]
    pub fn next_answer(&self) -> Nanos {
        self.orders.iter().map(|order| order.answer_by).min().unwrap_or(Nanos::NEVER)
    }

    fn end(&mut self, at: usize) {
        let order = self.orders.remove(at);
        self.remember(order.id, order.filled);
    }

    fn remember(&mut self, id: OrderId, filled: Quantity) {
        if let Some(slot) = self.ended.iter_mut().find(|slot| slot.0 == id) {
            slot.1 = filled;
            return;
        }
        self.ended[self.next_ended] = (id, filled);
        self.next_ended = (self.next_ended + 1) % ENDED_MAX;
    }

    fn position_mut(&mut self, instrument: InstrumentIndex) -> &mut Position {
        let at = self.positions.iter().position(|position| position.instrument == instrument);
        let at = at.unwrap_or_else(|| {
            self.positions.push(Position::flat(instrument));
            self.positions.len() - 1
        });
        &mut self.positions[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SourceId;
    use crate::tick_to_trade::strategy::testing::report_of;

    fn id(sequence: u64) -> OrderId {
        OrderId { epoch: 1, source: SourceId(1), source_epoch: 1, sequence }
    }

    fn order(sequence: u64, side: Side) -> Intent {
        Intent {
            id: id(sequence),
            price: Price(100),
            quantity: Quantity(10),
            valid_until: Nanos::from_secs(1),
            kind: IntentKind::New.code(),
            side: side.code(),
            ..Intent::default()
        }
    }

    fn cancel_of(target: &Intent, sequence: u64) -> Intent {
        let kind = IntentKind::Cancel.code();
        Intent {
            id: id(sequence),
            target: target.id,
            valid_until: Nanos::from_secs(2),
            kind,
            ..Intent::default()
        }
    }

    fn working() -> Working {
        Working::new(&[], &[])
    }

    fn fill(intent: &Intent, quantity: i64, cumulative: i64) -> Report {
        let state = if cumulative == intent.quantity.0 { OrderState::Filled } else { OrderState::Partial };
        Report { quantity: Quantity(quantity), ..report_of(intent, ReportKind::Fill, state, cumulative) }
    }

    fn state_of(working: &Working, intent: &Intent) -> Option<WorkingState> {
        working.find(intent.id).map(|order| order.state)
    }

    #[test]
    fn follows_an_order_from_intent_to_end() {
        let (mut working, buy) = (working(), order(1, Side::Buy));
        working.sent(&buy);
        assert_eq!(state_of(&working, &buy), Some(WorkingState::Pending));
        working.apply(&report_of(&buy, ReportKind::Sent, OrderState::Sent, 0));
        assert_eq!(state_of(&working, &buy), Some(WorkingState::Pending));
        working.apply(&report_of(&buy, ReportKind::Accepted, OrderState::Open, 0));
        assert_eq!(state_of(&working, &buy), Some(WorkingState::Open));
        working.apply(&fill(&buy, 4, 4));
        assert_eq!(working.find(buy.id).map(WorkingOrder::leaves), Some(Quantity(6)));
        working.sent(&cancel_of(&buy, 2));
        assert_eq!(state_of(&working, &buy), Some(WorkingState::Cancelling));
        working.apply(&report_of(&buy, ReportKind::Canceled, OrderState::Canceled, 4));
        assert!(working.orders().is_empty());
        assert_eq!(working.position(0).quantity, Quantity(4));
    }

    #[test]
    fn each_fill_counts_once_in_every_state() {
        let (mut working, sell) = (working(), order(1, Side::Sell));
        working.sent(&sell);
        for _ in 0..3 {
            working.apply(&fill(&sell, 4, 4));
            assert_eq!(working.position(0).quantity, Quantity(-4));
        }
        working.apply(&report_of(&sell, ReportKind::Canceled, OrderState::Canceled, 4));
        // A trade after the cancel (F09), told three times.
        for _ in 0..3 {
            let late = Report { state: OrderState::Canceled.code(), ..fill(&sell, 5, 9) };
            working.apply(&late);
            assert_eq!(working.position(0).quantity, Quantity(-9));
        }
        // An order that this run never saw: its own quantity counts, once.
        let foreign = order(7, Side::Buy);
        for _ in 0..3 {
            working.apply(&fill(&foreign, 3, 8));
            assert_eq!(working.position(0).quantity, Quantity(-6));
        }
        assert_eq!(working.find(foreign.id).map(|order| order.filled), Some(Quantity(8)));
    }

    #[test]
    fn an_acceptance_does_not_call_back_a_cancel_but_its_refusal_does() {
        let (mut working, buy) = (working(), order(1, Side::Buy));
        working.sent(&buy);
        working.sent(&cancel_of(&buy, 2));
        working.apply(&report_of(&buy, ReportKind::Accepted, OrderState::Open, 0));
        assert_eq!(state_of(&working, &buy), Some(WorkingState::Cancelling));
        working.apply(&report_of(&buy, ReportKind::CancelRejected, OrderState::Open, 0));
        assert_eq!(state_of(&working, &buy), Some(WorkingState::Open));
        working.apply(&report_of(&buy, ReportKind::Unknown, OrderState::Unknown, 0));
        assert_eq!(state_of(&working, &buy), Some(WorkingState::Unresolved));
    }

    #[test]
    fn refusals_end_orders_and_undo_cancels() {
        let (mut working, buy, sell) = (working(), order(1, Side::Buy), order(2, Side::Sell));
        working.sent(&buy);
        working.sent(&sell);
        let refusal = working.refuse(buy.id, RejectCode::MaxPosition).expect("known");
        assert_eq!((refusal.target, refusal.code), (OrderId::NONE, RejectCode::MaxPosition));
        assert_eq!(working.refuse(buy.id, RejectCode::MaxPosition), None, "it has ended");
        working.apply(&report_of(&sell, ReportKind::Accepted, OrderState::Open, 0));
        working.sent(&cancel_of(&sell, 3));
        let refusal = working.refuse(id(3), RejectCode::UnknownOrder).expect("known");
        assert_eq!(refusal.target, sell.id);
        assert_eq!(state_of(&working, &sell), Some(WorkingState::Open), "its end will be reported");
        let unheard = order(4, Side::Buy);
        working.sent(&unheard);
        working.sent(&cancel_of(&unheard, 5));
        working.refuse(id(5), RejectCode::UnknownOrder).expect("known");
        assert_eq!(state_of(&working, &unheard), None, "risk never took it");
    }

    #[test]
    fn an_intent_that_nobody_answers_is_lost_after_its_life_and_a_grace() {
        let (mut working, buy, sell) = (working(), order(1, Side::Buy), order(2, Side::Sell));
        working.sent(&buy);
        working.sent(&sell);
        working.apply(&report_of(&sell, ReportKind::Accepted, OrderState::Open, 0));
        assert_eq!(working.next_answer(), Nanos::from_secs(2));
        assert_eq!(working.lost(Nanos(1_999_999_999)), None);
        let lost = working.lost(Nanos::from_secs(2)).expect("late");
        assert_eq!((lost.id, lost.target, lost.code), (buy.id, OrderId::NONE, RejectCode::Expired));
        assert_eq!((working.lost(Nanos::from_secs(2)), working.next_answer()), (None, Nanos::NEVER));
        working.sent(&cancel_of(&sell, 3));
        let lost = working.lost(working.next_answer()).expect("late");
        assert_eq!((lost.id, lost.target), (id(3), sell.id));
        assert_eq!(state_of(&working, &sell), Some(WorkingState::Open));
        // Should the order have lived after all, route's word revives it and its fill counts.
        working.apply(&fill(&buy, 2, 2));
        assert_eq!(
            (state_of(&working, &buy), working.position(0).quantity),
            (Some(WorkingState::Open), Quantity(2))
        );
    }

    #[test]
    fn starts_from_what_was_there() {
        let resting = Report {
            cumulative: Quantity(4),
            ..report_of(&order(9, Side::Buy), ReportKind::Accepted, OrderState::Partial, 4)
        };
        let mut working = Working::new(&[Position::new(0, Quantity(-7), Price(120))], &[resting]);
        assert_eq!(
            (working.position(0).quantity, working.position(0).entry()),
            (Quantity(-7), Some(Price(120)))
        );
        assert_eq!(
            working.find(id(9)).map(|order| (order.leaves(), order.quantity)),
            Some((Quantity(6), Quantity(10)))
        );
        working.apply(&fill(&order(9, Side::Buy), 4, 4));
        assert_eq!(working.position(0).quantity, Quantity(-7), "that fill is in the position already");
    }

    #[test]
    fn garbage_changes_nothing() {
        let mut working = working();
        let report = fill(&order(1, Side::Buy), 3, 3);
        working.apply(&Report { side: 9, ..report });
        assert!(working.orders().is_empty());
        assert_eq!(working.position(0).quantity, Quantity(0));
    }
}
