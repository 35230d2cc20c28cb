//! The time-stamp counter, calibrated once against the monotonic clock.

use rustix::time::{ClockId, clock_gettime};

use crate::clock::Clock;
use crate::domain::Nanos;

/// How long the counter is compared with the monotonic clock at start: 10 ms bounds the rate's error to about
/// 20 ppm (two readings of 100 ns each).
const CALIBRATION: Nanos = Nanos::from_millis(10);

/// Readings are multiplied by `2^LIFT`, so that the rate is less than one for every counter of 63 MHz and more. They reach for
/// nine years of a processor's 4 GHz.
const LIFT: u32 = 4;

fn system_clock(id: ClockId) -> Nanos {
    let time = clock_gettime(id);
    Nanos(time.tv_sec * 1_000_000_000 + time.tv_nsec)
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[allow(unsafe_code)]
fn ticks() -> u64 {
    // SAFETY: `rdtsc` reads a register; it is available on every x86_64 processor.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn ticks() -> u64 {
    system_clock(ClockId::Monotonic).0.unsigned_abs()
}

/// How often both clocks are read side by side, to keep the closest pair: a thread that loses its core between two
/// readings is off by milliseconds, and a rate made from them by tens of percent.
const PAIRS: u32 = 64;

/// A system clock's time and the counter's value at one moment: of several readings, those that lie closest together.
fn pair<C>(clock: &mut impl FnMut() -> Nanos, counter: &mut impl FnMut() -> C) -> (Nanos, C) {
    let mut closest: Option<(Nanos, Nanos, C)> = None;
    for _ in 0..PAIRS {
        let (before, count, after) = (clock(), counter(), clock());
        let gap = after - before;
        if closest.as_ref().is_none_or(|(least, ..)| gap < *least) {
            closest = Some((gap, before + Nanos(gap.0 / 2), count));
        }
    }
    let (_, time, count) = closest.expect("there is at least one pair");
    (time, count)
}

/// Durations by the time-stamp counter: one register read each, about 9 ns (performance.md §0).
///
/// Copies share one calibration, made where a process starts.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    origin_ticks: u64,
    /// Nanoseconds per tick in units of `2^(LIFT-64)`: what is left of a product is its upper word, and nothing has to be
    /// shifted over two.
    rate: u64,
}

impl Stopwatch {
    /// Calibrates against the monotonic clock; takes about 10 ms.
    #[must_use]
    pub fn calibrate() -> Self {
        let mut monotonic = || system_clock(ClockId::Monotonic);
        let (start, origin_ticks) = pair(&mut monotonic, &mut ticks);
        let (mut elapsed, mut counted) = (Nanos::ZERO, 0);
        while elapsed < CALIBRATION || counted == 0 {
            std::hint::spin_loop();
            let (now, count) = pair(&mut monotonic, &mut ticks);
            (elapsed, counted) = (now - start, count.wrapping_sub(origin_ticks));
        }
        let rate = (u128::from(elapsed.0.unsigned_abs()) << (u64::BITS - LIFT)) / u128::from(counted);
        Self { origin_ticks, rate: u64::try_from(rate).expect("a counter of 63 MHz or more") }
    }

    /// The calibration, for other processes of this boot: the counter at its origin, and the rate.
    #[must_use]
    pub const fn calibration(&self) -> [u64; 2] {
        [self.origin_ticks, self.rate]
    }

    /// The stopwatch of another process, by its [`calibration`](Self::calibration): both then read the same.
    #[must_use]
    pub const fn from_calibration([origin_ticks, rate]: [u64; 2]) -> Self {
        Self { origin_ticks, rate }
    }

    /// Nanoseconds since the calibration.
    #[inline]
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // A product's upper word is a word.
    pub fn elapsed(&self) -> Nanos {
        let counted = ticks().wrapping_sub(self.origin_ticks) << LIFT;
        let nanos = (u128::from(counted) * u128::from(self.rate)) >> u64::BITS;
        Nanos((nanos as u64).cast_signed())
    }

    /// A stamp for messages: the low 32 bits of [`elapsed`](Self::elapsed).
    #[inline]
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn stamp(&self) -> u32 {
        self.elapsed().0 as u32
    }
}

#[cfg(test)]
impl Stopwatch {
    /// One that has run for many minutes: nothing in a test takes as long as what began when it did, on any machine.
    #[must_use]
    pub fn aged() -> Self {
        let Self { origin_ticks, rate } = Self::calibrate();
        Self { origin_ticks: origin_ticks.wrapping_sub(1 << 42), rate }
    }
}

/// Live time: the wall clock at start plus elapsed counter time, so that it never steps when the wall clock does.
#[derive(Clone, Copy, Debug)]
pub struct LiveClock {
    stopwatch: Stopwatch,
    origin: Nanos,
}

impl LiveClock {
    /// Anchors the timeline at the present wall clock.
    #[must_use]
    pub fn new(stopwatch: Stopwatch) -> Self {
        let (wall, elapsed) = pair(&mut || system_clock(ClockId::Realtime), &mut || stopwatch.elapsed());
        let origin = wall - elapsed;
        Self { stopwatch, origin }
    }

    /// The wall clock at the stopwatch's origin.
    #[must_use]
    pub const fn origin(&self) -> Nanos {
        self.origin
    }

    /// The timeline of another process, by its stopwatch and [`origin`](Self::origin).
    #[must_use]
    pub const fn from_origin(stopwatch: Stopwatch, origin: Nanos) -> Self {
        Self { stopwatch, origin }
    }
}

impl Clock for LiveClock {
    #[inline]
    fn now(&mut self) -> Nanos {
        self.origin + self.stopwatch.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_that_was_torn_apart_is_not_used() {
        // A clock and a counter of one rate, on a core that is taken away for 10 ms in most of the readings.
        let time = std::cell::Cell::new(1_000_i64);
        let readings = std::cell::Cell::new(0);
        let pass = || {
            readings.set(readings.get() + 1);
            time.set(time.get() + if readings.get() % 50 < 6 { 25 } else { 10_000_000 });
            time.get()
        };
        for _ in 0..100 {
            let (now, count) = pair(&mut || Nanos(pass()), &mut || pass());
            assert!((now.0 - count).abs() <= 25, "{now:?} against {count}");
        }
    }

    #[test]
    fn follows_the_monotonic_clock() {
        let stopwatch = Stopwatch::calibrate();
        let now = || system_clock(ClockId::Monotonic);
        let (before, first, start) = (now(), stopwatch.elapsed(), now());
        while now() - start < Nanos::from_millis(20) {
            std::hint::spin_loop();
        }
        // Whoever is preempted between two readings widens what lies around them, and is no reason to fail.
        let (end, last, after) = (now(), stopwatch.elapsed(), now());
        let (least, elapsed, most) = (end - start, last - first, after - before);
        assert!(
            elapsed.0 > least.0 / 100 * 99 && elapsed.0 < most.0 / 100 * 101,
            "{least:?} {elapsed:?} {most:?}"
        );
    }
}
