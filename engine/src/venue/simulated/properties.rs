//! Properties of the venue under random flow, and of the queue under an order-by-order market.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::config::QueueModel;
use super::fixture::{CONFIG, Rig, limit, maker_only, market, order_id, waits, with_tif};
use super::queue::{Position, Stamp};
use super::{Request, SimulationConfig};
use crate::domain::{Nanos, OrderType, Side, TimeInForce};
use crate::venue::{VenueEvent, VenueEventKind};

/// One step of a market that knows every order at one price.
#[derive(Clone, Copy, Debug)]
enum Queued {
    Join(i64),
    Leave(usize),
    /// Of a quantity; by how many ms the trade comes after the ticker it causes, or there is no ticker.
    Trade(i64, Option<i64>),
    Diff,
}

fn queued() -> impl Strategy<Value = Queued> {
    prop_oneof![
        (1..20_i64).prop_map(Queued::Join),
        (0..64_usize).prop_map(Queued::Leave),
        (1..30_i64, prop::option::of(0..=10_i64)).prop_map(|(quantity, late)| Queued::Trade(quantity, late)),
        Just(Queued::Diff),
    ]
}

/// Plays `steps` behind 40 of others and returns the first step after which the venue's queue had given us more than
/// the true one.
fn first_early_fill(mut position: Position, model: QueueModel, steps: &[Queued]) -> Option<usize> {
    // The true queue: quantity, and whether it stood there before us.
    let mut queue = vec![(15, true), (25, true)];
    let (mut truth, mut told, mut now) = (0, 0, Nanos::ZERO);
    for (index, step) in steps.iter().enumerate() {
        now = now + Nanos::from_millis(20);
        let timed = Stamp { event: Some(now), seen: now };
        let untimed = Stamp { event: None, seen: now };
        let level = |queue: &[(i64, bool)]| queue.iter().map(|(quantity, _)| quantity).sum::<i64>();
        match *step {
            Queued::Join(quantity) => queue.push((quantity, false)),
            Queued::Leave(at) if at < queue.len() => drop(queue.remove(at)),
            Queued::Leave(_) => {}
            Queued::Trade(quantity, late) => {
                let quantity = quantity.min(level(&queue));
                let ahead: i64 = queue.iter().filter(|order| order.1).map(|order| order.0).sum();
                truth += (quantity - ahead).max(0);
                let mut left = quantity;
                queue.retain_mut(|order| {
                    let traded = left.min(order.0);
                    (left, order.0) = (left - traded, order.0 - traded);
                    order.0 > 0
                });
                let mut stamp = timed;
                if let Some(ms) = late {
                    position.on_level(level(&queue), untimed, model);
                    now = now + Nanos::from_millis(ms);
                    stamp.seen = now;
                }
                told += position.on_trade(quantity, 0, stamp);
            }
            Queued::Diff => position.on_level(level(&queue), timed, model),
        }
        if told > truth {
            return Some(index);
        }
    }
    None
}

#[test]
fn a_queue_that_fills_too_early_is_caught() {
    let trades = [10, 30, 5].map(|quantity| Queued::Trade(quantity, None));
    assert_eq!(first_early_fill(Position::behind(40), QueueModel::RiskAverse, &trades), None);
    assert_eq!(
        first_early_fill(Position::behind(0), QueueModel::RiskAverse, &trades),
        Some(0),
        "forgets the queue"
    );
    // 70 of which 40 are ahead; a trade of 60 takes those and 20 more. Seen as a cancel first, it leaves 10 of them.
    let late = |ms| [Queued::Join(30), Queued::Diff, Queued::Trade(60, Some(ms))];
    assert_eq!(first_early_fill(Position::behind(40), QueueModel::RiskAverse, &late(10)), None);
    let twice = first_early_fill(Position::behind(40), QueueModel::RiskAverse, &late(11));
    assert_eq!(twice, Some(2), "beyond STREAM_SKEW one event counts as two");
}

