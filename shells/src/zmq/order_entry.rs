//! The acting half of port 5556: intents on their way, and who waits for what becomes of them.

use std::collections::{BTreeMap, VecDeque};

use engine::domain::{InstrumentIndex, Nanos, OrderId, Quantity};
use engine::error::RejectCode;
use engine::ledger::Ledger;
use engine::message::{OrderState, Report, ReportKind};
use serde_json::json;

use crate::api::orders::{Placed, Swept};
use crate::api::{ApiError, code};
use crate::client::intents::{Intents, NewOrder};
use crate::client::session::refused;
use crate::client::sweep::{Scope, closing, outcome};
use crate::service::account::Event;
use crate::service::instruments::Table;
use crate::service::orders::{OrderRow, Orders};
use crate::zmq::desk::{Desk, Ticket, result};
use crate::zmq::pairs::Pairs;

/// How long a client waits for risk, and for a cancel to be done where something follows it.
pub(super) const PATIENCE: Nanos = Nanos::from_secs(2);

/// How long for the venue's answer to a cancel of all: longer than route does, whose report says what is not known.
const SWEEP_PATIENCE: Nanos = Nanos::from_secs(4);

/// Names that clients gave to their orders, and that are remembered.
const CLIENT_IDS_MAX: usize = 10_000;

/// Longest name, in bytes.
const CLIENT_ID_BYTES_MAX: usize = 64;

/// What somebody waits for.
enum Waiting {
    /// Risk's verdict on an order.
    Place { ticket: Ticket, client_id: Option<String> },
    /// Risk's verdict on a cancel.
    Cancel { ticket: Ticket, target: OrderId },
    /// Risk's verdict on an amendment.
    Amend { ticket: Ticket, target: OrderId },
    /// Risk's verdict on a request that the venue cancel all on an instrument, and then what came of it.
    Sweep { ticket: Ticket, swept: Swept },
    /// Risk's verdict on a new order in the place of `target`, in one request; whether one after the other would do.
    Swap { ticket: Ticket, target: OrderId, order: NewOrder, in_turn: bool },
    /// Risk's verdict on the cancel before a new order.
    Replace { ticket: Ticket, target: OrderId, order: NewOrder },
}

/// A new order that waits for the end of the one it replaces.
struct Replacing {
    ticket: Ticket,
    order: NewOrder,
    end: Nanos,
}

/// A flatten that waits until no order is open.
struct Flattening {
    ticket: Ticket,
    instrument: Option<InstrumentIndex>,
    swept: Swept,
    end: Nanos,
}

/// Intents on their way.
#[derive(Default)]
pub struct OrderEntry {
    waiting: BTreeMap<OrderId, (Waiting, Nanos)>,
    replacing: BTreeMap<OrderId, Replacing>,
    /// New orders of which the venue has to speak before who asked for the replacement is answered.
    swapping: BTreeMap<OrderId, (Ticket, Nanos)>,
    /// Amendments of which the venue has to speak, by order.
    amending: BTreeMap<OrderId, (Ticket, Nanos)>,
    flattening: Vec<Flattening>,
    pub(super) pairs: Pairs,
    /// The order of each (peer, name), and each order's name.
    by_client: BTreeMap<(Vec<u8>, String), OrderId>,
    client_ids: BTreeMap<OrderId, String>,
    named: VecDeque<(Vec<u8>, String)>,
}

pub(super) fn lost(id: OrderId) -> ApiError {
    ApiError::new(code::TIMEOUT, format!("no answer in time: what became of {id} is not known"))
}

/// Whether an order may be refused with this code only because the one that it replaces still counts, or has begun to
/// fill.
const fn counts_both(verdict: RejectCode) -> bool {
    matches!(
        verdict,
        RejectCode::MaxPosition | RejectCode::MaxGross | RejectCode::MaxOpen | RejectCode::NoReplace
    )
}

impl OrderEntry {
    /// The order that the peer of `ticket` calls `name`.
    #[must_use]
    pub fn find(&self, ticket: &Ticket, name: &str) -> Option<OrderId> {
        self.by_client.get(&(ticket.peer.clone(), name.to_owned())).copied()
    }

    /// What its client called `id`.
    #[must_use]
    pub fn client_id(&self, id: OrderId) -> Option<&String> {
        self.client_ids.get(&id)
    }

    /// Whether `name` may be given to a new order by the peer of `ticket`.
    ///
    /// # Errors
    /// `BAD_REQUEST` when it is too long, `DUP_ID` when the peer has given it before.
    pub fn check_name(&self, ticket: &Ticket, name: &str) -> Result<(), ApiError> {
        if name.is_empty() || name.len() > CLIENT_ID_BYTES_MAX {
            let reason = format!("client_id: not 1 to {CLIENT_ID_BYTES_MAX} bytes");
            return Err(ApiError::new(code::BAD_REQUEST, reason));
        }
        match self.find(ticket, name) {
            Some(id) => {
                let reason = format!("client_id: {name:?} is the name of {id} already");
                Err(ApiError::new(RejectCode::DuplicateId.as_str(), reason))
            }
            None => Ok(()),
        }
    }

