//! What the compiler cannot know of a branch: which way is the rare one.
//!
//! What is rare is laid behind its function's end. The usual way then lies in one piece, in fewer lines of the instruction cache:
//! the way of an order is about as long as that is.

use std::hint::cold_path;

/// `condition`, which hardly ever holds.
#[inline(always)]
#[must_use]
pub(crate) const fn unlikely(condition: bool) -> bool {
    if condition {
        cold_path();
    }
    condition
}

/// `condition`, which nearly always holds.
#[inline(always)]
#[must_use]
pub(crate) const fn likely(condition: bool) -> bool {
    if !condition {
        cold_path();
    }
    condition
}
