//! One way at one message a microsecond, open loop.
//!
//! A message carries the moment at which it *should* have left. Whatever holds it up, a full ring or a sender that
//! was not running, counts into its time and into that of all behind it.

use std::path::Path;

use engine::clock::Stopwatch;
use engine::domain::Nanos;
use engine::error::SetupError;
use engine::primitive::{AtomicI64, Ordering};

use crate::histogram::Histogram;
use crate::peers::{Receiver, Sender, Transport};
use crate::rig::{Rig, Wait};
use crate::suites::ring::meeting::{Meeting, THERE, Threads, place};

/// Time between two messages.
const INTERVAL: Nanos = Nanos::from_micros(1);

/// From the last preparations to the first message.
const LEAD: Nanos = Nanos::from_micros(100);

/// Between two threads.
///
/// # Errors
/// When an end cannot be opened.
pub fn threads<T: Transport>(rig: &Rig, scratch: &Path) -> Result<Histogram, SetupError> {
    let place = place(scratch)?;
    let (sender, receiver) = T::open(place.path(), THERE)?;
    let (mut here, mut there) = Threads::pair();
    let (stopwatch, wait) = (rig.stopwatch, rig.wait);
    let count = rig.scale.of(20_000, 10_000, 50);
    // When the first message is due; told before the last meeting.
    let start = AtomicI64::new(0);
    let start = &start;
    let (times, sent) = rig.pair(
        move || {
            there.meet()?;
            let mut receiver = receiver()?;
            there.meet()?;
            there.meet()?;
            receiver.settle()?;
            there.meet()?;
            // Acquire: partner is the store before the meeting.
            Ok(take(&mut receiver, stopwatch, wait, (Nanos(start.load(Ordering::Acquire)), count)))
        },
        move || {
            let mut sender = sender()?;
            here.meet()?;
            here.meet()?;
            sender.settle()?;
            here.meet()?;
            let first = stopwatch.elapsed() + LEAD;
            // Release: partner is the load behind the meeting.
            start.store(first.0, Ordering::Release);
            here.meet()?;
            give(&mut sender, stopwatch, wait, (first, count));
            Ok(())
        },
    )?;
    sent.and(times)
}

fn give(sender: &mut impl Sender, stopwatch: Stopwatch, wait: Wait, (start, count): (Nanos, i64)) {
    for number in 0..count {
        let due = start + Nanos(number * INTERVAL.0);
        while stopwatch.elapsed() < due {
            wait.relax();
        }
        sender.send(&[due.0.unsigned_abs(), 1, 2, 3, 4, 5, 6], wait);
    }
}

/// Records every message by its intended time; one that a later one overwrote arrives with that.
fn take(
    receiver: &mut impl Receiver,
    stopwatch: Stopwatch,
    wait: Wait,
    (start, count): (Nanos, i64),
) -> Histogram {
    let mut times = Histogram::prepared();
    let (mut at, end) = (start, start + Nanos(count * INTERVAL.0));
    while at < end {
        let line = receiver.receive(wait);
        let (now, due) = (stopwatch.elapsed(), Nanos(line[0].cast_signed()));
        while at <= due {
            times.record(now - at);
            at = at + INTERVAL;
        }
    }
    times
}
