//! What readers cost the producer of a broadcast ring, and whether they count exactly what they missed.

use std::path::Path;

use engine::domain::Nanos;
use engine::error::SetupError;
use engine::primitive::{AtomicBool, Ordering};
use engine::ring::broadcast::{Polled, Producer, Reader};

use crate::histogram::Histogram;
use crate::peers::{CAPACITY, Line};
use crate::report::Ratio;
use crate::series::{Samples, Series};
use crate::suites::Bench;
use crate::suites::ring::SUITE;
use crate::suites::ring::meeting::place;
use crate::suites::ring::stream::{line, wrong};

/// Messages between two looks at the clock.
const PER_LOOK: u64 = 1_024;

/// How long a slow reader rests after each message.
const REST: Nanos = Nanos::from_micros(10);

/// The rows.
#[derive(Default)]
pub struct Rows {
    unread: Series,
    stopped: Series,
    slow: Series,
}

impl Rows {
    /// One round of each.
    ///
    /// # Errors
    /// When a ring cannot be made, or a reader's count is not exact.
    pub fn measure(&mut self, bench: &Bench<'_>) -> Result<(), SetupError> {
        self.unread.add(bench.rig.measure(|| publish(bench, Readers::None))?);
        self.stopped.add(bench.rig.measure(|| publish(bench, Readers::Stopped))?);
        self.slow.add(bench.rig.measure(|| publish(bench, Readers::Slow))?);
        Ok(())
    }

    /// Adds the rows to the report.
    pub fn report(&self, bench: &mut Bench<'_>) {
        let beside = |placement, own: &Samples| {
            let times = self.unread.at(placement).map_or(f64::NAN, |unread| own.figure() / unread.figure());
            vec![Ratio::plain("the ring without readers", times)]
        };
        let none = |_, _: &Samples| Vec::new();
        bench.report.push_series(SUITE, "publish, no reader", &self.unread, &none);
        bench.report.push_series(SUITE, "publish, one stopped reader", &self.stopped, &beside);
        bench.report.push_series(SUITE, "publish, one slow reader (10 us a message)", &self.slow, &beside);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Readers {
    None,
    Stopped,
    Slow,
}

fn publish(bench: &Bench<'_>, readers: Readers) -> Result<Histogram, SetupError> {
    let place = place(bench.scratch)?;
    let path = place.path().join("ring");
    let mut producer = Producer::<Line>::create(&path, CAPACITY, 1)?;
    let looks = bench.scale().of(400, 150, 3);
    let reader = if readers == Readers::None { None } else { Some(Reader::<Line>::attach(&path)?) };
    let run = |producer: &mut Producer<Line>| {
        let mut index = 0;
        bench.rig.time_batches(looks, PER_LOOK, || {
            for _ in 0..PER_LOOK {
                producer.publish(&line(index));
                index += 1;
            }
        })
    };
    let total = looks * PER_LOOK;
    let Some(mut reader) = reader else { return Ok(run(&mut producer)) };
    if readers == Readers::Stopped {
        let times = run(&mut producer);
        // It wakes up when all is over and must know exactly what it slept through.
        return exact(count(&mut reader, &path)?, total).map(|()| times);
    }
    let done = AtomicBool::new(false);
    let (stopwatch, wait) = (bench.rig.stopwatch, bench.rig.wait);
    let (counted, times) = bench.rig.pair(
        || {
            let mut counts = Counts::default();
            // Acquire: partner is the release at the producer's end.
            while !done.load(Ordering::Acquire) {
                counts.poll(&mut reader);
                let rested = stopwatch.elapsed() + REST;
                while stopwatch.elapsed() < rested {
                    wait.relax();
                }
            }
            while counts.poll(&mut reader) {}
            counts
        },
        || {
            let times = run(&mut producer);
            done.store(true, Ordering::Release);
            times
        },
    )?;
    exact(counted, total).map(|()| times)
}

/// What a reader came to know.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    read: u64,
    missed: u64,
    wrong: u64,
}

impl Counts {
    /// Takes one message or gap; whether there was any.
    fn poll(&mut self, reader: &mut Reader<Line>) -> bool {
        match reader.poll() {
            Polled::Message(found) => {
                self.wrong |= wrong(&found, self.read + self.missed);
                self.read += 1;
            }
            Polled::Lapped { missed } => self.missed += missed,
            Polled::Empty => return false,
        }
        true
    }
}

fn count(reader: &mut Reader<Line>, path: &Path) -> Result<Counts, SetupError> {
    let mut counts = Counts::default();
    while counts.poll(reader) {}
    if counts.missed == 0 {
        return Err(SetupError::file(path, "did not lap a reader that never read"));
    }
    Ok(counts)
}

fn exact(counts: Counts, total: u64) -> Result<(), SetupError> {
    if counts.read + counts.missed == total && counts.wrong == 0 {
        return Ok(());
    }
    Err(SetupError::Invalid(format!("ring: of {total} messages a broadcast reader accounts for {counts:?}")))
}
