//! Controls on how often: C04 duplicate content, C15 open orders, C16 message rate, C21 reject storm, C23 unresolved.

use crate::domain::{Nanos, SourceId};
use crate::error::RejectCode;
use crate::tick_to_trade::risk::limits::{Limits, Rate, SourceLimits};
use crate::tick_to_trade::risk::window::{Bucket, Content, Recent, Window};

/// What risk counts of one source.
#[derive(Clone, Debug)]
pub(super) struct SourceRates {
    pub(super) orders: Bucket,
    pub(super) cancels: Bucket,
    pub(super) recent: Recent,
    pub(super) rejects: Window,
}

impl SourceRates {
    pub(super) fn new(limits: &Limits, source: &SourceLimits) -> Self {
        Self {
            orders: Bucket::full(source.orders),
            cancels: Bucket::full(source.cancels),
            recent: Recent::new(limits.remembered(source).unwrap_or(0)),
            rejects: Window::new(limits.account.reject_storm),
        }
    }

    /// Takes new limits over and keeps what was counted.
    pub(super) fn set_limits(&mut self, limits: &Limits, source: &SourceLimits, now: Nanos) {
        self.orders.set_rate(source.orders, now);
        self.cancels.set_rate(source.cancels, now);
        self.recent.set_capacity(limits.remembered(source).unwrap_or(0));
        self.rejects.set_rate(limits.account.reject_storm);
    }
}

/// C04: an order must not be the `count`-th of equal source, instrument, side, price and quantity within the span.
#[inline(always)]
pub(super) fn duplicate_content(
    recent: &Recent,
    content: &Content,
    now: Nanos,
    limit: Rate,
) -> Result<(), RejectCode> {
    let passes = limit.is_set() && !repeats(recent, content, now, limit);
    if passes { Ok(()) } else { Err(RejectCode::DuplicateContent) }
}

/// C04, of a limit that is set.
#[inline(always)]
pub(super) fn repeats(recent: &Recent, content: &Content, now: Nanos, limit: Rate) -> bool {
    // A count of one would refuse every order; it is the reading of the formula, and nobody sets it by accident.
    recent.count(content, now, limit.per, limit.count - 1) >= limit.count - 1
}

/// C15: one more open order must not exceed the limit of the instrument, the venue's own, or the account's.
#[inline(always)]
pub(super) fn max_open(
    (open, limit): (u32, u32),
    venue: Option<u32>,
    (account_open, account_limit): (u32, u32),
) -> Result<(), RejectCode> {
    let within = (open < limit.min(venue.unwrap_or(u32::MAX))) & (account_open < account_limit);
    if within { Ok(()) } else { Err(RejectCode::MaxOpen) }
}

/// C16: both buckets, the source's and the account's, must hold an event.
#[inline(always)]
pub(super) fn message_rate(source: &Bucket, account: &Bucket, now: Nanos) -> Result<(), RejectCode> {
    if source.has(now) && account.has(now) { Ok(()) } else { Err(RejectCode::MessageRate) }
}

/// C21: whether a reject with `code` counts towards a storm. Those do that tell of the source's conduct; conditions
/// that clear by themselves do not, or a stale book would end in a latch, and neither does a halt that stands.
pub(super) const fn counts_as_storm(code: RejectCode) -> bool {
    !matches!(
        code,
        RejectCode::None
            | RejectCode::Halted
            | RejectCode::NoReference
            | RejectCode::StaleMarketData
            | RejectCode::Unresolved
            | RejectCode::RepeatExecution
            | RejectCode::DayLoss
            | RejectCode::RejectStorm
            | RejectCode::Journal
            | RejectCode::RingFull
            | RejectCode::Expired
            | RejectCode::UnknownOrder
            | RejectCode::KeepPriority
            | RejectCode::NoReplace
            | RejectCode::NoOco
    )
}

/// C23: unresolved orders of the instrument and of the account must be below their limits.
#[inline(always)]
pub(super) fn unresolved(
    (unknown, limit): (u32, u32),
    (account_unknown, account_limit): (u32, u32),
) -> Result<(), RejectCode> {
    if (unknown < limit) & (account_unknown < account_limit) { Ok(()) } else { Err(RejectCode::Unresolved) }
}

