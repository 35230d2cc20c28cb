//! Live orders asked about in turn, while the venue is reached by a way on which nobody tells what becomes of them.
//!
//! The answer to a question says how much of an order is filled; trades that are not known are asked for then, as after
//! any other answer. So a fill is known a round later at the latest, and the time that both answers take.

use crate::domain::{Nanos, OrderId};
use crate::message::report::OrderState;
use crate::tick_to_trade::route::Route;
use crate::tick_to_trade::route::state::Question;
use crate::venue::{OrderEntry, VenueEventKind};

/// Every live order is asked about once in this time,
pub(super) const ROUND: Nanos = Nanos::from_secs(1);

/// unless that would take more than one question in this one: five a second are two thirds of the weight that route may
/// use at Binance, and leave room for what has to be asked.
pub(super) const APART: Nanos = Nanos::from_millis(200);

/// After so long without an answer nothing new leaves: what has become of the orders is not known well enough, be it that
/// the venue does not answer or that its limits let nothing more be asked.
pub(super) const UNHEARD_MAX: Nanos = Nanos::from_secs(5);

/// Whose turn it is.
#[derive(Debug)]
pub(super) struct Rounds {
    /// The rest of this round, the next one last.
    left: Vec<OrderId>,
    /// Time between its questions.
    apart: Nanos,
    due: Nanos,
    /// When something was to be asked first since the venue last spoke of an order.
    unheard: Option<Nanos>,
}

impl Default for Rounds {
    fn default() -> Self {
        Self { left: Vec::new(), apart: ROUND, due: Nanos(i64::MIN), unheard: None }
    }
}

impl Rounds {
    pub(super) const fn due(&self) -> Nanos {
        self.due
    }

    /// Notes an event of an order, if that is the venue's word: that a request has not left, or has no answer, is not.
    pub(super) const fn heard(&mut self, kind: VenueEventKind) {
        use VenueEventKind::{AmendRejected, CancelRejected, Rejected, Unknown};
        if !matches!(
            kind,
            Unknown | Rejected { code: 0 } | CancelRejected { code: 0 } | AmendRejected { code: 0 }
        ) {
            self.unheard = None;
        }
    }

    /// Whether it has not for too long although it was to be asked.
    pub(super) fn is_unheard(&self, now: Nanos) -> bool {
        self.unheard.is_some_and(|since| now.0 - since.0 > UNHEARD_MAX.0)
    }

    /// Begins a round of these orders.
    fn begin(&mut self, orders: impl Iterator<Item = OrderId>) {
        self.left.extend(orders);
        self.left.reverse();
        let count = i64::try_from(self.left.len()).unwrap_or(i64::MAX).max(1);
        self.apart = Nanos((ROUND.0 / count).max(APART.0));
    }
}

impl<E: OrderEntry> Route<E> {
    /// Asks about the order whose turn it is.
    #[cold]
    pub(super) fn ask_next(&mut self, now: Nanos) {
        let Some(rounds) = &mut self.link.rounds else { return };
        if rounds.left.is_empty() {
            rounds.begin(self.orders.open().map(|order| order.id));
            if rounds.left.is_empty() {
                // There is nothing to be told.
                rounds.unheard = None;
            }
        }
        rounds.due = now.saturating_add(rounds.apart);
        if let Some(id) = rounds.left.pop() {
            self.ask_in_turn(id, now);
        }
    }

    /// An order whose change is under way is left alone: its answer tells, or its own questions do.
    fn ask_in_turn(&mut self, id: OrderId, now: Nanos) {
        let Some(order) = self.orders.get_mut(id) else { return };
        let rests = matches!(order.state, OrderState::Open | OrderState::Partial);
        if !rests || order.asking || order.is_amending() {
            return;
        }
        if let Some(rounds) = &mut self.link.rounds {
            rounds.unheard.get_or_insert(now);
        }
        // A late answer has another round, and is taken for lost then.
        if std::mem::replace(&mut order.question, Question::None) == Question::None {
            self.query(id, now);
        }
    }
}
