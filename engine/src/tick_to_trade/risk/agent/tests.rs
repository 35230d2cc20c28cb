//! Tests of the agent over real rings, journals and halt pages.

use std::path::{Path, PathBuf};

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use tempfile::TempDir;

use super::*;
use crate::agent::Observed as _;
use crate::counters::halt::HaltReader;
use crate::domain::{OrderId, Quantity, Side};
use crate::journal::fixture::Workshop;
use crate::journal::{DayStart, Decision, Halt, Health, JournalWriter, Record};
use crate::limits::{CANCEL_RESERVE, RING_CAPACITY_MIN};
use crate::message::ReportKind;
use crate::message::report::OrderState;
use crate::ring::broadcast;
use crate::tick_to_trade::risk::Rate;
use crate::tick_to_trade::risk::agent::latches::plain;
use crate::tick_to_trade::risk::fixture::{
    EPOCH, USD, cancel, fill, id, instruments, limit, limits, market, report,
};
use crate::tick_to_trade::risk::market::tests::top;

mod inherited;
mod journal;
mod latches;
mod moment;
mod pair;
mod recount;
mod restart;

const NOW: Nanos = Nanos::from_secs(100);
/// The first midnight behind it.
const MIDNIGHT: Nanos = Nanos::from_secs(86_400);

/// Risk with everything around it, in files of its own.
struct Rig {
    folder: TempDir,
    risk: Risk,
    intents: Vec<Producer<Intent>>,
    ticks: broadcast::Producer<Tick>,
    orders: Consumer<SealedOrder>,
    /// Route's journal, whose tail risk reads.
    route: (Workshop, JournalWriter, Journal),
    /// Drains risk's journal.
    writer: JournalWriter,
    health: Health,
    workshop: Workshop,
    operator: HaltPage,
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}

impl Rig {
    fn new(limits: Limits) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| path(folder.path(), name);
        let mut intents = Vec::new();
        let mut consumers = Vec::new();
        for source in 0..3_u16 {
            let (ring, cursor) = (at(&format!("intents{source}")), at(&format!("intents{source}.cursor")));
            intents.push(Producer::create(&ring, &cursor, RING_CAPACITY_MIN, EPOCH).expect("made"));
            let consumer = Consumer::attach(&ring, &cursor).expect("attached");
            consumers.push((SourceId(source), Late::fixed(consumer)));
        }
        let mut ticks = broadcast::Producer::create(&at("ticks"), RING_CAPACITY_MIN, EPOCH).expect("made");
        let reader = Reader::attach(&at("ticks")).expect("attached");
        for instrument in 0..4 {
            ticks.publish(&top(instrument, 1_000, 1_010, NOW));
        }
        let producer =
            Producer::create(&at("orders"), &at("orders.cursor"), RING_CAPACITY_MIN, EPOCH).expect("made");
        let orders = Consumer::attach(&at("orders"), &at("orders.cursor")).expect("attached");
        let operator = HaltPage::create(&at("operator"), EPOCH).expect("made");
        let page = HaltPage::create(&at("risk"), EPOCH).expect("made");
        let pages = ["operator", "risk"].map(|name| HaltReader::attach(&at(name)).expect("attached"));
        let route = Workshop::new();
        let (route_writer, route_journal) = route.start(EPOCH);
        let workshop = Workshop::new();
        let (writer, journal) = workshop.start(EPOCH);
        let health = Health::default();
        let journal = journal.heeding(health.clone());
        let ports = RiskPorts {
            intents: consumers,
            ticks: Late::fixed(reader),
            peers: Peers::default(),
            reports: Tail::attach_from(&route.ring, Some(&route.dir), 1).expect("attached"),
            orders: producer,
            journal,
            page,
            halts: HaltPages::new(pages.into()),
            stopwatch: Stopwatch::calibrate(),
            histograms: Histograms::create(&folder.path().join("histograms"), &RISK_STAGES, EPOCH)
                .expect("histograms"),
        };
        let risk = Risk::new(&instruments(), limits, ports).expect("valid");
        let route = (route, route_writer, route_journal);
        Self { folder, risk, intents, ticks, orders, route, writer, health, workshop, operator }
    }

    fn send(&mut self, intent: &Intent) {
        self.intents[usize::from(intent.id.source.0)].try_push(intent).expect("room");
    }

    /// Works until nothing is left to do, at one moment.
    fn settle(&mut self, now: Nanos) {
        for _ in 0..1_000 {
            if self.risk.do_work(now) == 0 {
                return;
            }
            self.writer.drain().expect("written");
        }
        panic!("risk does not come to rest");
    }

    fn tell(&mut self, report: &Report) {
        self.route.2.append(report.at, 0, report).expect("room");
        self.route.1.drain().expect("written");
    }

    fn orders(&mut self) -> Vec<SealedOrder> {
        std::iter::from_fn(|| self.orders.poll()).collect()
    }

    /// Every record of risk's journal.
    fn records(&mut self) -> Vec<Record> {
        self.writer.drain().expect("written");
        self.workshop.read()
    }

    fn decisions(&mut self) -> Vec<(u64, Decision)> {
        let records = self.records();
        records.iter().filter_map(|record| Some((record.sequence, record.read::<Decision>()?))).collect()
    }

    fn codes(&mut self) -> Vec<RejectCode> {
        let code = |(_, decision): (u64, Decision)| RejectCode::try_from(decision.code()).expect("a code");
        self.decisions().into_iter().map(code).collect()
    }
}

