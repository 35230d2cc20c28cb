//! Bars over trades, by the exchange's clock.

use engine::domain::{Nanos, Price, Quantity};

/// How long a span stays open after its end, so that trades on their way still count.
pub const GRACE: Nanos = Nanos::from_millis(250);

/// A bar being built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// When its span opened.
    pub opened: Nanos,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Quantity traded.
    pub volume: Quantity,
    /// Number of trades.
    pub trades: u64,
    /// Whether every trade of the span was seen.
    pub complete: bool,
}

/// The bars of one symbol and length.
#[derive(Clone, Copy, Debug)]
pub struct Bars {
    length: Nanos,
    present: Option<Bar>,
    /// Spans that open before it are not complete: trades may be missing.
    whole_from: Nanos,
}

impl Bars {
    /// Bars of `length`, of which those that open before `now` are incomplete.
    #[must_use]
    pub const fn new(length: Nanos, now: Nanos) -> Self {
        Self { length, present: None, whole_from: now }
    }

    /// Trades are missing up to `now`.
    pub const fn missed(&mut self, now: Nanos) {
        self.whole_from = now;
        if let Some(bar) = &mut self.present {
            bar.complete = false;
        }
    }

    /// Adds a trade; gives the bar that it closed, if any. A trade of a span that is over counts in the present one.
    pub fn add(&mut self, at: Nanos, price: Price, quantity: Quantity) -> Option<Bar> {
        let opened = Nanos(at.0 - at.0.rem_euclid(self.length.0));
        let closed = match self.present {
            Some(bar) if opened > bar.opened => self.present.take(),
            _ => None,
        };
        let complete = opened >= self.whole_from;
        let bar = self.present.get_or_insert(Bar {
            opened,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Quantity::ZERO,
            trades: 0,
            complete,
        });
        bar.high = bar.high.max(price);
        bar.low = bar.low.min(price);
        bar.close = price;
        bar.volume = Quantity(bar.volume.0.saturating_add(quantity.0));
        bar.trades += 1;
        closed
    }

    /// The bar whose span and grace are over at `now`.
    pub fn close(&mut self, now: Nanos) -> Option<Bar> {
        let over = |bar: &Bar| now >= bar.opened.saturating_add(self.length).saturating_add(GRACE);
        if self.present.as_ref().is_some_and(over) { self.present.take() } else { None }
    }

    /// The bar being built.
    #[must_use]
    pub const fn present(&self) -> Option<&Bar> {
        self.present.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = Nanos::from_secs(1);

    fn add(bars: &mut Bars, millis: i64, price: i64) -> Option<Bar> {
        bars.add(Nanos::from_millis(millis), Price(price), Quantity(2))
    }

    #[test]
    fn a_bar_closes_by_the_next_trade_or_by_time() {
        let mut bars = Bars::new(SECOND, Nanos::from_millis(900));
        assert_eq!(add(&mut bars, 950, 5), None);
        for (millis, price) in [(1_000, 7), (1_400, 9), (1_999, 6)] {
            let closed = add(&mut bars, millis, price);
            assert_eq!(
                closed.map(|bar| (bar.opened, bar.complete)),
                (price == 7).then_some((Nanos::ZERO, false))
            );
        }
        // Late: counted where we are.
        assert_eq!(add(&mut bars, 990, 8), None);
        assert_eq!(bars.close(Nanos::from_millis(2_249)), None);
        let bar = bars.close(Nanos::from_millis(2_250)).expect("over");
        assert_eq!((bar.open, bar.high, bar.low, bar.close), (Price(7), Price(9), Price(6), Price(8)));
        assert_eq!((bar.volume, bar.trades, bar.complete), (Quantity(8), 4, true));
        assert_eq!(bars.present(), None);
    }

    #[test]
    fn a_bar_with_a_hole_says_so() {
        let mut bars = Bars::new(SECOND, Nanos::ZERO);
        add(&mut bars, 100, 5);
        assert!(bars.present().is_some_and(|bar| bar.complete));
        bars.missed(Nanos::from_millis(1_500));
        add(&mut bars, 1_600, 5);
        assert!(bars.present().is_some_and(|bar| !bar.complete));
        add(&mut bars, 2_000, 5);
        assert!(bars.present().is_some_and(|bar| bar.complete));
    }
}
