//! The checks of `shells/fuzz` on their seeds, on damaged seeds and on noise: what `.ci/fuzz` does for longer.

#[path = "../../fuzz/src/lib.rs"]
#[allow(dead_code)] // `check` is the targets'.
mod checks;

use std::hash::{DefaultHasher, Hash, Hasher};

const ROUNDS: u64 = 3_000;

/// Numbers that are the same in every run.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.0 += 1;
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        usize::try_from(hasher.finish() % (bound.max(1) as u64)).expect("it is below a length")
    }
}

/// A seed with bytes changed, and cut or with a piece of it doubled.
fn damaged(seed: &[u8], draws: &mut Draws) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..draws.below(4) {
        let at = draws.below(bytes.len());
        bytes[at] = u8::try_from(draws.below(256)).expect("a byte");
    }
    let (from, to) = (draws.below(bytes.len()), draws.below(bytes.len()));
    if draws.below(2) == 0 {
        bytes.truncate(from.max(1));
    } else if from < to {
        bytes.extend_from_within(from..to);
    }
    bytes
}

#[test]
fn seeds_damage_and_noise_do_no_harm() {
    for check in checks::CHECKS {
        let seeds = (check.seeds)();
        assert!(!seeds.is_empty(), "{}", check.name);
        seeds.iter().for_each(|seed| (check.run)(seed));
        let mut draws = Draws(0);
        for _ in 0..ROUNDS {
            let which = draws.below(seeds.len());
            (check.run)(&damaged(&seeds[which], &mut draws));
            let length = draws.below(120);
            let noise: Vec<u8> =
                (0..length).map(|_| u8::try_from(draws.below(256)).expect("a byte")).collect();
            (check.run)(&noise);
        }
    }
}
