//! Seeded draws in integer arithmetic: the same on every machine.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// Fractional bits of an exponential draw.
const FRACTION_BITS: u32 = 16;

/// A stream of draws.
#[derive(Clone, Debug)]
pub(crate) struct Random(Xoshiro256PlusPlus);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// Uniform in `0..bound`; 0 where `bound` is not positive. The high half of a 128-bit product: its bias is below
    /// `bound / 2^64`.
    pub(crate) fn below(&mut self, bound: i64) -> i64 {
        let bound = u128::from(bound.max(0).unsigned_abs());
        let drawn = (u128::from(self.0.next_u64()) * bound) >> 64;
        i64::try_from(drawn).unwrap_or(0)
    }

    /// True once in `n` on average.
    pub(crate) fn one_in(&mut self, n: i64) -> bool {
        self.below(n) == 0
    }

    /// `k` with probability `2^-(k+1)`, at most `most`.
    pub(crate) fn geometric(&mut self, most: u32) -> u32 {
        self.0.next_u64().trailing_zeros().min(most)
    }

    /// Close to exponential with this mean: `-log2` of a uniform draw, whose whole part is its leading zeros and
    /// whose fraction is taken as linear; of mean 3/2, which is divided out.
    pub(crate) fn exponential(&mut self, mean: i64) -> i64 {
        let drawn = self.0.next_u64();
        let zeros = drawn.leading_zeros();
        // The bits after the leading one; none are left of a draw of 0 or 1.
        let fraction = drawn.checked_shl(zeros + 1).unwrap_or(0) >> (64 - FRACTION_BITS);
        let log = (u64::from(zeros + 1) << FRACTION_BITS) - fraction;
        let scaled = i128::from(mean) * i128::from(log) * 2 / (3 << FRACTION_BITS);
        i64::try_from(scaled).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: i64 = 100_000;

    #[test]
    fn draws_have_their_means_and_bounds() {
        let mut random = Random::new(7);
        let sum: i64 = (0..DRAWS).map(|_| random.below(1_001)).sum();
        assert!((sum / DRAWS - 500).abs() < 5, "{sum}");
        let draws: Vec<i64> = (0..DRAWS).map(|_| random.exponential(1_000_000)).collect();
        let mean = draws.iter().sum::<i64>() / DRAWS;
        assert!((mean - 1_000_000).abs() < 20_000, "{mean}");
        assert!(draws.iter().all(|&draw| draw >= 0));
        let beyond = draws.iter().filter(|&&draw| draw > 3_000_000).count();
        assert!((3_000..7_000).contains(&beyond), "an exponential has 5 % beyond three means: {beyond}");
        let sum: u32 = (0..DRAWS).map(|_| random.geometric(9)).sum();
        assert!((95_000..105_000).contains(&sum), "{sum}");
        assert_eq!((random.below(0), random.below(-5), random.below(1)), (0, 0, 0));
    }

    #[test]
    fn a_seed_names_its_draws() {
        let draws = |seed| {
            let mut random = Random::new(seed);
            (0..8).map(|_| random.below(1 << 40)).collect::<Vec<_>>()
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
    }
}
