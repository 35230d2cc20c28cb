//! What two processes have to tell each other for an order, and nothing else: a tick goes there, a sealed order comes back, by rings
//! as between the agents. With one thread's way, which has both messages in it but need not send them to another core, it is the
//! least that a way over two processes can take.

use std::hint::black_box;
use std::path::Path;

use engine::domain::Nanos;
use engine::error::SetupError;
use engine::message::{SealedOrder, Tick};
use engine::ring::broadcast::{self, Polled, Reader};
use engine::ring::spsc::{Consumer, Producer};
use zerocopy::FromZeros as _;

use crate::histogram::Histogram;
use crate::rig::Wait;
use crate::suites::Bench;
use crate::suites::ring::meeting::{Answerer, Meeting as _, Pipes, place};
use crate::suites::tick_to_order::WARM;
use crate::suites::tick_to_order::apart::REST;
use crate::suites::tick_to_order::messages::{CAPACITY, order_of};

/// What the other process is told to answer as.
pub const NAME: &str = "a tick there, an order back";

/// The tick that ends it has this instrument.
const END: u32 = u32::MAX;

/// Looks in a row that find nothing, after which the other has gone without a word.
const SPINS_MAX: u64 = 1 << 32;

/// What the other process does.
///
/// # Errors
/// When a ring cannot be made or found, or the first process has gone.
pub fn answer(room: &Path, wait: Wait) -> Result<(), SetupError> {
    let mut meeting = Pipes::of_answerer();
    meeting.meet()?;
    let mut ticks = Reader::<Tick>::attach(&room.join("ticks"))?;
    let mut orders = Producer::create_watched(&room.join("orders"), &room.join("cursor"), CAPACITY, 1)?;
    meeting.meet()?;
    let mut idle = 0;
    while idle < SPINS_MAX {
        match ticks.poll() {
            Polled::Message(tick) if tick.instrument == END => return Ok(()),
            Polled::Message(tick) => {
                // Its first words are the tick's: whoever sent that knows its own again.
                let _ = orders.try_push(&order_of(black_box(&tick)));
                idle = 0;
            }
            Polled::Empty | Polled::Lapped { .. } => {
                idle += 1;
                wait.relax();
            }
        }
    }
    Err(SetupError::Invalid(format!("{NAME}: nobody asks any more")))
}

/// Times of `count` ticks and their orders, each alone, with as much time between as between the frames of the whole way.
///
/// # Errors
/// When the other process cannot be started, or another order comes than the one that was asked for.
pub fn measure(bench: &Bench<'_>, count: usize) -> Result<Histogram, SetupError> {
    let (rig, room) = (bench.rig, place(bench.scratch)?);
    let mut ticks = broadcast::Producer::<Tick>::create(&room.path().join("ticks"), CAPACITY, 1)?;
    let mut other = Answerer::start(NAME, rig, room.path())?;
    let mut meeting = other.meeting()?;
    meeting.meet()?;
    meeting.meet()?;
    let mut orders =
        Consumer::<SealedOrder>::attach(&room.path().join("orders"), &room.path().join("cursor"))?;
    let mut times = Histogram::prepared();
    for turn in 0..WARM + count {
        let tick = Tick { stamp: turn as u32, values: [turn as i64; 4], ..Tick::new_zeroed() };
        let (came, time) = rig.time(|| {
            ticks.publish(black_box(&tick));
            (0..SPINS_MAX).find_map(|_| {
                let order = orders.poll();
                if order.is_none() {
                    rig.wait.relax();
                }
                order
            })
        });
        if came != Some(order_of(&tick)) {
            return Err(SetupError::Invalid(format!("{NAME}: another came back")));
        }
        if turn >= WARM {
            times.record(time);
        }
        pass(bench, REST);
    }
    ticks.publish(&Tick { instrument: END, ..Tick::new_zeroed() });
    Ok(times)
}

/// Spins for `span`.
fn pass(bench: &Bench<'_>, span: Nanos) {
    let end = bench.rig.stopwatch.elapsed() + span;
    while bench.rig.stopwatch.elapsed() < end {
        bench.rig.wait.relax();
    }
}
