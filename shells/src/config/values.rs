//! Values of settings that are words, lists or addresses.

use std::fmt;
use std::str::FromStr;

use engine::domain::{Interval, Nanos};
use engine::limits::SYMBOL_BYTES_MAX;

/// `yes` or `no`; `true` and `false` do as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YesNo(pub bool);

impl FromStr for YesNo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "yes" | "true" => Ok(Self(true)),
            "no" | "false" => Ok(Self(false)),
            _ => Err("expected yes or no".to_owned()),
        }
    }
}

/// How logs are written (`TRADING_LOG_FORMAT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("expected text or json".to_owned()),
        }
    }
}

/// How market data come from a venue behind sockets (`TRADING_MARKET_DATA_FORMAT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarketDataFormat {
    /// As JSON.
    Json,
    /// As SBE, which needs a key.
    Sbe,
}

impl FromStr for MarketDataFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "json" => Ok(Self::Json),
            "sbe" => Ok(Self::Sbe),
            _ => Err("expected json or sbe".to_owned()),
        }
    }
}

/// How trades come from a venue behind sockets (`TRADING_TRADE_STREAM`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TradeStream {
    /// Each by itself.
    #[default]
    Single,
    /// Those of one taker at one price as one.
    Aggregate,
}

impl TradeStream {
    /// The venue's name of the stream.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Single => "trade",
            Self::Aggregate => "aggTrade",
        }
    }
}

impl FromStr for TradeStream {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Single, Self::Aggregate].into_iter().find(|known| known.name() == text);
        known.ok_or_else(|| "expected trade or aggTrade".to_owned())
    }
}

/// Intervals of the venue's bars that are followed (`TRADING_KLINES`), each once. `none` is an empty list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Klines(pub Vec<Interval>);

impl Default for Klines {
    fn default() -> Self {
        Self(vec![Interval::Minute])
    }
}

impl FromStr for Klines {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut intervals = Vec::new();
        for name in text.split(',').filter(|_| text != "none") {
            let Some(interval) = Interval::named(name) else {
                let known: Vec<&str> = Interval::ALL.iter().map(|interval| interval.as_str()).collect();
                return Err(format!(
                    "{name:?} is no interval: expected none, or some of {}",
                    known.join(",")
                ));
            };
            if intervals.contains(&interval) {
                return Err(format!("{name} is named twice"));
            }
            intervals.push(interval);
        }
        Ok(Self(intervals))
    }
}

/// What happens to resting orders when the system shuts down (`TRADING_ON_SHUTDOWN`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnShutdown {
    /// They are cancelled.
    Cancel,
    /// They stay at the venue.
    Keep,
}

impl FromStr for OnShutdown {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "cancel" => Ok(Self::Cancel),
            "keep" => Ok(Self::Keep),
            _ => Err("expected cancel or keep".to_owned()),
        }
    }
}

/// What happens to a strategy's resting orders when its process dies (`TRADING_ON_LOSS`).
pub type OnLoss = OnShutdown;

/// Symbols, each once, of the characters that Binance's own may have: digits, `.`, `-`, `_`, and letters of any script,
/// the Latin ones capital.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbols(pub Vec<String>);

impl FromStr for Symbols {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut symbols = Vec::new();
        for symbol in text.split(',') {
            let legal =
                |c: char| matches!(c, '.' | '-' | '_') || c.is_alphanumeric() && !c.is_ascii_lowercase();
            if symbol.is_empty() || symbol.len() > SYMBOL_BYTES_MAX {
                return Err(format!("{symbol:?} is no symbol of 1 to {SYMBOL_BYTES_MAX} bytes"));
            }
            if let Some(other) = symbol.chars().find(|&c| !legal(c)) {
                return Err(format!("{symbol:?} is no symbol: {other:?} is in none; write them as BTCUSDT"));
            }
            if symbols.iter().any(|known| known == symbol) {
                return Err(format!("{symbol} is named twice"));
            }
            symbols.push(symbol.to_owned());
        }
        Ok(Self(symbols))
    }
}

