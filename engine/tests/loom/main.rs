//! Every interleaving of the shared-memory protocols, checked by loom: `cargo loom`.
//!
//! The rings, cells and files are the engine's own, over words of this process; only their least sizes are smaller, so
//! that every slot is soon reused. Loom tries every order of steps (with a bound on forced switches) and every
//! value that the memory model lets a load find.

#![cfg(loom)]

mod bells;
mod board;
mod cells;
mod rings;
mod weakened;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;

use engine::shm::process_local;
use loom::model::Builder;

/// Forced switches between threads that are tried; nearly every known error needs two or fewer.
const SWITCHES_MAX: usize = 3;

/// Runs `model` in every way there is, and makes sure that all of `outcomes` were among them: a model whose threads
/// never meet proves nothing.
fn check(outcomes: &[&'static str], model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(SWITCHES_MAX);
    builder.max_branches = 10_000;
    SEEN.take();
    builder.check(move || {
        process_local::clear(&folder());
        model();
    });
    let seen = SEEN.take();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), outcomes, "what was seen, and what should have been");
}

thread_local! {
    /// Outcomes of the model that runs on this thread.
    static SEEN: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
}

/// Notes that `outcome` is possible.
fn saw(outcome: &'static str) {
    SEEN.with_borrow_mut(|seen| seen.insert(outcome));
}

/// A folder that models running at the same time do not share: loom runs all threads of a model on one of the
/// machine's.
fn folder() -> PathBuf {
    PathBuf::from(format!("{:?}", std::thread::current().id()))
}

fn path(name: &str) -> PathBuf {
    folder().join(name)
}

/// What travels: words that can be told apart, from which a torn or stale copy is told too.
type Line = [u64; 2];

fn line(n: u64) -> Line {
    [n + 100, !n]
}
