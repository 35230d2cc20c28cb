//! What the services say unasked: market data, kept as it came for those who ask, and given to WebSocket clients.

#![allow(clippy::disallowed_types)] // A lock is held to put or copy a few messages, never across a wait.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::domain::Interval;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use crate::api::market::{Bar, Book, MarketStatus, Trade};
use crate::api::{ApiError, Push, code};
use crate::gateway::hub::Hub;
use crate::gateway::times;
use crate::gateway::upstream::Sink;

/// Trades kept of a symbol.
pub const TRADES_MAX: usize = 1_000;

/// Bars kept of a symbol and length.
pub const BARS_MAX: usize = 500;

/// Symbols that are kept: more than an engine has.
const SYMBOLS_MAX: usize = engine::limits::INSTRUMENTS_MAX;

/// Silence of port 5555 after which what it told is stale: it tells its status every second.
const SILENT: Duration = Duration::from_secs(3);

#[derive(Default)]
struct Kept {
    book: Vec<u8>,
    trades: VecDeque<(u64, Vec<u8>)>,
    bars: BTreeMap<String, VecDeque<Bar>>,
}

#[derive(Default)]
struct State {
    symbols: BTreeMap<String, Kept>,
    status: Option<MarketStatus>,
    heard: Option<Instant>,
    sequences: BTreeMap<String, u64>,
}

/// The feed.
#[derive(Default)]
pub struct Feed {
    /// WebSocket clients.
    pub hub: Hub,
    state: Mutex<State>,
}

impl Feed {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds this lock can panic half-way through a change that matters.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long port 5555 has been silent; `None` before its first word.
    #[must_use]
    pub fn silence(&self) -> Option<Duration> {
        self.lock().heard.map(|heard| heard.elapsed())
    }

    /// Whether what is kept is out of date.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.silence().is_none_or(|silence| silence > SILENT)
    }

    /// The last status of port 5555.
    #[must_use]
    pub fn status(&self) -> Option<MarketStatus> {
        self.lock().status.clone()
    }

    fn of<T>(&self, symbol: &str, find: impl FnOnce(&Kept) -> T) -> Result<T, ApiError> {
        let state = self.lock();
        let kept = state.symbols.get(symbol).map(find);
        kept.ok_or_else(|| match state.heard {
            Some(_) => ApiError::new(code::UNKNOWN_SYMBOL, format!("{symbol:?}: nothing is known of it")),
            None => ApiError::new(code::NOT_READY, "market_data has not told anything yet"),
        })
    }

    /// The newest book of `symbol`.
    ///
    /// # Errors
    /// `UNKNOWN_SYMBOL` or `NOT_READY`.
    pub fn book(&self, symbol: &str) -> Result<Book, ApiError> {
        let text = self.of(symbol, |kept| kept.book.clone())?;
        if text.is_empty() {
            return Err(ApiError::new(code::NOT_READY, format!("{symbol} has no book yet")));
        }
        read(&text)
    }

    /// The newest trades of `symbol`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// `UNKNOWN_SYMBOL` or `NOT_READY`.
    pub fn trades(&self, symbol: &str, limit: usize) -> Result<Vec<Trade>, ApiError> {
        let texts = self.of(symbol, |kept| {
            let skipped = kept.trades.len().saturating_sub(limit);
            kept.trades.iter().skip(skipped).map(|(_, text)| text.clone()).collect::<Vec<_>>()
        })?;
        texts.iter().map(|text| read(text)).collect()
    }

    /// The newest bars of `symbol`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// `UNKNOWN_SYMBOL` or `NOT_READY`.
    pub fn bars(&self, symbol: &str, interval: &str, limit: usize) -> Result<Vec<Bar>, ApiError> {
        self.of(symbol, |kept| {
            kept.bars.get(interval).map_or_else(Vec::new, |bars| {
                bars.iter().skip(bars.len().saturating_sub(limit)).cloned().collect()
            })
        })
    }

    fn keep(&self, topic: &[&str], payload: &[u8]) {
        let mut state = self.lock();
        state.heard = Some(Instant::now());
        let symbol = match topic {
            ["status", ""] => {
                state.status = serde_json::from_slice(payload).ok();
                return;
            }
            ["bbo" | "book" | "trade", symbol, ""] | ["bar", _, symbol, ""] => *symbol,
            _ => return,
        };
        if state.symbols.len() >= SYMBOLS_MAX && !state.symbols.contains_key(symbol) {
            return;
        }
        let kept = state.symbols.entry(symbol.to_owned()).or_default();
        match topic {
            ["book", ..] => payload.clone_into(&mut kept.book),
            ["trade", ..] => {
                // The last value comes again for new subscribers: it is the same trade.
                let seq = sequence(payload);
                if kept.trades.back().is_none_or(|(last, _)| *last != seq) {
                    if kept.trades.len() >= TRADES_MAX {
                        kept.trades.pop_front();
                    }
                    kept.trades.push_back((seq, payload.to_owned()));
                }
            }
            ["bar", interval, ..] => keep_bar(kept, interval, payload),
            _ => {}
        }
    }
}

