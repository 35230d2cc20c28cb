//! Controls on the market: C08 price collar, C10 health of the market data.

use crate::domain::{Nanos, Price, Side};
use crate::error::RejectCode;
use crate::message::tick::Top;
use crate::message::{Tick, TickKind};
use crate::tick_to_trade::risk::limits::InstrumentLimits;

/// Twice the mid of a sound book: bid + ask, exact. Always above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference(u64);

impl Reference {
    /// A market at `price`, as one that waits for that trigger will find it. No price counts as zero.
    #[inline]
    pub(super) fn at(price: Price) -> Self {
        Self(2 * price.0.max(0).unsigned_abs())
    }

    /// The mid between two prices above zero.
    #[inline]
    const fn between(bid: Price, ask: Price) -> Self {
        Self(bid.0.cast_unsigned() + ask.0.cast_unsigned())
    }

    /// Twice the mid.
    #[inline]
    pub(super) const fn doubled(self) -> i128 {
        self.0 as i128
    }

    /// The same, as a word.
    #[inline]
    pub(super) const fn of_two(self) -> u64 {
        self.0
    }

    /// The mid as a mark, rounded down.
    pub(super) fn floor(self) -> Price {
        Price(i64::try_from(self.0 / 2).expect("the mean of two i64 is an i64"))
    }

    /// The mid as a mark, rounded up.
    pub(super) fn ceil(self) -> Price {
        Price(
            i64::try_from(self.0.div_ceil(2))
                .expect("the mean of two i64, rounded up, is at most the greater"),
        )
    }
}

/// What risk knows of one instrument's book, from the tick stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quote {
    top: Top,
    at: Nanos,
    trusted: bool,
}

impl Quote {
    /// Takes a tick; true when the best bid or ask changed.
    ///
    /// Only a top and a statement of trust say that the book lives; any tick may say that it is not trusted.
    pub(super) fn on_tick(&mut self, tick: &Tick) -> bool {
        if tick.kind != TickKind::Top.code() {
            self.on_other(tick);
            return false;
        }
        let before = self.top;
        self.top = tick.top();
        self.trusted = tick.trusted();
        self.at = tick.received;
        self.top != before
    }

    /// Takes a tick that is not of the best prices.
    #[inline(never)]
    fn on_other(&mut self, tick: &Tick) {
        match TickKind::try_from(tick.kind) {
            Ok(TickKind::Trust) => {
                self.trusted = tick.trusted() && tick.values[0] == 1;
                self.at = tick.received;
            }
            Ok(TickKind::Top | TickKind::Trade | TickKind::Bar | TickKind::BarVolume) => {
                self.trusted &= tick.trusted();
            }
            Ok(TickKind::Silence) | Err(_) => self.trusted = false,
        }
    }

    /// Ticks were missed: the book is not trusted until the next top.
    pub(super) fn on_gap(&mut self) {
        self.trusted = false;
    }

    /// The reference price: the mid of a trusted, uncrossed book of known age.
    ///
    /// # Errors
    /// NO_REF while there is no price on one of the sides. STALE_MD (C10) when the book is not trusted, is crossed
    /// or locked, its last word is more than `stale_after` away from `now` (in either direction: a stamp from the
    /// future says as little), or no `stale_after` is set.
    #[inline(always)]
    pub(super) fn reference(&self, now: Nanos, stale_after: Nanos) -> Result<Reference, RejectCode> {
        let Top { bid, ask, .. } = self.top;
        let recent = (stale_after.0 > 0) & (now.0.abs_diff(self.at.0) <= stale_after.0.cast_unsigned());
        // One question of all: nearly always each is answered with yes.
        if self.trusted & self.top.is_sound() & recent {
            return Ok(Reference::between(bid, ask));
        }
        let priced = bid.0 > 0 && ask.0 > 0;
        Err(if priced { RejectCode::StaleMarketData } else { RejectCode::NoReference })
    }

    /// The mid of the last two-sided book that was seen, however old: what was known of the price at midnight.
    pub(super) fn last(&self) -> Option<Reference> {
        self.top.is_sound().then(|| Reference::between(self.top.bid, self.top.ask))
    }
}

