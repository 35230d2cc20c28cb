//! Rings beside the cache line and beside their peers: round trip in threads and in processes, one way, stream.

pub mod meeting;
mod round_trip;
mod one_way;
mod stream;
mod broadcast;

use std::path::Path;

use engine::error::SetupError;

use crate::histogram::Histogram;
#[cfg(feature = "aeron")]
use crate::peers::aeron::{self, Terms as _};
use crate::peers::engine_ring::{Broadcast, Spsc};
use crate::peers::in_process::{Array, Channel, Disruptor, Photon, Ringbuf, Rtrb};
use crate::peers::raw::{WholeLine, Word};
use crate::peers::ringfire::Ringfire;
use crate::peers::{Shared, Transport};
use crate::report::{Ratio, Target};
use crate::rig::{Placement, Rig, Wait};
use crate::series::{Samples, Series};
use crate::suites::Bench;

const SUITE: &str = "ring";

type Measure = fn(&Rig, &Path) -> Result<Histogram, SetupError>;

/// One who takes part, and what it takes part in.
struct Contender {
    name: &'static str,
    round_trip: Measure,
    processes: Option<Measure>,
    one_way: Option<Measure>,
    stream: Option<Measure>,
}

impl Contender {
    fn of<T: Transport>() -> Self {
        Self {
            name: T::NAME,
            round_trip: round_trip::threads::<T>,
            processes: None,
            one_way: Some(one_way::threads::<T>),
            stream: Some(stream::threads::<T>),
        }
    }

    fn shared<T: Shared>() -> Self {
        Self { processes: Some(round_trip::processes::<T>), ..Self::of::<T>() }
    }

    /// One that may lose messages: a stream of it has nothing to check.
    fn lossy<T: Shared>() -> Self {
        Self { stream: None, ..Self::shared::<T>() }
    }
}

fn contenders() -> Vec<Contender> {
    let mut all = vec![
        Contender::lossy::<Word>(),
        Contender { one_way: None, ..Contender::lossy::<WholeLine>() },
        Contender::shared::<Spsc>(),
        Contender::lossy::<Broadcast>(),
        Contender::of::<Rtrb>(),
        Contender::of::<Ringbuf>(),
        Contender::of::<Disruptor>(),
        Contender::of::<Array>(),
        Contender::of::<Channel>(),
        Contender::of::<Photon>(),
        Contender::shared::<Ringfire>(),
    ];
    #[cfg(feature = "peers")]
    {
        use crate::peers::{iceoryx2::Iceoryx2, zmq::Inproc, zmq::Ipc};
        all.push(Contender::shared::<Iceoryx2>());
        // Its threads cannot keep one message a microsecond apart on two cores.
        all.push(Contender { one_way: None, ..Contender::of::<Inproc>() });
        all.push(Contender { one_way: None, ..Contender::of::<Ipc>() });
    }
    #[cfg(feature = "aeron")]
    {
        all.push(Contender::shared::<aeron::Ipc<aeron::Short>>());
        all.push(Contender::shared::<aeron::Ipc<aeron::Long>>());
    }
    all
}

/// What the other process of a measurement does.
///
/// # Errors
/// When `name` is none of the shared transports, or its ends cannot be opened.
pub fn answer(name: &str, place: &Path, wait: Wait) -> Result<(), SetupError> {
    match name {
        Word::NAME => round_trip::answer::<Word>(place, wait),
        WholeLine::NAME => round_trip::answer::<WholeLine>(place, wait),
        Spsc::NAME => round_trip::answer::<Spsc>(place, wait),
        Broadcast::NAME => round_trip::answer::<Broadcast>(place, wait),
        Ringfire::NAME => round_trip::answer::<Ringfire>(place, wait),
        #[cfg(feature = "peers")]
        crate::peers::iceoryx2::Iceoryx2::NAME => {
            round_trip::answer::<crate::peers::iceoryx2::Iceoryx2>(place, wait)
        }
        #[cfg(feature = "aeron")]
        aeron::Short::NAME => round_trip::answer::<aeron::Ipc<aeron::Short>>(place, wait),
        #[cfg(feature = "aeron")]
        aeron::Long::NAME => round_trip::answer::<aeron::Ipc<aeron::Long>>(place, wait),
        _ => Err(SetupError::Invalid(format!("{name}: no transport between processes"))),
    }
}

