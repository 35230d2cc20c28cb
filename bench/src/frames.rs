//! Frames in Binance's own form with realistic numbers, from a seed: what parsers and the path are fed with.

use std::fmt::Write as _;

use engine::book::{DiffIds, Level};
use engine::domain::{
    Filters, Instrument, InstrumentKind, Market, NotionalFilter, Price, Quantity, QuantityFilter, Scale,
    Symbol,
};

/// 2024-08-09 00:00 UTC in milliseconds: event times start here.
const START_MS: u64 = 1_723_161_600_000;

/// Draws by splitmix64: fast, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Draws(u64);

impl Draws {
    /// The draws of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is above zero.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// An instrument priced in steps of 0.01 and traded in steps of 0.00001 on spot; 0.1 and 0.001 on futures.
#[must_use]
pub fn instrument(symbol: &str, market: Market) -> Instrument {
    let (kind, price_digits, quantity_digits) = match market {
        Market::Spot => (InstrumentKind::Spot, 2, 5),
        Market::UsdMargined | Market::CoinMargined => (InstrumentKind::Linear, 2, 3),
    };
    let tick = if market == Market::Spot { 1 } else { 10 };
    Instrument {
        symbol: Symbol::new(symbol).expect("a symbol that fits"),
        market,
        kind,
        base: symbol.trim_end_matches("USDT").into(),
        quote: "USDT".into(),
        price_scale: Scale::new(price_digits).expect("a valid scale"),
        quantity_scale: Scale::new(quantity_digits).expect("a valid scale"),
        multiplier: 1,
        filters: Filters {
            tick: Price(tick),
            min_price: Price(tick),
            max_price: Price(100_000_000),
            lot: QuantityFilter { min: Quantity(1), max: Quantity(900_000_000), step: Quantity(1) },
            notional: NotionalFilter { min: Some(5), ..NotionalFilter::default() },
            max_open_orders: Some(200),
            ..Filters::default()
        },
        untradable: None,
    }
}

/// Levels near the touch, in the form of one diff.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Changed bids, best first.
    pub bids: Vec<Level>,
    /// Changed asks, best first.
    pub asks: Vec<Level>,
}

/// One instrument's market: a mid price that wanders and books that change around it.
#[derive(Clone, Debug)]
pub struct Script {
    instrument: Instrument,
    draws: Draws,
    mid: i64,
    update_id: u64,
    /// The last update that a diff has told of.
    told: u64,
    events: u64,
}

impl Script {
    /// The market of `instrument`.
    #[must_use]
    pub const fn new(instrument: Instrument, seed: u64) -> Self {
        let start = 50_000_000_000;
        Self { instrument, draws: Draws::new(seed), mid: 6_400_000, update_id: start, told: start, events: 0 }
    }

    /// The same market at another price, in units of its price scale.
    #[must_use]
    pub const fn around(mut self, mid: i64) -> Self {
        self.mid = mid;
        self
    }

    /// The id of the last update.
    #[must_use]
    pub const fn update_id(&self) -> u64 {
        self.update_id
    }

    fn tick(&self) -> i64 {
        self.instrument.filters.tick.0
    }

    fn quantity(&mut self) -> Quantity {
        Quantity(i64::try_from(1 + self.draws.below(400_000)).unwrap_or(1))
    }

    fn time_ms(&mut self) -> u64 {
        self.events += 1;
        START_MS + self.events * 100 + self.draws.below(7)
    }

    /// The next ids: a diff covers a few updates.
    pub fn ids(&mut self) -> DiffIds {
        let (first, previous) = (self.told + 1, self.told);
        self.told = self.next_update();
        let previous = (self.instrument.market != Market::Spot).then_some(previous);
        DiffIds { first, last: self.told, previous }
    }

    const fn next_update(&mut self) -> u64 {
        self.update_id += 1 + self.draws.below(40);
        self.update_id
    }

    /// A full book of `levels` a side.
    pub fn book(&mut self, levels: usize) -> Change {
        let mut change = Change::default();
        for step in (1..).take(levels) {
            let away = step * self.tick();
            change.bids.push(Level { price: Price(self.mid - away), quantity: self.quantity() });
            change.asks.push(Level { price: Price(self.mid + away), quantity: self.quantity() });
        }
        change
    }

