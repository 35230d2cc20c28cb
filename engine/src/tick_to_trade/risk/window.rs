//! Counting over time: token buckets, sliding windows, and the latest orders by content. Nothing here allocates after
//! it is made.

use crate::domain::{InstrumentIndex, Nanos, Price, Quantity, Side};
use crate::hint::likely;
use crate::room;
use crate::tick_to_trade::risk::limits::Rate;

/// A token bucket: a full one holds `count` events and refills in `per`.
///
/// Its level is in units of 1 / `per` of an event, so that every nanosecond adds `count` units, exactly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    rate: Rate,
    /// What an event needs: more than any bucket holds, where the rate is not set.
    each: u128,
    /// Its level when it is full.
    full: u128,
    level: u128,
    updated: Nanos,
}

/// Out of reach, and so is the double of it: a full bucket is below 2^95.
const NEVER: u128 = u128::MAX / 2;

/// Units of an event: no rate has less than no time.
#[inline]
fn event(rate: Rate) -> u128 {
    rate.per.0.cast_unsigned().into()
}

impl Bucket {
    pub(super) fn full(rate: Rate) -> Self {
        let full = u128::from(rate.count) * event(rate);
        let each = if rate.is_set() { event(rate) } else { NEVER };
        Self { rate, each, full, level: full, updated: Nanos(i64::MIN) }
    }

    #[inline]
    fn level_at(&self, now: Nanos) -> u128 {
        // A clock that went back adds nothing. Two words whose product is one instruction.
        let elapsed = if now > self.updated { now.0.abs_diff(self.updated.0) } else { 0 };
        self.full.min(self.level + u128::from(elapsed) * u128::from(self.rate.count))
    }

    /// Whether it holds `needed` at `now`. Where what is left since the last event suffices, nobody needs to know how much has
    /// come since: it is never less.
    #[inline(always)]
    fn holds(&self, needed: u128, now: Nanos) -> bool {
        likely(self.level >= needed) || self.level_at(now) >= needed
    }

    /// Whether an event may pass at `now`. A rate that is not set lets none pass.
    #[inline]
    pub(super) fn has(&self, now: Nanos) -> bool {
        self.holds(self.each, now)
    }

    /// Whether two may.
    pub(super) fn has_two(&self, now: Nanos) -> bool {
        self.holds(self.each * 2, now)
    }

    /// Takes one event out, which [`has`](Self::has) allowed.
    #[inline]
    pub(super) fn take(&mut self, now: Nanos) {
        self.level = self.level_at(now).saturating_sub(event(self.rate));
        self.updated = self.updated.max(now);
    }

    /// Changes the rate and keeps the share of the bucket that is used.
    pub(super) fn set_rate(&mut self, rate: Rate, now: Nanos) {
        let events = self.level_at(now) / event(self.rate).max(1);
        let next = Self::full(rate);
        let level = next.full.min(events * event(rate));
        *self = Self { level, updated: self.updated.max(now), ..next };
    }
}

/// The latest `count` events, to tell when so many fall into one span.
#[derive(Clone, Debug)]
pub(super) struct Window {
    rate: Rate,
    times: Box<[Nanos]>,
    total: u64,
}

impl Window {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, times: room::slice(rate.count as usize, Nanos::ZERO), total: 0 }
    }

    /// Counts an event; true when it is at least the `count`-th of the span that ends now.
    pub(super) fn hit(&mut self, now: Nanos) -> bool {
        let length = self.times.len() as u64;
        if length == 0 {
            return true;
        }
        self.times[(self.total % length) as usize] = now;
        self.total += 1;
        if self.total < length {
            return false;
        }
        // The next slot to be overwritten holds the oldest of the latest `count`.
        let oldest = self.times[(self.total % length) as usize];
        i128::from(now.0) - i128::from(oldest.0) <= i128::from(self.rate.per.0)
    }

    /// Forgets every event.
    pub(super) fn clear(&mut self) {
        self.total = 0;
    }

    /// Changes the rate and keeps the latest events that it can hold.
    pub(super) fn set_rate(&mut self, rate: Rate) {
        let mut next = Self::new(rate);
        let length = self.times.len() as u64;
        for event in self.total.saturating_sub(length)..self.total {
            next.hit(self.times[(event % length) as usize]);
        }
        *self = next;
    }
}

/// What makes two orders of a source equal (C04).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) instrument: InstrumentIndex,
    pub(super) side: Side,
    pub(super) price: Price,
    pub(super) trigger: Price,
    pub(super) quantity: Quantity,
}

impl Content {
    #[inline]
    fn bucket(&self, mask: u64) -> usize {
        let mixed = (self.price.0 as u64)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(29)
            .wrapping_add((self.quantity.0 ^ self.trigger.0.rotate_left(17)) as u64)
            .wrapping_add((u64::from(self.instrument) << 1 | u64::from(self.side.code() & 1)) << 20)
            .wrapping_mul(0xD6E8_FEB8_6659_FD93);
        ((mixed >> 32) & mask) as usize
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    content: Content,
    at: Nanos,
    /// 1 + number of the entry before it in the same bucket; 0 for none.
    before: u64,
}

/// The latest entry of a bucket.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    /// 1 + its number; 0 for none.
    number: u64,
    /// Its time: what is too old need not be looked at.
    at: Nanos,
}

/// A source's latest approved orders, found by content. Its capacity covers what the source's rate lets into the
/// span, so that a count within the span is exact.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    entries: Box<[Option<Entry>]>,
    heads: Box<[Head]>,
    total: u64,
}

