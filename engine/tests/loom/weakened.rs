//! The models as they stand, and with each end of each sync point taken away in turn: then some model must fail.

use std::panic::{AssertUnwindSafe, catch_unwind};

use engine::primitive::{End, SyncPoint, weakened};

use crate::bells::bells_wake;
use crate::cells::{cells_are_untorn, files_are_whole};
use crate::rings::{
    broadcast_counts_laps, bytes_hand_over, spsc_hands_over, spsc_producer_resumes, spsc_resumes,
    tail_watches,
};

/// A model, by its name.
type Model = (&'static str, fn());

const SPSC: Model = ("spsc_hands_over", spsc_hands_over);
const RESUMED: Model = ("spsc_resumes", spsc_resumes);
const RISEN: Model = ("spsc_producer_resumes", spsc_producer_resumes);
const BROADCAST: Model = ("broadcast_counts_laps", broadcast_counts_laps);
const TAIL: Model = ("tail_watches", tail_watches);
const BYTES: Model = ("bytes_hand_over", bytes_hand_over);
const CELLS: Model = ("cells_are_untorn", cells_are_untorn);
const FILES: Model = ("files_are_whole", files_are_whole);
const BELLS: Model = ("bells_wake", bells_wake);

/// The models that miss either end of `point`: the table of `docs/ordering.md`.
const fn catchers(point: SyncPoint) -> &'static [Model] {
    match point {
        SyncPoint::BusyMark => &[BROADCAST, TAIL, CELLS],
        SyncPoint::Stamp => &[SPSC, RESUMED, BROADCAST, TAIL, CELLS],
        SyncPoint::Ready => &[FILES],
        SyncPoint::Record => &[BYTES],
        SyncPoint::Cursor => &[SPSC, RESUMED, BYTES],
        SyncPoint::Asleep => &[BELLS],
    }
}

/// What went wrong in `model` without `end` of `point`.
fn failure(model: fn(), point: SyncPoint, end: End) -> Option<String> {
    weakened::set(Some((point, end)));
    let outcome = catch_unwind(AssertUnwindSafe(model));
    weakened::set(None);
    let failure = outcome.err()?;
    let text = failure.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| failure.downcast_ref::<&str>().copied());
    Some(text.unwrap_or("a panic without words").lines().next().unwrap_or_default().to_owned())
}

fn every_catcher_fails(point: SyncPoint) {
    for end in [End::Release, End::Acquire] {
        for (name, model) in catchers(point) {
            let failure = failure(*model, point, end);
            println!("{point:?} without {end:?}: {name}: {failure:?}");
            assert!(failure.is_some(), "{name} does not miss the {end:?} of {point:?}");
        }
    }
}

#[test]
fn a_missing_busy_mark_is_caught() {
    every_catcher_fails(SyncPoint::BusyMark);
}

#[test]
fn a_missing_stamp_is_caught() {
    every_catcher_fails(SyncPoint::Stamp);
}

#[test]
fn a_missing_ready_word_is_caught() {
    every_catcher_fails(SyncPoint::Ready);
}

#[test]
fn a_missing_record_stamp_is_caught() {
    every_catcher_fails(SyncPoint::Record);
}

#[test]
fn a_missing_cursor_is_caught() {
    every_catcher_fails(SyncPoint::Cursor);
}

#[test]
fn a_missing_barrier_before_sleep_is_caught() {
    every_catcher_fails(SyncPoint::Asleep);
}

mod as_they_stand {
    //! With nothing taken away.

    macro_rules! models {
        ($($name:ident = $model:ident),+ $(,)?) => { $(#[test] fn $name() { super::$model.1(); })+ };
    }

    models! {
        spsc_hands_over = SPSC,
        spsc_resumes = RESUMED,
        spsc_producer_resumes = RISEN,
        broadcast_counts_laps = BROADCAST,
        tail_watches = TAIL,
        bytes_hand_over = BYTES,
        cells_are_untorn = CELLS,
        files_are_whole = FILES,
        bells_wake = BELLS,
    }
}
