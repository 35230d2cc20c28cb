//! Which streams of every symbol are followed, by their names at the venue (binance.md §4, §10).

use crate::config::Settings;
use crate::config::values::TradeStream;

/// Bars, which the venue tells in JSON alone.
const BARS: &str = "kline_1m";

/// What is followed of every symbol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streams {
    /// How trades are told.
    pub trades: TradeStream,
    /// Whether each stream comes on two connections.
    pub redundant: bool,
}

impl Streams {
    /// As the settings say.
    #[must_use]
    pub const fn of(settings: &Settings) -> Self {
        Self { trades: settings.trade_stream, redundant: settings.redundant_streams }
    }

    /// On how many connections each comes.
    #[must_use]
    pub const fn copies(&self) -> usize {
        if self.redundant { 2 } else { 1 }
    }

    /// All of them in JSON.
    #[must_use]
    pub fn in_json(&self) -> Vec<&'static str> {
        vec!["depth@100ms", "bookTicker", self.trades.name(), BARS]
    }

    /// Those that there are in SBE.
    #[must_use]
    pub fn in_sbe(&self) -> Vec<&'static str> {
        let trades = (self.trades == TradeStream::Single).then_some(self.trades.name());
        ["depth", "bestBidAsk"].into_iter().chain(trades).collect()
    }

    /// Those that there are in JSON alone.
    #[must_use]
    pub fn beside_sbe(&self) -> Vec<&'static str> {
        let trades = (self.trades == TradeStream::Aggregate).then_some(self.trades.name());
        trades.into_iter().chain([BARS]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trades_come_one_way_and_in_sbe_where_it_has_them() {
        let streams = |trades| Streams { trades, redundant: false };
        let (single, aggregate) = (streams(TradeStream::Single), streams(TradeStream::Aggregate));
        assert_eq!(single.in_json(), ["depth@100ms", "bookTicker", "trade", "kline_1m"]);
        assert_eq!(aggregate.in_json(), ["depth@100ms", "bookTicker", "aggTrade", "kline_1m"]);
        assert_eq!(single.in_sbe(), ["depth", "bestBidAsk", "trade"]);
        assert_eq!(single.beside_sbe(), ["kline_1m"]);
        assert_eq!(aggregate.in_sbe(), ["depth", "bestBidAsk"]);
        assert_eq!(aggregate.beside_sbe(), ["aggTrade", "kline_1m"]);
    }
}
