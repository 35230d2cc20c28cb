//! Books: near-touch updates, the top, and the worst case, beside a `BTreeMap`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::hint::black_box;

use engine::book::{Book, Ladder, Level, SyncRule};
use engine::domain::{Market, Price, Quantity, Side};
use engine::error::SetupError;

use crate::frames::{Change, Script, instrument};
use crate::histogram::Histogram;
use crate::report::{Ratio, Row, Target};
use crate::rig::Placement;
use crate::series::{Samples, Series};
use crate::suites::Bench;

const SUITE: &str = "book";

/// Levels a side of the books under test.
const DEPTH: usize = 1_000;

/// Levels a side of a change.
const CHANGED: usize = 20;

/// Changes applied in turn.
const CHANGES: usize = 256;

/// A book as most would write it.
#[derive(Default)]
struct Trees {
    bids: BTreeMap<Reverse<i64>, i64>,
    asks: BTreeMap<i64, i64>,
}

impl Trees {
    fn apply(&mut self, change: &Change) {
        for level in &change.bids {
            set(&mut self.bids, Reverse(level.price.0), level.quantity.0);
        }
        for level in &change.asks {
            set(&mut self.asks, level.price.0, level.quantity.0);
        }
    }

    fn top(&self) -> (Option<i64>, Option<i64>) {
        (self.bids.first_key_value().map(|(key, _)| key.0), self.asks.first_key_value().map(|(key, _)| *key))
    }
}

fn set<K: Ord>(tree: &mut BTreeMap<K, i64>, key: K, quantity: i64) {
    if quantity == 0 {
        tree.remove(&key);
    } else {
        tree.insert(key, quantity);
    }
}

/// Two ladders as a book holds them.
struct Ladders {
    bids: Ladder,
    asks: Ladder,
}

impl Ladders {
    fn apply(&mut self, change: &Change) {
        for &level in &change.bids {
            self.bids.set(level);
        }
        for &level in &change.asks {
            self.asks.set(level);
        }
    }
}

/// Runs the suite.
///
/// # Errors
/// When the books disagree.
pub fn run(bench: &mut Bench<'_>) -> Result<(), SetupError> {
    let spot = instrument("BTCUSDT", Market::Spot);
    let tick = spot.filters.tick;
    let mut script = Script::new(spot, 3);
    let start = script.book(DEPTH);
    let changes: Vec<Change> = (0..CHANGES).map(|_| script.change(CHANGED)).collect();
    let mut trees = Trees::default();
    trees.apply(&start);
    let mut ladders = Ladders { bids: Ladder::new(Side::Buy, tick), asks: Ladder::new(Side::Sell, tick) };
    ladders.bids.load(&start.bids);
    ladders.asks.load(&start.asks);
    let mut book = Book::new(SyncRule::Spot, tick);
    book.on_snapshot(script.update_id(), &start.bids, &start.asks);
    check(&mut ladders, &mut trees, &changes)?;

    let (mut ladder_rows, mut book_rows, mut tree_rows) =
        (Series::default(), Series::default(), Series::default());
    let batches = bench.scale().of(300, 100, 1);
    let count = changes.len() as u64;
    for _ in 0..bench.rounds() {
        let times = bench
            .rig
            .time_batches(batches, count, || changes.iter().for_each(|change| ladders.apply(change)));
        ladder_rows.add_alone(&times);
        let times = bench.rig.time_batches(batches, count, || {
            for change in &changes {
                black_box(book.on_diff(script.ids(), &change.bids, &change.asks));
            }
        });
        book_rows.add_alone(&times);
        let times =
            bench.rig.time_batches(batches, count, || changes.iter().for_each(|change| trees.apply(change)));
        tree_rows.add_alone(&times);
    }
    if !book.is_trusted() {
        return Err(SetupError::Invalid("book: the book lost its trust under sound diffs".to_owned()));
    }
    let faster = |_, own: &Samples| {
        let times = tree_rows.alone().map_or(f64::NAN, |trees| trees.over(own));
        vec![Ratio::promised("faster than BTreeMap", times, Target::AtLeast(4.0))]
    };
    bench.report.push_series(SUITE, "40 near-touch levels: ladders", &ladder_rows, &faster);
    let faster = |_, own: &Samples| {
        vec![Ratio::plain(
            "faster than BTreeMap",
            tree_rows.alone().map_or(f64::NAN, |trees| trees.over(own)),
        )]
    };
    bench.report.push_series(SUITE, "40 near-touch levels: book, ids and trust", &book_rows, &faster);
    bench.report.push_series(SUITE, "40 near-touch levels: BTreeMap", &tree_rows, &|_, _| Vec::new());
    tops(bench, tick);
    worst(bench, tick);
    Ok(())
}

