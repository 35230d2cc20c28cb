//! What port 5555 publishes. Two frames: the topic, and one of these as JSON.
//!
//! `seq` rises by one per topic. A repeated `seq` is the last value, sent again for a new or slow subscriber.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The topics, each with a delimiter at its end so that a prefix cannot match a longer symbol.
pub mod topic {
    /// Best bid and ask of a symbol.
    #[must_use]
    pub fn bbo(symbol: &str) -> String {
        format!("bbo/{symbol}/")
    }

    /// Top of a symbol's book.
    #[must_use]
    pub fn book(symbol: &str) -> String {
        format!("book/{symbol}/")
    }

    /// A symbol's trades.
    #[must_use]
    pub fn trade(symbol: &str) -> String {
        format!("trade/{symbol}/")
    }

    /// A symbol's bars of an interval.
    #[must_use]
    pub fn bar(interval: &str, symbol: &str) -> String {
        format!("bar/{interval}/{symbol}/")
    }

    /// Whether the market data is to be trusted.
    pub const STATUS: &str = "status/";
}

/// `bbo/SYMBOL/`: the best bid and ask changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bbo {
    /// The symbol.
    pub symbol: String,
    /// Rises by one per topic.
    pub seq: u64,
    /// When its frame was received.
    pub time_ns: i64,
    /// Best bid; `null` when the side is empty.
    pub bid: Option<String>,
    /// Quantity at the best bid.
    pub bid_quantity: String,
    /// Best ask; `null` when the side is empty.
    pub ask: Option<String>,
    /// Quantity at the best ask.
    pub ask_quantity: String,
    /// Whether the book was trusted.
    pub trusted: bool,
}

/// A level: price and quantity.
pub type PriceLevel = [String; 2];

/// `book/SYMBOL/`: the top 20 levels, at most ten times a second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Book {
    /// The symbol.
    pub symbol: String,
    /// Rises by one per topic.
    pub seq: u64,
    /// When the levels were copied.
    pub time_ns: i64,
    /// The venue's id of the last update in it.
    pub update_id: u64,
    /// Whether it is trusted: on an untrusted book nothing may be decided.
    pub trusted: bool,
    /// Best first.
    #[schema(value_type = Vec<Vec<String>>)]
    pub bids: Vec<PriceLevel>,
    /// Best first.
    #[schema(value_type = Vec<Vec<String>>)]
    pub asks: Vec<PriceLevel>,
}

/// `trade/SYMBOL/`: a trade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Trade {
    /// The symbol.
    pub symbol: String,
    /// Rises by one per topic.
    pub seq: u64,
    /// When its frame was received.
    pub time_ns: i64,
    /// The venue's id: of the aggregate, where aggregates are followed.
    pub trade_id: i64,
    /// Its price.
    pub price: String,
    /// Its quantity.
    pub quantity: String,
    /// `BUY` or `SELL`: the side that took.
    pub aggressor: Option<String>,
}

/// `bar/INTERVAL/SYMBOL/`: of `1s` and `1m` a bar over the trades seen, none where there were none; of others that are followed
/// the venue's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bar {
    /// The symbol.
    pub symbol: String,
    /// Rises by one per topic.
    pub seq: u64,
    /// The venue's name of its length: `1s`, `1m` … `1M`.
    pub interval: String,
    /// When it opened, by the exchange's clock.
    pub open_time_ns: i64,
    /// First price.
    pub open: String,
    /// Highest price.
    pub high: String,
    /// Lowest price.
    pub low: String,
    /// Last price.
    pub close: String,
    /// Quantity traded.
    pub volume: String,
    /// Number of trades.
    pub trades: u64,
    /// Whether every trade of its span counts, as in all of the venue's own: `false` where this service came in the middle, or missed some.
    pub complete: bool,
    /// Whether it is final.
    pub closed: bool,
}

/// One symbol of [`MarketStatus`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SymbolStatus {
    /// The symbol.
    pub symbol: String,
    /// Whether its book is trusted.
    pub trusted: bool,
    /// Age of its newest best bid and ask; `null` before the first.
    pub age_ns: Option<i64>,
}

/// `status/`: once a second, and when readiness changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MarketStatus {
    /// Rises by one per topic.
    pub seq: u64,
    /// When it was made.
    pub time_ns: i64,
    /// Ticks that this service was too slow to read since it started: bars and trades have holes there.
    pub missed_ticks: u64,
    /// Messages that did not reach a subscriber because it reads too slowly, counted once each however many it were.
    pub dropped: u64,
    /// Every symbol.
    pub symbols: Vec<SymbolStatus>,
}