#[test]
fn every_intent_has_one_decision_and_every_order_one_approval() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut rig = Rig::new(limits());
    let mut sent = Vec::new();
    let mut orders: Vec<SealedOrder> = Vec::new();
    let mut now = NOW;
    for step in 0..400_u64 {
        for instrument in 0..4 {
            rig.ticks.publish(&top(instrument, 1_000, 1_010, now));
        }
        for source in 0..3_u16 {
            let own = id(source, step + 1);
            let side = if random.next_u32() % 2 == 0 { Side::Buy } else { Side::Sell };
            let mut intent = match random.next_u32() % 8 {
                0 => cancel(own, id(source, step.saturating_sub(random.next_u64() % 4)), 0),
                1 => market(own, random.next_u32() % 4, side, 2),
                2 => Intent { side: 9, ..limit(own, 0, side, 1_000, 2) },
                _ => limit(own, random.next_u32() % 3, side, 980 + i64::from(random.next_u32() % 12) * 5, 2),
            };
            intent.stamp = (sent.len() + 1) as u32;
            rig.send(&intent);
            sent.push(intent);
        }
        rig.settle(now);
        for order in rig.orders() {
            assert!(order.unseal().is_some());
            // It ends at once, so that the next ones find room.
            if order.intent().kind == 1 {
                let gone = report(order.intent(), ReportKind::Expired, OrderState::Expired, 0);
                rig.tell(&gone);
            }
            orders.push(order);
        }
        now = now + Nanos::from_millis(100);
    }
    let decisions = rig.decisions();
    assert_eq!(decisions.len(), sent.len());
    let mut decided: Vec<Intent> = decisions.iter().map(|(_, decision)| decision.intent()).collect();
    decided.sort_by_key(|intent| intent.stamp);
    assert_eq!(decided, sent, "each intent once, as it was sent");
    // Accepted in the journal and pushed to route are the same, one to one, under the record's own sequence.
    let accepted: Vec<(u64, Intent)> = decisions
        .iter()
        .filter(|(_, d)| d.code() == 0)
        .map(|(sequence, d)| (*sequence, d.intent()))
        .collect();
    let pushed: Vec<(u64, Intent)> = orders.iter().map(|order| (order.approval(), *order.intent())).collect();
    assert_eq!(accepted, pushed);
    let counts = rig.risk.counts();
    assert_eq!(counts.orders + counts.cancels, accepted.len() as u64);
    assert_eq!(counts.rejected.iter().sum::<u64>() as usize, sent.len() - accepted.len());
    assert_eq!((counts.orders_lost, counts.ticks_missed, counts.reports_missed), (0, 0, 0));
    assert!(
        counts.orders > 100 && counts.rejected[usize::from(RejectCode::BadRequest.code())] > 50,
        "{counts:?}"
    );
}

