//! Market streams: their names, who follows them, and what they say (binance.md §4).

use engine::domain::{BySide, Instrument, InstrumentIndex, Instruments, Market, Nanos, Side};
use engine::venue::exchange::{DepthChange, PublicTrade};

use super::history::{Aggregate, Bar, value_json, volume_json};
use super::interval::{DAY, STREAMED_ZONE, ZonedInterval, just_before};
use super::json::{price, quantity, text};
use super::render::TimeUnit;
use super::sbe::SbeTopic;

/// What a stream tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Each trade.
    Trade,
    /// Each aggregate.
    AggTrade,
    /// Each change of the best bid or ask.
    BookTicker,
    /// Changes of the book, every second or ten times as often.
    Depth {
        /// Every second.
        slow: bool,
    },
    /// The best levels, every second or ten times as often.
    Partial {
        /// How many a side.
        levels: usize,
        /// Every second.
        slow: bool,
    },
    /// Bars of an interval.
    Kline(ZonedInterval),
    /// Statistics of a day.
    Ticker,
    /// The same, short.
    MiniTicker,
    /// Statistics of a rolling window, by its place in [`WINDOWS`].
    Window(usize),
    /// The average price.
    AvgPrice,
    /// The reference price. No symbol has one, so nothing comes.
    ReferencePrice,
    /// Block trades. There are none, so nothing comes.
    BlockTrade,
    /// A stream of SBE.
    Sbe(SbeTopic),
}

/// How a connection wants its market streams told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// JSON as it is.
    Raw,
    /// JSON that names its stream.
    Combined,
    /// SBE.
    Sbe,
}

/// Rolling windows that are told, with their milliseconds.
pub const WINDOWS: [(&str, i64); 3] = [("1h", 3_600_000), ("4h", 4 * 3_600_000), ("1d", DAY)];

/// What a stream is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One instrument.
    One(InstrumentIndex),
    /// Every instrument, those that changed in one message.
    All,
    /// A symbol that is not listed: the name is sound, and nothing will come.
    Unlisted,
}

/// What a name of a stream stands for; `None` where it is none.
#[must_use]
pub fn parse(name: &str, wire: Wire, instruments: &Instruments) -> Option<(Subject, Topic)> {
    if let Some(topic) = name.strip_prefix('!') {
        let topic = if wire == Wire::Sbe { None } else { market_topic(topic) };
        return topic.map(|topic| (Subject::All, topic));
    }
    let (symbol, topic) = name.split_once('@')?;
    let topic = match wire {
        Wire::Sbe => SbeTopic::named(topic).map(Topic::Sbe),
        Wire::Raw | Wire::Combined => json_topic(topic),
    }?;
    if symbol.is_empty() || symbol.chars().any(|c| c.is_ascii_uppercase()) {
        return None;
    }
    let listed = instruments.find(Market::Spot, &symbol.to_uppercase());
    Some((listed.map_or(Subject::Unlisted, Subject::One), topic))
}

/// A stream of all symbols. That of full tickers (`!ticker@arr`) was retired on 2026-03-26.
fn market_topic(topic: &str) -> Option<Topic> {
    let (topic, rest) = topic.split_once('@')?;
    match (topic, rest) {
        // Clients name a speed, which is not documented and changes nothing.
        ("miniTicker", "arr" | "arr@1000ms" | "arr@3000ms") => Some(Topic::MiniTicker),
        (topic, "arr") => window_topic(topic),
        _ => None,
    }
}

fn window_topic(topic: &str) -> Option<Topic> {
    let name = topic.strip_prefix("ticker_")?;
    WINDOWS.iter().position(|(known, _)| *known == name).map(Topic::Window)
}

fn json_topic(topic: &str) -> Option<Topic> {
    let (topic, speed) = match topic.split_once('@') {
        Some((topic, "100ms")) => (topic, Some(false)),
        Some((topic, "1000ms")) => (topic, Some(true)),
        Some((topic, "+08:00")) => {
            return ZonedInterval::named(topic.strip_prefix("kline_")?, STREAMED_ZONE).map(Topic::Kline);
        }
        Some(_) => return None,
        None => (topic, None),
    };
    let slow = speed.unwrap_or(true);
    let topic = match topic {
        "trade" => Topic::Trade,
        "aggTrade" => Topic::AggTrade,
        "bookTicker" => Topic::BookTicker,
        "depth" => Topic::Depth { slow },
        "ticker" => Topic::Ticker,
        "miniTicker" => Topic::MiniTicker,
        "avgPrice" => Topic::AvgPrice,
        "referencePrice" => Topic::ReferencePrice,
        "blockTrade" => Topic::BlockTrade,
        _ => match (topic.strip_prefix("kline_"), topic.strip_prefix("depth")) {
            (Some(name), _) => Topic::Kline(ZonedInterval::named(name, 0)?),
            (None, Some(levels)) => {
                Topic::Partial { levels: levels.parse().ok().filter(|n| [5, 10, 20].contains(n))?, slow }
            }
            _ => window_topic(topic)?,
        },
    };
    if speed.is_some() && !matches!(topic, Topic::Depth { .. } | Topic::Partial { .. }) {
        return None;
    }
    Some(topic)
}

