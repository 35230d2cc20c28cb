//! Our own market data as a client of the exchange: ingest's books, over sockets, against the exchange's.

use std::io::Write;
use std::sync::Arc;

use engine::agent::Agent;
use engine::clock::Stopwatch;
use engine::clock::tsc::LiveClock;
use engine::counters::Histograms;
use engine::counters::cell::CellWriter;
use engine::domain::{InstrumentIndex, Instruments, Market, Nanos, Side};
use engine::message::Tick;
use engine::ring::broadcast::{self, Polled};
use engine::tick_to_trade::ingest::{INGEST_STAGES, Ingest, IngestConfig, IngestPorts};
use engine::venue::MarketData as _;
use engine::venue::binance::frames::FrameDecoder;
use engine::venue::binance::{MarketEvent, exchange_info};
use shells::binance::{BinanceFeed, Endpoints, Streams};
use shells::config::values::TradeStream;
use shells::config::{AllFlags, Environment, Secret, Secrets, Settings};
use shells::transport::TlsTrust;
use shells::venue::Way;

use crate::support::{Exchange, deadline, now};

struct Books {
    ingest: Ingest<BinanceFeed>,
    instruments: Arc<Instruments>,
    folder: tempfile::TempDir,
}

impl Books {
    fn open(exchange: &Exchange, secure: bool, redundant: bool) -> Self {
        Self::following(exchange, secure, &Streams { redundant, ..Streams::default() })
    }

    fn following(exchange: &Exchange, secure: bool, streams: &Streams) -> Self {
        Self::of(exchange, secure, |endpoints, trust, instruments| {
            BinanceFeed::new(endpoints, trust, instruments, streams, 1).expect("a reactor")
        })
    }

    fn open_sbe(exchange: &Exchange, secure: bool, redundant: bool, key: &str) -> Self {
        Self::following_in_sbe(exchange, secure, &Streams { redundant, ..Streams::default() }, key)
    }

    fn following_in_sbe(exchange: &Exchange, secure: bool, streams: &Streams, key: &str) -> Self {
        let key = exchange.keys[key]["api_key"].as_str().expect("a key");
        Self::of(exchange, secure, |endpoints, trust, instruments| {
            let feed = BinanceFeed::new(endpoints, trust, instruments, streams, 1).expect("a reactor");
            feed.in_sbe(endpoints, &Secret::new(key.to_owned()), streams, 1)
        })
    }

    fn of(
        exchange: &Exchange,
        secure: bool,
        make: impl FnOnce(&Endpoints, &TlsTrust, Arc<Instruments>) -> BinanceFeed,
    ) -> Self {
        let info = exchange.http("GET", "/api/v3/exchangeInfo", "", "").2.to_string();
        let table = exchange_info::instruments(info.as_bytes(), Market::Spot).expect("instruments");
        let instruments = Arc::new(Instruments::new(table).expect("a table"));
        let port = exchange.running.address.port();
        let base = if secure { format!("wss://localhost:{port}") } else { format!("ws://127.0.0.1:{port}") };
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let mut file = std::fs::File::create(at("certificate")).expect("a file");
        file.write_all(exchange.running.certificate.as_bytes()).expect("written");
        let trust = TlsTrust::file(&at("certificate")).expect("a certificate");
        let endpoints = Endpoints::at(&base).expect("a place");
        let feed = make(&endpoints, &trust, Arc::clone(&instruments));
        let ports = IngestPorts {
            ticks: broadcast::Producer::create(&at("ticks"), 4_096, 1).expect("made"),
            cells: CellWriter::create(&at("cells"), instruments.len(), 1).expect("made"),
            histograms: Histograms::create(&at("histograms"), &INGEST_STAGES, 1).expect("made"),
        };
        let config = IngestConfig { silence: Nanos::NEVER };
        let ingest = Ingest::new(ports, feed, Arc::clone(&instruments), Stopwatch::calibrate(), config);
        Self { ingest, instruments, folder }
    }

    fn until(&mut self, what: &str, mut done: impl FnMut(&Ingest<BinanceFeed>) -> bool) {
        let deadline = deadline();
        while now() < deadline {
            self.ingest.do_work(now());
            if done(&self.ingest) {
                return;
            }
            std::thread::yield_now();
        }
        panic!("{what} never came: {:?}", self.ingest.feed().counts);
    }

