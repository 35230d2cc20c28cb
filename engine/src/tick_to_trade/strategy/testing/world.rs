//! A host on real rings and journals, with what stands around it, and a strategy that tells what it is told.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use tempfile::TempDir;

use crate::domain::{InstrumentIndex, Instruments, Nanos, Quantity, Side, SourceId, Symbol, TimeInForce};
use crate::error::RejectCode;
use crate::journal::appender::Journal;
use crate::journal::record::Record;
use crate::journal::{Decision, Tail};
use crate::message::tick::TickKind;
use crate::message::{Intent, Report, Tick};
use crate::ring::{broadcast, spsc};
use crate::shm::Late;
use crate::tick_to_trade::strategy::host::StrategyHost;
use crate::tick_to_trade::strategy::hosted::Hosted;
use crate::tick_to_trade::strategy::inputs::Inputs;
use crate::tick_to_trade::strategy::outbox::{Identity, Outbox};
use crate::tick_to_trade::strategy::testing::{CAPACITY, instrument};
use crate::tick_to_trade::strategy::working::{Refusal, Working};
use crate::tick_to_trade::strategy::{ParameterError, ParameterValue, Start, Strategy};

/// When the tests begin.
pub const NOW: Nanos = Nanos::from_secs(10);

/// Tells what it is told, buys at every bid, and asks for a timer a second after each tick.
pub struct Echo {
    pub log: Sender<String>,
    pub timer: Nanos,
    /// Asks for its timer again and again at the same moment.
    pub stuck: bool,
}

impl Echo {
    fn say(&self, text: String) {
        self.log.send(text).expect("the test listens");
    }
}

impl Strategy for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }
    fn on_start(&mut self, start: &Start<'_>, outbox: &mut Outbox) {
        self.timer = if self.stuck { start.now } else { Nanos::NEVER };
        self.say(format!("start {} {}", start.now.0, outbox.working().orders().len()));
    }
    fn on_tick(&mut self, tick: &Tick, now: Nanos, outbox: &mut Outbox) {
        self.say(format!(
            "tick {} of {} holding {}",
            tick.kind,
            tick.instrument,
            outbox.working().position(0).quantity.0
        ));
        if tick.kind == TickKind::Top.code() {
            let (price, gtc) = (tick.top().bid, TimeInForce::GoodTillCancel);
            _ = outbox.limit(tick.instrument, Side::Buy, price, Quantity(10), gtc);
            self.timer = now + Nanos::from_secs(1);
        }
    }
    fn on_report(&mut self, report: &Report, _now: Nanos, _outbox: &mut Outbox) {
        self.say(format!("report {} of {}", report.kind, report.id.sequence));
    }
    fn on_refusal(&mut self, refusal: &Refusal, _now: Nanos, _outbox: &mut Outbox) {
        self.say(format!("refused {} {}", refusal.id.sequence, refusal.code));
    }
    fn on_timer(&mut self, now: Nanos, _outbox: &mut Outbox) {
        self.say(format!("timer {}", now.0));
        self.timer = if self.stuck { now } else { Nanos::NEVER };
    }
    fn next_timer(&self) -> Nanos {
        self.timer
    }
    fn set(&mut self, key: &str, _value: &str) -> Result<(), ParameterError> {
        let known = String::new();
        Err(ParameterError::Unknown { strategy: "echo", key: key.to_owned(), known })
    }
    fn parameters(&self) -> Vec<ParameterValue> {
        Vec::new()
    }
}

/// A host on real rings, with what stands around it.
pub struct World {
    pub host: StrategyHost,
    pub ticks: broadcast::Producer<Tick>,
    route: Journal,
    risk: Journal,
    pub route_drain: spsc::Consumer<Record>,
    intents: Vec<spsc::Consumer<Intent>>,
    pub folder: TempDir,
}

fn journal(folder: &Path, name: &str) -> (Journal, Tail, spsc::Consumer<Record>) {
    let (ring, cursor) = (folder.join(name), folder.join(format!("{name}.cursor")));
    let journal = Journal::create(&ring, &cursor, CAPACITY, 1, 1).expect("a journal");
    let drain = spsc::Consumer::attach(&ring, &cursor).expect("attached");
    (journal, Tail::attach(&ring, None).expect("attached"), drain)
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ring = folder.path().join("ticks");
        let ticks = broadcast::Producer::create(&ring, CAPACITY, 1).expect("a ring");
        let (route, reports, route_drain) = journal(folder.path(), "route");
        let (risk, decisions, _) = journal(folder.path(), "risk");
        let inputs = Inputs {
            ticks: Late::fixed(broadcast::Reader::attach(&ring).expect("attached")),
            reports,
            decisions,
        };
        let mut other = instrument();
        other.symbol = Symbol::new("OTHERUSDT").expect("it fits");
        let instruments = Instruments::new(vec![instrument(), other]).expect("valid");
        let host = StrategyHost::new(inputs, Arc::new(instruments));
        Self { host, ticks, route, risk, route_drain, intents: Vec::new(), folder }
    }

    pub fn outbox(&mut self, source: u16) -> Outbox {
        let name = self.intents.len();
        let path = |end| self.folder.path().join(format!("intents-{name}-{end}"));
        let (ring, cursor) = (path("ring"), path("cursor"));
        let producer = spsc::Producer::create(&ring, &cursor, CAPACITY, 1).expect("a ring");
        self.intents.push(spsc::Consumer::attach(&ring, &cursor).expect("attached"));
        let identity = Identity { epoch: 1, source: SourceId(source), source_epoch: 1 };
        Outbox::new(producer, identity, Working::new(&[], &[]))
    }

    pub fn echo(&mut self, name: &str, source: u16, instruments: &[InstrumentIndex]) -> Receiver<String> {
        self.add(name, source, instruments, false)
    }

    /// An echo whose timer does not let time pass.
    pub fn stuck(&mut self, name: &str, source: u16, instruments: &[InstrumentIndex]) -> Receiver<String> {
        self.add(name, source, instruments, true)
    }

    fn add(
        &mut self,
        name: &str,
        source: u16,
        instruments: &[InstrumentIndex],
        stuck: bool,
    ) -> Receiver<String> {
        let (log, told) = channel();
        let outbox = self.outbox(source);
        let echo = Box::new(Echo { log, timer: Nanos::NEVER, stuck });
        self.host.add(Hosted::new(name, echo, outbox, instruments.to_vec())).expect("added");
        told
    }

    pub fn sent(&mut self, at: usize) -> Vec<Intent> {
        std::iter::from_fn(|| self.intents[at].poll()).collect()
    }

    pub fn report(&mut self, report: &Report) {
        self.route.append(NOW, 0, report).expect("room");
    }

    pub fn decide(&mut self, intent: Intent, code: RejectCode) {
        self.risk.append(NOW, 0, &Decision::new(intent, code, 0)).expect("room");
    }
}

/// What an `Echo` has said since the last call.
pub fn heard(told: &Receiver<String>) -> Vec<String> {
    told.try_iter().collect()
}

/// The same tick of another instrument.
pub fn at(tick: Tick, instrument: InstrumentIndex) -> Tick {
    Tick { instrument, ..tick }
}
