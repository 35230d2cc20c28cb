//! A small engine whose agents are apart, each as it is made in a process of its own: one symbol, one market maker, and
//! a simulated venue behind rings.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::agent::Agent;
use engine::clock::Clock;
use engine::domain::{Instruments, Market, Nanos, Quantity, SourceId};
use engine::error::SetupError;
use engine::journal::epoch;
use engine::ring::{bytes, spsc};
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
use engine::venue::simulated::{FeeRate, QueueModel, Request, SimulationConfig};

const SYMBOL: &str = "BTCUSDT";
/// How long an agent waits for what it needs of others.
const PATIENCE: Duration = Duration::from_secs(50);

/// Waits until `done`, for a minute at most.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < end, "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(1));
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

/// What all agents are made from.
pub struct World {
    pub ipc: IpcPaths,
    pub data: PathBuf,
    pub timeline: Timeline,
    /// Messages that each ring holds.
    pub capacity: usize,
    instruments: Arc<Instruments>,
    market: GeneratedMarket,
}

impl World {
    /// The world of one process. The one who plays the venue publishes the timeline, so that it can start first.
    pub fn new(ipc: IpcPaths, data: PathBuf, capacity: usize, publishes: bool) -> Self {
        let mut timeline = if publishes {
            Timeline::publish(&ipc).expect("published")
        } else {
            wait(|| Timeline::find(&ipc))
        };
        let market = GeneratedMarket::new(&[SYMBOL], 7, timeline.clock.now(), 400).expect("a market");
        let listed = exchange_info::instruments(&market.exchange_info(), Market::Spot).expect("rules");
        let instruments = Arc::new(Instruments::new(listed).expect("a table"));
        Self { ipc, data, timeline, capacity, instruments, market }
    }

    fn config(&self, epoch: u32) -> PathConfig {
        PathConfig {
            ipc: self.ipc.clone(),
            journals: self.data.clone(),
            sync: false,
            epoch,
            instruments: Arc::clone(&self.instruments),
            stopwatch: self.timeline.stopwatch,
            rings: RingSizes::all(self.capacity),
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
        spsc::Producer::open(&ring, &cursor, self.capacity, 1).expect("a ring of the link")
    }

    fn consumer<T: engine::ring::Message>(&self, name: &str) -> spsc::Consumer<T> {
        let (ring, cursor) = self.ipc.link(name);
        wait(|| spsc::Consumer::attach(&ring, &cursor))
    }

    /// Makes the rings on which the venue waits for ingest and route, for those who share its thread: they go on in them.
    #[allow(dead_code)] // Processes of their own need no such help.
    pub fn lay_links(&self) {
        drop((self.producer::<u64>("wishes"), self.producer::<Request>("requests")));
    }

    pub fn venue(self) -> impl Agent + use<> {
        let (feed, cursor) = self.ipc.link("feed");
        let feed = FeedWriter::new(
            bytes::Producer::create(&feed, &cursor, (self.capacity * 512).max(1 << 20), 1).expect("a feed"),
        );
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

    pub fn ingest(&self) -> impl Agent + use<> {
        let wishes = self.producer("wishes");
        let (feed, cursor) = self.ipc.link("feed");
        let feed = LinkFeed::new(FeedReader::new(wait(|| bytes::Consumer::attach(&feed, &cursor))), wishes);
        apart::ingest(&self.config(1), feed).expect("ingest")
    }

    pub fn route(&self, journals: &mut JournalSet) -> impl Agent + use<> {
        let epoch = apart::epoch(&self.ipc).or_else(|_| epoch::reserve(&self.data, 0)).expect("an epoch");
        let requests = self.producer("requests");
        let entry = LinkOrderEntry::new(requests, self.consumer("answers"));
        apart::route(&self.config(epoch), entry, journals).expect("route")
    }

    pub fn risk(&self, journals: &mut JournalSet) -> impl Agent + use<> {
        let epoch = wait(|| apart::epoch(&self.ipc));
        wait(|| apart::check_instruments(&self.ipc, &self.instruments));
        apart::risk(&self.config(epoch), 1, journals).expect("risk")
    }

    pub fn strategy(&self) -> impl Agent + use<> {
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
