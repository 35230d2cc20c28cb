//! Which streams of every symbol are followed, by their names at the venue (binance.md §4, §10).

use engine::domain::{Interval, Nanos};

use crate::config::Settings;
use crate::config::values::{Klines, TradeStream};

/// Without a bar for this long its connection is silent, where bars begin every minute.
const BARS_SILENCE_MAX: Nanos = Nanos::from_secs(150);

/// What is followed of every symbol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Streams {
    /// How trades are told.
    pub trades: TradeStream,
    /// Bars, which the venue tells in JSON alone.
    pub klines: Klines,
    /// Whether each stream comes on two connections.
    pub redundant: bool,
}

impl Streams {
    /// As the settings say.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let Settings { trade_stream, klines, redundant_streams, .. } = settings;
        Self { trades: *trade_stream, klines: klines.clone(), redundant: *redundant_streams }
    }

    /// On how many connections each comes.
    #[must_use]
    pub const fn copies(&self) -> usize {
        if self.redundant { 2 } else { 1 }
    }

    fn bars(&self) -> impl Iterator<Item = String> {
        self.klines.0.iter().map(|interval| format!("kline_{interval}"))
    }

    /// All of them in JSON.
    #[must_use]
    pub fn in_json(&self) -> Vec<String> {
        let others = ["depth@100ms", "bookTicker", self.trades.name()];
        others.map(str::to_owned).into_iter().chain(self.bars()).collect()
    }

    /// Those that there are in SBE.
    #[must_use]
    pub fn in_sbe(&self) -> Vec<String> {
        let trades = (self.trades == TradeStream::Single).then_some(self.trades.name());
        ["depth", "bestBidAsk"].into_iter().chain(trades).map(str::to_owned).collect()
    }

    /// Those that there are in JSON alone.
    #[must_use]
    pub fn beside_sbe(&self) -> Vec<String> {
        let trades = (self.trades == TradeStream::Aggregate).then(|| self.trades.name().to_owned());
        trades.into_iter().chain(self.bars()).collect()
    }

    /// How long those may be silent: trades and long bars may for ever.
    #[must_use]
    pub fn silence_beside_sbe(&self) -> Nanos {
        let short = [Interval::Second, Interval::Minute];
        if short.iter().any(|interval| self.klines.0.contains(interval)) {
            BARS_SILENCE_MAX
        } else {
            Nanos::NEVER
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comes_one_way_and_in_sbe_where_it_has_it() {
        let streams = |trades, klines: &str| Streams {
            trades,
            klines: klines.parse().expect("intervals"),
            ..Streams::default()
        };
        let single = streams(TradeStream::Single, "1m");
        assert_eq!(single, Streams::default());
        assert_eq!(single.in_json(), ["depth@100ms", "bookTicker", "trade", "kline_1m"]);
        assert_eq!(single.in_sbe(), ["depth", "bestBidAsk", "trade"]);
        assert_eq!(single.beside_sbe(), ["kline_1m"]);
        assert_eq!(single.silence_beside_sbe(), BARS_SILENCE_MAX);
        let aggregate = streams(TradeStream::Aggregate, "5m,1M");
        assert_eq!(aggregate.in_json(), ["depth@100ms", "bookTicker", "aggTrade", "kline_5m", "kline_1M"]);
        assert_eq!(aggregate.in_sbe(), ["depth", "bestBidAsk"]);
        assert_eq!(aggregate.beside_sbe(), ["aggTrade", "kline_5m", "kline_1M"]);
        assert_eq!(aggregate.silence_beside_sbe(), Nanos::NEVER);
        assert_eq!(streams(TradeStream::Single, "none").beside_sbe(), [""; 0]);
    }
}
