//! Orders and fills as risk's decisions and route's reports tell of them. Bounded: the oldest finished orders and
//! fills are forgotten first.

use std::collections::{BTreeMap, VecDeque};

use engine::domain::{InstrumentIndex, Nanos, OrderId, Quantity};
use engine::error::RejectCode;
use engine::journal::Decision;
use engine::message::{Intent, OrderState, Report, ReportKind};

/// Finished orders that are remembered.
pub const FINISHED_MAX: usize = 10_000;

/// Fills that are remembered.
pub const FILLS_MAX: usize = 10_000;

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderRow {
    /// Its id.
    pub id: OrderId,
    /// The instrument, by the index of the present table.
    pub instrument: InstrumentIndex,
    /// The intent that risk decided on; `None` while its decision was not read.
    pub intent: Option<Intent>,
    /// Its side's code, price and quantity, as reports tell of them where the intent is not known.
    pub side: u8,
    /// Limit price.
    pub price: engine::domain::Price,
    /// Quantity.
    pub quantity: Quantity,
    /// Filled so far.
    pub filled: Quantity,
    /// Sum of price × quantity of the fills.
    pub paid: i128,
    /// The venue's id; 0 until known.
    pub venue_order_id: u64,
    /// Its state; `None` from risk's approval until it leaves.
    pub state: Option<OrderState>,
    /// Why it was refused, where it was.
    pub reject: RejectCode,
    /// When it was last heard of.
    pub updated: Nanos,
}

impl OrderRow {
    /// Whether it may still trade.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state.is_none_or(|state| !state.is_terminal())
    }
}

/// Orders and fills.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    rows: BTreeMap<OrderId, OrderRow>,
    finished: VecDeque<OrderId>,
    fills: VecDeque<Report>,
}

impl Orders {
    /// The order `id`.
    #[must_use]
    pub fn get(&self, id: OrderId) -> Option<&OrderRow> {
        self.rows.get(&id)
    }

    /// Whether nothing is known of `id`.
    #[must_use]
    pub fn is_unknown(&self, id: OrderId) -> bool {
        !self.rows.contains_key(&id)
    }

    /// Every order that is remembered, by id.
    pub fn iter(&self) -> impl Iterator<Item = &OrderRow> {
        self.rows.values()
    }

    /// Fills, newest last. Their instruments are those of the present table.
    pub fn fills(&self) -> impl DoubleEndedIterator<Item = &Report> {
        self.fills.iter()
    }

    /// Takes risk's decision on a new order of `instrument`; gives the row.
    pub fn decide(
        &mut self,
        decision: &Decision,
        instrument: InstrumentIndex,
        at: Nanos,
    ) -> Option<OrderRow> {
        let intent = decision.intent();
        if !intent.places_order() {
            return None;
        }
        let accepted = decision.code() == RejectCode::None.code();
        let known = self.rows.get(&intent.id);
        // A restarted risk withdraws so what its last life had approved and not let go.
        let withdrawn = decision.code() == RejectCode::Expired.code();
        if !accepted && known.is_some_and(|row| !withdrawn || row.state.is_some()) {
            // A second intent under a used id (C03) changes nothing about the first.
            return None;
        }
        let row = self.rows.entry(intent.id).or_insert(OrderRow {
            id: intent.id,
            instrument,
            intent: None,
            side: intent.side,
            price: intent.price,
            quantity: intent.quantity,
            filled: Quantity::ZERO,
            paid: 0,
            venue_order_id: 0,
            state: None,
            reject: RejectCode::None,
            updated: at,
        });
        row.intent = Some(intent);
        if !accepted {
            row.reject = RejectCode::try_from(decision.code()).unwrap_or(RejectCode::BadRequest);
            row.state = Some(OrderState::Rejected);
        }
        let row = *row;
        if !accepted {
            self.finish(row.id);
        }
        Some(row)
    }

