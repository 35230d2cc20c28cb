//! How many orders a second: bursts of intents through risk, route and both journals to encoded bytes; and what the disk
//! takes for as long as one likes.

use std::path::Path;
use std::thread;

use engine::agent::Agent as _;
use engine::domain::{InstrumentIndex, Nanos, OrderId, OrderType, Quantity, Side, SourceId, TimeInForce};
use engine::error::{RejectCode, SetupError};
use engine::journal::{Decision, JournalReader};
use engine::limits::POLL_BATCH;
use engine::message::{Intent, IntentKind, Report, ReportKind};
use engine::primitive::{AtomicBool, AtomicU64, Ordering};
use engine::ring::spsc;
use engine::tick_to_trade::assembly::{JournalSet, journal_directory};

use crate::desk::{BURSTS, Desk, Plan, STEP};
use crate::histogram::Histogram;
use crate::report::{Ratio, Row, Target};
use crate::rig::Placement;
use crate::suites::Bench;
use crate::suites::tick_to_order::KINDS;

const SUITE: &str = "order-rate";

/// Intents of a burst.
const BURST: u64 = 100_000;

/// Room for a burst of intents, and for the records that each leaves in route's journal.
const INTENTS: usize = 1 << 17;
const RECORDS: usize = 1 << 18;

/// Records that an order leaves: its approval, its sending, its end.
const RECORDS_PER_ORDER: u64 = 3;

/// Two million a second.
const PER_ORDER: f64 = 500.0;

/// Most orders whose records are not on the disk yet before the source waits: half of a journal's ring.
const UNWRITTEN: u64 = RECORDS as u64 / 4;

/// A desk with a source of intents that is no strategy.
struct Source {
    desk: Desk,
    ring: spsc::Producer<Intent>,
    made: u64,
}

/// Runs the suite.
///
/// # Errors
/// When a file cannot be made, or an order is refused or lost.
pub fn run(bench: &mut Bench<'_>) -> Result<(), SetupError> {
    burst(bench)?;
    sustained(bench)
}

fn burst(bench: &mut Bench<'_>) -> Result<(), SetupError> {
    let count = bench.scale().of(BURST, BURST, 1_000);
    let mut times = Histogram::prepared();
    for round in 0..bench.scale().of(10, 3, 1) {
        let mut source = Source::new(bench, round, None)?;
        // The first touches every page and is not measured.
        for measured in [false, true] {
            source.make(count);
            let before = source.desk.orders();
            let (_, time) = bench.rig.time(|| while source.cycle() > 0 {});
            let sent = source.desk.orders() - before;
            if sent != count {
                return Err(SetupError::Invalid(format!("{SUITE}: of {count} intents {sent} were sent")));
            }
            source.desk.rest()?;
            if measured {
                times.record_mean(time, count);
            }
        }
    }
    let over = times.at(0.5) / PER_ORDER;
    let name = format!("an order of a burst of {count}");
    let row = Row::times(SUITE, name, Placement::Alone, times);
    let ratio = Ratio::promised("500 ns, two million a second", over, Target::AtMost(1.0));
    bench.report.push(row.with(ratio));
    bench.report.note(
        "order-rate: each order's end is taken in too: three journal records an order, written afterwards",
    );
    Ok(())
}

/// As fast as the disk takes the journals, which a thread on the other core writes and syncs.
fn sustained(bench: &mut Bench<'_>) -> Result<(), SetupError> {
    let count = bench.scale().of(4 * BURST, BURST, 1_000);
    let folder = tempfile::tempdir_in(".")
        .map_err(|error| SetupError::io("the temporary directory", "making a directory in it", error))?;
    let mut source = Source::new(bench, 99, Some(folder.path()))?;
    let before = source.desk.orders();
    let (written, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut journals = std::mem::replace(&mut source.desk.journals, JournalSet::new(RECORDS));
    let start = bench.rig.stopwatch.elapsed();
    let (outcome, waits) = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                // Relaxed: a count that tells the source how far the disk is; nothing is read by it.
                written.fetch_add(journals.drain()? as u64, Ordering::Relaxed);
            }
            journals.drain_all()
        });
        let mut waits = 0_u64;
        let mut sent = 0;
        while sent < count && !writer.is_finished() {
            if sent > UNWRITTEN + written.load(Ordering::Relaxed) / RECORDS_PER_ORDER {
                waits += 1;
                thread::yield_now();
                continue;
            }
            let some = (count - sent).min(POLL_BATCH as u64);
            source.make(some);
            while source.cycle() > 0 {}
            sent += some;
        }
        done.store(true, Ordering::Release);
        (writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), waits)
    });
    outcome?;
    let spent = bench.rig.stopwatch.elapsed() - start;
    let sent = source.desk.orders() - before;
    check(folder.path(), count, sent)?;
    let mut times = Histogram::default();
    times.record_mean(spent, count);
    let each = times.at(0.5);
    bench.report.push(Row::times(
        SUITE,
        "an order in the long run, synced to the disk",
        Placement::Alone,
        times,
    ));
    bench.report.note(format!(
        "order-rate: in the long run {:.0} orders a second with the journals in {}; the source waited {waits} times; \
         every one of {count} orders is in both journals",
        1e9 / each,
        filesystem(folder.path()),
    ));
    Ok(())
}