    fn name(&mut self, ticket: &Ticket, name: &str, id: OrderId) {
        let key = (ticket.peer.clone(), name.to_owned());
        self.by_client.insert(key.clone(), id);
        self.client_ids.insert(id, name.to_owned());
        self.named.push_back(key);
        if self.named.len() > CLIENT_IDS_MAX
            && let Some(oldest) = self.named.pop_front()
            && let Some(id) = self.by_client.remove(&oldest)
        {
            self.client_ids.remove(&id);
        }
    }

    /// Sends `order`; the reply follows risk's verdict.
    pub fn place(
        &mut self,
        intents: &mut Intents,
        order: &NewOrder,
        (ticket, client_id): (Ticket, Option<String>),
        now: Nanos,
        desk: &mut Desk,
    ) {
        match intents.place(order, now) {
            Ok(id) => {
                if let Some(name) = &client_id {
                    self.name(&ticket, name, id);
                }
                let waiting = Waiting::Place { ticket, client_id };
                self.waiting.insert(id, (waiting, now.saturating_add(PATIENCE)));
            }
            Err(code) => desk.reply(ticket, Err(refused(code))),
        }
    }

    /// Cancels `row`; the reply follows risk's verdict.
    pub fn cancel(
        &mut self,
        intents: &mut Intents,
        row: &OrderRow,
        ticket: Ticket,
        now: Nanos,
        desk: &mut Desk,
    ) {
        match intents.cancel(row.id, row.instrument, now) {
            Ok(id) => {
                let waiting = Waiting::Cancel { ticket, target: row.id };
                self.waiting.insert(id, (waiting, now.saturating_add(PATIENCE)));
            }
            Err(code) => desk.reply(ticket, Err(refused(code))),
        }
    }

    /// Lowers the quantity of `row` to `quantity`; the reply follows the venue's word.
    pub fn amend(
        &mut self,
        intents: &mut Intents,
        row: &OrderRow,
        quantity: Quantity,
        (ticket, now): (Ticket, Nanos),
        desk: &mut Desk,
    ) {
        match intents.amend(row.id, row.instrument, quantity, now) {
            Ok(id) => {
                let waiting = Waiting::Amend { ticket, target: row.id };
                self.waiting.insert(id, (waiting, now.saturating_add(PATIENCE)));
            }
            Err(code) => desk.reply(ticket, Err(refused(code))),
        }
    }

    /// Replaces `row` by `order` in one request; the reply follows the venue's word. What risk refuses because until then
    /// both count is done one after the other, if `order` is of no greater quantity: that shrinks before it grows.
    pub fn swap(
        &mut self,
        intents: &mut Intents,
        row: &OrderRow,
        order: NewOrder,
        (ticket, now): (Ticket, Nanos),
        desk: &mut Desk,
    ) {
        match intents.replace(row.id, &order, now) {
            Ok(id) => {
                let in_turn = order.quantity <= row.quantity;
                let waiting = Waiting::Swap { ticket, target: row.id, order, in_turn };
                self.waiting.insert(id, (waiting, now.saturating_add(PATIENCE)));
            }
            Err(code) => desk.reply(ticket, Err(refused(code))),
        }
    }

    /// Cancels `target`, and places `order` once that has ended, less what it had filled.
    pub fn replace(
        &mut self,
        intents: &mut Intents,
        target: OrderId,
        order: NewOrder,
        (ticket, now): (Ticket, Nanos),
        desk: &mut Desk,
    ) {
        match intents.cancel(target, order.instrument, now) {
            Ok(id) => {
                let waiting = Waiting::Replace { ticket, target, order };
                self.waiting.insert(id, (waiting, now.saturating_add(PATIENCE)));
            }
            Err(code) => desk.reply(ticket, Err(refused(code))),
        }
    }

    /// Asks for the cancel of all that `scope` means; gives those for which it was asked.
    ///
    /// # Errors
    /// `RING_FULL` when not all could be asked for.
    pub fn sweep(
        intents: &mut Intents,
        scope: &Scope,
        orders: &Orders,
        now: Nanos,
    ) -> Result<Swept, ApiError> {
        let mut swept = Swept::default();
        for (id, instrument) in scope.to_cancel(orders) {
            intents.cancel(id, instrument, now).map_err(refused)?;
            swept.canceled.push(id.to_string());
        }
        Ok(swept)
    }

