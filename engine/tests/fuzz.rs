//! The engine's fuzz targets' checks on their seeds, on damaged seeds and on noise: what `.ci/fuzz` does for longer.

#[path = "../fuzz/src/lib.rs"]
#[allow(dead_code)] // `check` is the targets'.
mod checks;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Damage to a seed: bytes changed, then a piece doubled or cut out.
type Damage = (Vec<(prop::sample::Index, u8)>, prop::sample::Index, prop::sample::Index, bool);

fn damaged(seed: &[u8], (changes, from, to, doubled): &Damage) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    if bytes.is_empty() {
        return bytes;
    }
    for (at, byte) in changes {
        let at = at.index(bytes.len());
        bytes[at] = *byte;
    }
    let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
    let piece = from.min(to)..from.max(to);
    if *doubled {
        let copy = bytes[piece.clone()].to_vec();
        bytes.splice(piece.start..piece.start, copy);
    } else {
        bytes.drain(piece);
    }
    bytes
}

#[test]
fn every_seed_is_read() {
    for check in checks::CHECKS {
        let seeds = (check.seeds)();
        assert!(!seeds.is_empty(), "{}", check.name);
        seeds.iter().for_each(|seed| (check.run)(seed));
    }
}

#[test]
fn damage_and_noise_do_no_harm() {
    for check in checks::CHECKS {
        let seeds = (check.seeds)();
        // Files cost more than bytes.
        let cases = if seeds.iter().any(|seed| seed.len() > 2_000) { 150 } else { 1_500 };
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(cases) });
        let index = || any::<prop::sample::Index>();
        let changes = proptest::collection::vec((index(), any::<u8>()), 0..4);
        let damage = (index(), (changes, index(), index(), any::<bool>()));
        let outcome = runner.run(&damage, |(which, damage)| {
            (check.run)(&damaged(&seeds[which.index(seeds.len())], &damage));
            Ok(())
        });
        assert!(outcome.is_ok(), "{}: {}", check.name, outcome.expect_err("it failed"));
        let noise = proptest::collection::vec(any::<u8>(), 0..300);
        let outcome = runner.run(&noise, |noise| {
            (check.run)(&noise);
            Ok(())
        });
        assert!(outcome.is_ok(), "{}: {}", check.name, outcome.expect_err("it failed"));
    }
}