fn keep_bar(kept: &mut Kept, interval: &str, payload: &[u8]) {
    let Ok(bar) = serde_json::from_slice::<Bar>(payload) else { return };
    if Interval::named(interval).is_none() {
        return;
    }
    let bars = kept.bars.entry(interval.to_owned()).or_default();
    match bars.back_mut() {
        Some(last) if last.open_time_ns == bar.open_time_ns => *last = bar,
        _ => {
            if bars.len() >= BARS_MAX {
                bars.pop_front();
            }
            bars.push_back(bar);
        }
    }
}

fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(text)
        .map_err(|error| ApiError::new(code::INTERNAL, format!("market_data told something else: {error}")))
}

fn sequence(payload: &[u8]) -> u64 {
    #[derive(serde::Deserialize)]
    struct Seq {
        seq: u64,
    }
    serde_json::from_slice::<Seq>(payload).map_or(0, |found| found.seq)
}

/// A message of a channel.
fn message(channel: &str, seq: Option<u64>, mut data: Value) -> Option<String> {
    times::as_strings(&mut data);
    serde_json::to_string(&serde_json::json!({"channel": channel, "seq": seq, "data": data})).ok()
}

impl Feed {
    /// Gives what was asked for on behalf of a channel to its clients.
    pub fn tell(&self, channel: &str, data: &Value) {
        self.hub.publish(channel, || message(channel, None, data.clone()));
    }
}

impl Sink for Feed {
    fn market(&self, topic: &str, payload: &[u8]) {
        let parts: Vec<&str> = topic.split('/').collect();
        self.keep(&parts, payload);
        let channel = topic.trim_end_matches('/');
        self.hub.publish(channel, || {
            let data: Value = serde_json::from_slice(payload).ok()?;
            message(channel, data.get("seq").and_then(Value::as_u64), data)
        });
    }

