//! The agent with real rings and journals, against a venue that says what a test tells it to.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::agent::Observed as _;
use crate::counters::HistogramReader;
use crate::counters::halt::HaltReader;
use crate::domain::{InstrumentIndex, Instruments, OrderType, Price, Quantity, Side, SourceId, TimeInForce};
use crate::journal::fixture::{Workshop, instrument};
use crate::journal::{Health, InstrumentRow, JournalWriter, Record, Tail};
use crate::limits::RING_CAPACITY_MIN;
use crate::message::Order;
use crate::ring::broadcast::Polled;
use crate::venue::{NotSent, Question};

const EPOCH: u32 = 2;
const START: Nanos = Nanos::from_secs(1_000);

/// What the venue saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Place(OrderId),
    Cancel(OrderId),
    Amend(OrderId, i64),
    Sweep(InstrumentIndex),
    Replace(OrderId, OrderId),
    Pair(OrderId, OrderId),
    Query(OrderId),
    Ask(Question),
}

struct Script {
    seen: Sender<Seen>,
    events: Receiver<VenueEvent>,
    refuse: bool,
    near: bool,
    /// What is kept, where the entry holds requests.
    held: Option<Vec<Seen>>,
    flushes: usize,
    /// When the last of them was, where a test asks.
    flushed: Option<(Stopwatch, Nanos)>,
    /// Who halts everything as soon as a request has been handed over, where a test has it so.
    halting: Option<HaltPage>,
}

impl Script {
    fn see(&mut self, seen: Seen) -> Result<(), NotSent> {
        self.halting.take().iter_mut().for_each(|page| page.set_global(HaltState::Halted));
        match &mut self.held {
            Some(held) => held.push(seen),
            None => self.seen.send(seen).map_err(|_| NotSent)?,
        }
        Ok(())
    }
}

impl OrderEntry for Script {
    fn send(&mut self, order: &Order, _now: Nanos) -> Result<(), NotSent> {
        if self.refuse {
            return Err(NotSent);
        }
        let intent = order.intent();
        let seen = match IntentKind::try_from(intent.kind) {
            Ok(IntentKind::Cancel) => Seen::Cancel(intent.target),
            Ok(IntentKind::Amend) => Seen::Amend(intent.target, intent.quantity.0),
            Ok(IntentKind::Sweep) => Seen::Sweep(intent.instrument),
            Ok(IntentKind::Replace) => Seen::Replace(intent.target, intent.id),
            _ => Seen::Place(intent.id),
        };
        self.see(seen)
    }

    fn send_pair(&mut self, above: &Order, below: &Order, _now: Nanos) -> Result<(), NotSent> {
        let (above, below) = (above.intent().id, below.intent().id);
        if self.refuse { Err(NotSent) } else { self.see(Seen::Pair(above, below)) }
    }

    fn query(&mut self, _instrument: InstrumentIndex, id: OrderId, _now: Nanos) -> Result<(), NotSent> {
        self.see(Seen::Query(id))
    }

    fn ask(&mut self, question: Question, _now: Nanos) -> Result<(), NotSent> {
        self.see(Seen::Ask(question))
    }

    fn holds(&self) -> bool {
        self.held.is_some()
    }

    fn flush(&mut self) {
        for seen in self.held.iter_mut().flat_map(|held| held.drain(..)) {
            // Nothing is seen without a test that looks.
            let _ = self.seen.send(seen);
        }
        self.flushes += 1;
        if let Some((stopwatch, at)) = &mut self.flushed {
            *at = stopwatch.elapsed();
        }
    }

    fn poll(&mut self, _now: Nanos) -> Option<VenueEvent> {
        self.events.try_recv().ok()
    }

    fn is_near(&self) -> bool {
        self.near
    }

    fn next_deadline(&self) -> Nanos {
        Nanos::NEVER
    }
}

