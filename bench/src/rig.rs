//! The rig: pinned threads, and a probe of the machine's own floor around every measurement between cores.
//!
//! A virtual machine's cores move: the same two are near each other now and far in a second. So the raw ping-pong of
//! one cache line is measured just before and just after; where the two disagree the measurement is thrown away and
//! tried again, and near and far are never mixed.

use std::cell::Cell;
use std::thread;

use core_affinity::CoreId;
use engine::clock::Stopwatch;
use engine::domain::Nanos;
use engine::error::SetupError;
use engine::primitive::{AtomicU64, Ordering};

use crate::histogram::Histogram;

/// Two probes that differ by more than this part disagree.
const PROBES_AGREE_WITHIN: f64 = 0.25;

/// A raw round trip above this is "far". Seen: about 100 ns near and 520 ns far.
const FAR_ABOVE_NS: f64 = 250.0;

/// How often a measurement whose probes disagree is tried again.
const ATTEMPTS: u32 = 6;

/// Round trips between two looks at the clock: the counter ticks in steps of 10 ns here.
pub const TRIPS_PER_LOOK: u64 = 32;

/// How much to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// For numbers to be quoted.
    Full,
    /// All suites in under a minute.
    Quick,
    /// Just enough to show that it works; says nothing about speed.
    Tiny,
}

impl Scale {
    /// One of three counts.
    #[must_use]
    pub const fn of<T: Copy>(self, full: T, quick: T, tiny: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
            Self::Tiny => tiny,
        }
    }
}

/// Where the two cores stood during a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Placement {
    /// One thread alone: the other core does not matter.
    Alone,
    /// A line travels fast between the cores.
    Near,
    /// A line travels slowly.
    Far,
}

impl Placement {
    /// As reports show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alone => "-",
            Self::Near => "near",
            Self::Far => "far",
        }
    }
}

/// How a thread waits for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Wait {
    /// Spins with the processor's pause.
    Pause,
    /// Spins without: the faster reaction on some processors.
    Bare,
    /// Lets others run: for machines with one core, and for tests.
    Yield,
}

impl Wait {
    /// Its name, for another process.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Bare => "bare",
            Self::Yield => "yield",
        }
    }

    /// Waits a little.
    #[inline(always)]
    pub fn relax(self) {
        match self {
            Self::Pause => std::hint::spin_loop(),
            Self::Bare => {}
            Self::Yield => thread::yield_now(),
        }
    }
}

/// One measurement between two cores, with what the machine was capable of meanwhile.
pub struct Measured<T> {
    /// What was measured.
    pub value: T,
    /// The raw round trip around it, in nanoseconds.
    pub raw_ns: f64,
    /// Near or far.
    pub placement: Placement,
}

/// Owns the cores that measurements run on.
pub struct Rig {
    /// The calibrated counter that all threads read.
    pub stopwatch: Stopwatch,
    /// How threads wait for each other.
    pub wait: Wait,
    /// How much to measure.
    pub scale: Scale,
    cores: [CoreId; 2],
    /// Cores that this process could use before it was pinned.
    allowed: usize,
    /// Times that the kernel took the second core from a measuring thread.
    taken_there: Cell<u64>,
    outcome: Cell<Outcome>,
}

/// How often measurements had to be repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The probes before and after disagreed: thrown away.
    pub moved: u32,
    /// The kernel took a core away meanwhile, for somebody else's work: thrown away.
    pub preempted: u32,
    /// Kept though a core was taken away: it happened every time, or was to be expected.
    pub kept_preempted: u32,
    /// Given up: the probes never agreed.
    pub given_up: u32,
}

/// How often the kernel has taken the processor from the calling thread.
fn preemptions() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

/// A word alone on its line and on the line that the processor fetches beside it.
#[repr(align(128))]
#[derive(Default)]
struct Lonely(AtomicU64);

