//! The venue's rate limits, as one caller may use them (binance.md §3; reliability.md C16, F06).
//!
//! Ingest and route share an address's request weight by fixed shares, so that neither can starve the other and no
//! memory is shared for it. What the venue says it counted wins over what we counted. After a 429 nothing is asked
//! before its `Retry-After`; after a 418 nothing is asked before its end, and whoever trades halts.

use engine::domain::Nanos;
use engine::error::SetupError;
use serde::Deserialize;

/// Share of a limit that this caller may use, in percent: together at most 70 (reliability.md C16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u8);

impl Share {
    /// Ingest's: snapshots.
    pub const INGEST: Self = Self(40);
    /// Route's: queries, cancels and orders.
    pub const ROUTE: Self = Self(30);
    /// Of a limit that is the account's, and so route's alone.
    pub const ACCOUNT: Self = Self(90);
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Weight of an address's requests.
    Weight,
    /// An account's new orders.
    Orders,
    /// An address's requests.
    Requests,
}

impl Counted {
    fn named(name: &str) -> Option<Self> {
        match name {
            "REQUEST_WEIGHT" => Some(Self::Weight),
            "ORDERS" => Some(Self::Orders),
            "RAW_REQUESTS" => Some(Self::Requests),
            _ => None,
        }
    }
}

/// One of the venue's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What it counts.
    pub counted: Counted,
    /// Length of its windows, which are aligned to the clock.
    pub window: Nanos,
    /// The most in one window.
    pub most: u64,
}

/// The venue's limits, as `exchangeInfo` tells them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimits(Vec<Limit>);

/// A limit, or what was counted of it, as the venue writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    rate_limit_type: &'a str,
    interval: &'a str,
    interval_num: i64,
    limit: u64,
    count: Option<u64>,
}

impl Written<'_> {
    /// The limit; `None` for one of a kind or interval of another year.
    fn read(&self) -> Option<Limit> {
        let seconds = match self.interval {
            "SECOND" => 1,
            "MINUTE" => 60,
            "HOUR" => 3_600,
            "DAY" => 86_400,
            _ => return None,
        };
        let window = Nanos::from_secs(self.interval_num.checked_mul(seconds).filter(|span| *span > 0)?);
        Some(Limit { counted: Counted::named(self.rate_limit_type)?, window, most: self.limit })
    }
}

impl RateLimits {
    /// Reads the `rateLimits` of an `exchangeInfo` answer.
    ///
    /// # Errors
    /// When there are none, or none of the weight a minute or of the orders: nothing is guessed.
    pub fn read(json: &[u8]) -> Result<Self, SetupError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer<'a> {
            #[serde(borrow)]
            rate_limits: Vec<Written<'a>>,
        }
        let refuse = |reason: &str| SetupError::Invalid(format!("exchangeInfo: rateLimits: {reason}"));
        let answer: Answer<'_> = serde_json::from_slice(json).map_err(|error| refuse(&error.to_string()))?;
        let limits = Self(answer.rate_limits.iter().filter_map(Written::read).collect());
        if !limits.0.iter().any(|limit| limit.counted == Counted::Orders) {
            return Err(refuse("none of ORDERS"));
        }
        if limits.weight_a_minute() == 0 { Err(refuse("no REQUEST_WEIGHT a minute")) } else { Ok(limits) }
    }

    /// Request weight a minute and address.
    #[must_use]
    pub fn weight_a_minute(&self) -> u64 {
        let weight = self.0.iter().find(|limit| limit.counted == Counted::Weight && limit.window == MINUTE);
        weight.map_or(0, |limit| limit.most)
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Limit] {
        &self.0
    }
}

/// What the venue says it has counted, in the `rateLimits` of an answer of its WebSocket API.
pub fn counts(message: &[u8], on_count: &mut dyn FnMut(Limit, u64)) {
    const KEY: &[u8] = br#""rateLimits":["#;
    let Some(at) = message.windows(KEY.len()).rposition(|window| window == KEY) else { return };
    let list = &message[at + KEY.len() - 1..];
    let mut entries = serde_json::Deserializer::from_slice(list).into_iter::<Vec<Written<'_>>>();
    let Some(Ok(entries)) = entries.next() else { return };
    for entry in entries {
        if let (Some(limit), Some(count)) = (entry.read(), entry.count) {
            on_count(limit, count);
        }
    }
}