    /// Has the venue cancel whatever the account has open on `instrument`; the reply follows its word.
    pub fn sweep_venue(
        &mut self,
        intents: &mut Intents,
        instrument: InstrumentIndex,
        orders: &Orders,
        (ticket, now): (Ticket, Nanos),
        desk: &mut Desk,
    ) {
        let open = Scope { instrument: Some(instrument), source: None }.all_open(orders);
        let swept = Swept { canceled: open.iter().map(ToString::to_string).collect(), ..Swept::default() };
        match intents.sweep(instrument, now) {
            Ok(id) => {
                let waiting = Waiting::Sweep { ticket, swept };
                self.waiting.insert(id, (waiting, now.saturating_add(PATIENCE)));
            }
            Err(code) => desk.reply(ticket, Err(refused(code))),
        }
    }

    /// Cancels all of an instrument, or everything, and closes positions once nothing is open.
    pub fn flatten(
        &mut self,
        intents: &mut Intents,
        instrument: Option<InstrumentIndex>,
        orders: &Orders,
        (ticket, now): (Ticket, Nanos),
        desk: &mut Desk,
    ) {
        match Self::sweep(intents, &Scope { instrument, source: None }, orders, now) {
            Ok(swept) => {
                let end = now.saturating_add(PATIENCE);
                self.flattening.push(Flattening { ticket, instrument, swept, end });
            }
            Err(error) => desk.reply(ticket, Err(error)),
        }
    }

    /// Takes what happened; replies where somebody waited for it.
    pub fn on_event(&mut self, event: &Event, intents: Option<&mut Intents>, now: Nanos, desk: &mut Desk) {
        match event {
            Event::Decision(decision, _, _) => {
                let verdict = RejectCode::try_from(decision.code()).unwrap_or(RejectCode::BadRequest);
                self.pairs.on_verdict(decision.intent().id, verdict, desk);
                let Some((waiting, _)) = self.waiting.remove(&decision.intent().id) else { return };
                self.on_verdict(decision.intent().id, waiting, verdict, intents, now, desk);
            }
            Event::Report(report, row) => self.on_report(report, row, intents, now, desk),
            Event::Swept(report) => {
                if let Some((Waiting::Sweep { ticket, swept }, _)) = self.waiting.remove(&report.id) {
                    desk.reply(ticket, outcome(report).and_then(|()| result(&swept)));
                }
            }
            Event::Halt(..) => {}
        }
    }

    fn on_verdict(
        &mut self,
        id: OrderId,
        waiting: Waiting,
        verdict: RejectCode,
        intents: Option<&mut Intents>,
        now: Nanos,
        desk: &mut Desk,
    ) {
        let ok = verdict == RejectCode::None;
        match waiting {
            Waiting::Swap { ticket, .. } if ok => {
                self.swapping.insert(id, (ticket, now.saturating_add(PATIENCE)));
            }
            Waiting::Swap { ticket, target, order, in_turn: true } if counts_both(verdict) => match intents {
                Some(intents) => self.replace(intents, target, order, (ticket, now), desk),
                None => desk.reply(ticket, Err(refused(verdict))),
            },
            Waiting::Place { ticket, client_id } if ok => {
                desk.reply(ticket, result(&Placed { order_id: id.to_string(), client_id }));
            }
            Waiting::Cancel { ticket, target } if ok => {
                desk.reply(ticket, Ok(json!({ "order_id": target.to_string() })));
            }
            Waiting::Replace { ticket, target, order } if ok => {
                let end = now.saturating_add(PATIENCE);
                self.replacing.insert(target, Replacing { ticket, order, end });
            }
            Waiting::Sweep { .. } if ok => {
                self.waiting.insert(id, (waiting, now.saturating_add(SWEEP_PATIENCE)));
            }
            Waiting::Amend { ticket, target } if ok => {
                let end = now.saturating_add(PATIENCE);
                // Route takes one at a time of an order: the other's reply is its refusal.
                if let Some((earlier, _)) = self.amending.insert(target, (ticket, end)) {
                    desk.reply(earlier, Err(lost(target)));
                }
            }
            Waiting::Place { ticket, .. }
            | Waiting::Cancel { ticket, .. }
            | Waiting::Amend { ticket, .. }
            | Waiting::Sweep { ticket, .. }
            | Waiting::Swap { ticket, .. }
            | Waiting::Replace { ticket, .. } => {
                desk.reply(ticket, Err(refused(verdict)));
            }
        }
    }

