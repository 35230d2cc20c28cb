//! The generated market against an independent client: plain maps, `serde_json`, and Binance's rule for spot books.

use std::collections::BTreeMap;

use engine::domain::{Nanos, Side, decimal};
use engine::venue::Source;
use engine::venue::generated::GeneratedMarket;
use serde_json::Value;

const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHBTC", "XRPUSDT"];
const START: Nanos = Nanos(1_723_161_253_000_000_000);

type Frame = (Nanos, Option<String>, Vec<u8>);

fn next(market: &mut GeneratedMarket) -> Frame {
    let due = market.next_time();
    let mut frames = Vec::new();
    market.next_frame(&mut |received, source, payload| {
        let url = match source {
            Source::Rest(url) => Some((*url).to_owned()),
            Source::Stream | Source::Sbe => None,
        };
        frames.push((received, url, payload.to_vec()));
    });
    assert_eq!(frames.len(), 1, "one frame at a time");
    let frame = frames.remove(0);
    assert_eq!(frame.0, due);
    frame
}

fn market(symbols: &[&str], seed: u64) -> GeneratedMarket {
    GeneratedMarket::new(symbols, seed, START, 200).expect("a market")
}

/// A client's book of one symbol, prices and quantities in the market's units.
#[derive(Default)]
struct Client {
    scales: Option<(decimal::Scale, decimal::Scale)>,
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
    buffered: Vec<Value>,
    /// `u` of the last diff received, applied or not.
    received: Option<u64>,
    /// Update id of the book; `None` until synchronised.
    applied: Option<u64>,
    ticker: Option<(u64, [i64; 4])>,
    trade: Option<u64>,
    diffs: u32,
    snapshots: u32,
    checked: u32,
}

impl Client {
    fn number(&self, value: &Value, of_price: bool) -> i64 {
        let (price, quantity) = self.scales.expect("known");
        let text = value.as_str().expect("numbers are strings");
        decimal::parse(text.as_bytes(), if of_price { price } else { quantity }).expect("on the grid")
    }

    fn levels(&self, levels: &Value) -> Vec<(i64, i64)> {
        let levels = levels.as_array().expect("an array");
        levels.iter().map(|level| (self.number(&level[0], true), self.number(&level[1], false))).collect()
    }

    fn snapshot(&mut self, json: &Value) {
        let id = json["lastUpdateId"].as_u64().expect("an id");
        let (bids, asks) = (self.levels(&json["bids"]), self.levels(&json["asks"]));
        assert!(bids.is_sorted_by(|a, b| a.0 > b.0) && asks.is_sorted_by(|a, b| a.0 < b.0), "best first");
        assert!(bids.len() < 1_000 && asks.len() < 1_000, "the whole book");
        assert!(
            self.received.is_some_and(|received| received <= id),
            "no newer than the diffs that were buffered"
        );
        (self.bids, self.asks) = (bids.into_iter().collect(), asks.into_iter().collect());
        self.applied = Some(id);
        self.snapshots += 1;
        for diff in std::mem::take(&mut self.buffered) {
            self.apply(&diff);
        }
    }

    fn diff(&mut self, diff: Value) {
        let (first, last) = (diff["U"].as_u64().expect("U"), diff["u"].as_u64().expect("u"));
        assert!(first <= last && self.received.is_none_or(|received| first == received + 1), "contiguous");
        self.received = Some(last);
        self.diffs += 1;
        if self.applied.is_some() { self.apply(&diff) } else { self.buffered.push(diff) }
    }

    fn apply(&mut self, diff: &Value) {
        let (first, last) = (diff["U"].as_u64().expect("U"), diff["u"].as_u64().expect("u"));
        let applied = self.applied.expect("synchronised");
        if last <= applied {
            return;
        }
        assert!(first <= applied + 1, "a gap: {first} after {applied}");
        for (name, is_bid) in [("b", true), ("a", false)] {
            for (price, quantity) in self.levels(&diff[name]) {
                let side = if is_bid { &mut self.bids } else { &mut self.asks };
                if quantity == 0 {
                    side.remove(&price);
                } else {
                    side.insert(price, quantity);
                }
            }
        }
        self.applied = Some(last);
        let top = self.top();
        assert!(top[0] < top[2], "crossed: {top:?}");
        if let Some((update, ticker)) = self.ticker {
            assert!(update <= last, "a bookTicker is not ahead of the diff that follows it");
            assert_eq!(ticker, top, "the newest bookTicker tells the same");
            self.checked += 1;
        }
    }