struct Bench {
    route: Route<Script>,
    orders: spsc::Producer<SealedOrder>,
    seen: Receiver<Seen>,
    events: Sender<VenueEvent>,
    reports: Tail,
    operator: HaltPage,
    health: Health,
    approvals: u64,
    _writer: JournalWriter,
    _workshop: Workshop,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with(RouteTiming::default())
    }

    /// With a venue behind a connection.
    fn connected() -> Self {
        let mut bench = Self::with(RouteTiming { connection: true, ..RouteTiming::default() });
        bench.tell(OrderId::NONE, VenueEventKind::Connected);
        bench.tell(OrderId::NONE, VenueEventKind::OpenOrdersTold);
        assert_eq!(bench.work(START), []);
        assert_eq!(bench.seen(), [Seen::Ask(Question::OpenOrders)]);
        bench
    }

    fn with(timing: RouteTiming) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| -> PathBuf { folder.path().join(name) };
        let orders =
            spsc::Producer::create(&at("orders"), &at("cursor"), RING_CAPACITY_MIN, EPOCH).expect("made");
        let operator = HaltPage::create(&at("operator"), EPOCH).expect("made");
        let own_halts = HaltPage::create(&at("route"), EPOCH).expect("made");
        let pages = ["operator", "route"].map(|name| HaltReader::attach(&at(name)).expect("attached"));
        let workshop = Workshop::new();
        let (writer, journal) = workshop.start(EPOCH);
        let health = Health::default();
        let journal = journal.heeding(health.clone());
        let ports = RoutePorts {
            orders: Late::fixed(spsc::Consumer::attach(&at("orders"), &at("cursor")).expect("attached")),
            journal,
            halts: HaltPages::new(pages.into()),
            own_halts,
            histograms: Histograms::create(&at("histograms"), &ROUTE_STAGES, EPOCH).expect("made"),
        };
        let (seen_sender, seen) = channel();
        let (events, event_receiver) = channel();
        let script = Script {
            seen: seen_sender,
            events: event_receiver,
            refuse: false,
            near: true,
            held: None,
            flushes: 0,
            flushed: None,
            halting: None,
        };
        let reports = Tail::attach_from(&workshop.ring, Some(&workshop.dir), 1).expect("attached");
        let route = Route::new(ports, script, Stopwatch::calibrate(), timing);
        let (_writer, _workshop, _folder) = (writer, workshop, folder);
        Self {
            route,
            orders,
            seen,
            events,
            reports,
            operator,
            health,
            approvals: 0,
            _writer,
            _workshop,
            _folder,
        }
    }

    fn approve(&mut self, intent: Intent) {
        self.approvals += 1;
        self.orders.try_push(&SealedOrder::approve(&intent, self.approvals)).expect("room");
    }

    fn place(&mut self, sequence: u64) -> OrderId {
        let intent = new_order(sequence);
        self.approve(intent);
        intent.id
    }

    fn tell(&self, id: OrderId, kind: VenueEventKind) {
        self.tell_filled(id, kind, 0);
    }

    /// An event that counts `cumulative` as filled. The venue's id of an order is its sequence and 76.
    fn tell_filled(&self, id: OrderId, kind: VenueEventKind, cumulative: i64) {
        self.tell_venue(id, id.sequence + 76, kind, cumulative);
    }

    fn tell_venue(&self, id: OrderId, venue_order_id: u64, kind: VenueEventKind, cumulative: i64) {
        let event = VenueEvent {
            kind,
            id,
            venue_order_id,
            cumulative: Quantity(cumulative),
            instrument: 0,
            received: START,
        };
        self.events.send(event).expect("the agent lives");
    }

    /// Works, and leaves the reports to who reads the journal.
    fn work_unread(&mut self, now: Nanos) {
        while self.route.do_work(now) > 0 {}
    }

    /// Another life of route with all reports that were not read but the last `missing`, at a venue of its own.
    fn restarted(&mut self, missing: usize) -> Self {
        let instrument = instrument("BTCUSDT");
        let row = InstrumentRow::new(0, &instrument);
        let mut records = vec![Record::new(1, EPOCH, START, 0, &row)];
        while let Polled::Message(record) = self.reports.poll() {
            records.push(record);
        }
        records.truncate(records.len() - missing);
        let mut next = Self::with(self.route.timing);
        let table = Instruments::new(vec![instrument]).expect("a table");
        next.route.recover(records.into_iter().map(Ok), &table, EPOCH).expect("recovered");
        next
    }

    fn work(&mut self, now: Nanos) -> Vec<(ReportKind, OrderState)> {
        self.work_unread(now);
        let mut told = Vec::new();
        while let Polled::Message(record) = self.reports.poll() {
            if let Some(report) = record.read::<Report>() {
                let kind = ReportKind::try_from(report.kind).expect("a kind");
                told.push((kind, OrderState::try_from(report.state).expect("a state")));
            }
        }
        told
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.try_iter().collect()
    }
}