impl Recent {
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1).next_power_of_two();
        Self { entries: vec![None; capacity].into(), heads: room::slice(capacity, Head::default()), total: 0 }
    }

    const fn mask(&self) -> u64 {
        self.entries.len() as u64 - 1
    }

    /// Brings to hand what [`count`](Self::count) and [`remember`](Self::remember) will need for `content`: the heads of a
    /// busy source are more than the nearer caches hold.
    #[inline]
    pub(super) fn expect(&self, content: &Content) {
        room::fetch(&self.heads[content.bucket(self.mask())]);
    }

    /// Brings to hand where the next order will be remembered.
    #[inline]
    pub(super) fn prepare(&self) {
        // An entry may end in the line that the next one begins in.
        for number in [self.total, self.total + 1] {
            room::fetch(&self.entries[(number & self.mask()) as usize]);
        }
    }

    /// How many entries of equal content are no older than `span`; stops at `enough`.
    #[inline(always)]
    pub(super) fn count(&self, content: &Content, now: Nanos, span: Nanos, enough: u32) -> u32 {
        // What does not fit lies before all times: a span is not negative.
        let oldest = now.0.checked_sub(span.0).unwrap_or(i64::MIN);
        let too_old = |at: Nanos| at.0 < oldest;
        let head = self.heads[content.bucket(self.mask())];
        if likely(too_old(head.at)) {
            return 0;
        }
        let (mut found, mut next) = (0, head.number);
        while found < enough && next > self.total.saturating_sub(self.entries.len() as u64) {
            let Some(entry) = &self.entries[((next - 1) & self.mask()) as usize] else { break };
            if too_old(entry.at) {
                break;
            }
            found += u32::from(entry.content == *content);
            next = entry.before;
        }
        found
    }

    #[inline]
    pub(super) fn remember(&mut self, content: Content, at: Nanos) {
        let bucket = content.bucket(self.mask());
        let slot = (self.total & self.mask()) as usize;
        self.entries[slot] = Some(Entry { content, at, before: self.heads[bucket].number });
        self.total += 1;
        self.heads[bucket] = Head { number: self.total, at };
    }

    /// Changes the capacity and keeps the latest entries that it can hold.
    pub(super) fn set_capacity(&mut self, capacity: usize) {
        let mut next = Self::new(capacity);
        for number in self.total.saturating_sub(self.entries.len() as u64)..self.total {
            if let Some(entry) = self.entries[(number & self.mask()) as usize] {
                next.remember(entry.content, entry.at);
            }
        }
        *self = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn a_bucket_gives_its_count_and_refills_evenly() {
        let mut bucket = Bucket::full(Rate::new(3, Nanos(SECOND)));
        for _ in 0..3 {
            assert!(bucket.has(Nanos(5)));
            bucket.take(Nanos(5));
        }
        // A third of a second is 333333333.33 ns.
        assert!(!bucket.has(Nanos(5 + 333_333_333)));
        assert!(bucket.has(Nanos(5 + 333_333_334)));
        assert!(!bucket.has(Nanos(0)), "a clock that went back refills nothing");
        for unset in [Rate::default(), Rate::new(5, Nanos::ZERO), Rate::new(0, Nanos(1))] {
            assert!(!Bucket::full(unset).has(Nanos(i64::MAX)));
        }
        bucket.set_rate(Rate::new(10, Nanos(SECOND)), Nanos(5));
        assert!(!bucket.has(Nanos(5)), "a new rate does not refill");
    }

    #[test]
    fn a_window_tells_the_count_th_in_its_span() {
        let mut window = Window::new(Rate::new(3, Nanos(10)));
        assert_eq!(
            [0, 5, 10, 11, 20, 21].map(|at| window.hit(Nanos(at))),
            [false, false, true, true, true, true]
        );
        assert!(!window.hit(Nanos(31)));
        window.clear();
        assert_eq!([40, 41, 52].map(|at| window.hit(Nanos(at))), [false, false, false]);
        window.set_rate(Rate::new(2, Nanos(5)));
        assert!(window.hit(Nanos(57)));
        assert!(Window::new(Rate::default()).hit(Nanos(0)), "not set is always reached");
    }

    fn content(price: i64) -> Content {
        let (trigger, quantity) = (Price::NONE, Quantity(1));
        Content { instrument: 0, side: Side::Buy, price: Price(price), trigger, quantity }
    }

    proptest! {
        #[test]
        fn recent_counts_as_a_scan_would(orders in prop::collection::vec((0_i64..4, 0_i64..30), 1..80)) {
            let (mut recent, mut all, mut now) = (Recent::new(32), Vec::new(), 0);
            for (price, step) in orders {
                now += step;
                let kept = &all[all.len().saturating_sub(32)..];
                let expected = kept.iter().filter(|&&(p, at)| p == price && now - at <= 100).count();
                let count = recent.count(&content(price), Nanos(now), Nanos(100), u32::MAX);
                prop_assert_eq!(count as usize, expected);
                recent.remember(content(price), Nanos(now));
                all.push((price, now));
            }
        }
    }

    #[test]
    fn a_new_capacity_keeps_the_latest() {
        let mut recent = Recent::new(4);
        for at in 0..4 {
            recent.remember(content(at % 2), Nanos(at));
        }
        recent.set_capacity(64);
        assert_eq!(recent.count(&content(1), Nanos(3), Nanos(9), 9), 2);
        recent.set_capacity(1);
        assert_eq!(recent.count(&content(1), Nanos(3), Nanos(9), 9), 1);
    }
}
