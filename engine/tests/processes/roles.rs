//! The children: each hosts one agent, or the venue, until it is killed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::agent::{Agent, IdleStrategy};
use engine::clock::Clock;
use engine::crash;
use engine::domain::{Instruments, Market, Nanos, Quantity, SourceId};
use engine::error::SetupError;
use engine::journal::epoch;
use engine::ring::{bytes, spsc};
use engine::shm::OwnerLock;
use engine::shm::paths::IpcPaths;
use engine::simulation::exchange::{ExchangePorts, SimulatedExchange};
use engine::simulation::source::GeneratedFrames;
use engine::tick_to_trade::assembly::{JournalSet, PathConfig, RingSizes, StrategySlot, Timeline, apart};
use engine::tick_to_trade::ingest::IngestConfig;
use engine::tick_to_trade::risk::{AccountLimits, InstrumentLimits, Limits, Rate, SourceLimits};
use engine::tick_to_trade::route::RouteTiming;
use engine::tick_to_trade::strategy::registry::{self, Settings};
use engine::venue::binance::exchange_info;
use engine::venue::generated::GeneratedMarket;
use engine::venue::link::{FeedReader, FeedWriter, LinkFeed, LinkOrderEntry};
use engine::venue::simulated::{FeeRate, QueueModel, SimulationConfig};

const SYMBOL: &str = "BTCUSDT";
const CAPACITY: usize = 16_384;
/// How long a child waits for what it needs of others.
const PATIENCE: Duration = Duration::from_secs(50);

/// Plays `role` until killed.
pub fn play(role: &str) {
    let folder = PathBuf::from(std::env::var("PROCESS_FOLDER").expect("the parent's folder"));
    if let Ok(arm) = std::env::var("PROCESS_ARM") {
        let (point, nth) = arm.split_once(':').expect("POINT:NTH");
        crash::arm(point, nth.parse().expect("a number"));
    }
    if std::env::var("PROCESS_PLANT").is_ok() {
        crash::plant();
    }
    let ipc = IpcPaths::new(folder.join("ipc"));
    ipc.create().expect("directories");
    let _lock = OwnerLock::take(&ipc, role).expect("nobody else plays this role");
    let end = Instant::now() + Duration::from_secs(180);
    let world = World::new(ipc, folder.join("data"));
    let mut clock = world.timeline.clock;
    let mut journals = JournalSet::new(CAPACITY);
    let mut agent: Box<dyn Agent> = match role {
        "venue" => Box::new(world.venue()),
        "ingest" => Box::new(world.ingest()),
        "strategy" => Box::new(world.strategy()),
        "risk" => Box::new(world.risk(&mut journals)),
        "route" => Box::new(world.route(&mut journals)),
        other => panic!("{other} is no role"),
    };
    let mut idle = engine::agent::idle::Idle::new(IdleStrategy::Backoff);
    // The parent kills us; should it die itself, nobody runs for ever.
    while Instant::now() < end {
        let work = agent.do_work(clock.now());
        journals.drain().expect("written");
        idle.after(work);
    }
}

