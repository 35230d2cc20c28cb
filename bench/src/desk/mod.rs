//! The system under test: the four agents with their rings, journals and stage stamps, fed with frames by hand and
//! answered by a venue that takes every order's bytes and lets the order expire.

pub mod feed;
pub mod entry;
pub mod taker;
pub mod quoter;
pub mod playing;
pub mod apart;

use std::path::Path as FilePath;
use std::sync::Arc;

use engine::agent::Agent as _;
use engine::clock::{Moment, Stopwatch};
use engine::domain::{InstrumentIndex, Instruments, Nanos, Quantity};
use engine::error::SetupError;
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::assembly::{JournalSet, Path, PathConfig, PathParts, RingSizes, StrategySlot};
use engine::tick_to_trade::ingest::IngestConfig;
use engine::tick_to_trade::risk::{AccountLimits, InstrumentLimits, Limits, Rate, SourceLimits, UNLIMITED};
use engine::tick_to_trade::route::RouteTiming;
use engine::venue::{MarketData, OrderEntry};
use tempfile::TempDir;

use crate::desk::entry::Encoder;
use crate::desk::feed::{Frames, Given};
use crate::desk::taker::Taker;

/// When the desk's time begins, and how far it moves from frame to frame.
const START: Nanos = Nanos::from_secs(1_723_161_600);
pub const STEP: Nanos = Nanos::from_millis(1);

/// Records of each journal ring.
const JOURNAL_RING: usize = 1 << 12;

/// Orders that a source may send: as many in 50 ms as an account at the venue in some seconds.
pub const USUAL: Rate = Rate::new(300, Nanos::from_millis(50));

/// [`USUAL`] where frames come a hundred times as fast, by a clock that nobody moves: what risk remembers of orders is as much as
/// there, and as near.
pub const BRISK: Rate = Rate::new(USUAL.count, Nanos(USUAL.per.0 / 100));

/// As many as the memory of duplicates allows: a burst, and as many again while it is remembered.
pub const BURSTS: Rate = Rate::new(30_000, Nanos::from_millis(50));

/// What a desk is made of.
pub struct Plan {
    /// What trades.
    pub instruments: Arc<Instruments>,
    /// What is fed to it, in turn.
    pub frames: Vec<Given>,
    /// Orders that the strategy sends on each new top.
    pub orders_per_top: usize,
    /// Orders that a source may send.
    pub rate: Rate,
    /// Records that a journal ring holds.
    pub journal: usize,
    /// Whether journals are synced, and where they lie if not in shared memory.
    pub disk: Option<std::path::PathBuf>,
    /// Whether the venue is behind a connection.
    pub remote: bool,
    /// When its time begins.
    pub start: Nanos,
}

impl Plan {
    /// One order a top, journals in shared memory.
    #[must_use]
    pub const fn new(instruments: Arc<Instruments>, frames: Vec<Given>) -> Self {
        Self {
            instruments,
            frames,
            orders_per_top: 1,
            rate: USUAL,
            journal: JOURNAL_RING,
            disk: None,
            remote: false,
            start: START,
        }
    }

    /// What the agents are made from, their files under `room`.
    fn config(&self, room: &FilePath, stopwatch: Stopwatch) -> PathConfig {
        PathConfig {
            ipc: IpcPaths::new(room.join("ipc")),
            journals: self.disk.clone().unwrap_or_else(|| room.join("journals")),
            sync: self.disk.is_some(),
            epoch: 1,
            instruments: Arc::clone(&self.instruments),
            stopwatch,
            rings: RingSizes { journal: self.journal, ..RingSizes::of_session(JOURNAL_RING) },
            ingest: IngestConfig { silence: Nanos::NEVER },
            limits: limits(&self.instruments, self.rate),
            timing: RouteTiming { connection: self.remote, ..RouteTiming::default() },
            external: true,
            apart: false,
            now: self.start,
        }
    }

    /// The strategy, which follows every instrument.
    fn taker(&self) -> StrategySlot {
        let strategy = Box::new(Taker::new(self.orders_per_top));
        let instruments: Vec<InstrumentIndex> = self.instruments.iter().map(|(index, _)| index).collect();
        StrategySlot { name: "taker".to_owned(), strategy, instruments }
    }
}

/// The agents, assembled as in every live session, in which clients, the operator and the gateway may come; fed and answered from
/// memory, unless it is told otherwise.
pub struct Desk<F = Frames, E = Encoder> {
    /// The agents.
    pub agents: PathParts<F, E>,
    /// Their journals' writers.
    pub journals: JournalSet,
    /// The shared files.
    pub ipc: IpcPaths,
    now: Nanos,
    _room: TempDir,
}

