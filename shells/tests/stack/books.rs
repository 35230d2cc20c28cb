//! What an exchange's own books and ours say of the same account, held against each other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::exchange::Exchange;
use super::{Home, look};

/// What the account of `simulated_exchange` begins with.
const DEPOSITS: [(&str, i128); 4] = [("USDT", 1_000_000), ("BTC", 100), ("ETH", 1_000), ("BNB", 1_000)];

/// Units of an amount: the venue's eight decimals.
const UNIT: i128 = 100_000_000;

/// Order, whether we bought, price, quantity, fee and what it was taken in.
type FillRow = (String, bool, i128, i128, i128, String);

/// One book of orders and fills.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// By our id: symbol, quantity, what was filled, and what became of it.
    pub orders: BTreeMap<String, (String, i128, i128, &'static str)>,
    /// By symbol and the venue's id of the trade.
    pub fills: BTreeMap<(String, u64), FillRow>,
    /// By asset.
    pub balances: BTreeMap<String, i128>,
    /// Ids that stand on more than one order.
    pub doubled: BTreeSet<String>,
}

/// A decimal in units.
fn units(text: &Value) -> i128 {
    let text = text.as_str().unwrap_or_else(|| panic!("{text} is no decimal"));
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = format!("{:0<8}", part.trim_end_matches('0'));
    assert!(part.len() == 8, "{text} has more than eight decimals");
    sign * (whole.parse::<i128>().expect("digits") * UNIT + part.parse::<i128>().expect("digits"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn id(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no id"))
}

fn base(symbol: &str) -> String {
    symbol.strip_suffix("USDT").expect("a symbol of the test").to_owned()
}

/// What became of an order, in words of both sides.
fn state(word: &str) -> &'static str {
    match word {
        "NEW" | "OPEN" | "PENDING_CANCEL" => "open",
        "PARTIALLY_FILLED" | "PARTIAL" => "open",
        "FILLED" => "filled",
        "CANCELED" => "canceled",
        "EXPIRED" | "EXPIRED_IN_MATCH" => "expired",
        "REJECTED" | "NEVER_PLACED" => "none",
        _ => "unclear",
    }
}

impl Books {
    /// The exchange's, as it tells them over REST.
    pub fn of_exchange(exchange: &Exchange, symbols: &[&str]) -> Self {
        let mut books = Self::default();
        for &symbol in symbols {
            for order in pages(exchange, "/api/v3/allOrders", symbol, "orderId", "orderId") {
                let name = text(&order["clientOrderId"]);
                let row = (
                    symbol.to_owned(),
                    units(&order["origQty"]),
                    units(&order["executedQty"]),
                    state(order["status"].as_str().expect("a status")),
                );
                if books.orders.insert(name.clone(), row).is_some() {
                    books.doubled.insert(name);
                }
            }
            let names: BTreeMap<u64, String> =
                pages(exchange, "/api/v3/allOrders", symbol, "orderId", "orderId")
                    .iter()
                    .map(|order| (id(&order["orderId"]), text(&order["clientOrderId"])))
                    .collect();
            for trade in pages(exchange, "/api/v3/myTrades", symbol, "fromId", "id") {
                let row = (
                    names.get(&id(&trade["orderId"])).cloned().unwrap_or_default(),
                    trade["isBuyer"] == true,
                    units(&trade["price"]),
                    units(&trade["qty"]),
                    units(&trade["commission"]),
                    text(&trade["commissionAsset"]),
                );
                books.fills.insert((symbol.to_owned(), id(&trade["id"])), row);
            }
        }
        for balance in exchange.signed("/api/v3/account", "")["balances"].as_array().expect("a list") {
            let sum = units(&balance["free"]) + units(&balance["locked"]);
            books.balances.insert(text(&balance["asset"]), sum);
        }
        books
    }

    /// Ours, out of the journals, as the command line tells them.
    pub fn of_journals(home: &Home) -> Self {
        let mut books = Self::default();
        for order in rows(home, &["orders", "--all"]) {
            let state = state(order["state"].as_str().expect("a state"));
            let row = (text(&order["symbol"]), units(&order["quantity"]), units(&order["filled"]), state);
            // What risk refused, and what never arrived, the exchange has never seen.
            if state != "none" {
                books.orders.insert(text(&order["order_id"]), row);
            }
        }
        for (asset, amount) in DEPOSITS {
            books.balances.insert(asset.to_owned(), amount * UNIT);
        }
        for fill in rows(home, &["fills", "--limit", "1000000"]) {
            let symbol = text(&fill["symbol"]);
            let buys = fill["side"] == "BUY";
            let (price, quantity, fee) =
                (units(&fill["price"]), units(&fill["quantity"]), units(&fill["fee"]));
            let fee_asset = text(&fill["fee_asset"]);
            let value = price * quantity / UNIT;
            let sign = if buys { 1 } else { -1 };
            *books.balances.entry(base(&symbol)).or_default() += sign * quantity;
            *books.balances.entry("USDT".to_owned()).or_default() -= sign * value;
            *books.balances.entry(fee_asset.clone()).or_default() -= fee;
            let row = (text(&fill["order_id"]), buys, price, quantity, fee, fee_asset);
            books.fills.insert((symbol, id(&fill["trade_id"])), row);
        }
        books
    }

    /// Everything in which `other` differs, in words.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found: Vec<String> =
            self.doubled.iter().chain(&other.doubled).map(|id| format!("doubled: {id}")).collect();
        differ("order", &self.orders, &other.orders, &mut found);
        differ("fill", &self.fills, &other.fills, &mut found);
        differ("balance", &self.balances, &other.balances, &mut found);
        found
    }
}

fn differ<K: Ord + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
    what: &str,
    ours: &BTreeMap<K, V>,
    theirs: &BTreeMap<K, V>,
    found: &mut Vec<String>,
) {
    let keys: BTreeSet<&K> = ours.keys().chain(theirs.keys()).collect();
    let unlike = keys.into_iter().filter(|key| ours.get(key) != theirs.get(key));
    found.extend(unlike.map(|key| {
        format!("{what} {key:?}: the exchange says {:?}, we say {:?}", ours.get(key), theirs.get(key))
    }));
}

/// Every entry of a list that is told in pages of a thousand, each beginning at an id.
fn pages(exchange: &Exchange, path: &str, symbol: &str, from: &str, key: &str) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for _ in 0..1_000 {
        let next = all.last().map_or(0, |last| id(&last[key]) + 1);
        let page = exchange.signed(path, &format!("symbol={symbol}&limit=1000&{from}={next}"));
        let page = page.as_array().expect("a list").clone();
        let full = page.len() == 1_000;
        all.extend(page);
        if !full {
            return all;
        }
    }
    panic!("{path} of {symbol} has no end");
}

/// The rows that a looking command says.
pub fn rows(home: &Home, command: &[&str]) -> Vec<Value> {
    look(home, command).as_array().cloned().unwrap_or_default()
}