#[test]
fn a_source_may_come_late_vanish_and_come_again() {
    let mut rig = Rig::new(limits());
    let (ring, cursor) = (path(rig.folder.path(), "late"), path(rig.folder.path(), "late.cursor"));
    rig.risk.ports.intents[1].1 = Consumer::late(&ring, &cursor);
    let after = |looks: i64| NOW.saturating_add(Nanos::from_millis(100 * looks));
    rig.settle(after(0));
    let intent =
        |source_epoch, sequence| limit(OrderId { source_epoch, ..id(1, sequence) }, 0, Side::Buy, 1_000, 2);
    let first = intent(1, 1);
    let mut producer = Producer::create(&ring, &cursor, RING_CAPACITY_MIN, EPOCH).expect("made");
    producer.try_push(&first).expect("room");
    rig.settle(after(0));
    assert!(rig.orders().is_empty(), "it is not looked for before it is due");
    rig.settle(after(1));
    assert_eq!(rig.risk.counts().rejected.iter().sum::<u64>(), 0, "{:?}", rig.decisions());
    assert_eq!(rig.orders().iter().map(|order| order.intent().id).collect::<Vec<_>>(), [first.id]);
    // It dies and comes again with a higher source epoch, in its own ring.
    drop(producer);
    let mut producer = Producer::open(&ring, &cursor, RING_CAPACITY_MIN, EPOCH).expect("taken over");
    assert_eq!((producer.life(), producer.position()), (1, 1));
    let mut second = intent(2, 1);
    second.quantity = Quantity(4);
    producer.try_push(&second).expect("room");
    rig.settle(after(1));
    assert_eq!(rig.risk.counts().rejected.iter().sum::<u64>(), 0, "{:?}", rig.decisions().last());
    assert_eq!(rig.orders().iter().map(|order| order.intent().id).collect::<Vec<_>>(), [second.id]);
    // A ring that is gone stays readable; one that took its place is read from its start.
    std::fs::remove_file(&ring).expect("removed");
    rig.settle(after(2));
    let mut producer = Producer::open(&ring, &cursor, RING_CAPACITY_MIN, EPOCH).expect("made anew");
    let mut third = intent(3, 1);
    third.quantity = Quantity(6);
    producer.try_push(&third).expect("room");
    producer.try_push(&second).expect("room");
    rig.settle(after(3));
    let orders = rig.orders();
    assert_eq!(orders.iter().map(|order| order.intent().id).collect::<Vec<_>>(), [third.id]);
    assert_eq!(
        rig.risk.counts().rejected[usize::from(RejectCode::DuplicateId.code())],
        1,
        "an id passes once"
    );
}

#[test]
fn a_full_journal_keeps_intents_waiting_and_counts_floods() {
    let mut rig = Rig::new(limits());
    rig.risk.do_work(NOW);
    let resting = limit(id(0, 1), 0, Side::Buy, 1_000, 2);
    rig.send(&resting);
    rig.risk.do_work(NOW);
    // Nobody drains. Malformed intents of three sources, out of step, so that few are alike in a row.
    let mut sequence = 1;
    let mut pushed = 1_u64;
    for round in 0..40 {
        sequence += 1;
        for source in 0..3 {
            let bad = Intent { side: 9, ..limit(id(source, sequence), round % 4, Side::Buy, 1_000, 2) };
            pushed += u64::from(rig.intents[usize::from(source)].try_push(&bad).is_ok());
        }
        rig.risk.do_work(NOW);
    }
    let stopped = rig.risk.counts().rejected.iter().sum::<u64>() + 1;
    assert!(stopped < pushed, "with a full journal intents wait in their rings");
    assert!(rig.risk.ports.journal.free() < RECORDS_PER_INTENT);
    assert_eq!(rig.risk.do_work(NOW), 0);
    rig.writer.drain().expect("written");
    rig.settle(NOW);
    let decisions = rig.decisions();
    let total: u64 = decisions.iter().map(|(_, decision)| 1 + u64::from(decision.repeats())).sum();
    // The storm latched its sources: risk cancelled what rested.
    assert_eq!((total, rig.risk.own_cancels()), (pushed + 1, 1));
}