fn check(ladders: &mut Ladders, trees: &mut Trees, changes: &[Change]) -> Result<(), SetupError> {
    for change in changes {
        ladders.apply(change);
        trees.apply(change);
        let bids = ladders.bids.iter().map(|level| (level.price.0, level.quantity.0));
        let asks = ladders.asks.iter().map(|level| (level.price.0, level.quantity.0));
        let same = bids.eq(trees.bids.iter().map(|(key, &quantity)| (key.0, quantity)))
            && asks.eq(trees.asks.iter().map(|(&key, &quantity)| (key, quantity)));
        let top =
            (ladders.bids.best().map(|level| level.price.0), ladders.asks.best().map(|level| level.price.0));
        if !same || top != trees.top() {
            return Err(SetupError::Invalid("book: ladder and BTreeMap disagree".to_owned()));
        }
    }
    Ok(())
}

/// The top of books of any depth costs the same.
fn tops(bench: &mut Bench<'_>, tick: Price) {
    let batches = bench.scale().of(2_000, 500, 2);
    let mut flat = None;
    for depth in [10_i64, 100, 1_000, 10_000, 100_000] {
        let mut ladder = Ladder::new(Side::Sell, tick);
        let level = |n| Level { price: Price(6_400_000 + n), quantity: Quantity(1 + n) };
        ladder.load(&(0..depth).map(level).collect::<Vec<_>>());
        let times = bench.rig.time_batches(batches, 1_000, || {
            (0..1_000).for_each(|_| _ = black_box(black_box(&ladder).best()));
        });
        let first = *flat.get_or_insert(times.at(0.5));
        let ratio = Ratio::plain("the book of 10", times.at(0.5) / first);
        bench
            .report
            .push(Row::times(SUITE, format!("top of {depth} levels"), Placement::Alone, times).with(ratio));
    }
}

/// A price that jumps away from everything known: the ladder follows, and sometimes redistributes all its levels.
fn worst(bench: &mut Bench<'_>, tick: Price) {
    let rig = bench.rig;
    let level = |price: i64, quantity| Level { price: Price(price), quantity: Quantity(quantity) };
    let (mut jumps, mut tree_jumps) = (Histogram::prepared(), Histogram::prepared());
    for round in 0..i64::from(bench.rounds()) {
        let mut ladder = Ladder::new(Side::Sell, tick);
        let mut tree = BTreeMap::new();
        let levels: Vec<_> = (0..5_000).map(|n| level(6_400_000 + n * (1 + round % 3), 1 + n)).collect();
        ladder.load(&levels);
        levels.iter().for_each(|level| set(&mut tree, level.price.0, level.quantity.0));
        // Downwards by more than any window holds, again and again: every level lands out of reach at first.
        let mut price = 6_400_000;
        for step in 0..bench.rig.scale.of(4_000, 1_000, 50) {
            price -= 37 + (step % 11) * 101;
            let ((), time) = rig.time(|| _ = black_box(ladder.set(level(price, 5))));
            jumps.record(time);
            let ((), time) = rig.time(|| set(&mut tree, price, 5));
            tree_jumps.record(time);
        }
    }
    let ratio = Ratio::plain("the BTreeMap's worst", jumps.max() / tree_jumps.max());
    let row = Row::times(SUITE, "worst case: falling price, each level alone", Placement::Alone, jumps);
    bench.report.push(row.with(ratio));
    bench.report.push(Row::times(SUITE, "worst case: BTreeMap", Placement::Alone, tree_jumps));
}
