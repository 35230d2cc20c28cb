//! Rate limits: weight and raw requests by address, unfilled orders by account, in windows of the clock
//! (binance.md §3).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;

use engine::domain::Nanos;
use engine::venue::exchange::AccountIndex;

use super::failure::Failure;

/// What is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Weight a minute and address.
    pub weight: u64,
    /// Requests in five minutes and address.
    pub raw: u64,
    /// Unfilled orders in ten seconds and account.
    pub orders: u64,
    /// Unfilled orders a day and account.
    pub orders_day: u64,
}

impl Allowed {
    /// As spot allows today.
    pub const BINANCE: Self = Self { weight: 6_000, raw: 300_000, orders: 50, orders_day: 160_000 };

    /// A multiple of it, for tests of load.
    #[must_use]
    pub const fn times(self, factor: u64) -> Self {
        Self {
            weight: self.weight * factor,
            raw: self.raw * factor,
            orders: self.orders * factor,
            orders_day: self.orders_day * factor,
        }
    }
}

const MINUTE: i64 = 60_000;
const FIVE_MINUTES: i64 = 300_000;
const TEN_SECONDS: i64 = 10_000;
const DAY: i64 = 86_400_000;

/// How long the first ban lasts; each next one twice as long, up to three days.
const BAN: i64 = 120_000;
/// Requests over the limit, in one window, that turn a refusal into a ban.
const DEFIANCE: u64 = 20;

/// A count in the current window.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    start: i64,
    count: u64,
}