/// A `trade`.
#[must_use]
pub fn trade(instrument: &Instrument, trade: &PublicTrade, now: Nanos, unit: TimeUnit) -> String {
    format!(
        "{{\"e\":\"trade\",\"E\":{},\"s\":{},\"t\":{},\"p\":{},\"q\":{},\"T\":{},\"m\":{},\"M\":true}}",
        unit.show(now),
        text(&instrument.symbol),
        trade.id,
        price(instrument, trade.price),
        quantity(instrument, trade.quantity),
        unit.show(trade.time),
        trade.aggressor == Side::Sell
    )
}

/// An `aggTrade`.
#[must_use]
pub fn agg_trade(instrument: &Instrument, aggregate: &Aggregate, now: Nanos, unit: TimeUnit) -> String {
    let Aggregate { id, trade, last } = aggregate;
    format!(
        "{{\"e\":\"aggTrade\",\"E\":{},\"s\":{},\"a\":{id},\"p\":{},\"q\":{},\"f\":{},\"l\":{last},\"T\":{},\"m\":{},\"M\":true}}",
        unit.show(now),
        text(&instrument.symbol),
        price(instrument, trade.price),
        quantity(instrument, trade.quantity),
        trade.id,
        unit.show(trade.time),
        trade.aggressor == Side::Sell
    )
}

/// Levels as pairs of texts.
#[must_use]
pub fn levels(instrument: &Instrument, levels: &[engine::book::Level]) -> String {
    let mut out = String::from("[");
    for (at, level) in levels.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push('[');
        super::json::decimal(&mut out, i128::from(level.price.0), instrument.price_scale.digits());
        out.push(',');
        super::json::decimal(&mut out, i128::from(level.quantity.0), instrument.quantity_scale.digits());
        out.push(']');
    }
    out.push(']');
    out
}

/// A `depthUpdate`.
#[must_use]
pub fn depth(instrument: &Instrument, change: &DepthChange, now: Nanos, unit: TimeUnit) -> String {
    format!(
        "{{\"e\":\"depthUpdate\",\"E\":{},\"s\":{},\"U\":{},\"u\":{},\"b\":{},\"a\":{}}}",
        unit.show(now),
        text(&instrument.symbol),
        change.first,
        change.last,
        levels(instrument, &change.levels.buy),
        levels(instrument, &change.levels.sell)
    )
}

/// The best levels of a book, as a snapshot and as a partial depth.
#[must_use]
pub fn book(instrument: &Instrument, last: u64, sides: &BySide<Vec<engine::book::Level>>) -> String {
    format!(
        "{{\"lastUpdateId\":{last},\"bids\":{},\"asks\":{}}}",
        levels(instrument, &sides.buy),
        levels(instrument, &sides.sell)
    )
}

/// A `bookTicker`; `stream` says whether it is the stream's form or that of the request.
#[must_use]
pub fn book_ticker(
    instrument: &Instrument,
    last: u64,
    top: &BySide<Option<engine::book::Level>>,
    stream: bool,
) -> String {
    let [bid, ask] = [top.buy, top.sell].map(|level| {
        let (at, size) = level
            .map_or((engine::domain::Price::NONE, engine::domain::Quantity::ZERO), |l| (l.price, l.quantity));
        (price(instrument, at), quantity(instrument, size))
    });
    let symbol = text(&instrument.symbol);
    if stream {
        format!(
            "{{\"u\":{last},\"s\":{symbol},\"b\":{},\"B\":{},\"a\":{},\"A\":{}}}",
            bid.0, bid.1, ask.0, ask.1
        )
    } else {
        format!(
            "{{\"symbol\":{symbol},\"bidPrice\":{},\"bidQty\":{},\"askPrice\":{},\"askQty\":{}}}",
            bid.0, bid.1, ask.0, ask.1
        )
    }
}

