//! What the agents ask of nobody once they are warm: memory, pages, calls of the kernel. And a replay by deadlines and
//! decoded events is the replay in which every agent is driven again and again over rings.

#[path = "../support/mod.rs"]
mod support;
mod bracket;
mod watch;
mod replay;
mod moments;

use std::hint::black_box;
use std::path::Path;

use std::sync::mpsc::channel;

use bracket::{Bracket, Told};
use engine::domain::Nanos;
use engine::message::report::{OrderState, ReportKind};
use engine::shm::late::LOOK_EVERY;
use engine::simulation::faults::{FaultRates, Faults};
use replay::{Joined, Make, Reading, Traders, by_deadlines, by_turns, frames, market_making};
use support::{generated_of, tape};
use watch::{Seen, Watch};

/// The agents, as [`Watch::seen`] names them.
const AGENTS: [&str; 4] = ["ingest", "strategy", "risk", "route"];

/// Replays of which one must be without a fault: the machine may take a page away by itself, ours comes every time.
const TRIES: usize = 3;

/// Gives the kernel back what earlier replays have touched, so that none finds it.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code)]
fn forget() {
    // SAFETY: it takes memory that nobody holds.
    unsafe { libc::malloc_trim(0) };
}

/// The replays of other allocators' programs may find what earlier ones have touched.
#[cfg(not(target_env = "gnu"))]
const fn forget() {}

/// Half of a tape under watch: by then the book has reached its size.
fn watched(tape: &Path, joined: Joined, planted: Option<Box<dyn FnOnce()>>) -> (Watch, Nanos) {
    forget();
    let mut watch = Watch::new();
    let warm = frames(tape) / 2;
    let how = (joined, Nanos::from_millis(3), Traders::of(&market_making));
    let played = by_turns(tape, how, (&mut watch, warm), planted);
    assert!(played.sent > 0, "nothing was traded");
    assert!(AGENTS.iter().all(|agent| watch.seen.contains_key(agent)), "{:?}", watch.seen.keys());
    (watch, played.watched)
}

/// Holds the replays by deadlines, read here and ahead, to the replay by turns; how many replays that is.
fn agree(tape: &Path, latency: Nanos, traders: Traders<'_>) -> usize {
    let once = |read| by_deadlines(tape, (read, latency), traders, None).expect("played");
    let (hash, sent) = once(Reading::Here);
    assert_eq!(once(Reading::Ahead), (hash.clone(), sent), "read ahead, feed latency {latency:?}");
    let other = by_turns(tape, (Joined::Closed, latency, traders), (&mut Watch::new(), u64::MAX), None);
    assert!(sent > 0, "nothing was traded");
    assert_eq!((hash, sent), (other.hash, other.sent), "feed latency {latency:?}");
    3
}

#[test]
fn a_replay_by_deadlines_is_the_replay_by_turns() {
    let home = tempfile::tempdir().expect("a folder");
    let tape = tape(home.path(), "cryptofeed_usdm_20210405");
    for latency in [Nanos::ZERO, Nanos::from_millis(7), Nanos::from_millis(700)] {
        agree(&tape, latency, Traders::of(&market_making));
    }
}

/// Whether both of each pair came to rest, and one of them ended by a trade and the other with it.
fn judge(told: &Told) {
    // Risk lets none through before it knows a price, and refuses both.
    let refused = |of: u64| told.refused.iter().any(|(sequence, _)| *sequence == of);
    let (refusals, pairs): (Vec<[u64; 2]>, Vec<_>) =
        told.pairs.iter().partition(|pair| pair.iter().any(|&of| refused(of)));
    assert!(refusals.iter().flatten().all(|&of| refused(of)), "{:?}", told.refused);
    assert!(pairs.len() > 10, "{} pairs, and {:?}", pairs.len(), told.refused);
    let ends = |of: u64| {
        let reports = || told.reports.iter().filter(|(sequence, ..)| *sequence == of);
        assert!(reports().any(|(_, kind, _)| *kind == ReportKind::Accepted), "{of} came to rest");
        reports().map(|(.., state)| *state).filter(|state| state.is_terminal()).collect::<Vec<_>>()
    };
    let (last, pairs) = pairs.split_last().expect("pairs");
    for pair in pairs {
        let mut ends = pair.map(ends);
        ends.sort();
        assert_eq!(ends, [vec![OrderState::Filled], vec![OrderState::Expired]], "{pair:?}");
    }
    // What still rested was cancelled at the end.
    assert!(last.map(ends).iter().all(|ends| ends.len() == 1), "{last:?}");
}

#[test]
fn a_strategy_places_pairs_and_hears_of_both_the_same_in_every_replay() {
    let home = tempfile::tempdir().expect("a folder");
    let tape = generated_of(home.path(), &["BTCUSDT"], 120);
    let latency = Nanos::from_millis(7);
    let once = |by_rings: bool| {
        let (say, heard) = channel();
        let make: Make<'_> = &|index, instrument| Box::new(Bracket::new(index, instrument, say.clone()));
        let outcome = if by_rings {
            let how = (Joined::Closed, latency, Traders::of(make));
            let played = by_turns(&tape, how, (&mut Watch::new(), u64::MAX), None);
            (played.hash, played.sent)
        } else {
            by_deadlines(&tape, (Reading::Here, latency), Traders::of(make), None).expect("played")
        };
        judge(&Told::hear(&heard));
        outcome
    };
    let first = once(false);
    assert_eq!(once(false), first);
    assert_eq!(once(true), first);
}

