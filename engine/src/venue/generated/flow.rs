//! The order flow of one symbol: limit orders, market orders and cancels drawn at random around a fair price that
//! nobody but the flow knows.
//!
//! The fair price walks, and its volatility comes in bursts that decay. Market orders run after it, so the book
//! follows; limit orders avoid being on its wrong side. Spreads, depth and trades are what comes of that.

use crate::book::Level;
use crate::domain::{Price, Quantity, Side};
use crate::message::tick::Top;
use crate::venue::generated::ladder::{LEVELS_MAX, Ladder};
use crate::venue::generated::profile::{ORDER_LOTS, Profile};
use crate::venue::generated::random::Random;

/// The fair price has this many bits below a tick.
const FAIR_BITS: u32 = 8;

/// Levels a side that arrivals and cancels balance at.
const LEVELS_USUAL: usize = 200;

/// Levels a side that nothing takes: a side is never empty.
const LEVELS_MIN: usize = 10;

/// Most levels that one market order takes.
pub(super) const SWEEP_MAX: usize = 8;

/// The fair price stays within this factor of the start.
const RANGE: i64 = 4;

/// One trade, in ticks and lots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trade {
    pub(super) id: u64,
    pub(super) price: Price,
    pub(super) quantity: Quantity,
    pub(super) aggressor: Side,
}

/// The book of one symbol, and what moves it.
#[derive(Debug)]
pub(super) struct Flow {
    random: Random,
    bids: Ladder,
    asks: Ladder,
    start: i64,
    /// Fair price in ticks, shifted by `FAIR_BITS`.
    fair: i64,
    /// Deviation of the fair price over one event, in the same unit, and what it decays to.
    volatility: i64,
    calm: i64,
    /// Usual distance of limit orders, in ticks.
    grain: i64,
    update_id: u64,
    trade_id: u64,
    trades: Vec<Trade>,
}

impl Flow {
    /// A book with its usual depth. `rate` is events a second.
    pub(super) fn new(profile: &Profile, seed: u64, rate: u32) -> Self {
        let start = profile.start_ticks;
        // Whatever the rate, about 0.3 basis points a second: the deviation of a walk grows with its root.
        let calm = ((start << FAIR_BITS) * 3 / (100_000 * i64::from(rate.isqrt().max(1)))).max(1);
        let ids = profile.hash % 1_000_000_000;
        let mut flow = Self {
            random: Random::new(seed ^ profile.hash),
            bids: Ladder::new(Side::Buy),
            asks: Ladder::new(Side::Sell),
            start,
            fair: start << FAIR_BITS,
            volatility: calm,
            calm,
            grain: (start / 20_000).max(2),
            update_id: 10_000_000_000 + ids,
            trade_id: 1_000_000_000 + ids,
            trades: Vec::with_capacity(SWEEP_MAX),
        };
        flow.bids.add(Price(start - 1), Quantity(ORDER_LOTS));
        flow.asks.add(Price(start + 1), Quantity(ORDER_LOTS));
        // On a coarse grid some orders share a level.
        for _ in 0..LEVELS_USUAL * 3 / 2 {
            flow.place(Side::Buy);
            flow.place(Side::Sell);
        }
        flow.bids.clear_changes();
        flow.asks.clear_changes();
        flow
    }