/// The length of the window whose new orders this header of a REST answer counts, such as `X-MBX-ORDER-COUNT-10S`.
#[must_use]
pub fn order_window(header: &str) -> Option<Nanos> {
    let interval = header.to_ascii_lowercase();
    let interval = interval.strip_prefix("x-mbx-order-count-")?;
    let (number, unit) = interval.split_at_checked(interval.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(seconds).filter(|span| *span > 0).map(Nanos::from_secs)
}

/// What was counted of one limit in its present window.
#[derive(Clone, Debug)]
struct Window {
    limit: Limit,
    number: i64,
    used: u64,
}

impl Window {
    const fn roll(&mut self, now: Nanos) {
        let number = now.0.div_euclid(self.limit.window.0);
        if number != self.number {
            (self.number, self.used) = (number, 0);
        }
    }
}

/// New orders and requests, which the venue limits by number. Nothing is limited before the limits are known.
#[derive(Clone, Debug, Default)]
pub struct CountBudget(Vec<Window>);

impl CountBudget {
    /// Nothing used yet.
    #[must_use]
    pub fn new(limits: &RateLimits) -> Self {
        let counted = limits.all().iter().filter(|limit| limit.counted != Counted::Weight);
        Self(counted.map(|&limit| Window { limit, number: 0, used: 0 }).collect())
    }

    /// Asks for one request at `now`, the venue's time, which places so many `orders`.
    pub fn ask(&mut self, orders: u64, now: Nanos) -> Permit {
        let counts = |window: &Window| if window.limit.counted == Counted::Requests { 1 } else { orders };
        for window in self.0.iter_mut().filter(|window| counts(window) > 0) {
            window.roll(now);
            if (window.used + counts(window)) * 100 > window.limit.most * u64::from(Share::ACCOUNT.0) {
                return Permit::Wait(Nanos((window.number + 1) * window.limit.window.0));
            }
        }
        self.0.iter_mut().for_each(|window| window.used += counts(window));
        Permit::Granted
    }

    /// The venue counted `count` of `limit`.
    pub fn told(&mut self, limit: Limit, count: u64, now: Nanos) {
        let same = |window: &&mut Window| {
            (window.limit.counted, window.limit.window) == (limit.counted, limit.window)
        };
        if let Some(window) = self.0.iter_mut().find(same) {
            window.roll(now);
            window.used = window.used.max(count);
            // The venue may change its mind while it is connected to.
            window.limit.most = limit.most;
        }
    }

    /// The venue counted `count` new orders in a window of this length.
    pub fn told_orders(&mut self, window: Nanos, count: u64, now: Nanos) {
        let same = |limit: &Limit| limit.counted == Counted::Orders && limit.window == window;
        let limit = self.0.iter().map(|window| window.limit).find(same);
        if let Some(limit) = limit {
            self.told(limit, count, now);
        }
    }

    /// Forgets what was used in windows that have ended by `now`, the venue's time.
    pub fn roll(&mut self, now: Nanos) {
        self.0.iter_mut().for_each(|window| window.roll(now));
    }

    /// Used of the limit of orders that is nearest to its end, in millionths.
    #[must_use]
    pub fn orders_used_ppm(&self) -> u64 {
        let orders = self.0.iter().filter(|window| window.limit.counted == Counted::Orders);
        orders.map(|window| window.used * 1_000_000 / window.limit.most.max(1)).max().unwrap_or(0)
    }
}

/// The limit of request weight where the venue's own is not known yet.
const WEIGHT_A_MINUTE: u64 = 6_000;

/// Windows are aligned to the clock.
const MINUTE: Nanos = Nanos::from_secs(60);

/// Whether something may be asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// It may, and was counted.
    Granted,
    /// Not before this time.
    Wait(Nanos),
}

/// What one caller has used of an address's weight.
#[derive(Clone, Debug)]
pub struct WeightBudget {
    share: Share,
    limit: u64,
    window: i64,
    used: u64,
    /// By the venue's count, all callers together.
    told: u64,
    blocked_until: Nanos,
    banned: bool,
}