#[test]
fn the_reserve_is_for_cancels_and_equal_rejects_are_gathered() {
    let mut limits = limits();
    limits.account.reject_storm.count = 1_000;
    let mut rig = Rig::new(limits);
    rig.risk.do_work(NOW);
    let resting = limit(id(0, 1), 0, Side::Buy, 1_000, 2);
    rig.send(&resting);
    rig.risk.do_work(NOW);
    // Fill the journal to its reserve; two records are used, one by the day.
    let filler = (RING_CAPACITY_MIN - JOURNAL_RESERVE) as u64 - 1;
    for sequence in 2..=filler {
        rig.send(&Intent { side: 9, ..limit(id(0, sequence), 0, Side::Buy, 1_000, 2) });
    }
    while rig.risk.do_work(NOW) > 0 {}
    assert_eq!(rig.risk.ports.journal.free(), JOURNAL_RESERVE);
    for more in 1..=50 {
        rig.send(&limit(id(0, filler + more), 1, Side::Buy, 1_000, 1));
        rig.risk.do_work(NOW);
    }
    let journal_rejects = usize::from(RejectCode::Journal.code());
    assert_eq!(rig.risk.counts().rejected[journal_rejects], 50);
    assert_eq!(rig.risk.ports.journal.free(), JOURNAL_RESERVE - 1, "one record for the flood so far");
    rig.send(&cancel(id(0, filler + 51), resting.id, 0));
    rig.risk.do_work(NOW);
    assert_eq!(rig.risk.counts().cancels, 1);
    assert_eq!(rig.orders().len(), 2);
    let decisions = rig.decisions();
    let (_, flood) = decisions[decisions.len() - 2];
    assert_eq!(
        (flood.code(), flood.repeats(), flood.intent().id),
        (RejectCode::Journal.code(), 48, id(0, filler + 50))
    );
}

#[test]
fn a_full_order_ring_rejects_and_keeps_room_for_cancels() {
    let mut limits = limits();
    let wide = Rate::new(1_000, Nanos::from_secs(1));
    (limits.account.orders, limits.account.cancels, limits.account.max_open) = (wide, wide, 1_000);
    (limits.sources[0].orders, limits.sources[0].cancels) = (wide, wide);
    limits.instruments[2].max_open = 1_000;
    limits.account.duplicates.count = 1_000;
    let mut rig = Rig::new(limits);
    for sequence in 1..=60 {
        rig.send(&limit(id(0, sequence), 2, Side::Buy, 900, 1));
        rig.settle(NOW);
    }
    let full = usize::from(RejectCode::RingFull.code());
    let fits = (RING_CAPACITY_MIN - CANCEL_RESERVE) as u64;
    assert_eq!((rig.risk.counts().orders, rig.risk.counts().rejected[full]), (fits, 60 - fits));
    assert_eq!(rig.risk.exposure(2), Some((0, i128::from(fits), 0)), "what was rejected is not counted");
    for sequence in 61..=80 {
        rig.send(&cancel(id(0, sequence), id(0, 1), 2));
    }
    rig.settle(NOW);
    assert_eq!(rig.risk.counts().cancels, CANCEL_RESERVE as u64);
    assert_eq!(rig.orders().len(), RING_CAPACITY_MIN);
    rig.send(&limit(id(0, 81), 2, Side::Buy, 900, 1));
    rig.settle(NOW);
    assert_eq!(rig.risk.counts().orders, fits + 1, "room again");
}