    /// Takes a report, its instrument mapped to the present table; gives the row after it.
    pub fn report(&mut self, report: &Report) -> OrderRow {
        let row = self.rows.entry(report.id).or_insert(OrderRow {
            id: report.id,
            instrument: report.instrument,
            intent: None,
            side: report.side,
            price: report.price,
            quantity: report.quantity,
            filled: Quantity::ZERO,
            paid: 0,
            venue_order_id: 0,
            state: None,
            reject: RejectCode::None,
            updated: report.at,
        });
        let was_open = row.is_open();
        row.updated = report.at;
        row.filled = row.filled.max(report.cumulative);
        if report.venue_order_id != 0 {
            row.venue_order_id = report.venue_order_id;
        }
        if let Ok(state) = OrderState::try_from(report.state) {
            row.state = Some(state);
        }
        let kind = ReportKind::try_from(report.kind);
        if kind == Ok(ReportKind::Amended) {
            row.quantity = report.quantity;
        } else if kind == Ok(ReportKind::Fill) {
            row.paid = row
                .paid
                .saturating_add(i128::from(report.price.0).saturating_mul(i128::from(report.quantity.0)));
            if self.fills.len() >= FILLS_MAX {
                self.fills.pop_front();
            }
            self.fills.push_back(*report);
        } else if kind == Ok(ReportKind::Rejected) || kind == Ok(ReportKind::Expired) {
            row.reject = RejectCode::try_from(report.detail).unwrap_or(RejectCode::Venue);
        }
        let row = *row;
        if was_open && !row.is_open() {
            self.finish(row.id);
        }
        row
    }

    fn finish(&mut self, id: OrderId) {
        self.finished.push_back(id);
        while self.finished.len() > FINISHED_MAX {
            if let Some(oldest) = self.finished.pop_front() {
                // It may have been revived (F04), and then it stays.
                if self.rows.get(&oldest).is_some_and(|row| !row.is_open()) {
                    self.rows.remove(&oldest);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::domain::{Price, SourceId};
    use engine::message::IntentKind;

    fn intent(sequence: u64) -> Intent {
        Intent {
            id: OrderId { epoch: 1, source: SourceId(0), source_epoch: 1, sequence },
            price: Price(100),
            quantity: Quantity(10),
            kind: IntentKind::New.code(),
            side: 1,
            ..Intent::default()
        }
    }

    fn report(sequence: u64, kind: ReportKind, state: OrderState, cumulative: i64) -> Report {
        Report {
            id: intent(sequence).id,
            price: Price(100),
            quantity: Quantity(4),
            cumulative: Quantity(cumulative),
            kind: kind.code(),
            state: state.code(),
            ..Report::default()
        }
    }

    #[test]
    fn an_order_lives_from_its_approval_to_its_end() {
        let mut orders = Orders::default();
        let row = orders.decide(&Decision::new(intent(1), RejectCode::None, 0), 0, Nanos(1)).expect("new");
        assert!(row.is_open() && row.state.is_none());
        orders.report(&report(1, ReportKind::Sent, OrderState::Sent, 0));
        orders.report(&report(1, ReportKind::Fill, OrderState::Partial, 4));
        let row = orders.report(&report(1, ReportKind::Canceled, OrderState::Canceled, 4));
        assert_eq!((row.filled, row.paid, row.is_open()), (Quantity(4), 400, false));
        assert_eq!((orders.fills().count(), orders.iter().count()), (1, 1));
    }

    #[test]
    fn a_refusal_is_kept_and_a_repeated_id_changes_nothing() {
        let mut orders = Orders::default();
        orders.decide(&Decision::new(intent(1), RejectCode::MaxPosition, 0), 0, Nanos(1));
        let row = *orders.get(intent(1).id).expect("kept");
        assert_eq!((row.state, row.reject), (Some(OrderState::Rejected), RejectCode::MaxPosition));
        orders.decide(&Decision::new(intent(2), RejectCode::None, 0), 0, Nanos(1));
        assert_eq!(orders.decide(&Decision::new(intent(2), RejectCode::DuplicateId, 0), 0, Nanos(2)), None);
        assert!(orders.get(intent(2).id).expect("kept").is_open());
        let cancel = Intent { kind: IntentKind::Cancel.code(), ..intent(3) };
        assert_eq!(orders.decide(&Decision::new(cancel, RejectCode::None, 0), 0, Nanos(2)), None);
        let replace = Intent { kind: IntentKind::Replace.code(), target: intent(2).id, ..intent(4) };
        let row = orders.decide(&Decision::new(replace, RejectCode::None, 0), 0, Nanos(2)).expect("an order");
        assert_eq!((row.id, row.is_open()), (intent(4).id, true));
    }

    #[test]
    fn memory_is_bounded_and_open_orders_stay() {
        let mut orders = Orders::default();
        orders.decide(&Decision::new(intent(0), RejectCode::None, 0), 0, Nanos(1));
        for sequence in 1..=FINISHED_MAX as u64 + 50 {
            orders.report(&report(sequence, ReportKind::Fill, OrderState::Filled, 4));
        }
        assert_eq!((orders.iter().count(), orders.fills().count()), (FINISHED_MAX + 1, FILLS_MAX));
        assert!(orders.get(intent(0).id).is_some() && orders.is_unknown(intent(1).id));
    }
}