    fn on_report(
        &mut self,
        report: &Report,
        row: &OrderRow,
        intents: Option<&mut Intents>,
        now: Nanos,
        desk: &mut Desk,
    ) {
        self.on_amended(report, row, desk);
        self.on_swapped(row, desk);
        let refused_cancel = report.kind == ReportKind::CancelRejected.code();
        if row.is_open() && !refused_cancel {
            return;
        }
        let Some(Replacing { ticket, order, .. }) = self.replacing.remove(&report.id) else { return };
        let left = Quantity(order.quantity.0 - row.filled.0);
        if row.is_open() || row.state == Some(OrderState::Filled) || left.0 <= 0 {
            let reason = format!("{}: it could not be cancelled, or was filled meanwhile", report.id);
            desk.reply(ticket, Err(ApiError::new(code::UNKNOWN_ORDER, reason)));
            return;
        }
        match intents {
            Some(intents) => {
                let order = NewOrder { quantity: left, ..order };
                self.place(intents, &order, (ticket, None), now, desk);
            }
            None => desk.reply(ticket, Err(lost(report.id))),
        }
    }

    /// Tells who asked for a replacement what the venue has made of the new order.
    fn on_swapped(&mut self, row: &OrderRow, desk: &mut Desk) {
        let outcome = match row.state {
            None | Some(OrderState::Sent | OrderState::Unknown) => return,
            Some(OrderState::Rejected | OrderState::NeverPlaced) => {
                Err(refused(if row.reject == RejectCode::None { RejectCode::Venue } else { row.reject }))
            }
            _ if row.reject != RejectCode::None => Err(refused(row.reject)),
            _ => result(&Placed { order_id: row.id.to_string(), client_id: None }),
        };
        if let Some((ticket, _)) = self.swapping.remove(&row.id) {
            desk.reply(ticket, outcome);
        }
    }

    fn on_amended(&mut self, report: &Report, row: &OrderRow, desk: &mut Desk) {
        let kind = ReportKind::try_from(report.kind);
        let outcome = match kind {
            Ok(ReportKind::Amended) => Ok(json!({ "order_id": report.id.to_string() })),
            Ok(ReportKind::AmendRejected) => {
                Err(refused(RejectCode::try_from(report.detail).unwrap_or(RejectCode::Venue)))
            }
            _ if !row.is_open() => {
                let reason = format!("{}: it ended before it could be amended", report.id);
                Err(ApiError::new(code::UNKNOWN_ORDER, reason))
            }
            _ => return,
        };
        if let Some((ticket, _)) = self.amending.remove(&report.id) {
            desk.reply(ticket, outcome);
        }
    }

    /// Goes on with what waited, and gives up what has waited too long. Returns how much was done.
    pub fn tend(
        &mut self,
        intents: Option<&mut Intents>,
        (table, orders, ledger): (&Table, &Orders, &Ledger),
        now: Nanos,
        desk: &mut Desk,
    ) -> usize {
        let mut done = self.pairs.tend(now, desk);
        let late = self.waiting.extract_if(.., |_, (_, end)| *end <= now);
        for (id, (waiting, _)) in late.collect::<Vec<_>>() {
            let (Waiting::Place { ticket, .. }
            | Waiting::Cancel { ticket, .. }
            | Waiting::Amend { ticket, .. }
            | Waiting::Sweep { ticket, .. }
            | Waiting::Swap { ticket, .. }
            | Waiting::Replace { ticket, .. }) = waiting;
            desk.reply(ticket, Err(lost(id)));
            done += 1;
        }
        for (target, (ticket, _)) in self.amending.extract_if(.., |_, (_, end)| *end <= now) {
            desk.reply(ticket, Err(lost(target)));
            done += 1;
        }
        for (id, (ticket, _)) in self.swapping.extract_if(.., |_, (_, end)| *end <= now) {
            desk.reply(ticket, Err(lost(id)));
            done += 1;
        }
        for (target, late) in self.replacing.extract_if(.., |_, replacing| replacing.end <= now) {
            desk.reply(late.ticket, Err(lost(target)));
            done += 1;
        }
        let Some(intents) = intents else { return done };
        let over = |flattening: &mut Flattening| {
            let scope = Scope { instrument: flattening.instrument, source: None };
            flattening.end <= now || scope.open(orders) == 0
        };
        for mut ended in self.flattening.extract_if(.., over).collect::<Vec<_>>() {
            done += 1;
            let open = Scope { instrument: ended.instrument, source: None }.open(orders);
            if open > 0 {
                let reason = format!("{open} orders are still open: stop or halt what places them first");
                desk.reply(ended.ticket, Err(ApiError::new(code::TIMEOUT, reason)));
                continue;
            }
            let sent = closing(table, ledger, ended.instrument).iter().try_for_each(|order| {
                let id = intents.place(order, now)?;
                ended.swept.placed.push(id.to_string());
                Ok(())
            });
            let outcome = sent.map_err(refused).and_then(|()| result(&ended.swept));
            desk.reply(ended.ticket, outcome);
        }
        done
    }
}