    fn top(&self) -> [i64; 4] {
        let bid = self.bids.last_key_value().expect("bids");
        let ask = self.asks.first_key_value().expect("asks");
        [*bid.0, *bid.1, *ask.0, *ask.1]
    }

    fn trade(&mut self, trade: &Value) {
        let id = trade["t"].as_u64().expect("t");
        assert!(self.trade.is_none_or(|before| id == before + 1), "trade ids are contiguous");
        self.trade = Some(id);
        assert!(self.number(&trade["q"], false) > 0);
        if let Some((_, [bid, _, ask, _])) = self.ticker {
            let price = self.number(&trade["p"], true);
            let buyer_made = trade["m"].as_bool().expect("m");
            assert!(if buyer_made { price <= bid } else { price >= ask }, "{price} against {bid} {ask}");
        }
    }
}

#[test]
fn a_client_that_follows_the_rule_has_the_markets_book() {
    let mut market = market(&SYMBOLS, 5);
    let mut clients: Vec<Client> =
        (0..3).map(|index| Client { scales: market.scales(index), ..Client::default() }).collect();
    let index_of = |symbol: &str| SYMBOLS.iter().position(|&name| name == symbol).expect("listed");
    let (mut last, mut equal, mut bars) = (START, 0, 0);
    for count in 0..40_000_u32 {
        // While a diff is the next frame, the market's book is as that diff leaves it.
        let ids: Vec<_> = (0..3).map(|index| market.update_id(index)).collect();
        let books: Vec<_> = (0..3)
            .map(|index| [Side::Buy, Side::Sell].map(|side| market.levels(index, side).collect::<Vec<_>>()))
            .collect();
        let (received, url, payload) = next(&mut market);
        assert!(received >= last, "time does not go back");
        last = received;
        let json: Value = serde_json::from_slice(&payload).expect("JSON");
        if let Some(url) = url {
            let symbol =
                url.rsplit("symbol=").next().and_then(|rest| rest.split('&').next()).expect("a symbol");
            clients[index_of(symbol)].snapshot(&json);
            continue;
        }
        let data = &json["data"];
        let symbol = data["s"].as_str().expect("s");
        let index = index_of(symbol);
        let client = &mut clients[index];
        let stream = json["stream"].as_str().expect("stream");
        assert!(stream.starts_with(&symbol.to_lowercase()));
        match data["e"].as_str() {
            Some("depthUpdate") => {
                client.diff(data.clone());
                if client.applied.is_some() && client.applied == ids[index] {
                    let [bids, asks] = &books[index];
                    let side = |levels: &[engine::book::Level]| {
                        levels
                            .iter()
                            .map(|level| (level.price.0, level.quantity.0))
                            .collect::<BTreeMap<_, _>>()
                    };
                    assert_eq!((&client.bids, &client.asks), (&side(bids), &side(asks)));
                    equal += 1;
                }
            }
            Some("trade") => client.trade(data),
            Some("kline") => {
                assert_eq!(data["k"]["x"], true);
                bars += 1;
            }
            None => {
                let [bid, bid_quantity, ask, ask_quantity] = ["b", "B", "a", "A"].map(|name| &data[name]);
                let top = [
                    client.number(bid, true),
                    client.number(bid_quantity, false),
                    client.number(ask, true),
                    client.number(ask_quantity, false),
                ];
                assert!(top[0] < top[2]);
                client.ticker = Some((data["u"].as_u64().expect("u"), top));
            }
            event => panic!("an event nobody asked for: {event:?}"),
        }
        if count % 10_000 == 9_999 {
            market.request_snapshot(1, received);
            market.request_snapshot(1, received);
        }
    }
    let snapshots: Vec<_> = clients.iter().map(|client| client.snapshots).collect();
    assert_eq!(snapshots, [1, 4, 1], "a second request on top of the first is not answered twice");
    assert!(clients.iter().all(|client| client.diffs > 500 && client.checked > 500), "enough was checked");
    assert!(equal > 1_500 && bars > 100, "{equal} books compared, {bars} bars");
}