    /// Changes of `levels` a side near the touch, about a fifth of them deletions. The best of each side always gets
    /// a new quantity, so that each diff moves the top.
    pub fn change(&mut self, levels: usize) -> Change {
        let mut change = Change::default();
        let (mut bid, mut ask) = (1, 1);
        for step in 0..levels {
            let (bid_gone, ask_gone) =
                (step > 0 && self.draws.below(5) == 0, step > 0 && self.draws.below(5) == 0);
            let quantity = |script: &mut Self, gone| if gone { Quantity::ZERO } else { script.quantity() };
            let (bid_quantity, ask_quantity) = (quantity(self, bid_gone), quantity(self, ask_gone));
            change.bids.push(Level { price: Price(self.mid - bid * self.tick()), quantity: bid_quantity });
            change.asks.push(Level { price: Price(self.mid + ask * self.tick()), quantity: ask_quantity });
            bid += 1 + i64::try_from(self.draws.below(2)).unwrap_or(0);
            ask += 1 + i64::try_from(self.draws.below(2)).unwrap_or(0);
        }
        change
    }

    /// A number as the venue writes it: at its full scale, which spot pads to eight decimals.
    fn fixed(&self, value: i64, scale: Scale) -> String {
        let (unit, digits) = (scale.unit(), usize::from(scale.digits()));
        let padding = if self.instrument.market == Market::Spot { 8 - digits } else { 0 };
        format!("{}.{:0digits$}{:0<padding$}", value / unit, value % unit, "")
    }

    fn price(&self, price: Price) -> String {
        self.fixed(price.0, self.instrument.price_scale)
    }

    fn amount(&self, quantity: Quantity) -> String {
        self.fixed(quantity.0, self.instrument.quantity_scale)
    }

    fn levels(&self, levels: &[Level]) -> String {
        let each: Vec<_> = levels
            .iter()
            .map(|level| format!("[\"{}\",\"{}\"]", self.price(level.price), self.amount(level.quantity)))
            .collect();
        format!("[{}]", each.join(","))
    }

    /// The REST answer with a full book of `levels` a side, and its URL.
    pub fn snapshot(&mut self, levels: usize) -> (String, Vec<u8>) {
        let book = self.book(levels);
        let (bids, asks) = (self.levels(&book.bids), self.levels(&book.asks));
        let url = format!("/api/v3/depth?symbol={}&limit=1000", self.instrument.symbol);
        let text = format!("{{\"lastUpdateId\":{},\"bids\":{bids},\"asks\":{asks}}}", self.update_id);
        (url, text.into_bytes())
    }

    /// A diff of `levels` a side.
    pub fn depth(&mut self, levels: usize) -> Vec<u8> {
        self.depth_in_order(levels, false)
    }

    /// A diff whose fields stand in an order that the venue does not document.
    pub fn depth_shuffled(&mut self, levels: usize) -> Vec<u8> {
        self.depth_in_order(levels, true)
    }

    fn depth_in_order(&mut self, levels: usize, shuffled: bool) -> Vec<u8> {
        let (change, ids, time) = (self.change(levels), self.ids(), self.time_ms());
        let DiffIds { first, last, previous } = ids;
        let (bids, asks) = (self.levels(&change.bids), self.levels(&change.asks));
        let symbol = &self.instrument.symbol;
        let mut extra = String::new();
        if let Some(previous) = previous {
            let _ = write!(extra, "\"pu\":{previous},");
        }
        let transaction = if previous.is_some() { format!("\"T\":{time},") } else { String::new() };
        let text = if shuffled {
            format!(
                "{{\"a\":{asks},\"u\":{last},\"b\":{bids},{extra}\"U\":{first},\"s\":\"{symbol}\",{transaction}\"E\":{time},\
                 \"e\":\"depthUpdate\"}}"
            )
        } else {
            format!(
                "{{\"e\":\"depthUpdate\",\"E\":{time},{transaction}\"s\":\"{symbol}\",\"U\":{first},\"u\":{last},{extra}\
                 \"b\":{bids},\"a\":{asks}}}"
            )
        };
        text.into_bytes()
    }

    /// A best bid and ask, with new quantities.
    pub fn book_ticker(&mut self) -> Vec<u8> {
        self.book_ticker_in_order(false)
    }

    /// The same with its fields in an order that the venue does not document.
    pub fn book_ticker_shuffled(&mut self) -> Vec<u8> {
        self.book_ticker_in_order(true)
    }