/// The answer to a query that says nothing of the quantity.
fn told(state: OrderState) -> VenueEventKind {
    VenueEventKind::QueryState { state, quantity: Quantity::ZERO }
}

fn new_order(sequence: u64) -> Intent {
    Intent {
        id: OrderId { epoch: EPOCH, source: SourceId(0), source_epoch: 1, sequence },
        price: Price(100),
        quantity: Quantity(10),
        valid_until: START + Nanos::from_secs(60),
        decided: START,
        kind: IntentKind::New.code(),
        side: Side::Buy.code(),
        order_type: OrderType::Limit.code(),
        time_in_force: TimeInForce::GoodTillCancel.code(),
        ..Intent::default()
    }
}

#[test]
fn sent_is_journalled_before_the_first_byte_leaves() {
    let mut bench = Bench::new();
    let id = bench.place(1);
    assert_eq!(bench.work(START), [(ReportKind::Sent, OrderState::Sent)]);
    assert_eq!(bench.seen(), [Seen::Place(id)]);

    // Nothing leaves that the journal has no room for.
    while bench.route.ports.journal.free() >= RECORDS_PER_STEP {
        bench.route.append(&Report::default(), START);
    }
    bench.place(2);
    bench.route.do_work(START);
    assert_eq!(bench.seen(), []);
}

#[test]
fn f01_f05_a_lost_answer_is_queried_and_never_sent_again() {
    let mut bench = Bench::new();
    let id = bench.place(1);
    bench.work(START);
    let later = START + Nanos::from_secs(2);
    assert_eq!(bench.work(later), [(ReportKind::Unknown, OrderState::Unknown)]);
    assert_eq!(bench.seen(), [Seen::Place(id), Seen::Query(id)]);
    bench.tell(id, VenueEventKind::Accepted);
    assert_eq!(bench.work(later), [(ReportKind::Accepted, OrderState::Open)]);
    assert_eq!(bench.work(later + Nanos::from_secs(60)), []);
    assert_eq!(bench.seen(), [], "settled orders are not asked about");
}

#[test]
fn f03_never_placed_needs_time_and_three_answers() {
    let mut bench = Bench::new();
    let id = bench.place(1);
    bench.work(START);
    let mut now = START + Nanos::from_secs(2);
    bench.work(now);
    // Before the conclusive time "no such order" proves nothing, however often it comes.
    for _ in 0..10 {
        bench.tell(id, VenueEventKind::QueryNotFound);
        assert_eq!(bench.work(now), []);
    }
    now = START + bench.route.timing.conclusive;
    for _ in 0..2 {
        // Twice at one moment is no more than once.
        for _ in 0..3 {
            bench.tell(id, VenueEventKind::QueryNotFound);
            assert_eq!(bench.work(now), []);
        }
        now = now + Nanos::from_secs(1);
    }
    bench.tell(id, VenueEventKind::QueryNotFound);
    assert_eq!(bench.work(now), [(ReportKind::NeverPlaced, OrderState::NeverPlaced)]);
    assert_eq!(bench.seen().iter().filter(|seen| matches!(seen, Seen::Place(_))).count(), 1);

    // F04: it lived after all.
    bench.tell(id, VenueEventKind::Accepted);
    assert_eq!(bench.work(now), [(ReportKind::Accepted, OrderState::Open)]);
    assert_eq!(bench.route.ports.halts.state(SourceId(0), 0), HaltState::CancelOnly);
}

/// A cancel of `target`.
fn cancel(target: OrderId, sequence: u64) -> Intent {
    Intent { target, kind: IntentKind::Cancel.code(), ..new_order(sequence) }
}

#[test]
fn f03_a_cancel_behind_a_request_that_never_arrived_ends_with_it() {
    for heard in [false, true] {
        let mut bench = Bench::new();
        let id = bench.place(1);
        bench.work(START);
        bench.approve(cancel(id, 2));
        assert_eq!(bench.work(START), [(ReportKind::CancelSent, OrderState::PendingCancel)]);
        if heard {
            // It was alive once: "no such order" must be looked into, and proves nothing.
            bench.tell(id, VenueEventKind::Accepted);
            bench.work(START);
        }
        let mut now = START + bench.route.timing.conclusive;
        let mut told = Vec::new();
        for _ in 0..5 {
            bench.tell_venue(id, 0, VenueEventKind::QueryNotFound, 0);
            told.extend(bench.work(now));
            now = now + Nanos::from_secs(1);
        }
        let gone = [(ReportKind::NeverPlaced, OrderState::NeverPlaced)];
        assert_eq!(told, if heard { &[][..] } else { &gone[..] }, "heard of before: {heard}");
    }
}