/// Tries again until it succeeds or patience is over.
fn wait<T>(mut attempt: impl FnMut() -> Result<T, SetupError>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

struct World {
    ipc: IpcPaths,
    data: PathBuf,
    timeline: Timeline,
    instruments: Arc<Instruments>,
    market: GeneratedMarket,
}

impl World {
    fn new(ipc: IpcPaths, data: PathBuf) -> Self {
        // The venue stands for ingest as the one who publishes the timeline here, so that it can start first.
        let ingest = std::env::var("PROCESS_ROLE").is_ok_and(|role| role == "venue");
        let mut timeline =
            if ingest { Timeline::publish(&ipc).expect("published") } else { wait(|| Timeline::find(&ipc)) };
        let market = GeneratedMarket::new(&[SYMBOL], 7, timeline.clock.now(), 400).expect("a market");
        let listed = exchange_info::instruments(&market.exchange_info(), Market::Spot).expect("rules");
        let instruments = Arc::new(Instruments::new(listed).expect("a table"));
        Self { ipc, data, timeline, instruments, market }
    }

    fn config(&self, epoch: u32) -> PathConfig {
        PathConfig {
            ipc: self.ipc.clone(),
            journals: self.data.clone(),
            sync: false,
            epoch,
            instruments: Arc::clone(&self.instruments),
            stopwatch: self.timeline.stopwatch,
            rings: RingSizes::all(CAPACITY),
            ingest: IngestConfig { silence: Nanos::from_secs(10) },
            limits: limits(&self.instruments),
            timing: RouteTiming::default(),
            external: true,
            apart: true,
            now: { self.timeline.clock }.now(),
        }
    }

    fn producer<T: engine::ring::Message>(&self, name: &str) -> spsc::Producer<T> {
        let (ring, cursor) = self.ipc.link(name);
        spsc::Producer::open(&ring, &cursor, CAPACITY, 1).expect("a ring of the link")
    }

    fn consumer<T: engine::ring::Message>(&self, name: &str) -> spsc::Consumer<T> {
        let (ring, cursor) = self.ipc.link(name);
        wait(|| spsc::Consumer::attach(&ring, &cursor))
    }

    fn venue(self) -> impl Agent + use<> {
        let (feed, cursor) = self.ipc.link("feed");
        let feed = FeedWriter::new(bytes::Producer::create(&feed, &cursor, 8 << 20, 1).expect("a feed"));
        let answers = self.producer("answers");
        let (wishes, requests) = (self.consumer("wishes"), self.consumer("requests"));
        let config = SimulationConfig {
            queue: QueueModel::RiskAverse,
            maker_fee: FeeRate(0),
            taker_fee: FeeRate(0),
            order_latency: Nanos::from_millis(1),
            answer_latency: Nanos::from_millis(1),
            partial_fills: true,
        };
        let ports = ExchangePorts { feed, wishes, requests, answers };
        let frames = GeneratedFrames::new(self.market, &[SYMBOL.to_owned()], &self.instruments);
        SimulatedExchange::new(ports, frames, self.instruments, config, Nanos::from_millis(1))
            .expect("a venue")
    }

    fn ingest(&self) -> impl Agent + use<> {
        let wishes = self.producer("wishes");
        let (feed, cursor) = self.ipc.link("feed");
        let feed = LinkFeed::new(FeedReader::new(wait(|| bytes::Consumer::attach(&feed, &cursor))), wishes);
        apart::ingest(&self.config(1), feed).expect("ingest")
    }

    fn route(&self, journals: &mut JournalSet) -> impl Agent + use<> {
        let epoch = apart::epoch(&self.ipc).or_else(|_| epoch::reserve(&self.data)).expect("an epoch");
        let requests = self.producer("requests");
        let entry = LinkOrderEntry::new(requests, self.consumer("answers"));
        apart::route(&self.config(epoch), entry, journals).expect("route")
    }

    fn risk(&self, journals: &mut JournalSet) -> impl Agent + use<> {
        let epoch = wait(|| apart::epoch(&self.ipc));
        wait(|| apart::check_instruments(&self.ipc, &self.instruments));
        apart::risk(&self.config(epoch), 1, journals).expect("risk")
    }

    fn strategy(&self) -> impl Agent + use<> {
        let config = self.config(wait(|| apart::epoch(&self.ipc)));
        let settings: Settings = [("warm_up".to_owned(), "500ms".to_owned())].into();
        let slots = || {
            let instrument = self.instruments.get(0).expect("the one");
            let strategy = registry::create("market_making", 0, instrument, &settings).expect("known");
            vec![StrategySlot { name: "making".to_owned(), strategy, instruments: vec![0] }]
        };
        wait(|| apart::strategies(&config, slots()))
    }
}

fn limits(instruments: &Instruments) -> Limits {
    let often = Rate::new(10_000, Nanos::from_secs(10));
    let money = i128::from(i64::MAX);
    let source = SourceLimits {
        orders: often,
        cancels: often,
        max_position_value: i128::MAX,
        cancels_for_others: false,
        keep_on_loss: false,
    };
    let instrument = InstrumentLimits {
        max_quantity: Quantity(i64::MAX),
        max_notional: money,
        max_position: Quantity(i64::MAX),
        max_position_value: money,
        collar_aggressive_bps: 1_000,
        collar_passive_bps: 5_000,
        stale_after: Nanos::from_secs(5),
        max_open: 64,
        max_unknown: 8,
    };
    Limits {
        account: AccountLimits {
            currency: "USDT".into(),
            at_par: Vec::new(),
            max_gross: money,
            max_open: 256,
            orders: often,
            cancels: often,
            day_loss_soft: money,
            day_loss_hard: money,
            duplicates: Rate::new(1_000, Nanos::from_millis(100)),
            repeat_fills: Rate::new(4_000, Nanos::from_secs(1)),
            reject_storm: Rate::new(4_000, Nanos::from_secs(1)),
            max_unknown: 32,
        },
        instruments: vec![instrument; instruments.len()],
        sources: vec![source; usize::from(SourceId::FIRST_STRATEGY.0) + 1],
    }
}