/// One step of a random session.
#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(i64),
    /// A level's new quantity: bid or ask, distance from the middle.
    Level(Side, i64, i64),
    /// The middle moves; levels it passes are deleted.
    Move(i64),
    /// A ticker with what the book holds at the top, and one quantity changed.
    Ticker(i64),
    /// By an aggressor, so far beyond the middle.
    Trade(Side, i64, i64),
    /// A new order: style, side, distance, quantity.
    Place(u8, Side, i64, i64),
    Cancel(u64),
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

/// The styles of orders that a session has, and those of one that is to compare queues: without orders that wait.
const STYLES: u8 = 7;
const STYLES_AT_ONCE: u8 = 5;

/// Mostly the touch: levels grow, shrink and trade while our orders stand in them.
fn step(styles: u8) -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (0..30_i64).prop_map(Step::Wait),
        6 => (side(), 1..4_i64, 0..40_i64).prop_map(|(side, at, quantity)| Step::Level(side, at, quantity)),
        1 => (-2..=2_i64).prop_map(Step::Move),
        1 => (1..40_i64).prop_map(Step::Ticker),
        4 => (side(), 0..3_i64, 1..12_i64).prop_map(|(side, at, quantity)| Step::Trade(side, at, quantity)),
        2 => (0..styles, side(), 1..4_i64, 1..25_i64).prop_map(|(s, side, at, quantity)| Step::Place(s, side, at, quantity)),
        1 => (1..12_u64).prop_map(Step::Cancel),
    ]
}

/// A session: the rig, the market it invents, and what it has sent.
struct Session {
    rig: Rig,
    middle: i64,
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
    sent: BTreeMap<u64, (Request, Nanos)>,
    log: Vec<VenueEvent>,
}

impl Session {
    fn new(config: SimulationConfig) -> Self {
        let mut rig = Rig::without_book(super::fixture::instrument(), config);
        let (bids, asks) = ([(98, 9), (99, 12)], [(101, 8), (102, 20)]);
        rig.snapshot(&bids, &asks);
        let (bids, asks) = (BTreeMap::from(bids), BTreeMap::from(asks));
        Self { rig, middle: 100, bids, asks, sent: BTreeMap::new(), log: Vec::new() }
    }

    fn run(&mut self, steps: &[Step]) {
        for &step in steps {
            self.step(step);
            let events = self.rig.events();
            self.log.extend(events);
        }
        let events = self.rig.wait(1_000).events();
        self.log.extend(events);
    }

    fn step(&mut self, step: Step) {
        self.rig.wait(1);
        match step {
            Step::Wait(ms) => drop(self.rig.wait(ms)),
            Step::Level(Side::Buy, at, quantity) => self.set(self.middle - at, quantity, 0, 0),
            Step::Level(Side::Sell, at, quantity) => self.set(0, 0, self.middle + at, quantity),
            Step::Move(by) => self.shift(by),
            Step::Ticker(quantity) => {
                let bid = self.bids.last_key_value().map_or((0, 0), |(&price, &quantity)| (price, quantity));
                let ask = self.asks.first_key_value().map_or((0, 0), |(&price, _)| (price, quantity));
                self.rig.ticker(1, bid, ask);
            }
            Step::Trade(aggressor, at, quantity) => {
                let price = self.middle + aggressor.sign() * at;
                self.rig.trade(aggressor, price, quantity);
            }
            Step::Place(style, side, at, quantity) => self.place(style, side, at, quantity),
            Step::Cancel(sequence) => drop(self.rig.cancel(sequence)),
        }
    }

    fn set(&mut self, bid: i64, bid_quantity: i64, ask: i64, ask_quantity: i64) {
        let put = |levels: &mut BTreeMap<i64, i64>, price, quantity| {
            if quantity == 0 {
                levels.remove(&price)
            } else {
                levels.insert(price, quantity)
            };
        };
        put(&mut self.bids, bid, bid_quantity);
        put(&mut self.asks, ask, ask_quantity);
        let only = |price, quantity| if price == 0 { vec![] } else { vec![(price, quantity)] };
        self.rig.diff(&only(bid, bid_quantity), &only(ask, ask_quantity));
    }