#[test]
fn whatever_is_lost_of_a_pair_both_or_neither_were_placed_and_one_trades() {
    let home = tempfile::tempdir().expect("a folder");
    let tape = generated_of(home.path(), &["BTCUSDT"], 600);
    let (say, heard) = channel();
    let make: Make<'_> = &|index, instrument| Box::new(Bracket::new(index, instrument, say.clone()));
    let rates =
        FaultRates { lost_requests: 4, lost_answers: 6, repeated_answers: 6, ..FaultRates::default() };
    let played = |read| {
        by_deadlines(&tape, (read, Nanos::from_millis(7)), Traders::of(make), Some(Faults::new(1, rates)))
    };
    played(Reading::Here).expect("played");
    let told = Told::hear(&heard);
    let end = |of: u64| {
        let mut states =
            told.reports.iter().filter(|(sequence, ..)| *sequence == of).map(|(.., state)| *state);
        states.next_back().filter(|state| state.is_terminal())
    };
    let ends = told.pairs.iter().map(|pair| pair.map(end)).filter(|ends| *ends != [None; 2]);
    let ends: Vec<_> = ends.map(|ends| ends.map(|end| end.expect("both or neither"))).collect();
    let with = |state: OrderState| ends.iter().filter(|ends| ends.contains(&state)).count();
    assert!(with(OrderState::Filled) > 5 && with(OrderState::NeverPlaced) > 5, "{ends:?}");
    // Half of a request would be refused.
    assert_eq!(with(OrderState::Rejected), 0, "{ends:?}");
    for ends in &ends {
        let (of_both, filled) = (ends[0] == ends[1], ends.contains(&OrderState::Filled));
        let never = ends.contains(&OrderState::NeverPlaced);
        assert!(if filled { ends.contains(&OrderState::Expired) } else { !never || of_both }, "{ends:?}");
    }
}

#[test]
fn faults_are_refused_to_whoever_reads_ahead() {
    let home = tempfile::tempdir().expect("a folder");
    let tape = generated_of(home.path(), &["BTCUSDT"], 5);
    let faults = Some(Faults::new(1, FaultRates::USUAL));
    let refused = by_deadlines(&tape, (Reading::Ahead, Nanos::ZERO), Traders::of(&market_making), faults);
    assert!(refused.is_err_and(|error| error.to_string().contains("reads ahead")));
}

/// What each replay of several asked for, up to the first that is `right`.
fn tried(tape: &Path, joined: Joined, right: impl Fn(&Watch, Nanos) -> bool) -> Result<(), String> {
    let mut tries = Vec::new();
    for _ in 0..TRIES {
        let (watch, span) = watched(tape, joined, None);
        if right(&watch, span) {
            return Ok(());
        }
        tries.push((span, watch.seen));
    }
    Err(format!("{joined:?}, {TRIES} times: {tries:#?}"))
}

#[test]
fn warm_agents_ask_for_nothing() {
    let home = tempfile::tempdir().expect("a folder");
    let tape = tape(home.path(), "usdm_btcusdt_20240808");
    let nothing = |watch: &Watch, _| watch.seen.values().all(|seen| *seen == Seen::default());
    tried(&tape, Joined::Closed, nothing).expect("nothing");
}

#[test]
fn where_others_may_come_agents_look_for_them_and_ask_for_nothing_else() {
    let home = tempfile::tempdir().expect("a folder");
    let tape = tape(home.path(), "usdm_btcusdt_20240808");
    for joined in [Joined::Open, Joined::Apart] {
        let looks = |watch: &Watch, span: Nanos| {
            let looks = span.0.unsigned_abs() / LOOK_EVERY.0.unsigned_abs() + 1;
            watch.seen.values().all(|Seen { requests, faults, calls }| {
                (requests, faults) == (&0, &0)
                    && calls.iter().all(|(name, &count)| name == "stat" && count <= looks)
            })
        };
        tried(&tape, joined, looks).expect("a look every 100 ms and nothing else");
    }
}

#[test]
fn whoever_asks_is_seen() {
    let home = tempfile::tempdir().expect("a folder");
    let tape = tape(home.path(), "usdm_btcusdt_20240808");
    let seen = |planted: Box<dyn FnOnce()>| {
        let (watch, _) = watched(&tape, Joined::Closed, Some(planted));
        (watch.seen["planted"].clone(), watch.sees_calls())
    };
    let (asked, _) = seen(Box::new(|| drop(black_box(Vec::<u64>::with_capacity(1)))));
    assert_eq!(asked, Seen { requests: 1, ..Seen::default() });

    // A mapping of its own, of which nobody has touched the second page.
    let mut untouched = vec![0_u8; 64 << 20].leak();
    let (asked, _) = seen(Box::new(move || black_box(&mut untouched)[8_192] = 1));
    assert_eq!(asked, Seen { faults: 1, ..Seen::default() });

    let (asked, sees_calls) = seen(Box::new(|| _ = black_box(std::os::unix::process::parent_id())));
    let calls = [("getppid".to_owned(), 1)].into_iter().filter(|_| sees_calls).collect();
    assert_eq!(asked, Seen { calls, ..Seen::default() });
}
