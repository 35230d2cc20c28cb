//! The trades of one order, so that a repeat is told from a new one (F11).

/// Trades kept in the order itself: nearly every order has fewer.
const NEAR: usize = 8;

/// Ids of the trades of an order. The first few lie in it; for more it is lent a vector, which [`Self::lend`] gives and
/// [`Self::take_back`] returns, so that nothing allocates as long as some are left.
#[derive(Clone, Debug)]
pub(super) struct Trades {
    near: [u64; NEAR],
    count: usize,
    more: Vec<u64>,
}

impl Trades {
    #[inline]
    pub(super) const fn new() -> Self {
        Self { near: [0; NEAR], count: 0, more: Vec::new() }
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.count + self.more.len()
    }

    /// Whether `id` is one of them.
    pub(super) fn contains(&self, id: u64) -> bool {
        self.near[..self.count].contains(&id) || self.more.contains(&id)
    }

    /// Adds `id`.
    pub(super) fn push(&mut self, id: u64) {
        if self.count < NEAR {
            self.near[self.count] = id;
            self.count += 1;
        } else {
            self.more.push(id);
        }
    }

    /// Whether the next trade needs a vector that it does not have.
    pub(super) const fn is_short(&self) -> bool {
        self.count == NEAR && self.more.capacity() == 0
    }

    /// Lends it an empty vector for what does not fit.
    pub(super) fn lend(&mut self, vector: Vec<u64>) {
        self.more = vector;
    }

    /// Takes the lent vector back, if there is one; its trades are forgotten.
    pub(super) fn take_back(&mut self) -> Option<Vec<u64>> {
        (self.more.capacity() > 0).then(|| {
            self.more.clear();
            std::mem::take(&mut self.more)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trade_is_known_again_near_and_far() {
        let mut trades = Trades::new();
        for id in 0..40 {
            assert!(!trades.contains(id), "{id}");
            assert_eq!(trades.is_short(), id == NEAR as u64);
            if trades.is_short() {
                trades.lend(Vec::with_capacity(64));
            }
            trades.push(id);
            assert!((0..=id).all(|id| trades.contains(id)));
            assert_eq!(trades.len() as u64, id + 1);
        }
        assert!(trades.take_back().is_some_and(|vector| vector.is_empty() && vector.capacity() >= 64));
        assert!(trades.take_back().is_none());
    }
}