/// A source as an index into tables by source.
pub(super) const fn slot(source: SourceId) -> usize {
    source.0 as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Price, Quantity, Side};

    const CONTENT: Content = Content {
        instrument: 1,
        side: Side::Buy,
        price: Price(7),
        trigger: Price::NONE,
        quantity: Quantity(9),
    };

    #[test]
    fn c04_rejects_the_third_equal_order_within_the_span() {
        let limit = Rate::new(3, Nanos(500));
        let mut recent = Recent::new(16);
        let c04 = |recent: &Recent, content, now| duplicate_content(recent, &content, Nanos(now), limit);
        for at in [0, 100] {
            assert_eq!(c04(&recent, CONTENT, at), Ok(()));
            recent.remember(CONTENT, Nanos(at));
        }
        assert_eq!(c04(&recent, CONTENT, 500), Err(RejectCode::DuplicateContent), "both within 500");
        assert_eq!(c04(&recent, CONTENT, 501), Ok(()), "the first has left the span");
        for other in [
            Content { instrument: 2, ..CONTENT },
            Content { side: Side::Sell, ..CONTENT },
            Content { price: Price(8), ..CONTENT },
            Content { trigger: Price(8), ..CONTENT },
            Content { quantity: Quantity(10), ..CONTENT },
        ] {
            assert_eq!(c04(&recent, other, 200), Ok(()));
        }
        let unset = duplicate_content(&Recent::new(4), &CONTENT, Nanos(0), Rate::default());
        assert_eq!(unset, Err(RejectCode::DuplicateContent));
    }

    #[test]
    fn c15_counts_one_more() {
        assert_eq!(max_open((4, 5), None, (9, 10)), Ok(()));
        assert_eq!(max_open((5, 5), None, (9, 10)), Err(RejectCode::MaxOpen));
        assert_eq!(max_open((4, 5), Some(4), (9, 10)), Err(RejectCode::MaxOpen), "the venue's own");
        assert_eq!(max_open((4, 5), None, (10, 10)), Err(RejectCode::MaxOpen));
        assert_eq!(max_open((0, 0), None, (0, 10)), Err(RejectCode::MaxOpen), "not set");
        assert_eq!(max_open((u32::MAX, u32::MAX), None, (0, 1)), Err(RejectCode::MaxOpen));
    }

    #[test]
    fn c16_needs_both_buckets() {
        let rate = |count| Bucket::full(Rate::new(count, Nanos(1_000)));
        let (mut source, account) = (rate(1), rate(5));
        assert_eq!(message_rate(&source, &account, Nanos(0)), Ok(()));
        source.take(Nanos(0));
        assert_eq!(message_rate(&source, &account, Nanos(999)), Err(RejectCode::MessageRate));
        assert_eq!(message_rate(&source, &account, Nanos(1_000)), Ok(()));
        assert_eq!(message_rate(&account, &rate(0), Nanos(0)), Err(RejectCode::MessageRate), "not set");
        assert_eq!(
            message_rate(&account, &account, Nanos(i64::MIN)),
            Ok(()),
            "extreme times do not overflow"
        );
    }

    #[test]
    fn c21_counts_conduct_and_not_conditions() {
        assert!(counts_as_storm(RejectCode::MaxQuantity) && counts_as_storm(RejectCode::BadRequest));
        assert!(!counts_as_storm(RejectCode::StaleMarketData) && !counts_as_storm(RejectCode::None));
        assert!(!counts_as_storm(RejectCode::NoReplace), "a fill was faster");
    }

    #[test]
    fn c23_stops_at_its_limits() {
        assert_eq!(unresolved((0, 1), (4, 5)), Ok(()));
        assert_eq!(unresolved((1, 1), (1, 5)), Err(RejectCode::Unresolved));
        assert_eq!(unresolved((0, 1), (5, 5)), Err(RejectCode::Unresolved));
        assert_eq!(unresolved((0, 0), (0, 5)), Err(RejectCode::Unresolved), "not set");
    }
}