/// A strategy and the symbols it trades: `NAME`, or `NAME@SYMBOL+SYMBOL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The strategy's name.
    pub name: String,
    /// Its symbols; none means all that are traded.
    pub symbols: Vec<String>,
}

/// The strategies that run, each one on each of its symbols. `none` is an empty list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choices(pub Vec<Choice>);

impl FromStr for Choices {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let mut choices: Vec<Choice> = Vec::new();
        for part in text.split(',') {
            let (name, symbols) = match part.split_once('@') {
                Some((name, symbols)) => (name, symbols.replace('+', ",").parse::<Symbols>()?.0),
                None => (part, Vec::new()),
            };
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(format!("{part:?}: expected NAME or NAME@SYMBOL+SYMBOL"));
            }
            let twice = choices.iter().any(|known| {
                known.name == name
                    && (known.symbols.is_empty()
                        || symbols.is_empty()
                        || known.symbols.iter().any(|symbol| symbols.contains(symbol)))
            });
            if twice {
                return Err(format!("{name} runs twice on the same symbol"));
            }
            choices.push(Choice { name: name.to_owned(), symbols });
        }
        Ok(Self(choices))
    }
}

/// Where a service's ZeroMQ port is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(pub String);

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = text.strip_prefix("tcp://").and_then(|rest| rest.rsplit_once(':'));
        match address {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(Self(text.to_owned()))
            }
            _ => Err("expected tcp://HOST:PORT".to_owned()),
        }
    }
}

/// Where an exchange's WebSockets are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketUrl(pub String);

impl FromStr for WebSocketUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = ["ws://", "wss://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        match rest.and_then(|rest| rest.trim_end_matches('/').rsplit_once(':')) {
            Some((host, port)) if !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok() => {
                Ok(Self(text.to_owned()))
            }
            _ => Err("expected ws://HOST:PORT or wss://HOST:PORT".to_owned()),
        }
    }
}

/// A count of messages or milliseconds that fits ZeroMQ's options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub i32);

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.chars().all(|c| c.is_ascii_digit());
        let value = text.parse().ok().filter(|_| digits);
        value.map(Self).ok_or_else(|| format!("expected a whole number up to {}", i32::MAX))
    }
}

/// Messages that ZeroMQ keeps for a peer: at least one, for to ZeroMQ zero means as many as memory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HighWaterMark(pub i32);

impl FromStr for HighWaterMark {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let count = text.parse().ok().filter(|count: &Count| count.0 > 0);
        count
            .map(|count| Self(count.0))
            .ok_or_else(|| format!("expected a whole number from 1 to {}", i32::MAX))
    }
}

/// Room for tapes in MiB: none, or as much as leaves each a useful length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapeRoom(u64);

impl TapeRoom {
    /// The room in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0 << 20
    }
}

impl FromStr for TapeRoom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mebibytes = text.parse().ok().filter(|mebibytes| matches!(mebibytes, 0 | 64..=1_000_000_000));
        mebibytes.map(Self).ok_or_else(|| "expected 0, or 64 to 1000000000".to_owned())
    }
}

/// A TCP port; 0 lets the system choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port(pub u16);

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("expected a port from 0 to {}", u16::MAX))
    }
}

/// How long after it was made the venue may still take a signed request, in milliseconds (binance.md §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvWindow(pub u32);

impl RecvWindow {
    /// The longest that Binance allows.
    const MAX: u32 = 60_000;

    /// The same as a span of time.
    #[must_use]
    pub const fn span(self) -> Nanos {
        Nanos::from_millis(self.0 as i64)
    }
}

impl Default for RecvWindow {
    /// What Binance does without one.
    fn default() -> Self {
        Self(5_000)
    }
}