    /// Lets the market go on until every book is trusted and has the exchange's last update, then compares all levels.
    fn follow(&mut self, exchange: &Exchange) {
        let count = InstrumentIndex::try_from(self.instruments.len()).expect("few");
        let mut steps = 0;
        self.until("trust", |ingest| {
            steps += 1;
            if steps % 200 == 1 {
                assert_eq!(exchange.operator("POST", "/admin/step?by=200ms").0, 200);
            }
            (0..count).all(|index| ingest.book(index).is_some_and(engine::book::Book::is_trusted))
        });
        for index in 0..count {
            let symbol = self.instruments.get(index).expect("known").symbol;
            let depth = exchange.http("GET", &format!("/api/v3/depth?symbol={symbol}&limit=5000"), "", "").2;
            let last = depth["lastUpdateId"].as_u64().expect("an id");
            self.until("the last update", |ingest| ingest.book(index).expect("known").update_id() >= last);
            let book = self.ingest.book(index).expect("known");
            assert!(book.is_trusted());
            let instrument = self.instruments.get(index).expect("known");
            for (side, name) in [(Side::Buy, "bids"), (Side::Sell, "asks")] {
                let theirs: Vec<_> = depth[name]
                    .as_array()
                    .expect("levels")
                    .iter()
                    .map(|level| {
                        let text = |place: usize| level[place].as_str().expect("text");
                        let price = instrument.price(text(0)).expect("exact");
                        (price, instrument.quantity(text(1)).expect("exact"))
                    })
                    .collect();
                let ours: Vec<_> =
                    book.side(side).iter().map(|level| (level.price, level.quantity)).collect();
                // Below the snapshot's depth levels are unknown until they change.
                let same = ours.len().min(theirs.len()).min(500);
                assert!(same > 10 && ours[..same] == theirs[..same], "{symbol} {name}");
            }
        }
    }
}

#[test]
fn books_over_sockets_equal_the_exchanges_plain_and_tls() {
    for secure in [false, true] {
        let exchange = Exchange::start(&["--speed", "step"]);
        let mut books = Books::open(&exchange, secure, false);
        for _ in 0..3 {
            books.follow(&exchange);
            assert_eq!(exchange.operator("POST", "/admin/step?by=1s").0, 200);
        }
        assert_eq!((books.ingest.feed().counts.connections, books.ingest.feed().counts.repeats), (1, 0));
    }
}

#[test]
fn every_stream_comes_twice_where_the_settings_say_so() {
    let exchange = Exchange::start(&[]);
    for (redundant, expected) in [("no", 1), ("yes", 2)] {
        let endpoint = format!("ws://127.0.0.1:{}", exchange.running.address.port());
        let variables = [
            ("HOME", "/nowhere"),
            ("TRADING_EXCHANGE_ENDPOINT", endpoint.as_str()),
            ("TRADING_REDUNDANT_STREAMS", redundant),
        ];
        let environment: Environment =
            variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let settings =
            Settings::resolve(&AllFlags::default(), &environment, Secrets::Withhold).expect("valid");
        let way = Way::of(&settings).expect("a place");
        let mut clock = LiveClock::new(Stopwatch::calibrate());
        let listing = way.ask_listing(&["BTCUSDT".to_owned()], &mut clock).expect("listed");
        let mut feed = way.feed(&listing, &settings, &mut clock).expect("a reactor");
        let (deadline, mut frames) = (deadline(), 0);
        while feed.counts.connections < expected || frames < 100 {
            assert!(now() < deadline, "{redundant}: {:?}", feed.counts);
            feed.poll(now(), &mut |_| frames += 1);
            std::thread::yield_now();
        }
        assert_eq!(feed.counts.connections, expected, "{redundant}");
    }
}

#[test]
fn redundant_connections_tell_everything_once_and_a_shutdown_is_survived() {
    let formats: [fn(&Exchange) -> Books; 2] = [
        |exchange| Books::open(exchange, false, true),
        |exchange| Books::open_sbe(exchange, false, true, "ed25519"),
    ];
    for open in formats {
        let exchange = Exchange::start(&["--speed", "step"]);
        let mut books = open(&exchange);
        books.follow(&exchange);
        books.until("a repeat", |ingest| {
            exchange.operator("POST", "/admin/step?by=100ms");
            ingest.feed().counts.repeats > 0
        });
        assert_eq!(exchange.operator("POST", "/admin/announce-shutdown").0, 200);
        books.until("replacements", |ingest| {
            exchange.operator("POST", "/admin/step?by=100ms");
            ingest.feed().counts.reconnects >= 2
        });
        books.follow(&exchange);
    }
}

#[test]
fn books_in_sbe_equal_those_in_json() {
    for secure in [false, true] {
        let exchange = Exchange::start(&["--speed", "step"]);
        let mut in_json = Books::open(&exchange, secure, false);
        let mut in_sbe = Books::open_sbe(&exchange, secure, false, "ed25519");
        for _ in 0..3 {
            in_json.follow(&exchange);
            in_sbe.follow(&exchange);
            assert_eq!(exchange.operator("POST", "/admin/step?by=1s").0, 200);
        }
        in_sbe.until("bars, as JSON", |ingest| {
            exchange.operator("POST", "/admin/step?by=200ms");
            ingest.counters().bars > 0 && ingest.counters().trades > 0 && ingest.counters().book_tickers > 0
        });
        assert_eq!(in_sbe.ingest.feed().counts.connections, 2, "one for bars");
        assert_eq!((in_sbe.ingest.counters().malformed, in_sbe.ingest.feed().counts.repeats), (0, 0));
    }
}