/// How far from the reference an order may be, in 1/10000 of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Collars {
    /// Where it pays beyond.
    aggressive: u32,
    /// Where it rests behind.
    passive: u32,
}

impl InstrumentLimits {
    /// C08.
    pub(super) const fn collars(&self) -> Collars {
        Collars { aggressive: self.collar_aggressive_bps, passive: self.collar_passive_bps }
    }
}

/// C08: |price − ref| × 10⁴ ≤ collar_bps × ref. Paying beyond the reference has the tight collar, resting behind it the
/// wide one. Both sides are doubled, since the reference is.
#[inline(always)]
pub(super) fn collar(
    price: Price,
    side: Side,
    reference: Reference,
    collars: Collars,
) -> Result<(), RejectCode> {
    let own = Reference::at(price);
    let beyond = match side {
        Side::Buy => own.0 > reference.0,
        Side::Sell => own.0 < reference.0,
    };
    let bps = if beyond { collars.aggressive } else { collars.passive };
    within(own, bps, reference)
}

#[inline(always)]
fn within(own: Reference, bps: u32, reference: Reference) -> Result<(), RejectCode> {
    let distance = u128::from(own.0.abs_diff(reference.0));
    // At most 2^64 × 10^4 and 2^64 × 2^32: far inside a u128.
    let within = (bps > 0) & (distance * 10_000 <= u128::from(bps) * u128::from(reference.0));
    if within { Ok(()) } else { Err(RejectCode::Collar) }
}

/// C08 for an order that waits: its trigger within the wide collar of the reference, on either side, and its limit, if it
/// has one, within the collars of the trigger, near which it will trade.
#[inline(never)]
pub(super) fn collar_of_trigger(
    (trigger, limit): (Price, Option<Price>),
    side: Side,
    reference: Reference,
    collars: Collars,
) -> Result<(), RejectCode> {
    within(Reference::at(trigger), collars.passive, reference)?;
    limit.map_or(Ok(()), |limit| collar(limit, side, Reference::at(trigger), collars))
}