#[test]
fn latches_reach_the_page_and_outlive_risk() {
    let mut rig = Rig::new(limits());
    rig.settle(NOW);
    let order = limit(id(0, 1), 2, Side::Buy, 1_000, 20);
    rig.send(&order);
    rig.settle(NOW);
    for trade in 1..=6 {
        rig.tell(&fill(&order, 1_000, 1, trade, trade as u64));
    }
    rig.settle(NOW);
    assert_eq!(rig.risk.exposure(2), Some((6, 14, 0)));
    assert_eq!(rig.risk.counts().latches, 1);
    rig.send(&limit(id(0, 2), 2, Side::Buy, 1_000, 1));
    rig.send(&limit(id(1, 1), 0, Side::Buy, 1_000, 2));
    rig.settle(NOW);
    // The other source is asked first by now, and trades on. Between, risk cancelled what was left of the first's.
    assert_eq!(rig.codes(), [RejectCode::None, RejectCode::None, RejectCode::None, RejectCode::Halted]);
    assert_eq!(rig.risk.own_cancels(), 1);
    let halts: Vec<Halt> = rig.records().iter().filter_map(Record::read).collect();
    let [halt] = halts[..] else { panic!("one halt: {halts:?}") };
    assert_eq!((halt.scope, halt.source, halt.state), (2, SourceId(0), HaltState::Halted.code()));
    assert_eq!(halt.reason(), Some("REPEAT_EXEC"));
    // What a restarted risk finds is its page as it was.
    let page = HaltPage::reopen(&path(rig.folder.path(), "risk")).expect("still there");
    let pages = HaltReader::attach(&path(rig.folder.path(), "risk")).expect("attached");
    assert_eq!(pages.state(SourceId(0), 0), HaltState::Halted);
    drop(page);
    rig.risk.clear_source(SourceId(0), "looked into it", NOW);
    rig.send(&limit(id(0, 3), 2, Side::Buy, 1_000, 1));
    rig.settle(NOW);
    assert_eq!(rig.codes().last(), Some(&RejectCode::None));
}

#[test]
fn an_operators_page_is_obeyed_at_once() {
    let mut rig = Rig::new(limits());
    rig.settle(NOW);
    for (state, code) in [
        (HaltState::CancelOnly, RejectCode::Halted),
        (HaltState::Active, RejectCode::None),
        (HaltState::Halted, RejectCode::Halted),
    ] {
        rig.operator.set_instrument(0, state);
        let sequence = rig.risk.state.sources[0].last.1 + 1;
        rig.send(&limit(id(0, sequence), 0, Side::Buy, 1_000, 2));
        rig.settle(NOW);
        assert_eq!(rig.codes().last(), Some(&code), "{state}");
    }
    // An instrument that does not exist is refused for what it is.
    rig.send(&limit(id(0, 9), 99, Side::Buy, 1_000, 2));
    rig.settle(NOW);
    assert_eq!(rig.codes().last(), Some(&RejectCode::BadRequest));
}

#[test]
fn missed_ticks_stop_orders_until_the_next_top() {
    let mut rig = Rig::new(limits());
    rig.settle(NOW);
    for _ in 0..RING_CAPACITY_MIN * 2 {
        rig.ticks.publish(&top(3, 1_000, 1_010, NOW));
    }
    rig.settle(NOW);
    assert!(rig.risk.counts().ticks_missed > 0);
    let order = limit(id(0, 1), 0, Side::Buy, 1_000, 2);
    assert_eq!(rig.risk.check(&order, NOW), Err(RejectCode::StaleMarketData));
    rig.ticks.publish(&top(0, 1_000, 1_010, NOW));
    rig.settle(NOW);
    assert_eq!(rig.risk.check(&order, NOW), Ok(()), "a dry run changes nothing");
    assert_eq!(rig.risk.check(&order, NOW), Ok(()));
}