impl WeightBudget {
    /// Nothing used yet. `limit` is the venue's weight a minute; 0 takes Binance's documented one.
    #[must_use]
    pub const fn new(share: Share, limit: u64) -> Self {
        let limit = if limit == 0 { WEIGHT_A_MINUTE } else { limit };
        Self { share, limit, window: 0, used: 0, told: 0, blocked_until: Nanos(i64::MIN), banned: false }
    }

    /// Asks for `weight` at `now`, the venue's time.
    pub fn ask(&mut self, weight: u64, now: Nanos) -> Permit {
        if now < self.blocked_until {
            return Permit::Wait(self.blocked_until);
        }
        self.banned = false;
        self.roll(now);
        let own = self.limit * u64::from(self.share.0) / 100;
        if self.used + weight > own || self.told + weight > self.limit * 9 / 10 {
            return Permit::Wait(Nanos((self.window + 1) * MINUTE.0));
        }
        self.used += weight;
        self.told += weight;
        Permit::Granted
    }

    /// The venue counted `used` in this minute, all callers together (`X-MBX-USED-WEIGHT-1M`, `rateLimits`).
    pub fn told(&mut self, used: u64, now: Nanos) {
        self.roll(now);
        self.told = self.told.max(used);
    }

    /// The venue refused (429) or banned (418) until `until`.
    pub fn refused(&mut self, until: Nanos, banned: bool) {
        self.blocked_until = self.blocked_until.max(until);
        self.banned |= banned;
    }

    /// Whether the venue has banned this address, as far as is known at `now`.
    #[must_use]
    pub fn is_banned(&self, now: Nanos) -> bool {
        self.banned && now < self.blocked_until
    }

    /// Until when nothing may be asked, if that is in the future.
    #[must_use]
    pub fn blocked(&self, now: Nanos) -> Option<Nanos> {
        (now < self.blocked_until).then_some(self.blocked_until)
    }

    /// Used of the venue's limit, in millionths.
    #[must_use]
    pub fn used_ppm(&self) -> u64 {
        self.told * 1_000_000 / self.limit.max(1)
    }

    /// Forgets what was used in a minute that has ended by `now`, the venue's time.
    pub const fn roll(&mut self, now: Nanos) {
        let window = now.0.div_euclid(MINUTE.0);
        if window != self.window {
            (self.window, self.used, self.told) = (window, 0, 0);
        }
    }
}

