//! SIGINT, SIGTERM, and the end of the terminal.

use engine::primitive::{AtomicBool, Ordering};
use std::sync::Arc;

use engine::error::SetupError;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_shutdown};

/// Whether the user, or the system, asked us to end.
///
/// A process that is still starting waits for others, up to a minute, and has nothing to end in order: a signal is its
/// end at once, as good as any crash. Once it has [`begun`](Self::begun), a signal is noted for who looks.
pub struct Interrupt {
    starting: Arc<AtomicBool>,
    came: Arc<AtomicBool>,
}

impl Interrupt {
    /// Catches SIGINT and SIGTERM from now on, and SIGHUP unless whoever started this wants it ignored, as `nohup` does.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn catch() -> Result<Self, SetupError> {
        let flag = |value| Arc::new(AtomicBool::new(value));
        let (starting, came) = (flag(true), flag(false));
        let hang_up = (!is_ignored(SIGHUP)).then_some(SIGHUP);
        for signal in [SIGINT, SIGTERM].into_iter().chain(hang_up) {
            // In this order a signal meets them. A second one ends the process: the way out when ending in order hangs.
            register_conditional_shutdown(signal, 0, Arc::clone(&starting))
                .and_then(|_| register_conditional_shutdown(signal, 130, Arc::clone(&came)))
                .and_then(|_| register(signal, Arc::clone(&came)))
                .map_err(|error| SetupError::io("signals", "catching them", error))?;
        }
        Ok(Self { starting, came })
    }

    /// To be called before anything starts that has to end in order.
    pub fn begun(&self) {
        // Pairs with nothing: a handler in between ends a process in which nothing has started yet.
        self.starting.store(false, Ordering::SeqCst);
    }

    /// Whether one came.
    #[must_use]
    pub fn came(&self) -> bool {
        self.came.load(Ordering::Relaxed)
    }
}

/// Whether the process ignores `signal` (proc(5): `SigIgn`, a mask in hexadecimal).
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}
