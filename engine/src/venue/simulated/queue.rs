//! Queue position: how much of a price level stands before our order, as far as a book by price can tell.
//!
//! Trades advance an order exactly. What a level loses beyond its trades was cancelled, before or behind us: a
//! [`QueueModel`] guesses. The same change of the market comes twice, as a trade and as a level's new quantity, in
//! either order (in the recorded spot tapes most trades come after the `bookTicker` they caused, 1 ms later at the
//! median). So each order remembers what one stream has told and the other has not, and counts it once.
//!
//! The power models are those of <https://quant.stackexchange.com/questions/3782> as hftbacktest's documentation
//! names them, here in integers.

use super::config::QueueModel;
use crate::domain::Nanos;

/// How long after a book update without an event time a trade may still arrive that the update already holds, and
/// how long after a trade such an update may come that does not hold it yet. Recorded spot tapes: 90 % within 30 ms,
/// 50 % within 1 ms; 10 ms keeps a later, other trade from being taken for this one.
pub(super) const STREAM_SKEW: Nanos = Nanos::from_millis(10);

/// When something of the market happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::venue) struct Stamp {
    /// The exchange's event time, where the message has one.
    pub(in crate::venue) event: Option<Nanos>,
    /// When the exchange side of the simulation saw it.
    pub(in crate::venue) seen: Nanos,
}

impl Stamp {
    /// Whether this book update, which came first, already held `trade`.
    fn held(self, trade: Self) -> bool {
        match (self.event, trade.event) {
            (Some(update), Some(trade)) => trade <= update,
            _ => trade.seen - self.seen <= STREAM_SKEW,
        }
    }

    /// Whether this book update, which came second, holds `trade` for certain.
    fn holds(self, trade: Self) -> bool {
        match (self.event, trade.event) {
            (Some(update), Some(trade)) => trade <= update,
            _ => self.seen - trade.seen > STREAM_SKEW,
        }
    }
}

/// Where an order stands in the queue of its level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::venue) struct Position {
    /// The market's quantity before us; never negative, never more than `visible` right after a book update.
    ahead: i64,
    /// The level's quantity by the last book update.
    visible: i64,
    /// Traded at the level since, and not yet seen to leave it.
    traded: i64,
    /// The last of those trades.
    trade: Stamp,
    /// Left the level without a trade, so far.
    unexplained: i64,
    /// The part of `unexplained` that we took to be ahead of us.
    advanced: i64,
    /// The last of those updates.
    update: Stamp,
}

impl Position {
    /// The end of a level that holds `visible`.
    pub(in crate::venue) fn behind(visible: i64) -> Self {
        Self { ahead: visible, visible, ..Self::default() }
    }

    /// The end of a level that holds `visible` by the last book update, of which only `open` is still there.
    pub(in crate::venue) fn joining(open: i64, visible: i64) -> Self {
        Self { ahead: open.min(visible), ..Self::behind(visible) }
    }

    /// Someone whom the market does not see took `quantity` of the market's from the front of the level.
    pub(in crate::venue) fn on_taken(&mut self, quantity: i64) {
        self.ahead = (self.ahead - quantity).max(0);
    }

    /// The market's quantity before us.
    pub(in crate::venue) const fn ahead(&self) -> i64 {
        self.ahead
    }

    /// A trade of `quantity` at our price, of which `ours` went to our own earlier orders there. Returns what of it
    /// reaches us.
    pub(in crate::venue) fn on_trade(&mut self, quantity: i64, ours: i64, stamp: Stamp) -> i64 {
        if !self.update.held(stamp) {
            (self.unexplained, self.advanced) = (0, 0);
        }
        let told = quantity.min(self.unexplained);
        let counted = told.min(self.advanced);
        self.unexplained -= told;
        self.advanced -= counted;
        if quantity > told {
            self.traded = self.traded.saturating_add(quantity - told);
            self.trade = stamp;
        }
        let reaches = (quantity - ours - counted).max(0);
        let consumed = reaches.min(self.ahead);
        self.ahead -= consumed;
        reaches - consumed
    }

    /// The level holds `visible` now.
    pub(in crate::venue) fn on_level(&mut self, visible: i64, stamp: Stamp, model: QueueModel) {
        if visible == self.visible && self.traded == 0 {
            // Mostly: nothing was lost, and there is nothing to explain it with.
            self.ahead = self.ahead.min(visible);
            return;
        }
        let lost = (self.visible - visible).max(0);
        let explained = lost.min(self.traded);
        let cancelled = lost - explained;
        let before = self.ahead;
        if cancelled > 0 {
            let back = (self.visible - explained - self.ahead).max(0);
            self.ahead -= share_ahead(model, self.ahead, back, cancelled);
        }
        self.ahead = self.ahead.min(visible);
        if cancelled > 0 {
            self.unexplained = self.unexplained.saturating_add(cancelled);
            self.advanced = self.advanced.saturating_add(before - self.ahead);
            self.update = stamp;
        }
        self.traded = if stamp.holds(self.trade) { 0 } else { self.traded - explained };
        self.visible = visible;
    }