/// How long a refusal lasts: `Retry-After` seconds, or a minute where it says nothing.
#[must_use]
pub fn retry_after(header: Option<&str>, now: Nanos) -> Nanos {
    let seconds = header.and_then(|text| text.trim().parse::<i64>().ok()).filter(|seconds| *seconds >= 0);
    now.saturating_add(Nanos(seconds.unwrap_or(60).saturating_mul(1_000_000_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Nanos = Nanos(MINUTE.0 * 1_000);

    #[test]
    fn a_share_is_never_passed_and_a_new_minute_begins_anew() {
        let mut budget = WeightBudget::new(Share::INGEST, 1_000);
        for _ in 0..8 {
            assert_eq!(budget.ask(50, START), Permit::Granted);
        }
        let next = Nanos(START.0 + MINUTE.0);
        assert_eq!(budget.ask(1, START), Permit::Wait(next));
        assert_eq!(budget.ask(50, next), Permit::Granted);
        assert_eq!(budget.used_ppm(), 50_000);
        budget.roll(Nanos(next.0 + MINUTE.0 - 1));
        assert_eq!(budget.used_ppm(), 50_000, "the same minute");
        budget.roll(Nanos(next.0 + MINUTE.0));
        assert_eq!(budget.used_ppm(), 0);
    }

    #[test]
    fn what_the_venue_counted_wins() {
        let mut budget = WeightBudget::new(Share::ROUTE, 1_000);
        budget.told(899, START);
        assert_eq!(budget.ask(1, START), Permit::Granted);
        assert!(matches!(budget.ask(1, START), Permit::Wait(_)));
    }

    #[test]
    fn f06_nothing_is_asked_before_the_end_of_a_refusal() {
        let mut budget = WeightBudget::new(Share::ROUTE, 0);
        let until = retry_after(Some("7"), START);
        budget.refused(until, false);
        assert_eq!(budget.ask(1, Nanos(until.0 - 1)), Permit::Wait(until));
        assert!(!budget.is_banned(START));
        assert_eq!(budget.ask(1, until), Permit::Granted);
        budget.refused(retry_after(None, until), true);
        assert!(budget.is_banned(until) && budget.blocked(until).is_some());
        assert_eq!(retry_after(Some("x"), START), Nanos(START.0 + MINUTE.0));
    }

    const LIMITS: &str = r#"{"rateLimits":[
        {"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000},
        {"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":10},
        {"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":1000},
        {"rateLimitType":"RAW_REQUESTS","interval":"MINUTE","intervalNum":5,"limit":20},
        {"rateLimitType":"CONNECTIONS","interval":"MINUTE","intervalNum":5,"limit":300}],"symbols":[]}"#;

    #[test]
    fn the_venues_limits_are_read_and_none_is_guessed() {
        let limits = RateLimits::read(LIMITS.as_bytes()).expect("limits");
        assert_eq!((limits.weight_a_minute(), limits.all().len()), (6_000, 4));
        for gone in ["REQUEST_WEIGHT", "ORDERS", "rateLimits"] {
            let error = RateLimits::read(LIMITS.replace(gone, "X").as_bytes()).expect_err(gone).to_string();
            assert!(error.starts_with("exchangeInfo: rateLimits: "), "{error}");
        }
    }

    #[test]
    fn orders_and_requests_stop_before_the_venue_refuses_them() {
        let mut budget = CountBudget::new(&RateLimits::read(LIMITS.as_bytes()).expect("limits"));
        for _ in 0..9 {
            assert_eq!(budget.ask(1, START), Permit::Granted);
        }
        assert_eq!(budget.orders_used_ppm(), 900_000);
        let later = Nanos(START.0 + Nanos::from_secs(10).0);
        assert_eq!(budget.ask(1, START), Permit::Wait(later));
        assert_eq!(budget.ask(0, START), Permit::Granted, "a cancel is no order");
        // Another process of the account places orders too.
        let told = r#"{"id":"1","status":200,"result":{"rateLimits":[{"count":3}]},"rateLimits":[
            {"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":10,"count":9}]}"#;
        counts(told.as_bytes(), &mut |limit, count| budget.told(limit, count, later));
        assert!(matches!(budget.ask(1, later), Permit::Wait(_)));
        let next = Nanos(later.0 + Nanos::from_secs(10).0);
        for _ in 0..8 {
            assert_eq!(budget.ask(1, next), Permit::Granted);
        }
        let mut left = budget.clone();
        left.roll(Nanos(START.0 + 24 * 60 * MINUTE.0));
        assert_eq!((budget.orders_used_ppm(), left.orders_used_ppm()), (800_000, 0));
        let requests = Nanos(START.0 + 5 * MINUTE.0);
        assert_eq!(budget.ask(0, next), Permit::Wait(requests), "the address's, all together");
        counts(b"{\"rateLimits\":[{\"x\":1}]}", &mut |_, _| panic!("no count"));
    }

    #[test]
    fn what_a_rest_answer_counts_is_of_the_window_that_its_header_names() {
        let mut budget = CountBudget::new(&RateLimits::read(LIMITS.as_bytes()).expect("limits"));
        for (header, window) in [
            ("X-MBX-ORDER-COUNT-10S", Some(Nanos::from_secs(10))),
            ("x-mbx-order-count-1d", Some(Nanos::from_secs(86_400))),
            ("x-mbx-order-count-", None),
            ("x-mbx-order-count-1w", None),
            ("x-mbx-used-weight-1m", None),
        ] {
            assert_eq!(order_window(header), window, "{header}");
        }
        budget.told_orders(Nanos::from_secs(60), 9, START);
        assert_eq!(budget.orders_used_ppm(), 0, "there is no such limit");
        budget.told_orders(Nanos::from_secs(10), 9, START);
        assert_eq!((budget.orders_used_ppm(), budget.ask(0, START)), (900_000, Permit::Granted));
        assert!(matches!(budget.ask(1, START), Permit::Wait(_)));
    }
}
