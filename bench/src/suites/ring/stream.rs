//! A stream of 56-byte messages as fast as they go, one at a time, every word checked.

use std::path::Path;

use engine::clock::Stopwatch;
use engine::domain::Nanos;
use engine::error::SetupError;

use crate::histogram::Histogram;
use crate::peers::raw::{BLOCK_LINES, Blocks};
use crate::peers::{Line, Receiver, Sender, Transport};
use crate::rig::Rig;
use crate::suites::ring::meeting::{Meeting, THERE, Threads, place};

/// Messages between two looks at the clock.
const PER_LOOK: u64 = 4_096;

/// Waits in vain between two looks at the clock, and how long so many messages may take before the rest counts as lost.
const LOOKS: u64 = 64;
const PATIENCE: Nanos = Nanos::from_secs(20);

/// The words of message `index`.
#[inline(always)]
pub fn line(index: u64) -> Line {
    std::array::from_fn(|word| index.wrapping_add(STEPS[word]))
}

/// Differs in every word, so that words in each other's place are seen.
const STEPS: Line = [
    0,
    0x9e37_79b9_7f4a_7c15,
    0x3c6e_f372_fe94_f82a,
    0xdaa6_6d2c_7ddf_743f,
    0x78dd_e6e5_fd29_f054,
    0x1715_609f_7c74_6c69,
    0xb54c_da58_fbbe_e87e,
];

/// Bits of `found` that are not as message `index` should be.
#[inline(always)]
pub fn wrong(found: &Line, index: u64) -> u64 {
    line(index).iter().zip(found).fold(0, |wrong, (own, theirs)| wrong | (own ^ theirs))
}

/// Counts and checks what arrives. Its counts are copied into registers by whoever loops.
#[derive(Clone, Copy, Default)]
struct Checked {
    next: u64,
    wrong: u64,
}

impl Checked {
    #[inline(always)]
    fn on_line(&mut self, found: &Line) {
        self.wrong |= wrong(found, self.next);
        self.next += 1;
    }
}

/// Means over some thousand messages each.
struct Looks {
    stopwatch: Stopwatch,
    times: Histogram,
    before: Nanos,
    counted: u64,
}

impl Looks {
    fn new(stopwatch: Stopwatch) -> Self {
        Self { stopwatch, times: Histogram::prepared(), before: stopwatch.elapsed(), counted: 0 }
    }

    #[inline(always)]
    const fn is_due(&self, checked: &Checked) -> bool {
        checked.next - self.counted >= PER_LOOK
    }

    #[cold]
    fn look(&mut self, checked: Checked) {
        let now = self.stopwatch.elapsed();
        self.times.record_mean(now - self.before, checked.next - self.counted);
        (self.before, self.counted) = (now, checked.next);
    }

    fn finish(self, checked: Checked) -> Result<Histogram, SetupError> {
        if checked.wrong == 0 {
            return Ok(self.times);
        }
        Err(SetupError::Invalid("ring: a word of a stream was lost or changed".to_owned()))
    }
}

/// Between two threads, by `T`.
///
/// # Errors
/// When an end cannot be opened or a word is wrong.
pub fn threads<T: Transport>(rig: &Rig, scratch: &Path) -> Result<Histogram, SetupError> {
    let place = place(scratch)?;
    let (sender, receiver) = T::open(place.path(), THERE)?;
    let (mut here, mut there) = Threads::pair();
    let (stopwatch, wait) = (rig.stopwatch, rig.wait);
    let count = rig.scale.of(64, 24, 1) * PER_LOOK;
    let (times, sent) = rig.pair(
        move || {
            there.meet()?;
            let mut receiver = receiver()?;
            there.meet()?;
            there.meet()?;
            receiver.settle()?;
            there.meet()?;
            let (mut looks, mut checked) = (Looks::new(stopwatch), Checked::default());
            let mut idle = 0_u64;
            while checked.next < count {
                let before = checked.next;
                receiver.drain(&mut |line| checked.on_line(&line));
                if checked.next == before {
                    wait.relax();
                    idle += 1;
                    // The clock is read now and then only, so that nobody's reaction is slower for it.
                    if idle.is_multiple_of(LOOKS) && stopwatch.elapsed() - looks.before > PATIENCE {
                        let reason = format!("ring: a stream ended at {} of {count} messages", checked.next);
                        return Err(SetupError::Invalid(reason));
                    }
                } else if looks.is_due(&checked) {
                    looks.look(checked);
                }
            }
            looks.finish(checked)
        },
        move || {
            let mut sender = sender()?;
            here.meet()?;
            here.meet()?;
            sender.settle()?;
            here.meet()?;
            here.meet()?;
            for index in 0..count {
                // Made again for each attempt, so that it may stay in registers: a copy in memory would be stores of
                // ours, and stores are what limits a stream.
                while !sender.try_send(&line(index)) {
                    wait.relax();
                }
            }
            // Kept until the other end has all of it: ZeroMQ drops what a full receiver has not read of a closed socket.
            Ok(sender)
        },
    )?;
    sent.and(times)
}

/// The floor: blocks of lines that change hands; `counted`, with one word more of the sender's own for each line.
///
/// # Errors
/// When a word is wrong.
pub fn blocks(rig: &Rig, counted: bool) -> Result<Histogram, SetupError> {
    let blocks = Blocks::default();
    let (stopwatch, wait) = (rig.stopwatch, rig.wait);
    let count = rig.scale.of(64, 24, 1) * PER_LOOK / BLOCK_LINES as u64;
    let (times, ()) = rig.pair(
        || {
            let (mut looks, mut checked) = (Looks::new(stopwatch), Checked::default());
            for number in 0..count {
                blocks.empty(number, wait, &mut |line| checked.on_line(&line));
                if looks.is_due(&checked) {
                    looks.look(checked);
                }
            }
            looks.finish(checked)
        },
        || (0..count).for_each(|number| blocks.fill(number, wait, counted, &line)),
    )?;
    times
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::clock::Stopwatch;

    #[test]
    fn a_lost_swapped_or_changed_word_is_found() {
        assert_eq!(wrong(&line(7), 7), 0);
        assert_ne!(wrong(&line(8), 7), 0);
        for word in 0..7 {
            let mut bad = line(7);
            bad[word] ^= 1 << (word * 9);
            assert_ne!(wrong(&bad, 7), 0);
        }
        let mut swapped = line(7);
        swapped.swap(2, 5);
        assert_ne!(wrong(&swapped, 7), 0);
        let mut checked = Checked::default();
        checked.on_line(&line(0));
        assert!(Looks::new(Stopwatch::calibrate()).finish(checked).is_ok());
        checked.on_line(&line(2));
        assert!(Looks::new(Stopwatch::calibrate()).finish(checked).is_err());
    }
}