impl fmt::Display for RecvWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RecvWindow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.chars().all(|c| c.is_ascii_digit());
        let window = text.parse().ok().filter(|window| digits && (1..=Self::MAX).contains(window));
        window.map(Self).ok_or_else(|| format!("expected whole milliseconds from 1 to {}", Self::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_name_each_thing_once() {
        let choices: Choices = "market_making,momentum@BTCUSDT+ETHUSDT".parse().expect("two");
        assert_eq!(choices.0[0].symbols, Vec::<String>::new());
        assert_eq!(choices.0[1].symbols, ["BTCUSDT", "ETHUSDT"]);
        assert!("momentum@A,momentum@B".parse::<Choices>().is_ok());
        for bad in ["", "a,", "a,a", "a@X,a", "a@X,a@X", "a@", "a b", "a@X+X", "@X"] {
            assert!(bad.parse::<Choices>().is_err(), "{bad}");
        }
        assert_eq!("none".parse(), Ok(Choices(Vec::new())));
        assert_eq!(("none".parse(), "1m".parse()), (Ok(Klines(Vec::new())), Ok(Klines::default())));
        assert_eq!("1M,5m".parse(), Ok(Klines(vec![Interval::Month, Interval::Minutes5])));
        for bad in ["", "1m,", "1m,1m", "2m", "1m,none", "1H", " 1m"] {
            assert!(bad.parse::<Klines>().is_err(), "{bad}");
        }
        for bad in ["", "A,,B", "A,A", "A B", " A", "BTC/USDT", "btcusdt", "A?x=1"] {
            assert!(bad.parse::<Symbols>().is_err(), "{bad}");
        }
        for good in ["1000SATSUSDT", "BTCUSDT_260327,A.B-C", "这是测试币456"] {
            assert!(good.parse::<Symbols>().is_ok(), "{good}");
        }
    }

    #[test]
    fn addresses_and_counts_are_whole() {
        assert!("tcp://risk:5557".parse::<Endpoint>().is_ok());
        for bad in ["risk:5557", "tcp://:1", "tcp://x", "tcp://x:99999", "ipc:///tmp/x", "tcp://x:"] {
            assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
        }
        for good in ["ws://127.0.0.1:5560", "wss://exchange:1/", "ws://[::1]:1"] {
            assert!(good.parse::<WebSocketUrl>().is_ok(), "{good}");
        }
        for bad in ["http://h:1", "ws://h:1/x", "h:1", "ws://h", "ws://:1", "wss://h:99999"] {
            assert!(bad.parse::<WebSocketUrl>().is_err(), "{bad}");
        }
        assert_eq!("1000".parse(), Ok(Count(1000)));
        for bad in ["-1", "+1", "", "1.5", "99999999999"] {
            assert!(bad.parse::<Count>().is_err(), "{bad}");
        }
        assert_eq!(("1".parse(), "0".parse()), (Ok(HighWaterMark(1)), Ok(Port(0))));
        for bad in ["0", "-1", "x"] {
            assert!(bad.parse::<HighWaterMark>().is_err(), "{bad}");
        }
        assert_eq!("64".parse().map(TapeRoom::bytes), Ok(1 << 26));
        for bad in ["1", "63", "-64", "1000000001"] {
            assert!(bad.parse::<TapeRoom>().is_err(), "{bad}");
        }
        assert_eq!("x".parse::<Port>(), Err("expected a port from 0 to 65535".to_owned()));
        assert_eq!("60000".parse(), Ok(RecvWindow(60_000)));
        for bad in ["0", "60001", "-5", "+5", "5000.5", "5s", ""] {
            assert!(bad.parse::<RecvWindow>().is_err(), "{bad}");
        }
        assert_eq!(("yes".parse(), "false".parse()), (Ok(YesNo(true)), Ok(YesNo(false))));
        assert_eq!("aggTrade".parse(), Ok(TradeStream::Aggregate));
        assert!("aggtrade".parse::<TradeStream>().is_err());
        assert!("1".parse::<YesNo>().is_err() && "Yes".parse::<YesNo>().is_err());
    }
}