    /// Whether the level's quantity, told again as it is, would change nothing.
    pub(in crate::venue) const fn is_settled(&self) -> bool {
        self.traded == 0
    }

    /// An earlier order of ours stands at `earlier`: this one cannot be before it.
    pub(in crate::venue) fn stay_behind(&mut self, earlier: i64) {
        self.ahead = self.ahead.max(earlier);
    }
}

/// How much of `cancelled` stood in `front` rather than in `back`; at most `front`.
///
/// Rounded down, in our disfavour. What `back` cannot have held stood in front whatever the model.
fn share_ahead(model: QueueModel, front: i64, back: i64, cancelled: i64) -> i64 {
    let share = match model {
        QueueModel::RiskAverse => 0,
        QueueModel::Probabilistic { power } => power_share(power, front, back, cancelled),
    };
    share.max(cancelled - back).min(front)
}

/// `cancelled × front^power / (front^power + back^power)`, rounded down.
///
/// Where the powers would not fit 128 bits both sides first lose the same number of low bits, which changes the
/// ratio by less than the digits that remain.
fn power_share(power: u32, front: i64, back: i64, cancelled: i64) -> i64 {
    let wide = |value: i64| u128::from(value.unsigned_abs());
    let bits = |value: u128| u128::BITS - value.leading_zeros();
    let (front, back, cancelled) = (wide(front), wide(back), wide(cancelled));
    // One bit for the sum of the powers, the rest shared between the powers and the product.
    let room = (u128::BITS - 1 - bits(cancelled)).checked_div(power).unwrap_or(u128::BITS).max(1);
    let shift = bits(front.max(back)).saturating_sub(room);
    let (front, back) = ((front >> shift).pow(power), (back >> shift).pow(power));
    let share = (cancelled * front).checked_div(front + back).unwrap_or(0);
    i64::try_from(share).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CAREFUL: QueueModel = QueueModel::RiskAverse;

    fn likely(power: u32) -> QueueModel {
        QueueModel::Probabilistic { power }
    }

    /// A message with event time: `ms` on both clocks.
    fn at(ms: i64) -> Stamp {
        Stamp { event: Some(Nanos::from_millis(ms)), seen: Nanos::from_millis(ms) }
    }

    /// A message without event time.
    fn untimed(ms: i64) -> Stamp {
        Stamp { event: None, seen: Nanos::from_millis(ms) }
    }

    #[test]
    fn trades_consume_what_is_ahead_then_reach_us() {
        let mut position = Position::behind(100);
        assert_eq!(position.on_trade(60, 0, at(1)), 0);
        assert_eq!(position.ahead(), 40);
        assert_eq!(position.on_trade(50, 0, at(2)), 10);
        assert_eq!((position.ahead(), position.on_trade(3, 0, at(3))), (0, 3));
    }

    #[test]
    fn a_trade_and_the_decrease_that_follows_count_once() {
        for model in [CAREFUL, likely(3)] {
            let mut position = Position::behind(100);
            position.on_level(140, at(1), model);
            assert_eq!(position.on_trade(30, 0, at(2)), 0);
            position.on_level(110, at(3), model);
            assert_eq!(position.ahead(), 70, "{model:?}: explained in full");
            // The next decrease is no trade's: 110 = 70 ahead + 40 behind.
            position.on_level(100, at(4), model);
            let ahead = if model == CAREFUL { 70 } else { 70 - 10 * 343 / (343 + 64) };
            assert_eq!(position.ahead(), ahead, "{model:?}");
        }
    }

    #[test]
    fn a_decrease_and_the_trade_that_follows_count_once() {
        // Spot's bookTicker has no event time and most often comes before its trade.
        let mut position = Position::behind(5);
        position.on_level(0, untimed(1), CAREFUL);
        assert_eq!(position.ahead(), 0);
        assert_eq!(position.on_trade(5, 0, at(2)), 0, "the update held this trade");
        assert_eq!(position.on_trade(2, 0, at(3)), 2, "but not this one");

        let mut position = Position::behind(5);
        position.on_level(0, untimed(1), CAREFUL);
        assert_eq!(position.on_trade(5, 0, at(12)), 5, "too late to be the same");

        let mut position = Position::behind(60);
        position.on_level(100, untimed(1), likely(1));
        position.on_level(90, untimed(2), likely(1));
        assert_eq!(position.ahead(), 54, "10 × 60 / 100 guessed ahead");
        position.on_trade(10, 0, at(3));
        assert_eq!(position.ahead(), 50, "no guess needed: a trade of 10 takes 10");
    }

    #[test]
    fn event_times_tell_whether_an_update_holds_a_trade() {
        // The trade is younger than the diff that comes after it: the diff after that one holds it.
        let mut position = Position::behind(100);
        position.on_level(150, at(1), likely(1));
        position.on_trade(20, 0, at(9));
        position.on_level(150, at(8), likely(1));
        position.on_level(130, at(10), likely(1));
        assert_eq!(position.ahead(), 80);
        // A trade whose decrease new orders made good explains nothing later: 30 × 60 / 130 = 13 were ahead.
        position.on_trade(20, 0, at(11));
        position.on_level(130, at(12), likely(1));
        position.on_level(100, at(13), likely(1));
        assert_eq!(position.ahead(), 47);
    }

    #[test]
    fn what_a_trade_gave_to_our_earlier_order_left_the_level_all_the_same() {
        let mut position = Position::behind(20);
        assert_eq!(position.on_trade(15, 10, at(1)), 0);
        assert_eq!(position.ahead(), 15, "5 of the trade came past our own 10");
        position.on_level(5, at(2), CAREFUL);
        assert_eq!(position.ahead(), 5);
    }

    #[test]
    fn the_careful_model_moves_only_when_it_must() {
        let mut position = Position::behind(100);
        position.on_level(180, at(1), CAREFUL);
        position.on_level(101, at(2), CAREFUL);
        assert_eq!(position.ahead(), 100, "79 of the 80 behind us may have gone");
        position.on_level(30, at(3), CAREFUL);
        assert_eq!(position.ahead(), 30);
        position.on_level(500, at(4), CAREFUL);
        assert_eq!(position.ahead(), 30, "new orders join behind us");
    }

    #[test]
    fn the_power_model_shares_by_length() {
        assert_eq!(share_ahead(likely(1), 60, 40, 10), 6);
        assert_eq!(share_ahead(likely(2), 60, 40, 10), 6, "10 × 3600 / 5200 = 6.9");
        assert_eq!(share_ahead(likely(3), 60, 40, 10), 7, "10 × 216 / 280 = 7.7");
        assert_eq!(share_ahead(likely(0), 60, 40, 10), 5);
        assert_eq!(share_ahead(likely(1), 60, 40, 90), 54);
        assert_eq!(share_ahead(likely(3), 10, 90, 95), 5, "90 behind cannot hold 95");
        assert_eq!(share_ahead(likely(3), 10, 0, 4), 4, "nobody is behind us");
        assert_eq!(share_ahead(likely(3), 0, 0, 4), 0);
        assert_eq!(share_ahead(CAREFUL, 60, 40, 45), 5);
        assert_eq!(share_ahead(likely(3), i64::MAX, i64::MAX, i64::MAX), i64::MAX / 2);
        assert_eq!(share_ahead(likely(200), i64::MAX, 1, 8), 8);
    }

    proptest! {
        #[test]
        fn a_share_is_never_more_than_there_is(
            power in 0..80_u32, front in 0..i64::MAX, back in 0..i64::MAX, cancelled in 0..i64::MAX,
        ) {
            for model in [CAREFUL, likely(power)] {
                let share = share_ahead(model, front, back, cancelled);
                prop_assert!((0..=front).contains(&share));
                prop_assert!(share <= cancelled);
                prop_assert!(i128::from(cancelled - share) <= i128::from(back).max(i128::from(cancelled) - i128::from(front)));
            }
            prop_assert!(share_ahead(CAREFUL, front, back, cancelled) <= share_ahead(likely(power), front, back, cancelled));
        }

        #[test]
        fn a_position_stays_inside_its_level(
            steps in prop::collection::vec((any::<bool>(), 0..200_i64, 0..50_i64), 0..60), power in 0..5_u32,
        ) {
            let mut careful = Position::behind(100);
            let mut guess = Position::behind(100);
            let mut now = 0;
            for (trade, quantity, pause) in steps {
                now += pause;
                if trade {
                    let (late, early) = (careful.on_trade(quantity, 0, at(now)), guess.on_trade(quantity, 0, at(now)));
                    prop_assert!(late <= early, "the careful model is never reached sooner");
                } else {
                    careful.on_level(quantity, untimed(now), CAREFUL);
                    guess.on_level(quantity, untimed(now), likely(power));
                    prop_assert!(guess.ahead() <= quantity && guess.ahead() >= 0);
                }
                prop_assert!(guess.ahead() <= careful.ahead());
            }
        }
    }
}