impl Rig {
    /// Takes two cores (`wanted`, or the first two allowed) and pins the caller to the first.
    ///
    /// # Errors
    /// When a core is not there or the caller cannot be pinned.
    pub fn new(wanted: Option<[usize; 2]>, scale: Scale, wait: Wait) -> Result<Self, SetupError> {
        let allowed = core_affinity::get_core_ids().unwrap_or_default();
        let find = |id: usize| {
            let found = allowed.iter().copied().find(|core| core.id == id);
            found.ok_or_else(|| SetupError::Invalid(format!("core {id}: not one that this process may use")))
        };
        let cores = match wanted {
            Some([first, second]) => [find(first)?, find(second)?],
            None => {
                let none = || SetupError::Invalid("no core can be pinned".to_owned());
                let first = allowed.first().copied().ok_or_else(none)?;
                [first, allowed.get(1).copied().unwrap_or(first)]
            }
        };
        // Two threads that spin on one core would take turns at the scheduler's pace.
        let wait = if cores[0] == cores[1] || scale == Scale::Tiny { Wait::Yield } else { wait };
        let rig = Self {
            stopwatch: Stopwatch::calibrate(),
            wait,
            scale,
            cores,
            allowed: allowed.len(),
            taken_there: Cell::default(),
            outcome: Cell::default(),
        };
        // The second core is tried now: a measurement could only hang on a thread that was refused it.
        rig.pin(1)?;
        rig.pin(0)?;
        Ok(rig)
    }

    /// Numbers of the two cores.
    #[must_use]
    pub fn cores(&self) -> [usize; 2] {
        self.cores.map(|core| core.id)
    }

    /// How many cores the process may use.
    #[must_use]
    pub const fn allowed(&self) -> usize {
        self.allowed
    }

    /// Whether the two cores are two: a machine, or what we may use of it, can have a single one.
    #[must_use]
    pub fn has_two_cores(&self) -> bool {
        self.cores[0] != self.cores[1]
    }