impl<F: MarketData, E: OrderEntry> Desk<F, E> {
    /// Assembles the agents between `feed` and `entry`, in a directory of their own under `scratch`.
    ///
    /// # Errors
    /// When a file cannot be made.
    pub fn between(
        (feed, entry): (F, E),
        plan: &Plan,
        stopwatch: Stopwatch,
        scratch: &FilePath,
    ) -> Result<Self, SetupError> {
        let room = tempfile::tempdir_in(scratch)
            .map_err(|error| SetupError::io(scratch, "making a directory in it", error))?;
        let ipc = IpcPaths::new(room.path().join("ipc"));
        ipc.create()?;
        let config = plan.config(room.path(), stopwatch);
        let mut journals = JournalSet::new(plan.journal);
        let mut path = Path::assemble(&config, vec![plan.taker()], feed, entry, &mut journals)?;
        path.share_thread(&plan.instruments);
        Ok(Self { agents: path.into_parts(), journals, ipc, now: plan.start, _room: room })
    }

    /// The present.
    #[must_use]
    pub const fn now(&self) -> Nanos {
        self.now
    }

    /// Moves time on by `span`.
    pub fn pass(&mut self, span: Nanos) {
        self.now = self.now + span;
    }

    /// Moves time on to `now`.
    pub const fn at(&mut self, now: Nanos) {
        self.now = now;
    }

    /// One duty cycle of every agent.
    pub fn cycle(&mut self) -> usize {
        let PathParts { ingest, host, risk, route } = &mut self.agents;
        let now = self.now;
        let moment = &mut Moment::default();
        let ticked = ingest.do_work_from(now, moment) + host.do_work_from(now, moment);
        ticked + risk.do_work_from(now, moment) + route.do_work_from(now, moment)
    }

    /// Lets everybody come to rest and the journals be written.
    ///
    /// # Errors
    /// When a journal cannot be written.
    pub fn rest(&mut self) -> Result<(), SetupError> {
        while self.cycle() > 0 {}
        self.journals.drain_all()
    }
}

impl Desk {
    /// Assembles the agents between frames from memory and an encoder of orders.
    ///
    /// # Errors
    /// When a file cannot be made.
    pub fn new(mut plan: Plan, stopwatch: Stopwatch, scratch: &FilePath) -> Result<Self, SetupError> {
        let frames = Frames::new(std::mem::take(&mut plan.frames));
        let entry = Encoder::new(Arc::clone(&plan.instruments));
        Self::between((frames, entry), &plan, stopwatch, scratch)
    }

    /// Where its frames come from.
    #[must_use]
    pub const fn feed(&self) -> &Frames {
        self.agents.ingest.agent().feed()
    }

    /// What trades.
    #[must_use]
    pub const fn instruments(&self) -> &Arc<Instruments> {
        self.agents.route.agent().entry().instruments()
    }

    /// Orders encoded so far.
    #[must_use]
    pub const fn orders(&self) -> u64 {
        self.agents.route.agent().entry().orders
    }

    /// Makes the next frame arrive, a step later than the last. Nobody has looked at it yet; all else that the time brings was
    /// done before, as a thread that spins does it.
    pub fn arrive(&mut self) {
        self.pass(STEP);
        while self.cycle() > 0 {}
        self.feed().give(1);
    }

    /// Takes `count` frames and whatever comes of them, unmeasured.
    pub fn take(&mut self, count: usize) {
        for _ in 0..count {
            self.arrive();
            while self.cycle() > 0 {}
        }
    }

    /// Takes `count` frames, unmeasured, and lets the journals be written after each.
    ///
    /// # Errors
    /// When a journal cannot be written.
    pub fn warm_up(&mut self, count: usize) -> Result<(), SetupError> {
        for _ in 0..count {
            self.arrive();
            self.rest()?;
        }
        Ok(())
    }
}

/// Limits that no order of the taker meets, every one of them set; a source may send `messages`, and its orders are remembered for
/// as long as those are counted over.
#[must_use]
pub fn limits(instruments: &Instruments, messages: Rate) -> Limits {
    const MONEY: i128 = 1 << 90;
    let each = InstrumentLimits {
        max_quantity: Quantity(1 << 50),
        max_notional: MONEY,
        max_position: Quantity(1 << 60),
        max_position_value: MONEY,
        collar_aggressive_bps: 100,
        collar_passive_bps: 1_000,
        stale_after: Nanos::from_secs(3_600),
        max_open: 200,
        max_unknown: 1,
    };
    let source = SourceLimits {
        orders: messages,
        cancels: messages,
        max_position_value: UNLIMITED,
        cancels_for_others: false,
        keep_on_loss: false,
    };
    Limits {
        account: AccountLimits {
            currency: "USDT".into(),
            at_par: Vec::new(),
            max_gross: MONEY,
            max_open: 4_096,
            orders: messages,
            cancels: messages,
            day_loss_soft: MONEY,
            day_loss_hard: MONEY,
            duplicates: Rate::new(3, messages.per),
            repeat_fills: Rate::new(200, Nanos::from_secs(10)),
            reject_storm: Rate::new(1_000, Nanos::from_secs(10)),
            max_unknown: 5,
        },
        instruments: vec![each; instruments.len()],
        sources: vec![source; 4],
    }
}
