//! Market streams in SBE (binance.md §10): their names, and what they say.

use engine::book::{DiffIds, Level};
use engine::domain::{BySide, Instrument, Nanos, Side};
use engine::message::tick::Top;
use engine::venue::binance::sbe::encode::{Extension, SbeEncoder, Trade};
use engine::venue::exchange::{DepthChange, PublicTrade};

/// Levels a side of `depth20`.
pub const LEVELS: usize = 20;

/// What an SBE stream tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SbeTopic {
    /// Trades, those of one taker together.
    Trade,
    /// Each change of the best bid or ask.
    BestBidAsk,
    /// Changes of the book.
    Depth,
    /// The best levels.
    Levels,
}

impl SbeTopic {
    /// The topic of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "trade" => Some(Self::Trade),
            "bestBidAsk" => Some(Self::BestBidAsk),
            "depth" => Some(Self::Depth),
            "depth20" => Some(Self::Levels),
            _ => None,
        }
    }
}

fn encoder(instrument: &Instrument) -> SbeEncoder<'_> {
    SbeEncoder::new(instrument, Extension::default())
}

/// The trades of one taker.
#[must_use]
pub fn trades(instrument: &Instrument, trades: &[PublicTrade], now: Nanos) -> Vec<u8> {
    let trade = |trade: &PublicTrade| Trade {
        id: trade.id,
        price: trade.price,
        quantity: trade.quantity,
        buyer_is_maker: trade.aggressor == Side::Sell,
    };
    encoder(instrument).trades(now, &trades.iter().map(trade).collect::<Vec<_>>())
}

/// The best bid and ask.
#[must_use]
pub fn best_bid_ask(instrument: &Instrument, last: u64, best: &BySide<Option<Level>>, now: Nanos) -> Vec<u8> {
    let mut top = Top::default();
    if let Some(bid) = best.buy {
        (top.bid, top.bid_quantity) = (bid.price, bid.quantity);
    }
    if let Some(ask) = best.sell {
        (top.ask, top.ask_quantity) = (ask.price, ask.quantity);
    }
    encoder(instrument).best_bid_ask(now, last, &top)
}

/// What changed of a book.
#[must_use]
pub fn depth(instrument: &Instrument, change: &DepthChange, now: Nanos) -> Vec<u8> {
    let ids = DiffIds { first: change.first, last: change.last, previous: None };
    encoder(instrument).depth_diff(now, ids, [&change.levels.buy, &change.levels.sell])
}

/// The best levels of a book.
#[must_use]
pub fn levels(instrument: &Instrument, last: u64, sides: &BySide<Vec<Level>>, now: Nanos) -> Vec<u8> {
    encoder(instrument).best_levels(now, last, [&sides.buy, &sides.sell])
}
