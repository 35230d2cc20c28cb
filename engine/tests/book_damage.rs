//! Random damage of a random diff stream: a book is the venue's book at its id, or it says that it is not.

mod market;

use engine::book::{Book, Distrust, SyncRule, Trust};
use engine::domain::{Price, Side};
use market::{Diff, Levels, Market, list, put};

/// What follows a market: the book under test, or a simple reference with or without a bug.
trait Follower {
    fn diff(&mut self, diff: &Diff);
    fn snapshot(&mut self, id: u64, levels: &Levels);
    fn distrust(&mut self, why: Distrust);
    /// The id and levels, if they are to be trusted.
    fn trusted(&self) -> Option<(u64, Levels)>;
}

impl Follower for Book {
    fn diff(&mut self, diff: &Diff) {
        self.on_diff(diff.ids, &diff.bids, &diff.asks);
    }

    fn snapshot(&mut self, id: u64, levels: &Levels) {
        self.on_snapshot(id, &list(&levels.0), &list(&levels.1));
    }

    fn distrust(&mut self, why: Distrust) {
        Book::distrust(self, why);
    }

    fn trusted(&self) -> Option<(u64, Levels)> {
        let of = |side| self.side(side).iter().map(|level| (level.price.0, level.quantity.0)).collect();
        (self.trust() == Trust::Trusted).then(|| (self.update_id(), (of(Side::Buy), of(Side::Sell))))
    }
}

/// A mistake that a synchroniser could make.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    None,
    IgnoresGaps,
    ReplaysOldDiffs,
    SkipsTheFirstCheck,
}

/// The protocol once more, as plainly as it can be written: no bounds, no speed.
struct Reference {
    rule: SyncRule,
    bug: Bug,
    levels: Levels,
    id: u64,
    fresh: bool,
    trusted: bool,
    waiting: Vec<Diff>,
}

impl Reference {
    fn new(rule: SyncRule, bug: Bug) -> Self {
        let levels = Levels::default();
        Self { rule, bug, levels, id: 0, fresh: false, trusted: false, waiting: Vec::new() }
    }

    fn follows(&self, diff: &Diff) -> bool {
        if self.fresh && self.bug == Bug::SkipsTheFirstCheck {
            return true;
        }
        match (self.rule, self.fresh) {
            (SyncRule::Spot, _) => diff.ids.first <= self.id + 1,
            (SyncRule::Futures, true) => diff.ids.first <= self.id || diff.ids.previous == Some(self.id),
            (SyncRule::Futures, false) => diff.ids.previous == Some(self.id),
        }
    }

    fn take(&mut self, diff: &Diff) {
        let at_snapshot = self.rule == SyncRule::Futures && self.fresh;
        let old = if at_snapshot { diff.ids.last < self.id } else { diff.ids.last <= self.id };
        if old && self.bug != Bug::ReplaysOldDiffs {
            return;
        }
        if !old && !self.follows(diff) && self.bug != Bug::IgnoresGaps {
            self.trusted = false;
            self.waiting = vec![diff.clone()];
            return;
        }
        for (side, levels) in [(Side::Buy, &diff.bids), (Side::Sell, &diff.asks)] {
            for level in levels {
                put(&mut self.levels, side, level.price.0, level.quantity.0);
            }
        }
        (self.id, self.fresh) = (self.id.max(diff.ids.last), false);
    }
}

impl Follower for Reference {
    fn diff(&mut self, diff: &Diff) {
        if self.trusted {
            self.take(diff);
        } else {
            self.waiting.push(diff.clone());
        }
    }

    fn snapshot(&mut self, id: u64, levels: &Levels) {
        if self.trusted && id <= self.id {
            return;
        }
        (self.levels, self.id, self.fresh, self.trusted) = (levels.clone(), id, true, true);
        for diff in std::mem::take(&mut self.waiting) {
            self.diff(&diff);
        }
    }

    fn distrust(&mut self, _: Distrust) {
        self.trusted = false;
        self.waiting.clear();
    }

    fn trusted(&self) -> Option<(u64, Levels)> {
        self.trusted.then(|| (self.id, self.levels.clone()))
    }
}