#[test]
fn at_its_end_cancels_leave_and_nothing_new() {
    let mut bench = Bench::new();
    let id = bench.place(1);
    bench.work(START);
    bench.route.close();
    bench.place(2);
    bench.approve(cancel(id, 3));
    let told = bench.work(START);
    assert_eq!(
        told,
        [(ReportKind::Rejected, OrderState::Rejected), (ReportKind::CancelSent, OrderState::PendingCancel)]
    );
    assert_eq!(bench.seen(), [Seen::Place(id), Seen::Cancel(id)]);
    assert_eq!(bench.route.ports.own_halts.global(), HaltState::CancelOnly, "risk reads it there");
}

#[test]
fn an_order_that_risk_did_not_approve_halts_everything() {
    for forged in [false, true] {
        let mut bench = Bench::new();
        let order = SealedOrder::approve(&new_order(1), 1);
        bench.orders.try_push(&order).expect("room");
        let second = if forged {
            // Another quantity than was approved, under an approval that was not used before.
            let mut words: [u64; 13] = zerocopy::transmute!(SealedOrder::approve(&new_order(2), 2));
            words[5] += 1;
            zerocopy::transmute!(words)
        } else {
            order
        };
        bench.orders.try_push(&second).expect("room");
        let told = bench.work(START);
        assert_eq!(
            told,
            [(ReportKind::Sent, OrderState::Sent), (ReportKind::Rejected, OrderState::Rejected)]
        );
        assert_eq!(bench.seen().len(), 1);
        assert_eq!(
            (bench.route.counters.unapproved, bench.route.ports.halts.global()),
            (1, HaltState::Halted)
        );
    }
}

#[test]
fn what_is_halted_late_or_twice_does_not_leave() {
    let mut bench = Bench::new();
    bench.operator.set_global(HaltState::CancelOnly);
    bench.place(1);
    assert_eq!(bench.work(START), [(ReportKind::Rejected, OrderState::Rejected)]);
    bench.operator.set_global(HaltState::Active);
    bench.place(2);
    assert_eq!(bench.work(START + Nanos::from_secs(61)), [(ReportKind::Expired, OrderState::Expired)]);
    assert_eq!(bench.seen(), []);
    bench.place(3);
    bench.place(3);
    assert_eq!(
        bench.work(START),
        [(ReportKind::Sent, OrderState::Sent), (ReportKind::Rejected, OrderState::Rejected)]
    );
    assert_eq!(bench.seen().len(), 1);
}

#[test]
fn a_request_that_did_not_leave_was_never_placed() {
    let mut bench = Bench::new();
    bench.route.entry.refuse = true;
    bench.place(1);
    assert_eq!(
        bench.work(START),
        [(ReportKind::Sent, OrderState::Sent), (ReportKind::NeverPlaced, OrderState::NeverPlaced)]
    );
    assert_eq!(bench.route.orders().live(), 0);
}

#[test]
fn f07_a_refused_cancel_is_settled_by_a_query() {
    let mut bench = Bench::new();
    let id = bench.place(1);
    bench.tell(id, VenueEventKind::Accepted);
    bench.work(START);
    let cancel = Intent {
        id: OrderId { sequence: 2, ..id },
        target: id,
        kind: IntentKind::Cancel.code(),
        valid_until: START + Nanos::from_secs(60),
        ..Intent::default()
    };
    bench.approve(cancel);
    bench.work(START);
    bench.tell(id, VenueEventKind::CancelRejected { code: -2011 });
    assert_eq!(bench.work(START), []);
    assert_eq!(bench.seen(), [Seen::Place(id), Seen::Cancel(id), Seen::Query(id)]);
    bench.tell(id, told(OrderState::Open));
    assert_eq!(bench.work(START), [(ReportKind::CancelRejected, OrderState::Open)]);
    // A cancel of what is gone is refused, and says so of the order as it stands.
    bench.tell(id, VenueEventKind::Canceled);
    bench.work(START);
    bench.approve(Intent { id: OrderId { sequence: 3, ..id }, ..cancel });
    assert_eq!(bench.work(START), [(ReportKind::CancelRejected, OrderState::Canceled)]);
}

mod amend;
mod adopt;
mod connection;
mod leaving;
mod moment;
mod pair;
mod replace;
mod rounds;
mod sweep;