#[test]
fn a_session_begins_with_diffs_and_snapshots_come_when_asked() {
    let mut market = market(&["BTCUSDT"], 9);
    let mut diffs = 0;
    let first = loop {
        let (received, url, payload) = next(&mut market);
        if url.is_some() {
            break received;
        }
        diffs += u32::from(payload.windows(11).any(|word| word == b"depthUpdate"));
    };
    assert!(diffs > 0 && first == START + Nanos::from_millis(200));
    market.request_snapshot(0, first);
    market.request_snapshot(7, first);
    let second = loop {
        let (received, url, _) = next(&mut market);
        if url.is_some() {
            break received;
        }
    };
    assert_eq!(second, first + Nanos::from_millis(50));
}

#[test]
fn a_seed_names_every_byte() {
    let run = |symbols: &[&str], seed| {
        let mut market = market(symbols, seed);
        (0..5_000).map(|_| next(&mut market)).collect::<Vec<Frame>>()
    };
    let both = run(&["BTCUSDT", "ETHUSDT"], 1);
    assert_eq!(both, run(&["BTCUSDT", "ETHUSDT"], 1));
    assert_ne!(both, run(&["BTCUSDT", "ETHUSDT"], 2));
    // The streams of a symbol do not depend on its company.
    let of = |frames: &[Frame]| {
        let name = b"btcusdt@";
        let own = frames.iter().filter(|frame| frame.2.windows(name.len()).any(|word| word == name));
        own.take(1_000).cloned().collect::<Vec<_>>()
    };
    assert_eq!(of(&both), of(&run(&["BTCUSDT"], 1)));
}

#[test]
fn every_symbol_is_listed_on_its_grid() {
    let market = market(&SYMBOLS, 1);
    let info: Value = serde_json::from_slice(&market.exchange_info()).expect("JSON");
    let listed = info["symbols"].as_array().expect("symbols");
    assert_eq!(listed.iter().map(|symbol| symbol["symbol"].as_str()).collect::<Vec<_>>(), SYMBOLS.map(Some));
    for (index, symbol) in listed.iter().enumerate() {
        let (price, quantity) = market.scales(index).expect("listed");
        let number = |filter: &str, name: &str, scale| {
            let filters = symbol["filters"].as_array().expect("filters");
            let filter = filters.iter().find(|entry| entry["filterType"] == filter).expect("a filter");
            decimal::parse(filter[name].as_str().expect("a string").as_bytes(), scale)
        };
        assert_eq!(number("PRICE_FILTER", "tickSize", price), Ok(1));
        assert_eq!(number("LOT_SIZE", "stepSize", quantity), Ok(1));
        let value = decimal::Scale::new(price.digits() + quantity.digits()).expect("a scale");
        assert!(number("NOTIONAL", "minNotional", value).is_ok_and(|least| least > 0));
    }
    for (symbols, rate) in [(&[][..], 1), (&["BTCUSDT", "BTCUSDT"], 1), (&["BTC"], 1), (&["BTCUSDT"], 0)] {
        assert!(GeneratedMarket::new(symbols, 1, START, rate).is_err(), "{symbols:?} {rate}");
    }
    assert!(GeneratedMarket::new(&["BTCUSDT"], 1, Nanos(-1), 1).is_err());
}

#[test]
#[should_panic(expected = "contiguous")]
fn the_client_notices_a_lost_diff() {
    let mut market = market(&["BTCUSDT"], 3);
    let mut client = Client { scales: market.scales(0), ..Client::default() };
    for _ in 0..1_000 {
        let (_, url, payload) = next(&mut market);
        let json: Value = serde_json::from_slice(&payload).expect("JSON");
        let data = &json["data"];
        if url.is_some() {
            client.snapshot(&json);
        } else if data["e"] == "depthUpdate" && client.diffs != 4 {
            client.diff(data.clone());
        } else if data["e"] == "depthUpdate" {
            client.diffs += 1;
        }
    }
}
