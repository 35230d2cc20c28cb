//! Named points at which a test lets a process die (reliability.md §3), and a planted bug that its harness must catch.
//!
//! Nothing of it is in a release build. In a debug build a point costs one load until a test arms it.

/// Where a process may be told to die.
pub const POINTS: [&str; 17] = [
    "intent.before",
    "intent.committed",
    "risk.approved",
    "risk.published",
    "route.taken",
    "route.sent_journalled",
    "route.left",
    "route.event_taken",
    "route.event_journalled",
    "journal.written",
    "journal.synced",
    "recovery",
    "slot.begun",
    "slot.written",
    "journal.rolled",
    "halt.set",
    "route.reconciling",
];

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;

    use crate::primitive::{AtomicU64, Ordering};

    struct Armed {
        point: String,
        left: AtomicU64,
    }

    static ARMED: OnceLock<Armed> = OnceLock::new();
    static PLANTED: OnceLock<()> = OnceLock::new();

    /// Lets this process die at the `nth` passing of `point`, counted from 1: by SIGKILL, as anything may kill it.
    pub fn arm(point: &str, nth: u64) {
        assert!(super::POINTS.contains(&point), "there is no point {point}");
        let _ = ARMED.set(Armed { point: point.to_owned(), left: AtomicU64::new(nth) });
    }

    /// Plants the bug: route sends an order before it journals that it does.
    pub fn plant() {
        let _ = PLANTED.set(());
    }

    pub(crate) fn planted() -> bool {
        PLANTED.get().is_some()
    }

    pub(crate) fn point(name: &str) {
        // Points lie on the hot path: whether the name is known is asked in the processes that die.
        let Some(armed) = ARMED.get() else { return };
        debug_assert!(super::POINTS.contains(&name), "{name}");
        if armed.point == name && armed.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }
}

#[cfg(debug_assertions)]
pub use armed::{arm, plant};

/// The process dies here if a test has armed `name`.
#[inline(always)]
pub(crate) fn point(name: &str) {
    #[cfg(debug_assertions)]
    armed::point(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// Whether the bug is planted.
#[inline(always)]
pub(crate) fn planted() -> bool {
    #[cfg(debug_assertions)]
    return armed::planted();
    #[cfg(not(debug_assertions))]
    false
}