    fn shift(&mut self, by: i64) {
        self.middle += by;
        let middle = self.middle;
        let gone = |levels: &BTreeMap<i64, i64>, passed: &dyn Fn(i64) -> bool| -> Vec<(i64, i64)> {
            levels.keys().filter(|&&price| passed(price)).map(|&price| (price, 0)).collect()
        };
        let bids = gone(&self.bids, &|price| price >= middle);
        let asks = gone(&self.asks, &|price| price <= middle);
        self.bids.retain(|&price, _| price < middle);
        self.asks.retain(|&price, _| price > middle);
        self.rig.diff(&bids, &asks);
    }

    /// Buys stand at or below 99 and sells at or above 101, so that ours never meet: see `a_careful_queue_…`.
    fn place(&mut self, style: u8, side: Side, at: i64, quantity: i64) {
        let sequence = self.sent.len() as u64 + 1;
        let price = 100 - side.sign() * at;
        let request = match style {
            0 => market(sequence, side, quantity),
            1 => maker_only(sequence, side, price, quantity),
            2 => with_tif(limit(sequence, side, price, quantity), TimeInForce::FillOrKill),
            5 => waits(OrderType::StopLoss, 100 + side.sign() * at, market(sequence, side, quantity)),
            6 => waits(OrderType::TakeProfitLimit, price, limit(sequence, side, price, quantity)),
            _ => limit(sequence, side, price, quantity),
        };
        self.rig.send(&request);
        self.sent.insert(sequence, (request, self.rig.now));
    }

    /// Filled of each order by the time of each event, in order of arrival.
    fn filled(&self) -> Vec<(u64, Nanos, i64)> {
        let trade = |event: &&VenueEvent| matches!(event.kind, VenueEventKind::Trade { .. });
        self.log.iter().filter(trade).map(|e| (e.id.sequence, e.received, e.cumulative.0)).collect()
    }
}

/// Without all orders but the first of each side: two of ours share what trades, so what the one gets sooner by a guess the
/// other gets later.
fn one_order_a_side(mut steps: Vec<Step>) -> Vec<Step> {
    let mut placed = [false; 2];
    steps.retain(|step| match step {
        Step::Place(_, side, ..) => !std::mem::replace(&mut placed[usize::from(*side == Side::Buy)], true),
        _ => true,
    });
    steps
}

fn config(power: Option<u32>, partial_fills: bool) -> SimulationConfig {
    let queue = power.map_or(QueueModel::RiskAverse, |power| QueueModel::Probabilistic { power });
    let (order_latency, answer_latency) = (Nanos::from_millis(7), Nanos::from_millis(5));
    SimulationConfig { queue, order_latency, answer_latency, partial_fills, ..CONFIG }
}