    fn book_ticker_in_order(&mut self, shuffled: bool) -> Vec<u8> {
        let (top, id, time) = (self.book(1), self.next_update(), self.time_ms());
        let text = |level: &Level| (self.price(level.price), self.amount(level.quantity));
        let ((bid, bid_size), (ask, ask_size)) = (text(&top.bids[0]), text(&top.asks[0]));
        let symbol = &self.instrument.symbol;
        let prices = if shuffled {
            format!(
                "\"A\":\"{ask_size}\",\"b\":\"{bid}\",\"s\":\"{symbol}\",\"a\":\"{ask}\",\"B\":\"{bid_size}\",\"u\":{id}"
            )
        } else {
            format!(
                "\"u\":{id},\"s\":\"{symbol}\",\"b\":\"{bid}\",\"B\":\"{bid_size}\",\"a\":\"{ask}\",\"A\":\"{ask_size}\""
            )
        };
        let text = match (self.instrument.market, shuffled) {
            (Market::Spot, _) => format!("{{{prices}}}"),
            (_, true) => format!("{{\"E\":{time},{prices},\"T\":{time},\"e\":\"bookTicker\"}}"),
            (_, false) => format!("{{\"e\":\"bookTicker\",{prices},\"T\":{time},\"E\":{time}}}"),
        };
        text.into_bytes()
    }

    /// A trade.
    pub fn trade(&mut self) -> Vec<u8> {
        self.trade_in_order(false)
    }

    /// The same with its fields in an order that the venue does not document.
    pub fn trade_shuffled(&mut self) -> Vec<u8> {
        self.trade_in_order(true)
    }

    fn trade_in_order(&mut self, shuffled: bool) -> Vec<u8> {
        let (time, maker) = (self.time_ms(), self.draws.below(2) == 0);
        let quantity = self.quantity();
        let price = self.price(Price(self.mid + if maker { -self.tick() } else { self.tick() }));
        let (quantity, symbol, id) =
            (self.amount(quantity), &self.instrument.symbol, 3_735_683_000 + self.events);
        let text = if shuffled {
            format!(
                "{{\"M\":true,\"q\":\"{quantity}\",\"s\":\"{symbol}\",\"m\":{maker},\"p\":\"{price}\",\"t\":{id},\"T\":{time},\
                 \"E\":{time},\"e\":\"trade\"}}"
            )
        } else {
            format!(
                "{{\"e\":\"trade\",\"E\":{time},\"s\":\"{symbol}\",\"t\":{id},\"p\":\"{price}\",\"q\":\"{quantity}\",\
                 \"T\":{time},\"m\":{maker},\"M\":true}}"
            )
        };
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_size_of_real_ones_and_their_ids_continue() {
        let mut spot = Script::new(instrument("BTCUSDT", Market::Spot), 1);
        let sizes = [spot.depth(20).len(), spot.depth(100).len(), spot.trade().len()];
        assert!((1_300..1_500).contains(&sizes[0]) && (6_000..7_000).contains(&sizes[1]), "{sizes:?}");
        assert!((130..180).contains(&sizes[2]), "{sizes:?}");
        let mut futures = Script::new(instrument("BTCUSDT", Market::UsdMargined), 1);
        let ticker = String::from_utf8(futures.book_ticker()).expect("text");
        assert!(ticker.contains(r#""b":"63999.90""#), "{ticker}");
        let trade = String::from_utf8(spot.trade()).expect("text");
        assert!(trade.contains("0.01000000\"") || trade.contains("9.99000000\""), "{trade}");
        let size = ticker.len();
        assert!((140..165).contains(&size), "{size}");
        let (first, second) = (futures.ids(), futures.ids());
        assert_eq!((second.first, second.previous), (first.last + 1, Some(first.last)));
    }

    #[test]
    fn a_change_never_crosses_the_book_and_always_moves_the_top() {
        let mut spot = Script::new(instrument("BTCUSDT", Market::Spot), 9);
        for _ in 0..200 {
            let change = spot.change(20);
            assert!(change.bids.iter().all(|bid| change.asks.iter().all(|ask| bid.price < ask.price)));
            assert!(change.bids[0].quantity.0 > 0 && change.asks[0].quantity.0 > 0);
            assert!(change.bids.windows(2).all(|pair| pair[0].price > pair[1].price));
        }
    }
}