/// A `kline`.
#[must_use]
pub fn kline(
    instrument: &Instrument,
    interval: ZonedInterval,
    bar: &Bar,
    now: Nanos,
    unit: TimeUnit,
) -> String {
    let (_, closes) = interval.bar_of(bar.opened);
    let shown = |value| price(instrument, value);
    let id = |id: u64| if bar.trades == 0 { -1 } else { i128::from(id) };
    format!(
        "{{\"e\":\"kline\",\"E\":{},\"s\":{symbol},\"k\":{{\"t\":{},\"T\":{},\"s\":{symbol},\"i\":\"{}\",\"f\":{},\"L\":{},\"o\":{},\"c\":{},\"h\":{},\"l\":{},\"v\":{},\"n\":{},\"x\":{},\"q\":{},\"V\":{},\"Q\":{},\"B\":\"0\"}}}}",
        unit.show(now),
        unit.show(Nanos::from_millis(bar.opened)),
        unit.show(just_before(closes)),
        interval.name(),
        id(bar.first),
        id(bar.last),
        shown(bar.open),
        shown(bar.close),
        shown(bar.high),
        shown(bar.low),
        volume_json(instrument, bar.volume),
        bar.trades,
        now >= Nanos::from_millis(closes),
        value_json(instrument, bar.value),
        volume_json(instrument, bar.bought),
        value_json(instrument, bar.bought_value),
        symbol = text(&instrument.symbol),
    )
}

/// A `24hrMiniTicker`, told at `now` in its unit.
#[must_use]
pub fn mini_ticker(instrument: &Instrument, day: &Bar, now: i64) -> String {
    let shown = |value| price(instrument, value);
    format!(
        "{{\"e\":\"24hrMiniTicker\",\"E\":{now},\"s\":{},\"c\":{},\"o\":{},\"h\":{},\"l\":{},\"v\":{},\"q\":{}}}",
        text(&instrument.symbol),
        shown(day.close),
        shown(day.open),
        shown(day.high),
        shown(day.low),
        volume_json(instrument, day.volume),
        value_json(instrument, day.value)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_documented() {
        let instruments = Instruments::default();
        let topic = |name| parse(name, Wire::Raw, &instruments).map(|(_, topic)| topic);
        assert_eq!(topic("btcusdt@trade"), Some(Topic::Trade));
        assert_eq!(topic("btcusdt@depth"), Some(Topic::Depth { slow: true }));
        assert_eq!(topic("btcusdt@depth@100ms"), Some(Topic::Depth { slow: false }));
        assert_eq!(topic("btcusdt@depth20@100ms"), Some(Topic::Partial { levels: 20, slow: false }));
        let interval = |zone| ZonedInterval::named("1m", zone).expect("an interval");
        assert_eq!(topic("btcusdt@kline_1m"), Some(Topic::Kline(interval(0))));
        assert_eq!(topic("btcusdt@kline_1m@+08:00"), Some(Topic::Kline(interval(STREAMED_ZONE))));
        assert_eq!(topic("btcusdt@ticker_4h"), Some(Topic::Window(1)));
        assert_eq!(parse("!ticker_1d@arr", Wire::Raw, &instruments), Some((Subject::All, Topic::Window(2))));
        assert_eq!(topic("!miniTicker@arr"), Some(Topic::MiniTicker));
        for bad in [
            "btcusdt",
            "@trade",
            "BTCUSDT@trade",
            "btcusdt@depth7",
            "btcusdt@kline_2m",
            "btcusdt@trade@100ms",
            "btcusdt@trade@+08:00",
            "btcusdt@ticker_2h",
            "!ticker@arr",
            "!bookTicker",
            "!trade@arr",
        ] {
            assert_eq!(topic(bad), None, "{bad}");
        }
        let topic = |name| parse(name, Wire::Sbe, &instruments).map(|(_, topic)| topic);
        assert_eq!(topic("btcusdt@bestBidAsk"), Some(Topic::Sbe(SbeTopic::BestBidAsk)));
        assert_eq!(topic("btcusdt@depth20"), Some(Topic::Sbe(SbeTopic::Levels)));
        for bad in [
            "btcusdt@bookTicker",
            "btcusdt@depth@100ms",
            "btcusdt@kline_1m",
            "!miniTicker@arr",
            "BTCUSDT@trade",
        ] {
            assert_eq!(topic(bad), None, "{bad}");
        }
    }
}
