//! How long a strategy holds back new orders after refusals, so that it does not knock on a closed door.

use crate::domain::Nanos;

/// The first pause.
const FIRST: Nanos = Nanos::from_millis(250);

/// The longest pause.
const LONGEST: Nanos = Nanos::from_secs(64);

/// A pause that doubles with every refusal in a row, from 250 ms to 64 s. A halt would otherwise meet a refusal per
/// tick, and a storm of refusals is itself a reason to be halted (C21).
#[derive(Clone, Copy, Debug, Default)]
pub struct Pause {
    until: Nanos,
    last: Nanos,
}

impl Pause {
    /// A new order was refused at `now`. Refusals during a pause are of orders sent before it, and change nothing.
    pub fn refused(&mut self, now: Nanos) {
        if self.holds(now) {
            return;
        }
        self.last = Nanos(self.last.0 * 2).clamp(FIRST, LONGEST);
        self.until = now.saturating_add(self.last);
    }

    /// A new order was accepted: the door is open.
    pub fn accepted(&mut self) {
        *self = Self::default();
    }

    /// When it ends.
    #[must_use]
    pub const fn until(&self) -> Nanos {
        self.until
    }

    /// Whether new orders are held back at `now`.
    #[must_use]
    pub fn holds(&self, now: Nanos) -> bool {
        now < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_a_bound_and_ends_with_an_acceptance() {
        let (mut pause, mut now, mut lengths) = (Pause::default(), Nanos::from_secs(100), Vec::new());
        assert!(!pause.holds(now));
        for _ in 0..10 {
            pause.refused(now);
            pause.refused(now);
            assert!(pause.holds(now));
            lengths.push((pause.until() - now).0 / 1_000_000);
            now = pause.until();
            assert!(!pause.holds(now));
        }
        assert_eq!(lengths, [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 64_000]);
        pause.accepted();
        pause.refused(now);
        assert_eq!(pause.until() - now, FIRST);
    }
}