/// The measurements of a contender.
#[derive(Default)]
struct Rows {
    round_trip: Series,
    processes: Series,
    one_way: Series,
    stream: Series,
}

/// Runs the suite.
///
/// # Errors
/// When an end cannot be opened, or a message is lost or changed.
pub fn run(bench: &mut Bench<'_>) -> Result<(), SetupError> {
    let contenders = contenders();
    let mut rows: Vec<Rows> = contenders.iter().map(|_| Rows::default()).collect();
    let (mut blocks, mut costs) = (<[Series; 2]>::default(), broadcast::Rows::default());
    let (rig, scratch) = (bench.rig, bench.scratch);
    for _ in 0..bench.scale().of(12, 3, 1) {
        for (series, counted) in blocks.iter_mut().zip([false, true]) {
            series.add(rig.measure(|| stream::blocks(rig, counted))?);
        }
        for (contender, rows) in contenders.iter().zip(&mut rows) {
            let measure = |series: &mut Series, measurement: Option<Measure>| {
                if let Some(measurement) = measurement {
                    series.add(rig.measure(|| measurement(rig, scratch))?);
                }
                Ok::<(), SetupError>(())
            };
            measure(&mut rows.round_trip, Some(contender.round_trip))?;
            measure(&mut rows.processes, contender.processes)?;
            measure(&mut rows.one_way, contender.one_way)?;
            measure(&mut rows.stream, contender.stream)?;
        }
        costs.measure(bench)?;
    }
    let table = Results { contenders, rows, blocks };
    table.report(bench);
    costs.report(bench);
    if cfg!(not(feature = "peers")) {
        bench.report.note("iceoryx2 and ZeroMQ were left out: build with `--features peers` to have them");
    }
    if cfg!(not(feature = "aeron")) {
        let how = "build with `--features aeron`, which needs cmake and libclang";
        bench.report.note(format!("Aeron was not measured: {how}"));
    }
    Ok(())
}

/// Everything measured.
struct Results {
    contenders: Vec<Contender>,
    rows: Vec<Rows>,
    /// The floor of streams, and the same with a word of the sender's own stored with each line.
    blocks: [Series; 2],
}