/// Checks the life of every order against what was sent.
fn check_lives(session: &Session) -> Result<(), TestCaseError> {
    let mut lives: BTreeMap<u64, (bool, i64, bool)> = BTreeMap::new();
    let (mut arrival, mut trades) = (Nanos::ZERO, 0);
    let mut set_off = BTreeSet::new();
    for event in &session.log {
        let id = event.id.sequence;
        prop_assert!(event.received >= arrival, "arrival times never go back");
        arrival = event.received;
        let Some((request, sent)) = session.sent.get(&id) else {
            prop_assert!(
                matches!(event.kind, VenueEventKind::CancelRejected { .. }),
                "an order we never sent"
            );
            continue;
        };
        if matches!(event.kind, VenueEventKind::CancelRejected { .. }) {
            continue;
        }
        prop_assert!(
            event.received >= *sent + Nanos::from_millis(12),
            "nothing travels faster than its latency"
        );
        let (accepted, filled, ended) = lives.entry(id).or_default();
        match event.kind {
            VenueEventKind::Accepted => {
                // What waits is accepted again when it is set off, and only then does anything but end.
                let again = std::mem::replace(accepted, true);
                prop_assert!(!again || (request.trigger.is_some() && set_off.insert(id)), "accepted once");
            }
            VenueEventKind::Rejected { .. } => *ended = true,
            VenueEventKind::Trade { quantity, trade_id, .. } => {
                prop_assert!(*accepted && !*ended, "trades come after the acceptance and before the end");
                prop_assert!(
                    !request.trigger.is_some() || set_off.contains(&id),
                    "nothing trades while it waits"
                );
                *filled += quantity.0;
                trades += 1;
                prop_assert_eq!(trade_id, trades);
                *ended = *filled == request.quantity.0;
            }
            VenueEventKind::Canceled | VenueEventKind::Expired => {
                prop_assert!(*accepted && !std::mem::replace(ended, true), "ends once");
            }
            other => prop_assert!(false, "{:?} was not asked for", other),
        }
        prop_assert_eq!(event.cumulative.0, *filled);
        prop_assert!(*filled <= request.quantity.0);
    }
    let open: Vec<u64> = session.rig.venue.open_orders().map(|order| order.id.sequence).collect();
    for id in session.sent.keys() {
        let (_, _, ended) = lives.get(id).copied().unwrap_or_default();
        prop_assert!(ended != open.contains(id), "an order has ended or is open: {}", id);
    }
    let sums = lives.iter().fold((0, 0), |(bought, sold), (id, (_, filled, _))| {
        let filled = i128::from(*filled);
        if session.sent[id].0.side == Side::Buy.code() {
            (bought + filled, sold)
        } else {
            (bought, sold + filled)
        }
    });
    let ledger = session.rig.venue.account().ledger(0);
    prop_assert_eq!((ledger.bought, ledger.sold, ledger.trades), (sums.0, sums.1, trades));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_careful_queue_never_fills_before_the_true_one(steps in prop::collection::vec(queued(), 0..60)) {
        prop_assert_eq!(first_early_fill(Position::behind(40), QueueModel::RiskAverse, &steps), None);
    }

    #[test]
    fn every_life_is_whole(steps in prop::collection::vec(step(STYLES), 0..120), power in prop::option::of(0..4_u32), partial: bool) {
        let mut session = Session::new(config(power, partial));
        session.run(&steps);
        check_lives(&session)?;
        let mut again = Session::new(config(power, partial));
        again.run(&steps);
        prop_assert_eq!(&session.log, &again.log, "the same calls give the same events");
    }

    #[test]
    fn a_careful_queue_never_fills_sooner_than_a_guess(steps in prop::collection::vec(step(STYLES_AT_ONCE), 0..120), power in 0..4_u32) {
        let steps = one_order_a_side(steps);
        let (mut careful, mut guess) = (Session::new(config(None, true)), Session::new(config(Some(power), true)));
        careful.run(&steps);
        guess.run(&steps);
        let guessed = guess.filled();
        for (id, at, filled) in careful.filled() {
            let by_then = guessed.iter().filter(|fill| fill.0 == id && fill.1 <= at).map(|fill| fill.2).max();
            prop_assert!(by_then.is_some_and(|other| other >= filled), "order {} at {:?}", order_id(id), at);
        }
    }
}

#[test]
fn the_random_sessions_reach_every_kind_of_event() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut kinds, mut differ, mut set_off) = (BTreeMap::new(), 0, 0);
    for _ in 0..128 {
        let steps =
            prop::collection::vec(step(STYLES), 120).new_tree(&mut runner).expect("a session").current();
        let (mut careful, mut guess) =
            (Session::new(config(None, true)), Session::new(config(Some(2), true)));
        careful.run(&steps);
        guess.run(&steps);
        differ += u32::from(careful.filled() != guess.filled());
        let waited = |id: &u64| careful.sent[id].0.trigger.is_some();
        set_off += careful.filled().iter().filter(|fill| waited(&fill.0)).count();
        for event in &careful.log {
            let kind = match event.kind {
                VenueEventKind::Trade { liquidity, .. } => liquidity.as_str(),
                VenueEventKind::Accepted => "ACCEPTED",
                VenueEventKind::Rejected { .. } => "REJECTED",
                VenueEventKind::Canceled => "CANCELED",
                VenueEventKind::Expired => "EXPIRED",
                _ => "CANCEL_REJECTED",
            };
            *kinds.entry(kind).or_insert(0_u32) += 1;
        }
    }
    assert_eq!(kinds.len(), 7, "{kinds:?}");
    assert!(kinds.values().all(|&count| count >= 20) && differ >= 5, "{kinds:?}, {differ} sessions differ");
    assert!(set_off >= 20, "{set_off} fills of orders that waited");
}