#[test]
fn a_key_that_opens_no_sbe_leaves_no_book_trusted() {
    let exchange = Exchange::start(&["--speed", "step"]);
    let mut books = Books::open_sbe(&exchange, false, false, "hmac");
    books.until("bars alone", |ingest| {
        exchange.operator("POST", "/admin/step?by=1s");
        ingest.counters().bars > 0
    });
    assert!(books.ingest.book(0).is_some_and(|book| !book.is_trusted()));
    assert_eq!(books.ingest.counters().trades, 0);
}

/// The exchange's last aggregate of the first symbol: its id, and that of its last trade; zeros before the first.
fn last_aggregate(exchange: &Exchange) -> (u64, u64) {
    let last = &exchange.http("GET", "/api/v3/aggTrades?symbol=BTCUSDT&limit=1", "", "").2[0];
    let id = |name: &str| last[name].as_u64().unwrap_or(0);
    (id("a"), id("l"))
}

/// Number and quantity of the first symbol's trades with an id in `ids`, as the feed tells them: each once, in order.
fn traded(books: &mut Books, ids: std::ops::RangeInclusive<u64>, wanted: TradeStream) -> (u64, i64) {
    let mut decoder = FrameDecoder::new(Arc::clone(&books.instruments));
    let (deadline, mut next, mut sum) = (deadline(), *ids.start(), 0);
    while next <= *ids.end() {
        assert!(now() < deadline, "{next} never came");
        books.ingest.feed_mut().poll(now(), &mut |frame| {
            decoder.decode(frame, |read| {
                if let Ok(MarketEvent::Trade { instrument: 0, trade_id, quantity, aggregate, .. }) = *read
                    && ids.contains(&trade_id)
                {
                    assert_eq!((trade_id, aggregate), (next, wanted == TradeStream::Aggregate));
                    next += 1;
                    sum += quantity.0;
                }
            });
        });
        std::thread::yield_now();
    }
    (next - ids.start(), sum)
}

#[test]
fn aggregates_tell_what_was_traded_in_fewer_words() {
    for in_sbe in [false, true] {
        let exchange = Exchange::start(&["--speed", "step"]);
        let streams = |trades| Streams { trades, ..Streams::default() };
        let mut both =
            [TradeStream::Single, TradeStream::Aggregate].map(streams).map(|streams| match in_sbe {
                false => Books::following(&exchange, false, &streams),
                true => Books::following_in_sbe(&exchange, false, &streams, "ed25519"),
            });
        let connections = 1 + u64::from(in_sbe);
        for books in &mut both {
            books.until("a connection", |ingest| ingest.feed().counts.connections == connections);
        }
        let (first, after) = last_aggregate(&exchange);
        for _ in 0..3 {
            assert_eq!(exchange.operator("POST", "/admin/step?by=2s").0, 200);
        }
        let (last, until) = last_aggregate(&exchange);
        let [single, aggregate] = &mut both;
        let single = traded(single, after + 1..=until, TradeStream::Single);
        let aggregate = traded(aggregate, first + 1..=last, TradeStream::Aggregate);
        assert_eq!(single.1, aggregate.1, "what was traded");
        assert!(aggregate.0 > 10 && aggregate.0 <= single.0, "{aggregate:?} of {single:?}");
    }
}

#[test]
fn bars_come_of_the_intervals_that_are_followed_and_no_others() {
    let exchange = Exchange::start(&["--speed", "step"]);
    let following =
        |klines: &str| Streams { klines: klines.parse().expect("intervals"), ..Streams::default() };
    let mut none = Books::following_in_sbe(&exchange, false, &following("none"), "ed25519");
    none.follow(&exchange);
    assert_eq!((none.ingest.feed().counts.connections, none.ingest.counters().bars), (1, 0));
    let mut several = Books::following(&exchange, false, &following("1s,5m,1M"));
    let mut ticks =
        broadcast::Reader::<Tick>::attach(&several.folder.path().join("ticks")).expect("attached");
    let mut seen = std::collections::BTreeSet::new();
    several.until("a bar of each", |_| {
        exchange.operator("POST", "/admin/step?by=500ms");
        while let Polled::Message(tick) = ticks.poll() {
            seen.extend(tick.interval().map(|interval| (interval, tick.kind)));
        }
        seen.len() >= 6
    });
    let intervals: Vec<_> = seen.iter().map(|(interval, _)| interval.as_str()).collect();
    assert_eq!(intervals, ["1s", "1s", "5m", "5m", "1M", "1M"]);
}