/// A peer and what ours must come to as a multiple of it.
type Promise = (&'static str, Target);

/// Of a round trip in processes; peers that know only threads are held to theirs, which are no slower.
const ROUND_TRIP: [Promise; 6] = [
    ("iceoryx2", Target::AtMost(0.20)),
    ("aeron invoked, 64 KB", Target::AtMost(0.50)),
    ("aeron invoked, 4 MB", Target::AtMost(0.50)),
    ("rtrb", Target::AtMost(0.70)),
    ("photon-ring", Target::AtMost(1.0)),
    ("ringfire", Target::AtMost(1.0)),
];

/// Of a stream: how many times faster.
const STREAM: [Promise; 9] = [
    ("rtrb", Target::AtLeast(2.2)),
    ("disruptor", Target::AtLeast(2.2)),
    ("photon-ring", Target::AtLeast(1.7)),
    ("ringfire", Target::AtLeast(1.7)),
    ("iceoryx2", Target::AtLeast(80.0)),
    ("zmq ipc", Target::AtLeast(80.0)),
    ("aeron invoked, 64 KB", Target::AtLeast(10.0)),
    ("aeron invoked, 4 MB", Target::AtLeast(10.0)),
    ("ringbuf", Target::AtLeast(1.0)),
];

impl Results {
    fn of(&self, name: &str) -> Option<&Rows> {
        self.contenders.iter().position(|contender| contender.name == name).map(|at| &self.rows[at])
    }

    fn report(&self, bench: &mut Bench<'_>) {
        for (contender, rows) in self.contenders.iter().zip(&self.rows) {
            let (name, own) = (contender.name, contender.name == Spsc::NAME);
            let title = |what: &str| format!("{what}: {name}");
            bench.report.push_series(
                SUITE,
                &title("round trip, threads"),
                &rows.round_trip,
                &|_, samples| vec![Ratio::plain("raw", samples.over_raw())],
            );
            bench.report.push_series(
                SUITE,
                &title("round trip, processes"),
                &rows.processes,
                &|at, samples| self.round_trip_ratios(name, at, samples),
            );
            bench.report.push_series(
                SUITE,
                &title("one way, 1 message/us"),
                &rows.one_way,
                &|at, samples| {
                    let raw = self.of(Word::NAME).and_then(|raw| raw.one_way.at(at));
                    let over = raw.map_or(f64::NAN, |raw| samples.over(raw));
                    let target = if own { Some(Target::AtMost(1.1)) } else { None };
                    vec![Ratio { to: "the raw one way".to_owned(), value: over, target }]
                },
            );
            bench.report.push_series(SUITE, &title("stream, 56 bytes"), &rows.stream, &|at, samples| {
                self.stream_ratios(own, at, samples)
            });
        }
        let floors = ["stream, floor: blocks of 256 lines", "stream, floor, each line counted by its sender"];
        for (name, series) in floors.iter().zip(&self.blocks) {
            bench.report.push_series(SUITE, name, series, &|at, samples| {
                let theirs = self.of("iceoryx2").and_then(|rows| rows.stream.at(at));
                let times = theirs.map(|theirs| theirs.figure() / samples.figure());
                times.map(|times| Ratio::plain("the rate of iceoryx2", times)).into_iter().collect()
            });
        }
    }

    fn round_trip_ratios(&self, name: &str, at: Placement, samples: &Samples) -> Vec<Ratio> {
        let own = name == Spsc::NAME;
        let bound = Some(Target::AtMost(0.85)).filter(|_| own);
        let mut ratios = vec![Ratio { to: "raw".to_owned(), value: samples.over_raw(), target: bound }];
        if name != Spsc::NAME && name != Broadcast::NAME {
            return ratios;
        }
        for (peer, target) in ROUND_TRIP {
            let rows = self.of(peer);
            let both = rows.and_then(|rows| rows.processes.at(at).or_else(|| rows.round_trip.at(at)));
            if let Some(theirs) = both {
                let target = Some(target).filter(|_| own);
                ratios.push(Ratio { to: peer.to_owned(), value: samples.over(theirs), target });
            }
        }
        ratios
    }

    fn stream_ratios(&self, own: bool, at: Placement, samples: &Samples) -> Vec<Ratio> {
        let mut ratios = Vec::new();
        let [bare, counted] = self.blocks.each_ref().map(|floor| floor.at(at));
        let part = |floor: &Samples| floor.figure() / samples.figure();
        if let Some(floor) = bare {
            let target = Some(Target::AtLeast(0.90)).filter(|_| own);
            ratios.push(Ratio { to: "of the floor's rate".to_owned(), value: part(floor), target });
        }
        // Whoever sends one message at a time has to note how many they are.
        if let Some(floor) = counted.filter(|_| own) {
            ratios.push(Ratio::plain("of the floor's with a count", part(floor)));
        }
        for (peer, target) in STREAM.iter().filter(|_| own) {
            if let Some(theirs) = self.of(peer).and_then(|rows| rows.stream.at(at)) {
                let times = theirs.figure() / samples.figure();
                ratios.push(Ratio::promised(format!("the rate of {peer}"), times, *target));
            }
        }
        ratios
    }
}