/// Every intent has its decision, and every order its sending and its end.
fn check(journals: &Path, count: u64, sent: u64) -> Result<(), SetupError> {
    let (mut approved, mut reports) = (0, [0; 2]);
    for record in JournalReader::open(&journal_directory(journals, "risk"))? {
        let decision = record?.read::<Decision>();
        approved += u64::from(decision.is_some_and(|decision| {
            decision.code() == RejectCode::None.code() && decision.intent().id.source == SourceId::CLIENT
        }));
    }
    for record in JournalReader::open(&journal_directory(journals, "route"))? {
        let Some(report) = record?.read::<Report>().filter(|report| report.id.source == SourceId::CLIENT)
        else {
            continue;
        };
        reports[0] += u64::from(report.kind == ReportKind::Sent.code());
        reports[1] += u64::from(report.kind == ReportKind::Expired.code());
    }
    if (approved, reports, sent) == (count, [count; 2], count) {
        return Ok(());
    }
    let reason =
        format!("{SUITE}: of {count} orders {approved} were approved, {sent} sent, {reports:?} journalled");
    Err(SetupError::Invalid(reason))
}

/// The kind of file system that holds `path`.
fn filesystem(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_default();
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let of = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        let (place, kind) = (fields.next()?.to_owned(), fields.next()?.to_owned());
        path.starts_with(&place).then_some((place.len(), kind))
    };
    mounts.lines().filter_map(of).max().map_or_else(|| "an unknown file system".to_owned(), |(_, kind)| kind)
}

impl Source {
    fn new(bench: &Bench<'_>, seed: u64, disk: Option<&Path>) -> Result<Self, SetupError> {
        let plan = KINDS[0].plan(0, seed)?;
        let plan = Plan { rate: BURSTS, journal: RECORDS, disk: disk.map(Path::to_owned), ..plan };
        let mut desk = Desk::new(plan, bench.rig.stopwatch, bench.scratch)?;
        let (ring, cursor) = (desk.ipc.intents(SourceId::CLIENT), desk.ipc.intents_cursor(SourceId::CLIENT));
        let ring = spsc::Producer::create(&ring, &cursor, INTENTS, 1)?;
        desk.warm_up(2)?;
        // Risk looks for rings that come late now and then.
        for _ in 0..8 {
            desk.pass(Nanos::from_millis(200));
            desk.rest()?;
        }
        Ok(Self { desk, ring, made: 0 })
    }

    /// Puts `count` intents into the ring.
    fn make(&mut self, count: u64) {
        const INSTRUMENT: InstrumentIndex = 0;
        let top = self.desk.agents.ingest.agent().top(INSTRUMENT).unwrap_or_default();
        for _ in 0..count {
            self.made += 1;
            let id = OrderId { epoch: 1, source: SourceId::CLIENT, source_epoch: 1, sequence: self.made };
            let intent = Intent {
                id,
                price: top.bid,
                quantity: Quantity(100_000 + (self.made % 100_003) as i64),
                valid_until: Nanos::NEVER,
                decided: self.desk.now(),
                instrument: INSTRUMENT,
                kind: IntentKind::New.code(),
                side: Side::Buy.code(),
                order_type: OrderType::Limit.code(),
                time_in_force: TimeInForce::ImmediateOrCancel.code(),
                ..Intent::default()
            };
            // The suite counts what was sent: an intent without room would be missing there.
            let _ = self.ring.try_push(&intent);
        }
    }

    /// A duty cycle of risk and route; time goes on by two microseconds an order.
    fn cycle(&mut self) -> usize {
        self.desk.pass(Nanos(STEP.0 * POLL_BATCH as i64 / 500));
        let now = self.desk.now();
        self.desk.agents.risk.do_work(now) + self.desk.agents.route.do_work(now)
    }
}