/// What a market order is assumed to pay at most: ref × (1 + aggressive collar), rounded up. A market sell is valued
/// the same: its value must not look smaller than it may be.
pub(super) fn market_price(reference: Reference, limits: &InstrumentLimits) -> i128 {
    let doubled = reference.doubled() * (10_000 + i128::from(limits.collar_aggressive_bps));
    (doubled + 19_999) / 20_000
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::Quantity;
    use crate::message::tick::TRUSTED;

    const STALE: Nanos = Nanos(2_000);

    pub(in crate::tick_to_trade::risk) fn top(instrument: u32, bid: i64, ask: i64, at: Nanos) -> Tick {
        Tick {
            values: [bid, 5, ask, 5],
            received: at,
            instrument,
            kind: TickKind::Top.code(),
            flags: TRUSTED,
            ..Tick::default()
        }
    }

    fn quote(tick: &Tick) -> Quote {
        let mut quote = Quote::default();
        quote.on_tick(tick);
        quote
    }

    #[test]
    fn the_reference_is_the_mid_of_a_healthy_book() {
        let mut book = quote(&top(0, 100, 103, Nanos(1_000)));
        let reference = book.reference(Nanos(3_000), STALE).expect("exactly as old as allowed");
        assert_eq!((reference.doubled(), reference.floor(), reference.ceil()), (203, Price(101), Price(102)));
        // C10: a nanosecond too old, a stamp from the future, no limit.
        for (now, stale) in [(3_001, STALE), (-1_001, STALE), (1_000, Nanos::ZERO), (i64::MIN, STALE)] {
            assert_eq!(book.reference(Nanos(now), stale), Err(RejectCode::StaleMarketData), "{now}");
        }
        assert_eq!(Quote::default().reference(Nanos(0), STALE), Err(RejectCode::NoReference));
        for (bid, ask) in [(0, 103), (100, 0), (-5, 103), (i64::MIN, i64::MIN)] {
            book.on_tick(&top(0, bid, ask, Nanos(1_000)));
            assert_eq!(book.reference(Nanos(1_000), STALE), Err(RejectCode::NoReference), "{bid} {ask}");
        }
        for (bid, ask) in [(103, 103), (104, 103)] {
            book.on_tick(&top(0, bid, ask, Nanos(1_000)));
            assert_eq!(book.reference(Nanos(1_000), STALE), Err(RejectCode::StaleMarketData), "{bid} {ask}");
        }
        book.on_tick(&top(0, i64::MAX - 1, i64::MAX, Nanos(1_000)));
        let top = book.reference(Nanos(1_000), STALE).expect("a sound book");
        assert_eq!((top.floor(), top.ceil()), (Price(i64::MAX - 1), Price(i64::MAX)));
    }

    #[test]
    fn trust_goes_with_any_word_and_comes_back_with_the_book() {
        let now = Nanos(1_000);
        let good = top(0, 100, 102, now);
        let mut word = good;
        word.flags = 0;
        for kind in [TickKind::Top, TickKind::Trust, TickKind::Trade, TickKind::Bar, TickKind::Silence] {
            let mut book = quote(&good);
            book.on_tick(&Tick { kind: kind.code(), ..word });
            assert_eq!(book.reference(now, STALE), Err(RejectCode::StaleMarketData), "{kind}");
            book.on_tick(&good);
            assert!(book.reference(now, STALE).is_ok());
        }
        let mut book = quote(&good);
        book.on_tick(&Tick { kind: 99, ..good });
        assert!(book.reference(now, STALE).is_err(), "a kind that this build does not know");
        book.on_tick(&Tick { kind: TickKind::Trade.code(), ..good });
        assert!(book.reference(now, STALE).is_err(), "a trade does not restore trust");
        book.on_tick(&Tick { kind: TickKind::Trust.code(), values: [1, 7, 0, 0], ..good });
        assert!(book.reference(now, STALE).is_ok());
        book.on_gap();
        assert!(book.reference(now, STALE).is_err());
        assert_eq!(book.last().map(Reference::floor), Some(Price(101)));
    }

    #[test]
    fn a_tick_tells_whether_the_top_moved() {
        let mut book = Quote::default();
        assert!(book.on_tick(&top(0, 100, 102, Nanos(1))));
        assert!(!book.on_tick(&top(0, 100, 102, Nanos(2))));
        assert!(book.on_tick(&Tick { values: [100, 6, 102, 5], ..top(0, 100, 102, Nanos(3)) }));
        assert_eq!(book.top.bid_quantity, Quantity(6));
    }

    #[test]
    fn c08_is_tight_when_aggressive_and_wide_when_passive() {
        // Ref 1000.5: 50 bps are 5.0025, 500 bps are 50.025.
        let reference = Reference(2_001);
        let limits =
            InstrumentLimits { collar_aggressive_bps: 50, collar_passive_bps: 500, ..Default::default() };
        let cases = [
            (1_005, Side::Buy, true),
            (1_006, Side::Buy, false),
            (951, Side::Buy, true),
            (950, Side::Buy, false),
            (996, Side::Sell, true),
            (995, Side::Sell, false),
            (1_050, Side::Sell, true),
            (1_051, Side::Sell, false),
            (i64::MAX, Side::Buy, false),
            (1, Side::Sell, false),
        ];
        for (price, side, passes) in cases {
            assert_eq!(
                collar(Price(price), side, reference, limits.collars()).is_ok(),
                passes,
                "{side} {price}"
            );
        }
        // Exactly at the boundary: 1000 ± 50 bps.
        assert!(collar(Price(1_005), Side::Buy, Reference(2_000), limits.collars()).is_ok());
        assert_eq!(
            collar(Price(1_006), Side::Buy, Reference(2_000), limits.collars()),
            Err(RejectCode::Collar)
        );
        // Not set: not even the reference itself.
        let unset = InstrumentLimits::default();
        assert_eq!(
            collar(Price(1_000), Side::Buy, Reference(2_000), unset.collars()),
            Err(RejectCode::Collar)
        );
    }

    #[test]
    fn market_orders_are_valued_at_the_collar() {
        let limits = InstrumentLimits { collar_aggressive_bps: 50, ..Default::default() };
        assert_eq!(market_price(Reference(2_000), &limits), 1_005);
        assert_eq!(market_price(Reference(2_001), &limits), 1_006, "1005.5025 rounds up");
    }
}
