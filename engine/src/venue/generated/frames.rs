//! Binance spot's frames, written from the generated flow (binance.md §2 and §4).

use crate::book::Level;
use crate::domain::{Nanos, Price, Quantity, Side};
use crate::message::tick::Top;
use crate::venue::generated::bars::SecondBar;
use crate::venue::generated::flow::{Flow, Trade};
use crate::venue::generated::json::Json;
use crate::venue::generated::profile::{ORDER_LOTS, Profile};

/// Writes the frames of one symbol.
#[derive(Debug)]
pub(super) struct Frames {
    profile: Profile,
    /// The beginnings of its frames, up to where they differ.
    depth: String,
    book_ticker: String,
    trade: String,
    kline: String,
    /// What its snapshots answer.
    pub(super) url: String,
}

/// Venue time is in milliseconds.
const fn millis(time: Nanos) -> i64 {
    time.0.div_euclid(1_000_000)
}

impl Frames {
    pub(super) fn new(profile: Profile) -> Self {
        let symbol = profile.symbol.as_str();
        let stream = symbol.to_lowercase();
        let event =
            |name: &str, event: &str| format!(r#"{{"stream":"{stream}@{name}","data":{{"e":"{event}","E":"#);
        Self {
            depth: event("depth@100ms", "depthUpdate"),
            book_ticker: format!(r#"{{"stream":"{stream}@bookTicker","data":{{"u":"#),
            trade: event("trade", "trade"),
            kline: event("kline_1s", "kline"),
            url: format!("http://generated/api/v3/depth?symbol={symbol}&limit=1000"),
            profile,
        }
    }

    pub(super) const fn profile(&self) -> &Profile {
        &self.profile
    }

    fn price(&self, json: &mut Json, name: &str, price: Price) {
        json.text(name).decimal(price.0, self.profile.price_scale);
    }

    fn quantity(&self, json: &mut Json, name: &str, quantity: Quantity) {
        json.text(name).decimal(quantity.0, self.profile.quantity_scale);
    }

    fn level(&self, json: &mut Json, first: &mut bool, level: Level) {
        self.price(json, if *first { "[" } else { ",[" }, level.price);
        self.quantity(json, ",", level.quantity);
        json.text("]");
        *first = false;
    }

    /// `depthUpdate`: what changed since the update `last`; the flow forgets it.
    pub(super) fn depth(&self, json: &mut Json, flow: &mut Flow, last: u64, event: Nanos) {
        json.text(&self.depth).integer(millis(event)).text(r#","s":""#).text(&self.profile.symbol);
        json.text(r#"","U":"#).integer(last + 1).text(r#","u":"#).integer(flow.update_id());
        for (side, name) in [(Side::Buy, r#","b":["#), (Side::Sell, r#"],"a":["#)] {
            json.text(name);
            let mut first = true;
            flow.side_mut(side).take_changes(|level| self.level(json, &mut first, level));
        }
        json.text("]}}");
    }

    /// The answer to a REST request for the whole book.
    pub(super) fn snapshot(&self, json: &mut Json, flow: &Flow) {
        json.text(r#"{"lastUpdateId":"#).integer(flow.update_id());
        for (side, name) in [(Side::Buy, r#","bids":["#), (Side::Sell, r#"],"asks":["#)] {
            json.text(name);
            let mut first = true;
            flow.levels(side).for_each(|level| self.level(json, &mut first, level));
        }
        json.text("]}");
    }

    /// `bookTicker`.
    pub(super) fn book_ticker(&self, json: &mut Json, update_id: u64, top: &Top) {
        json.text(&self.book_ticker).integer(update_id).text(r#","s":""#).text(&self.profile.symbol);
        self.price(json, r#"","b":"#, top.bid);
        self.quantity(json, r#","B":"#, top.bid_quantity);
        self.price(json, r#","a":"#, top.ask);
        self.quantity(json, r#","A":"#, top.ask_quantity);
        json.text("}}");
    }

    /// `trade`: `m` says that the buyer was the maker, so that a seller took.
    pub(super) fn trade(&self, json: &mut Json, trade: &Trade, event: Nanos) {
        json.text(&self.trade).integer(millis(event)).text(r#","s":""#).text(&self.profile.symbol);
        json.text(r#"","t":"#).integer(trade.id);
        self.price(json, r#","p":"#, trade.price);
        self.quantity(json, r#","q":"#, trade.quantity);
        json.text(r#","T":"#).integer(millis(event));
        let maker_bought = if trade.aggressor == Side::Sell { "true" } else { "false" };
        json.text(r#","m":"#).text(maker_bought).text(r#","M":true}}"#);
    }

    /// `kline` of the second that ended at `event`.
    pub(super) fn kline(&self, json: &mut Json, bar: &SecondBar, event: Nanos) {
        let symbol = self.profile.symbol.as_str();
        let end = millis(event);
        json.text(&self.kline).integer(end).text(r#","s":""#).text(symbol);
        json.text(r#"","k":{"t":"#).integer(end - 1_000).text(r#","T":"#).integer(end - 1);
        json.text(r#","s":""#).text(symbol).text(r#"","i":"1s","f":"#).integer(bar.first_trade);
        json.text(r#","L":"#).integer(bar.last_trade);
        for (name, price) in
            [(r#","o":"#, bar.open), (r#","c":"#, bar.close), (r#","h":"#, bar.high), (r#","l":"#, bar.low)]
        {
            self.price(json, name, price);
        }
        self.quantity(json, r#","v":"#, bar.volume);
        json.text(r#","n":"#).integer(bar.trades).text(r#","x":true"#);
        let value = self.profile.notional_scale();
        json.text(r#","q":"#).decimal(bar.value, value);
        self.quantity(json, r#","V":"#, bar.bought);
        json.text(r#","Q":"#).decimal(bar.bought_value, value).text(r#","B":"0"}}}"#);
    }

    /// The symbol's entry in an exchangeInfo.
    fn listed(&self, json: &mut Json) {
        let Profile { symbol, base, quote, price_scale, quantity_scale, start_ticks, .. } = &self.profile;
        json.text(r#"{"symbol":""#).text(symbol).text(r#"","status":"TRADING","baseAsset":""#).text(base);
        json.text(r#"","baseAssetPrecision":8,"quoteAsset":""#).text(quote);
        json.text(LISTED);
        json.text(r#""filters":[{"filterType":"PRICE_FILTER","minPrice":"#).decimal(1, *price_scale);
        json.text(r#","maxPrice":"#).decimal(start_ticks * 100, *price_scale);
        json.text(r#","tickSize":"#).decimal(1, *price_scale);
        json.text(r#"},{"filterType":"LOT_SIZE","minQty":"#).decimal(1, *quantity_scale);
        json.text(r#","maxQty":"#).decimal(ORDER_LOTS * 100_000, *quantity_scale);
        json.text(r#","stepSize":"#).decimal(1, *quantity_scale);
        json.text(r#"},{"filterType":"MARKET_LOT_SIZE","minQty":"0.00000000","maxQty":"#);
        json.decimal(ORDER_LOTS * 10_000, *quantity_scale).text(r#","stepSize":"0.00000000"}"#);
        // A hundredth of a typical order, as a power of ten.
        let least = 10_i64.pow((start_ticks * (ORDER_LOTS / 100)).ilog10());
        json.text(r#",{"filterType":"NOTIONAL","minNotional":"#)
            .decimal(least, self.profile.notional_scale());
        json.text(r#","applyMinToMarket":true,"maxNotional":"9000000.00000000","applyMaxToMarket":false"#);
        json.text(
            r#","avgPriceMins":5},{"filterType":"MAX_NUM_ORDERS","maxNumOrders":200}],"permissions":[]"#,
        );
        json.text(r#","permissionSets":[["SPOT"]],"defaultSelfTradePreventionMode":"EXPIRE_MAKER""#);
        json.text(r#","allowedSelfTradePreventionModes":["EXPIRE_TAKER","EXPIRE_MAKER","EXPIRE_BOTH"]}"#);
    }
}

/// What every listed symbol has in common.
const LISTED: &str = concat!(
    r#"","quotePrecision":8,"quoteAssetPrecision":8,"baseCommissionPrecision":8,"quoteCommissionPrecision":8,"#,
    r#""orderTypes":["LIMIT","LIMIT_MAKER","MARKET","STOP_LOSS","STOP_LOSS_LIMIT","TAKE_PROFIT","TAKE_PROFIT_LIMIT"],"#,
    r#""icebergAllowed":false,"ocoAllowed":true,"otoAllowed":false,"#,
    r#""opoAllowed":false,"quoteOrderQtyMarketAllowed":false,"allowTrailingStop":false,"cancelReplaceAllowed":true,"#,
    r#""amendAllowed":false,"pegInstructionsAllowed":false,"isSpotTradingAllowed":true,"isMarginTradingAllowed":false,"#,
);

/// The exchangeInfo that lists these symbols, in this order.
pub(super) fn exchange_info<'a>(frames: impl Iterator<Item = &'a Frames>, now: Nanos) -> Vec<u8> {
    let mut json = Json::default();
    json.text(r#"{"timezone":"UTC","serverTime":"#).integer(millis(now));
    json.text(r#","rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000}"#);
    json.text(r#",{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":100}"#);
    json.text(r#",{"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":200000}"#);
    json.text(r#"],"exchangeFilters":[],"symbols":["#);
    for (at, frame) in frames.enumerate() {
        json.text(if at > 0 { "," } else { "" });
        frame.listed(&mut json);
    }
    json.text("]}");
    json.into_bytes()
}
