//! The exchange's clock: the wall's, moved by a skew that a test may ask for.

use engine::domain::Nanos;
use tokio::sync::watch;

/// Reads the exchange's time.
#[derive(Clone, Debug)]
pub struct Clock(watch::Receiver<Nanos>);

impl Clock {
    /// A clock, and what sets its skew.
    #[must_use]
    pub fn new() -> (Self, watch::Sender<Nanos>) {
        let (set, skew) = watch::channel(Nanos::ZERO);
        (Self(skew), set)
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Nanos {
        // This is where the exchange's time comes from.
        #[allow(clippy::disallowed_methods)]
        let wall = std::time::SystemTime::now();
        let since = wall.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)).saturating_add(*self.0.borrow())
    }
}