impl Window {
    fn at(&mut self, now: i64, length: i64) -> &mut u64 {
        let start = now.div_euclid(length) * length;
        if self.start != start {
            *self = Self { start, count: 0 };
        }
        &mut self.count
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Address {
    weight: Window,
    raw: Window,
    defied: Window,
    banned_until: i64,
    bans: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Owner {
    orders: Window,
    day: Window,
}

/// What was used so far, as answers tell it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Weight this minute.
    pub weight: u64,
    /// Unfilled orders in these ten seconds and today, where the answer is about orders.
    pub orders: Option<(u64, u64)>,
    /// The limits.
    pub allowed: Option<Allowed>,
}

/// All counters.
#[derive(Debug)]
pub struct Limits {
    allowed: Allowed,
    addresses: BTreeMap<IpAddr, Address>,
    owners: BTreeMap<AccountIndex, Owner>,
}

impl Limits {
    /// Nothing used.
    #[must_use]
    pub const fn new(allowed: Allowed) -> Self {
        Self { allowed, addresses: BTreeMap::new(), owners: BTreeMap::new() }
    }

    /// What is allowed.
    #[must_use]
    pub const fn allowed(&self) -> Allowed {
        self.allowed
    }

    /// Bans an address for `millis`.
    pub fn ban(&mut self, address: IpAddr, now: Nanos, millis: i64) {
        self.addresses.entry(address).or_default().banned_until = now.0 / 1_000_000 + millis;
    }

    /// A request of `weight` came.
    ///
    /// # Errors
    /// When its address has used up its limits: 429, and 418 for one that goes on.
    pub fn request(&mut self, address: IpAddr, now: Nanos, weight: u32) -> Result<(), Failure> {
        let now = now.0 / 1_000_000;
        let Allowed { weight: most, raw: most_raw, .. } = self.allowed;
        let state = self.addresses.entry(address).or_default();
        if now < state.banned_until {
            return Err(banned(state.banned_until, now));
        }
        let raw = state.raw.at(now, FIVE_MINUTES);
        *raw += 1;
        let over_raw = *raw > most_raw;
        let used = state.weight.at(now, MINUTE);
        *used += u64::from(weight);
        if *used <= most && !over_raw {
            return Ok(());
        }
        let defied = state.defied.at(now, MINUTE);
        *defied += 1;
        if *defied > DEFIANCE {
            state.banned_until = now + (BAN << state.bans.min(11)).min(3 * DAY);
            state.bans += 1;
            return Err(banned(state.banned_until, now));
        }
        let (limit, what, window) =
            if over_raw { (most_raw, "requests", FIVE_MINUTES) } else { (most, "request weight", MINUTE) };
        let until = now.div_euclid(window) * window + window;
        let message = format!(
            "Too much {what} used; current limit is {limit} {what} per {} MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.",
            window / MINUTE
        );
        Err(refused(-1003, message, 429, until, now))
    }

    /// A request turned out to cost less by `weight`.
    pub fn refund(&mut self, address: IpAddr, now: Nanos, weight: u32) {
        let state = self.addresses.entry(address).or_default();
        let used = state.weight.at(now.0 / 1_000_000, MINUTE);
        *used = used.saturating_sub(u64::from(weight));
    }

    /// Whether an account may place `more` orders, all of them: a list takes one of the count for each of its orders.
    ///
    /// # Errors
    /// When it would have too many unfilled (-1015).
    pub fn may_order(&mut self, account: AccountIndex, now: Nanos, more: u64) -> Result<(), Failure> {
        let now = now.0 / 1_000_000;
        let owner = self.owners.entry(account).or_default();
        let (orders, day) = (*owner.orders.at(now, TEN_SECONDS), *owner.day.at(now, DAY));
        let (limit, span, window) = if day + more > self.allowed.orders_day {
            (self.allowed.orders_day, "1 DAY", DAY)
        } else if orders + more > self.allowed.orders {
            (self.allowed.orders, "10 SECOND", TEN_SECONDS)
        } else {
            return Ok(());
        };
        let until = now.div_euclid(window) * window + window;
        let message = format!("Too many new orders; current limit is {limit} orders per {span}.");
        Err(refused(-1015, message, 429, until, now))
    }

    /// So many orders of an account were accepted.
    pub fn ordered(&mut self, account: AccountIndex, now: Nanos, more: u64) {
        let now = now.0 / 1_000_000;
        let owner = self.owners.entry(account).or_default();
        *owner.orders.at(now, TEN_SECONDS) += more;
        *owner.day.at(now, DAY) += more;
    }

    /// An order traded for the first time: the account gets orders back, more of them if it made.
    pub fn filled(&mut self, account: AccountIndex, now: Nanos, maker: bool) {
        let (now, back) = (now.0 / 1_000_000, if maker { 5 } else { 1 });
        let owner = self.owners.entry(account).or_default();
        for (window, length) in [(&mut owner.orders, TEN_SECONDS), (&mut owner.day, DAY)] {
            let count = window.at(now, length);
            *count = count.saturating_sub(back);
        }
    }

    /// What was used.
    pub fn usage(&mut self, address: IpAddr, account: Option<AccountIndex>, now: Nanos) -> Usage {
        let now = now.0 / 1_000_000;
        let weight = *self.addresses.entry(address).or_default().weight.at(now, MINUTE);
        let orders = account.map(|account| {
            let owner = self.owners.entry(account).or_default();
            (*owner.orders.at(now, TEN_SECONDS), *owner.day.at(now, DAY))
        });
        Usage { weight, orders, allowed: Some(self.allowed) }
    }
}

fn refused(code: i32, message: String, status: u16, until: i64, now: i64) -> Failure {
    let retry_after = u64::try_from((until - now + 999) / 1_000).ok();
    let data = Some(format!("{{\"serverTime\":{now},\"retryAfter\":{until}}}"));
    Failure { status, retry_after, data, ..Failure::told(code, message) }
}

fn banned(until: i64, now: i64) -> Failure {
    let message = format!(
        "Way too much request weight used; IP banned until {until}. Please use WebSocket Streams for live updates to avoid bans."
    );
    refused(-1003, message, 418, until, now)
}

impl Usage {
    /// The headers of a REST answer.
    #[must_use]
    pub fn headers(&self) -> String {
        let mut out = format!("X-MBX-USED-WEIGHT: {0}\r\nX-MBX-USED-WEIGHT-1M: {0}\r\n", self.weight);
        if let Some((orders, day)) = self.orders {
            // Writing to a string does not fail.
            let _ = write!(out, "X-MBX-ORDER-COUNT-10S: {orders}\r\nX-MBX-ORDER-COUNT-1D: {day}\r\n");
        }
        out
    }

    /// The `rateLimits` of a WebSocket answer.
    #[must_use]
    pub fn list(&self) -> String {
        let Some(allowed) = self.allowed else { return "[]".to_owned() };
        let mut out = String::from("[");
        if let Some((orders, day)) = self.orders {
            // Writing to a string does not fail.
            let _ = write!(out, "{},", orders_json(&allowed, Some((orders, day))));
        }
        let _ = write!(
            out,
            "{{\"rateLimitType\":\"REQUEST_WEIGHT\",\"interval\":\"MINUTE\",\"intervalNum\":1,\"limit\":{},\"count\":{}}}]",
            allowed.weight, self.weight
        );
        out
    }
}

/// The two limits of orders, with what was used of them if that is told.
#[must_use]
pub fn orders_json(allowed: &Allowed, used: Option<(u64, u64)>) -> String {
    let count = |used: Option<u64>| used.map_or(String::new(), |used| format!(",\"count\":{used}"));
    format!(
        "{{\"rateLimitType\":\"ORDERS\",\"interval\":\"SECOND\",\"intervalNum\":10,\"limit\":{}{}}},{{\"rateLimitType\":\"ORDERS\",\"interval\":\"DAY\",\"intervalNum\":1,\"limit\":{}{}}}",
        allowed.orders,
        count(used.map(|used| used.0)),
        allowed.orders_day,
        count(used.map(|used| used.1))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn weight_runs_out_and_comes_back_with_the_minute() {
        let mut limits = Limits::new(Allowed { weight: 10, ..Allowed::BINANCE });
        let at = |ms: i64| Nanos::from_millis(600_000 + ms);
        assert_eq!(limits.request(HERE, at(0), 8), Ok(()));
        let failure = limits.request(HERE, at(30_000), 5).expect_err("13 of 10");
        assert_eq!((failure.status, failure.code, failure.retry_after), (429, -1003, Some(30)));
        assert_eq!(limits.request(HERE, at(60_000), 5), Ok(()));
        for _ in 0..=DEFIANCE {
            let _ = limits.request(HERE, at(60_001), 10);
        }
        let failure = limits.request(HERE, at(60_002), 1).expect_err("banned");
        assert_eq!((failure.status, failure.retry_after), (418, Some(120)));
        assert_eq!(limits.request(HERE, at(181_000), 1), Ok(()));
    }

    #[test]
    fn orders_run_out_and_fills_give_back() {
        let mut limits = Limits::new(Allowed { orders: 2, ..Allowed::BINANCE });
        let now = Nanos::from_millis(5_000);
        for _ in 0..2 {
            assert_eq!(limits.may_order(0, now, 1), Ok(()));
            limits.ordered(0, now, 1);
        }
        assert_eq!(limits.may_order(0, now, 1).expect_err("two of two").code, -1015);
        assert_eq!(limits.may_order(1, now, 1), Ok(()), "another account");
        limits.filled(0, now, false);
        assert_eq!(limits.usage(HERE, Some(0), now).orders, Some((1, 1)));
        assert_eq!(limits.may_order(0, now, 1), Ok(()));
        limits.ordered(0, now, 1);
        assert_eq!(limits.may_order(0, Nanos::from_millis(10_000), 1), Ok(()), "the next window");
    }
    #[test]
    fn a_list_needs_room_for_all_of_its_orders() {
        let now = Nanos::from_millis(5_000);
        for allowed in [
            Allowed { orders: 3, ..Allowed::BINANCE },
            Allowed { orders: 1_000, orders_day: 3, ..Allowed::BINANCE },
        ] {
            let mut limits = Limits::new(allowed);
            assert_eq!(limits.may_order(0, now, 3), Ok(()), "three of three");
            limits.ordered(0, now, 2);
            assert_eq!(limits.usage(HERE, Some(0), now).orders, Some((2, 2)));
            assert_eq!(limits.may_order(0, now, 1), Ok(()));
            for more in [2, 3] {
                assert_eq!(limits.may_order(0, now, more).expect_err("one is left").code, -1015, "{more}");
            }
        }
    }
}