fn verify(book: &dyn Follower, market: &Market, step: &str) -> Result<bool, String> {
    let Some((id, levels)) = book.trusted() else { return Ok(false) };
    let truth = market.at(id);
    if id <= market.last() && levels == truth {
        return Ok(true);
    }
    Err(format!("after {step}: trusted at {id}, but the book there is {truth:?}, not {levels:?}"))
}

/// Runs a damaged session: `harm` events of each kind in about a hundred diffs. Returns how often the book was
/// trusted and right.
fn session(book: &mut dyn Follower, rule: SyncRule, seed: u64, harm: u64) -> Result<u32, String> {
    let mut market = Market::new(rule, seed);
    let mut answers: Vec<(u64, u64)> = Vec::new();
    let mut right = 0;
    for step in 0..120 {
        if book.trusted().is_none() || market.dice.once_in(15) {
            // A snapshot inside or at the end of the newest diffs, answered now or up to twelve diffs later.
            let taken = market.last() - market.dice.below(12).min(market.last() - 1);
            let delay = if market.dice.once_in(2) { 0 } else { market.dice.below(12) };
            answers.push((step + delay, taken));
        }
        let diff = market.diff();
        let (what, frames) = match market.dice.below(100) / harm.max(1) {
            _ if harm == 0 => ("a diff", vec![diff]),
            0 => ("a drop", vec![]),
            1 => ("a repetition", vec![diff.clone(), diff]),
            2 => ("a swap", vec![market.diff(), diff]),
            3 => {
                book.distrust(Distrust::Malformed);
                ("a cut", vec![])
            }
            4 => {
                book.distrust(Distrust::Disconnected);
                ("a new connection", vec![])
            }
            _ => ("a diff", vec![diff]),
        };
        for frame in &frames {
            book.diff(frame);
            right += u32::from(verify(book, &market, what)?);
        }
        let due: Vec<_> = answers.extract_if(.., |&mut (at, _)| at <= step).collect();
        for (_, id) in due {
            book.snapshot(id, &market.at(id));
            right += u32::from(verify(book, &market, "a snapshot")?);
        }
    }
    book.snapshot(market.last(), &market.at(market.last()));
    match book.trusted() {
        Some((id, _)) if id == market.last() => verify(book, &market, "the end").map(|_| right),
        other => Err(format!("a fresh snapshot gave {:?}, not {}", other.map(|(id, _)| id), market.last())),
    }
}

const RULES: [SyncRule; 2] = [SyncRule::Spot, SyncRule::Futures];

#[test]
fn a_book_is_right_or_untrusted() {
    for rule in RULES {
        let mut right = 0;
        for seed in 0..160 {
            let mut book = Book::new(rule, Price(i64::try_from(seed % 3).expect("small")));
            right +=
                session(&mut book, rule, seed, seed % 8).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        }
        // Distrust of everything would be right as well, and useless.
        assert!(right > 160 * 30, "{rule:?}: trusted only {right} times");
    }
}

#[test]
fn an_undamaged_stream_is_trusted_from_the_first_good_snapshot_on() {
    for rule in RULES {
        for seed in 0..20 {
            let mut market = Market::new(rule, seed);
            let mut book = Book::new(rule, Price(1));
            let early = market.diff();
            Follower::diff(&mut book, &early);
            book.snapshot(early.ids.last, &market.at(early.ids.last));
            for _ in 0..100 {
                let diff = market.diff();
                Follower::diff(&mut book, &diff);
                assert_eq!(verify(&book, &market, "a diff"), Ok(true));
                assert_eq!(book.update_id(), market.last());
            }
            assert_eq!((book.applied() >= 100, book.counts().gaps), (true, 0));
        }
    }
}

#[test]
fn the_check_finds_each_planted_bug_and_passes_the_reference_without() {
    let outcome = |rule, bug| {
        let run = |seed| session(&mut Reference::new(rule, bug), rule, seed, 5);
        (0..100).filter(|&seed| run(seed).is_err()).count()
    };
    for rule in RULES {
        assert_eq!(outcome(rule, Bug::None), 0);
        for bug in [Bug::IgnoresGaps, Bug::ReplaysOldDiffs, Bug::SkipsTheFirstCheck] {
            let found = outcome(rule, bug);
            assert!(found > 10, "{rule:?}, {bug:?}: only {found} of 100");
        }
    }
}
