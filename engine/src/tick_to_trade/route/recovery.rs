//! Route after a restart: its orders, from its own journal (reliability.md §3).
//!
//! SENT without an outcome is UNKNOWN and queried; what is open is queried too. What risk approved and nobody journalled
//! as SENT is dropped and reported: it is never sent late.

use std::collections::BTreeSet;

use crate::crash;
use crate::domain::{InstrumentIndex, Instruments, Liquidity, Nanos, OrderId, Side};
use crate::error::{RejectCode, SetupError};
use crate::journal::Record;
use crate::journal::translate::Translator;
use crate::message::report::{FeeAsset, OrderState, Report, ReportKind};
use crate::tick_to_trade::route::link::UNAPPROVED;
use crate::tick_to_trade::route::state::OrderRecord;
use crate::tick_to_trade::route::{RECORDS_PER_STEP, Route};
use crate::venue::{OrderEntry, VenueEvent, VenueEventKind};

/// What a restart has found, until it is dealt with.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// Orders whose state the venue must confirm.
    unsettled: Vec<OrderId>,
    /// Every order of this epoch that was reported: one that stands in the ring all the same was taken already.
    reported: BTreeSet<OrderId>,
    /// Whether what stood in the ring has been looked through.
    ring_done: bool,
}

impl<E: OrderEntry> Route<E> {
    /// Takes up what an earlier life left: its own journal. To be called once, before the first cycle. Returns how many
    /// orders are open or unresolved.
    ///
    /// # Errors
    /// When the journal cannot be read, or the instruments of this epoch were others.
    pub fn recover(
        &mut self,
        records: impl Iterator<Item = Result<Record, SetupError>>,
        instruments: &Instruments,
        epoch: u32,
    ) -> Result<usize, SetupError> {
        let mut past = Past::default();
        crate::crash::point("recovery");
        let mut table = Translator::new(instruments, epoch);
        for record in records {
            let record = record?;
            table.follow(&record);
            let Some(report) = table.report(&record) else { continue };
            if report.id.epoch == epoch {
                past.reported.insert(report.id);
            }
            self.restore(&report, record.at);
        }
        table.check()?;
        past.unsettled =
            self.orders.iter().filter(|order| !order.state.is_terminal()).map(|order| order.id).collect();
        past.unsettled.sort_unstable();
        let count = past.unsettled.len();
        // A ring that nobody has written before this life holds nothing that is late.
        past.ring_done = past.reported.is_empty() && self.ports.journal.life() == 0;
        self.past = Some(Box::new(past));
        Ok(count)
    }

    fn restore(&mut self, report: &Report, at: Nanos) {
        let Ok(side) = Side::try_from(report.side) else { return };
        if report.kind == ReportKind::Sent.code() {
            if report.instrument != InstrumentIndex::MAX {
                let order =
                    OrderRecord::new(report.id, report.instrument, side, report.price, report.quantity, at);
                self.orders.insert(order.filled_before(report.cumulative, report.venue_order_id));
            }
            return;
        }
        let Some(order) = self.orders.get_mut(report.id) else { return };
        let before = order.state.is_terminal();
        order.venue_order_id = report.venue_order_id;
        if report.kind == ReportKind::Amended.code() {
            order.quantity = report.quantity;
        }
        if report.kind == ReportKind::Fill.code() {
            // Through the state machine: it remembers the trade, so that its repeat is told (F11).
            let kind = VenueEventKind::Trade {
                price: report.price,
                quantity: report.quantity,
                trade_id: report.trade_id,
                fee: report.fee,
                fee_asset: FeeAsset::Quote,
                liquidity: Liquidity::Maker,
            };
            order.apply(&VenueEvent {
                kind,
                id: report.id,
                venue_order_id: report.venue_order_id,
                cumulative: report.cumulative,
                instrument: report.instrument,
                received: at,
            });
        }
        if let Ok(state) = OrderState::try_from(report.state) {
            order.state = state;
        }
        let after = order.state.is_terminal();
        if before != after {
            self.orders.ended(report.id, after);
        }
    }

    /// Deals with what the last life left, as far as the journal has room; returns how much was done.
    #[cold]
    pub(super) fn take_past(&mut self, now: Nanos) -> usize {
        let Some(mut past) = self.past.take() else { return 0 };
        let mut taken = 0;
        while self.ports.journal.free() >= RECORDS_PER_STEP
            && let Some(id) = past.unsettled.pop()
        {
            taken += 1;
            self.confirm(id, now);
            crash::point("route.reconciling");
        }
        taken += self.drop_standing(&mut past, now);
        if !past.unsettled.is_empty() || !past.ring_done {
            self.past = Some(past);
        }
        taken
    }

    fn confirm(&mut self, id: OrderId, now: Nanos) {
        let Some(order) = self.orders.get_mut(id) else { return };
        let before = order.state;
        if before == OrderState::Sent {
            let effect = order.lost();
            self.settle(id, Some(effect), before, None, now);
        } else {
            self.ask(id, now);
        }
    }

    /// Orders that stood in the ring when this life began: approved, and never journalled as sent.
    fn drop_standing(&mut self, past: &mut Past, now: Nanos) -> usize {
        let mut taken = 0;
        while !past.ring_done && self.ports.journal.free() >= RECORDS_PER_STEP {
            let Some(ring) = self.ports.orders.get_mut() else { return taken };
            let Some(sealed) = ring.poll() else {
                past.ring_done = true;
                return taken;
            };
            taken += 1;
            let Some(order) = sealed.unseal() else {
                self.counters.unapproved += 1;
                self.latch(RejectCode::Unapproved, UNAPPROVED, now);
                continue;
            };
            self.last_approval = self.last_approval.max(order.approval());
            if !past.reported.contains(&order.intent().id) {
                self.counters.dropped += 1;
                self.refuse(order.intent(), RejectCode::Expired, now);
            }
        }
        taken
    }
}