#[test]
fn lost_or_unreadable_reports_stop_everything() {
    let order = limit(id(0, 1), 0, Side::Buy, 1_000, 2);
    let sent = report(&order, ReportKind::Sent, OrderState::Sent, 0);
    let mut rig = Rig::new(limits());
    rig.tell(&Report { instrument: 99, ..sent });
    rig.settle(NOW);
    assert_eq!(rig.risk.check(&order, NOW), Err(RejectCode::MaxPosition), "an instrument that nobody knows");
    assert_eq!(rig.risk.exposure(0), None);

    // A tail without segments that the ring has lapped.
    let mut rig = Rig::new(limits());
    rig.risk.ports.reports = Tail::attach_from(&rig.route.0.ring, None, 1).expect("attached");
    for _ in 0..RING_CAPACITY_MIN * 2 {
        rig.tell(&sent);
    }
    rig.settle(NOW);
    assert!(rig.risk.counts().reports_missed > 0);
    assert_eq!(rig.risk.check(&order, NOW), Err(RejectCode::MaxPosition));
}

#[test]
fn the_days_result_follows_prices_at_a_bounded_pace() {
    let mut rig = Rig::new(limits());
    rig.settle(NOW);
    assert_eq!(rig.risk.next_deadline(), MIDNIGHT);
    rig.tell(&fill(&limit(id(0, 1), 0, Side::Buy, 1_010, 10), 1_010, 10, 10, 1));
    rig.settle(NOW);
    assert_eq!(rig.risk.day_result(), Some(-50 * USD), "a fill counts at once: marked at 1005");
    let soon = NOW + Nanos::from_millis(1);
    rig.ticks.publish(&top(0, 709, 710, soon));
    rig.settle(soon);
    assert_eq!(rig.risk.day_result(), Some(-50 * USD));
    let due = NOW + Nanos::from_millis(100);
    assert_eq!(rig.risk.next_deadline(), due);
    assert_eq!(rig.risk.do_work(due), 1);
    assert_eq!((rig.risk.day_result(), rig.risk.next_deadline()), (Some(-3_010 * USD), MIDNIGHT));
    rig.send(&limit(id(1, 1), 0, Side::Sell, 710, 2));
    rig.settle(due);
    assert_eq!(rig.codes(), [RejectCode::Halted], "C19 latched the page");
    rig.ticks.publish(&top(0, 1_010, 1_011, due));
    rig.settle(due);
    rig.risk.clear_global("looked into it", due);
    rig.settle(due + Nanos::from_millis(100));
    rig.send(&limit(id(1, 2), 0, Side::Sell, 1_015, 2));
    rig.settle(due + Nanos::from_millis(100));
    assert_eq!(rig.codes().last(), Some(&RejectCode::None));
    let late = MIDNIGHT - Nanos::from_millis(1);
    rig.ticks.publish(&top(0, 1_100, 1_101, late));
    rig.settle(late);
    // What was won until then was so yesterday, whether anything else comes or not.
    assert_ne!(rig.risk.day_result(), Some(0));
    assert_eq!((rig.risk.do_work(MIDNIGHT), rig.risk.day_result()), (1, Some(0)));
    assert_eq!(rig.risk.next_deadline(), MIDNIGHT + MIDNIGHT);
}

#[test]
fn rings_without_limits_or_with_a_twin_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    for (sources, text) in
        [([0, 3], "source 3: has a ring but no limits"), ([1, 1], "source 1: has two rings")]
    {
        let mut rig = Rig::new(limits());
        let intents = sources.iter().enumerate().map(|(i, &source)| {
            let (ring, cursor) =
                (path(folder.path(), &format!("r{i}")), path(folder.path(), &format!("c{i}")));
            let _producer =
                Producer::<Intent>::create(&ring, &cursor, RING_CAPACITY_MIN, EPOCH).expect("made");
            let consumer = Consumer::attach(&ring, &cursor).expect("attached");
            (SourceId(source), Late::fixed(consumer))
        });
        rig.risk.ports.intents = intents.collect();
        let error = Risk::new(&instruments(), limits(), rig.risk.ports).err().expect(text);
        assert_eq!(error.to_string(), text);
    }
}