    pub(super) const fn side(&self, side: Side) -> &Ladder {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    pub(super) const fn side_mut(&mut self, side: Side) -> &mut Ladder {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    pub(super) const fn update_id(&self) -> u64 {
        self.update_id
    }

    /// The trades of the last event, in order.
    pub(super) fn trades(&self) -> &[Trade] {
        &self.trades
    }

    pub(super) fn top(&self) -> Top {
        let (bid, ask) = (self.bids.best(), self.asks.best());
        Top { bid: bid.price, bid_quantity: bid.quantity, ask: ask.price, ask_quantity: ask.quantity }
    }

    /// Draws and applies one event; whether it changed the best bid or ask.
    pub(super) fn step(&mut self) -> bool {
        self.walk();
        self.trades.clear();
        let before = self.top();
        let fair = self.fair >> FAIR_BITS;
        let side = if self.random.one_in(2) { Side::Buy } else { Side::Sell };
        // A side at its usual depth gains as much as it loses.
        let levels = i64::try_from(self.side(side).levels().len()).unwrap_or(i64::MAX);
        let usual = i64::try_from(LEVELS_USUAL).unwrap_or(i64::MAX);
        // A quote on the wrong side of the fair price is run after, or pulled.
        let stale = if fair >= before.ask.0 {
            Some(Side::Sell)
        } else if fair <= before.bid.0 {
            Some(Side::Buy)
        } else {
            None
        };
        let changed = match (stale, self.random.below(3)) {
            (Some(quoted), 0) => self.take(quoted.opposite(), Some(fair)),
            (Some(quoted), 1) => self.pull(quoted),
            _ if self.random.below(100) < 8 => self.take(side, None),
            _ if self.random.below(2 * usual) < levels => self.cancel(side),
            _ => self.place(side),
        };
        self.update_id += u64::from(changed);
        self.top() != before
    }

    /// Moves the fair price and its volatility by one event.
    fn walk(&mut self) {
        self.volatility -= (self.volatility - self.calm) / 64;
        if self.random.one_in(1_000) {
            let burst = self.calm * (3 + self.random.below(8));
            self.volatility = (self.volatility + burst).min(self.calm * 24);
        }
        // Uniform of this half width has about the wanted deviation: the root of three.
        let half = self.volatility + self.volatility * 3 / 4;
        let pull = ((self.start << FAIR_BITS) - self.fair) / (1 << 20);
        let bounds = ((self.start << FAIR_BITS) / RANGE, (self.start << FAIR_BITS) * RANGE);
        self.fair = (self.fair + self.random.below(2 * half + 1) - half + pull).clamp(bounds.0, bounds.1);
    }

    /// A market order: takes the best levels of the other side, down to `limit`.
    fn take(&mut self, aggressor: Side, limit: Option<i64>) -> bool {
        let mut wanted = self.draw_quantity();
        while wanted.0 > 0 && self.trades.len() < SWEEP_MAX {
            let ladder = self.side_mut(aggressor.opposite());
            let best = ladder.best();
            let beyond = limit.is_some_and(|limit| (best.price.0 - limit) * aggressor.sign() > 0);
            if beyond || ladder.levels().len() <= LEVELS_MIN {
                break;
            }
            let quantity = ladder.reduce(ladder.levels().len() - 1, wanted);
            wanted.0 -= quantity.0;
            self.trade_id += 1;
            self.trades.push(Trade { id: self.trade_id, price: best.price, quantity, aggressor });
        }
        !self.trades.is_empty()
    }

    /// A limit order: never crosses, and is not quoted on the wrong side of the fair price.
    fn place(&mut self, side: Side) -> bool {
        let sign = side.sign();
        let fair = self.fair >> FAIR_BITS;
        let own = self.side(side).best().price.0;
        let other = self.side(side.opposite()).best().price.0;
        let spread = (other - own) * sign;
        // The best price that is passive, seen from this side.
        let passive = if (fair - other) * sign < 0 { fair } else { other - sign };
        let wanted = match self.random.below(8) {
            0 => own,
            1 => own + sign * (1 + self.random.below((spread - 1).min(self.grain))),
            _ => {
                let far = self.grain << self.random.geometric(9);
                passive - sign * self.random.exponential(far).min(fair / 20)
            }
        };
        let price = if (wanted - passive) * sign > 0 { passive } else { wanted };
        let quantity = self.draw_quantity();
        self.side_mut(side).add(Price(price.max(1)), quantity);
        true
    }

    /// A cancel of all or half of a level: half of the time near the best, where quotes live short.
    fn cancel(&mut self, side: Side) -> bool {
        let length = self.side(side).levels().len();
        let near = if self.random.one_in(2) { length.min(16) } else { length };
        let from_best = usize::try_from(self.random.below(i64::try_from(near).unwrap_or(0))).unwrap_or(0);
        let Some(at) = (length - 1).checked_sub(from_best).filter(|_| length > LEVELS_MIN) else {
            return false;
        };
        let Quantity(resting) = self.side(side).levels()[at].quantity;
        let part = if self.random.one_in(4) { (resting / 2).max(1) } else { resting };
        self.side_mut(side).reduce(at, Quantity(part));
        true
    }

    /// A cancel of the best level.
    fn pull(&mut self, side: Side) -> bool {
        let ladder = self.side_mut(side);
        let length = ladder.levels().len();
        if length > LEVELS_MIN {
            ladder.reduce(length - 1, Quantity(i64::MAX));
        }
        length > LEVELS_MIN
    }

    /// Lots of an order: mostly small, seldom large, never none.
    fn draw_quantity(&mut self) -> Quantity {
        let scale = ORDER_LOTS << self.random.geometric(5);
        Quantity(1 + self.random.below(scale))
    }

    /// Levels of a side, best first.
    pub(super) fn levels(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        self.side(side).levels().iter().rev().copied()
    }
}

const _: () = assert!(LEVELS_MIN < LEVELS_USUAL && LEVELS_USUAL < LEVELS_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(symbol: &str, seed: u64) -> Flow {
        Flow::new(&Profile::new(symbol).expect("a symbol"), seed, 50)
    }

    #[test]
    fn the_book_is_sound_after_every_event() {
        for symbol in ["BTCUSDT", "XRPUSDT", "ETHBTC"] {
            let mut flow = flow(symbol, 3);
            let (mut trades, mut tops, mut id) = (0, 0, flow.trade_id);
            for _ in 0..50_000 {
                let (before, update) = (flow.top(), flow.update_id());
                let moved = flow.step();
                let top = flow.top();
                assert!(top.is_sound() && top.bid_quantity.0 > 0 && top.ask_quantity.0 > 0, "{top:?}");
                assert_eq!(moved, top != before);
                assert!(flow.update_id() == update + 1 || !moved && flow.trades().is_empty());
                for trade in flow.trades() {
                    id += 1;
                    assert_eq!(trade.id, id);
                    match trade.aggressor {
                        Side::Buy => assert!(trade.price >= before.ask),
                        Side::Sell => assert!(trade.price <= before.bid),
                    }
                }
                trades += flow.trades().len();
                tops += usize::from(moved);
            }
            let levels = flow.bids.levels().len().min(flow.asks.levels().len());
            println!("{symbol}: {trades} trades, {tops} changes of the top, {levels} levels");
            assert!(
                trades > 2_000 && tops > 5_000 && levels > 2 * LEVELS_MIN,
                "{symbol}: {trades} {tops} {levels}"
            );
        }
    }

    #[test]
    fn the_market_moves_and_follows_its_fair_price() {
        let mut flow = flow("BTCUSDT", 11);
        let (mut low, mut high, mut far) = (i64::MAX, 0, 0);
        let steps = 100_000;
        for _ in 0..steps {
            flow.step();
            let mid = flow.top().mid_times_two() / 2;
            (low, high) = (low.min(mid), high.max(mid));
            far += u32::from((mid - (flow.fair >> FAIR_BITS)).abs() > flow.start / 1_000);
        }
        println!("{low} to {high}, {far} of {steps} far from the fair price");
        assert!(high - low > flow.start / 1_000, "it moves: {low} {high}");
        assert!(far < steps / 20, "it follows: {far}");
    }
}