    /// What happened to measurements so far.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome.get()
    }

    /// Pins the calling thread to the first (0) or second (1) core.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn pin(&self, which: usize) -> Result<(), SetupError> {
        let core = self.cores[which];
        if core_affinity::set_for_current(core) {
            return Ok(());
        }
        Err(SetupError::Invalid(format!("core {}: cannot be pinned to", core.id)))
    }

    /// Runs `there` on the second core and `here` on the first; gives what both returned.
    ///
    /// # Errors
    /// When the second thread cannot be pinned.
    pub fn pair<A: Send, B>(
        &self,
        there: impl FnOnce() -> A + Send,
        here: impl FnOnce() -> B,
    ) -> Result<(A, B), SetupError> {
        let core = self.cores[1];
        let (far, near) = thread::scope(|scope| {
            let far = scope.spawn(move || {
                let pinned = core_affinity::set_for_current(core);
                let before = preemptions();
                pinned.then(|| (there(), preemptions() - before))
            });
            let near = here();
            (far.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), near)
        });
        let refused = || SetupError::Invalid(format!("core {}: cannot be pinned to", core.id));
        let (far, taken) = far.ok_or_else(refused)?;
        self.taken_there.set(self.taken_there.get() + taken);
        Ok((far, near))
    }

    /// The raw round trip now: one word each way on lines of their own. Median of means, in nanoseconds.
    ///
    /// # Errors
    /// When the second thread cannot be pinned.
    pub fn probe(&self) -> Result<f64, SetupError> {
        let looks = self.scale.of(300, 150, 4);
        let (ping, pong) = (Lonely::default(), Lonely::default());
        let wait = self.wait;
        let echo = || {
            for turn in 1..=looks * TRIPS_PER_LOOK {
                // Acquire and release: each side's partner is the other's store of the same turn.
                while ping.0.load(Ordering::Acquire) != turn {
                    wait.relax();
                }
                pong.0.store(turn, Ordering::Release);
            }
        };
        let measure = || {
            let mut times = Histogram::prepared();
            let (mut turn, mut before) = (0, self.stopwatch.elapsed());
            for _ in 0..looks {
                for _ in 0..TRIPS_PER_LOOK {
                    turn += 1;
                    ping.0.store(turn, Ordering::Release);
                    while pong.0.load(Ordering::Acquire) != turn {
                        wait.relax();
                    }
                }
                let now = self.stopwatch.elapsed();
                times.record_mean(now - before, TRIPS_PER_LOOK);
                before = now;
            }
            times.at(0.5)
        };
        Ok(self.pair(echo, measure)?.1)
    }

    /// Measures between two probes that agree, if possible without the kernel giving a core to others meanwhile;
    /// `None` when the probes never agreed.
    ///
    /// # Errors
    /// When a probe or the measurement fails.
    pub fn measure<T>(
        &self,
        measurement: impl FnMut() -> Result<T, SetupError>,
    ) -> Result<Option<Measured<T>>, SetupError> {
        self.measure_until(|preempted| !preempted, measurement)
    }

    /// The same of what takes so long that the kernel gives a core to others each time: a measurement whose middle counts.
    ///
    /// # Errors
    /// As [`measure`](Self::measure).
    pub fn measure_long<T>(
        &self,
        measurement: impl FnMut() -> Result<T, SetupError>,
    ) -> Result<Option<Measured<T>>, SetupError> {
        self.measure_until(|_| true, measurement)
    }

    /// Measures until `is_good` is content, told whether a core was taken away.
    fn measure_until<T>(
        &self,
        is_good: impl Fn(bool) -> bool,
        mut measurement: impl FnMut() -> Result<T, SetupError>,
    ) -> Result<Option<Measured<T>>, SetupError> {
        let (mut outcome, mut kept) = (self.outcome.get(), None);
        for _ in 0..self.scale.of(ATTEMPTS, ATTEMPTS, 1) {
            let before = self.probe()?;
            let taken = self.taken_there.get() + preemptions();
            let value = measurement()?;
            let preempted = self.taken_there.get() + preemptions() > taken;
            let after = self.probe()?;
            let apart = (before - after).abs() / before.min(after);
            if apart > PROBES_AGREE_WITHIN && self.scale != Scale::Tiny {
                outcome.moved += 1;
                continue;
            }
            let raw_ns = f64::midpoint(before, after);
            let placement = if raw_ns > FAR_ABOVE_NS { Placement::Far } else { Placement::Near };
            let earlier = kept.replace(Measured { value, raw_ns, placement });
            outcome.preempted += u32::from(earlier.is_some());
            if is_good(preempted) {
                outcome.kept_preempted += u32::from(preempted);
                self.outcome.set(outcome);
                return Ok(kept);
            }
        }
        outcome.kept_preempted += u32::from(kept.is_some());
        outcome.given_up += u32::from(kept.is_none());
        self.outcome.set(outcome);
        Ok(kept)
    }

    /// Times `batch`, which does `operations` of work, again and again on this thread: means per operation.
    pub fn time_batches(&self, batches: u64, operations: u64, mut batch: impl FnMut()) -> Histogram {
        let mut times = Histogram::prepared();
        let mut before = self.stopwatch.elapsed();
        for _ in 0..batches {
            batch();
            let now = self.stopwatch.elapsed();
            times.record_mean(now - before, operations);
            before = now;
        }
        times
    }

    /// How long `work` takes: all of it, and nothing of what was done before.
    pub fn time<T>(&self, work: impl FnOnce() -> T) -> (T, Nanos) {
        settle();
        let before = self.stopwatch.elapsed();
        let value = work();
        settle();
        (value, self.stopwatch.elapsed() - before)
    }
}

/// Waits until every instruction before has been carried out: a processor reads its clock before what it still waits for.
#[inline(always)]
#[allow(unsafe_code)]
fn settle() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: it touches no memory, and SSE2 is part of this architecture.
    unsafe {
        std::arch::x86_64::_mm_lfence();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_comes_back_and_a_measurement_carries_it() {
        let rig = Rig::new(None, Scale::Tiny, Wait::Pause).expect("a core");
        assert!(rig.probe().expect("probed") > 0.0);
        let measured = rig.measure(|| Ok(7)).expect("measured").expect("tests keep every measurement");
        assert_eq!(measured.value, 7);
        assert!(measured.raw_ns > 0.0 && measured.placement != Placement::Alone);
        let counted = rig.time_batches(5, 10, || {});
        assert_eq!(counted.count(), 5);
        let (there, here) = rig.pair(|| 1, || 2).expect("pinned");
        assert_eq!((there, here), (1, 2));
        assert!(Rig::new(Some([99_999, 0]), Scale::Tiny, Wait::Pause).is_err());
    }
}