    fn push(&self, push: Push) {
        let channel = match push.push.as_str() {
            "report" => "reports",
            "signal" => "signals",
            // Both are of port 5557, which counts its pushes together.
            "risk" | "halt" => "risk",
            _ => return,
        };
        let last = self.lock().sequences.insert(channel.to_owned(), push.seq);
        // A sequence that begins anew is a service that began anew; what went between is not known.
        let lost = match last {
            Some(last) if push.seq > last + 1 => Some(Value::from(push.seq - last - 1)),
            Some(last) if push.seq <= last => Some(Value::Null),
            _ => None,
        };
        if let Some(lost) = lost {
            let told = serde_json::json!({"channel": channel, "lost": lost});
            self.hub.publish(channel, || Some(told.to_string()));
        }
        self.hub.publish(channel, || message(channel, Some(push.seq), push.data));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::hub::Next;
    use serde_json::json;

    fn trade(seq: u64) -> Vec<u8> {
        json!({"symbol": "A", "seq": seq, "time_ns": 5, "trade_id": 1, "price": "1", "quantity": "2", "aggressor": null})
            .to_string()
            .into_bytes()
    }

    #[test]
    fn market_data_is_kept_once_and_bounded() {
        let feed = Feed::default();
        assert_eq!(feed.book("A").expect_err("nothing yet").code, code::NOT_READY);
        for seq in (1..=TRADES_MAX as u64 + 5).flat_map(|seq| [seq, seq]) {
            feed.market("trade/A/", &trade(seq));
        }
        let trades = feed.trades("A", usize::MAX).expect("known");
        assert_eq!((trades.len(), trades[0].seq), (TRADES_MAX, 6));
        assert_eq!(feed.trades("A", 1).expect("known")[0].seq, TRADES_MAX as u64 + 5);
        assert_eq!(feed.book("B").expect_err("unknown").code, code::UNKNOWN_SYMBOL);
        feed.market("trade/A/", b"nonsense");
        feed.market("other", b"");
        assert_eq!(feed.trades("A", 1).expect_err("told").code, code::INTERNAL);
    }

    #[test]
    fn bars_are_kept_by_the_venues_intervals_each_as_last_told() {
        let feed = Feed::default();
        let bar = |opened: i64, close: &str| {
            json!({"symbol": "A", "seq": 1, "interval": "5m", "open_time_ns": opened, "open": "1", "high": "2", "low": "1",
                "close": close, "volume": "3", "trades": 2, "complete": true, "closed": false})
            .to_string()
        };
        for (opened, close) in [(0, "1"), (0, "2"), (300, "1")] {
            feed.market("bar/5m/A/", bar(opened, close).as_bytes());
            feed.market("bar/2m/A/", bar(opened, close).as_bytes());
        }
        let closes = |interval| {
            let bars = feed.bars("A", interval, usize::MAX).expect("known");
            bars.into_iter().map(|bar| bar.close).collect::<Vec<_>>()
        };
        assert_eq!((closes("5m"), closes("2m")), (vec!["2".to_owned(), "1".to_owned()], Vec::new()));
    }

    #[test]
    fn pushes_of_one_port_are_one_sequence_and_all_reach_its_channel() {
        let feed = Feed::default();
        let (id, end) = feed.hub.enter();
        assert!(feed.hub.subscribe(id, "risk"));
        for (seq, push) in (1..).zip(["risk", "halt", "halt", "risk"]) {
            feed.push(Push { push: push.to_owned(), seq, data: json!({"state": push}) });
        }
        let told =
            |seq: u64, push| json!({"channel": "risk", "seq": seq, "data": {"state": push}}).to_string();
        for wanted in [told(1, "risk"), told(2, "halt"), told(3, "halt"), told(4, "risk")] {
            assert_eq!(end.next(), Next::Message(wanted.into()));
        }
        assert_eq!(end.next(), Next::Nothing);
    }

    #[test]
    fn a_hole_in_pushes_is_told() {
        let feed = Feed::default();
        let (id, end) = feed.hub.enter();
        assert!(feed.hub.subscribe(id, "reports"));
        for seq in [1, 2, 5, 1] {
            feed.push(Push { push: "report".to_owned(), seq, data: json!({"time_ns": 7}) });
        }
        let mut heard = Vec::new();
        while let Next::Message(text) = end.next() {
            heard.push(serde_json::from_str::<Value>(&text).expect("json"));
        }
        let report = |seq| json!({"channel": "reports", "seq": seq, "data": {"time_ns": "7"}});
        let lost = |count: Value| json!({"channel": "reports", "lost": count});
        assert_eq!(heard, [report(1), report(2), lost(2.into()), report(5), lost(Value::Null), report(1)]);
    }
}
