//! There and back: one message in flight, echoed by a thread or a process on the other core.

use std::path::Path;

use engine::domain::Nanos;
use engine::error::SetupError;

use crate::histogram::Histogram;
use crate::peers::{Line, Receiver, Sender, Shared, Transport};
use crate::rig::{Rig, TRIPS_PER_LOOK, Wait};
use crate::suites::ring::meeting::{Answerer, BACK, Pipes, THERE, Threads, open_here, open_there, place};

/// First word of the message that ends the echo.
const STOP: u64 = u64::MAX;

/// Between two threads.
///
/// # Errors
/// When an end cannot be opened or a message comes back changed.
pub fn threads<T: Transport>(rig: &Rig, scratch: &Path) -> Result<Histogram, SetupError> {
    let place = place(scratch)?;
    let (there_sender, there_receiver) = T::open(place.path(), THERE)?;
    let (back_sender, back_receiver) = T::open(place.path(), BACK)?;
    let (mut here, mut there) = Threads::pair();
    let wait = rig.wait;
    let (echoed, times) = rig.pair(
        move || {
            let (sender, receiver) = open_there(there_receiver, back_sender, &mut there)?;
            echo(sender, receiver, wait);
            Ok(())
        },
        move || {
            let (sender, receiver) = open_here(there_sender, back_receiver, &mut here)?;
            trips(rig, sender, receiver)
        },
    )?;
    echoed.and(times)
}

/// Between two processes: the other is this program again.
///
/// # Errors
/// When an end cannot be opened, the other process dies, or a message comes back changed.
pub fn processes<T: Shared>(rig: &Rig, scratch: &Path) -> Result<Histogram, SetupError> {
    let place = place(scratch)?;
    let mut child = Answerer::start(T::NAME, rig, place.path())?;
    let (there, back) = (place.path().to_owned(), place.path().to_owned());
    let (sender, receiver) = open_here(
        Box::new(move || T::sender(&there, THERE)),
        Box::new(move || T::receiver(&back, BACK)),
        &mut child.meeting()?,
    )?;
    trips(rig, sender, receiver)
}

/// What the other process does.
///
/// # Errors
/// When an end cannot be opened.
pub fn answer<T: Shared>(place: &Path, wait: Wait) -> Result<(), SetupError> {
    let mut meeting = Pipes::of_answerer();
    let (there, back) = (place.to_owned(), place.to_owned());
    let (sender, receiver) = open_there(
        Box::new(move || T::receiver(&there, THERE)),
        Box::new(move || T::sender(&back, BACK)),
        &mut meeting,
    )?;
    echo::<T::Sender, T::Receiver>(sender, receiver, wait);
    Ok(())
}

fn echo<S: Sender, R: Receiver>(mut sender: S, mut receiver: R, wait: Wait) {
    loop {
        let line = receiver.receive(wait);
        if line[0] == STOP {
            return;
        }
        sender.send(&line, wait);
    }
}

fn trips<S: Sender, R: Receiver>(rig: &Rig, mut sender: S, mut receiver: R) -> Result<Histogram, SetupError> {
    let limit = Nanos::from_millis(rig.scale.of(20, 10, 2));
    let looks = rig.scale.of(2_000, 500, 3);
    let (mut times, mut turn, mut changed) = (Histogram::prepared(), 0, false);
    let start = rig.stopwatch.elapsed();
    let mut before = start;
    for _ in 0..looks {
        for _ in 0..TRIPS_PER_LOOK {
            turn += 1;
            sender.send(&line(turn), rig.wait);
            let back = receiver.receive(rig.wait);
            changed |= back[0] != turn;
        }
        let now = rig.stopwatch.elapsed();
        times.record_mean(now - before, TRIPS_PER_LOOK);
        before = now;
        if now - start > limit {
            break;
        }
    }
    sender.send(&line(STOP), rig.wait);
    if changed { Err(SetupError::Invalid("ring: a message came back changed".to_owned())) } else { Ok(times) }
}

const fn line(first: u64) -> Line {
    [first, 1, 2, 3, 4, 5, 6]
}
