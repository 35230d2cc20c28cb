//! SBE against JSON: the same events and the same books, at every cut, with every extension; and against the schema.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::encode::{Extension, SbeEncoder, Trade};
use super::*;
use crate::book::{Book, SyncRule, write_checkpoint};
use crate::venue::Frame;
use crate::venue::binance::decode::Decoder;
use crate::venue::binance::decode::{lines, recordings, source};
use crate::venue::binance::exchange_info;
use crate::venue::generated::GeneratedMarket;

const AT: Nanos = Nanos(1_700_000_000_123_456_000);

fn table() -> Arc<Instruments> {
    use crate::venue::binance::decode::tests::{instrument, instruments};
    instruments(vec![
        instrument("BTCUSDT", Market::Spot, 2, 5),
        instrument("ETHUSDT", Market::UsdMargined, 2, 3),
    ])
}

/// An event with its levels, to compare after the decoder has gone on. A book ticker's time is left out: spot's JSON
/// has none.
fn told(event: &SbeEvent<'_>) -> String {
    match event {
        SbeEvent::Market(MarketEvent::BookTicker { instrument, update_id, top, .. }) => {
            format!("ticker {instrument} {update_id} {top:?}")
        }
        other => format!("{other:?}"),
    }
}

fn decode(decoder: &mut SbeDecoder, bytes: &[u8]) -> Result<Vec<String>, DecodeError> {
    let mut events = Vec::new();
    decoder.decode(bytes, &mut |event| events.push(told(&event))).map(|()| events)
}

/// The frame that says what a JSON event says; `None` where SBE has no such message.
fn encoded(event: &MarketEvent<'_>, instruments: &Instruments, extension: Extension) -> Option<Vec<u8>> {
    let encoder = |index: &InstrumentIndex| {
        instruments.get(*index).map(|instrument| SbeEncoder::new(instrument, extension))
    };
    match event {
        MarketEvent::Depth { instrument, ids, event_time, bids, asks } => {
            Some(encoder(instrument)?.depth_diff(*event_time, *ids, [bids, asks]))
        }
        MarketEvent::BookTicker { instrument, update_id, top, .. } => {
            Some(encoder(instrument)?.best_bid_ask(AT, *update_id, top))
        }
        MarketEvent::Trade { instrument, trade_id, price, quantity, aggressor, event_time, aggregate } => {
            let buyer_is_maker = *aggressor == Side::Sell;
            let trade = Trade { id: *trade_id, price: *price, quantity: *quantity, buyer_is_maker };
            (!aggregate).then_some(encoder(instrument)?.trades(*event_time, &[trade]))
        }
        _ => None,
    }
}

/// Books that follow the JSON events, and books that follow their SBE frames.
struct Twins {
    json: Decoder,
    sbe: SbeDecoder,
    books: Vec<[Book; 2]>,
    compared: usize,
}

impl Twins {
    fn new(instruments: &Arc<Instruments>) -> Self {
        let book = || Book::new(SyncRule::of(Market::Spot), Price(1));
        Self {
            json: Decoder::new(Arc::clone(instruments)),
            sbe: SbeDecoder::new(Arc::clone(instruments)),
            books: instruments.iter().map(|_| [book(), book()]).collect(),
            compared: 0,
        }
    }

    fn take(&mut self, frame: &Frame<'_>, extension: Extension) {
        let Self { json, sbe, books, compared } = self;
        let instruments = Arc::clone(json.instruments());
        let Ok(event) = json.decode(frame) else { panic!("{:?}", String::from_utf8_lossy(frame.payload)) };
        if let MarketEvent::Snapshot { instrument, last_update_id, bids, asks } = event {
            for book in &mut books[instrument as usize] {
                book.on_snapshot_with(last_update_id, bids, asks, &mut |_| {});
            }
        }
        let Some(bytes) = encoded(&event, &instruments, extension) else { return };
        let mut events = Vec::new();
        let outcome = sbe.decode(&bytes, &mut |told_event| {
            events.push(told(&told_event));
            if let SbeEvent::Market(MarketEvent::Depth { instrument, ids, bids, asks, .. }) = told_event {
                books[instrument as usize][1].on_diff(ids, bids, asks);
            }
        });
        assert_eq!((outcome, events), (Ok(()), vec![told(&SbeEvent::Market(event))]));
        *compared += 1;
        if let MarketEvent::Depth { instrument, ids, bids, asks, .. } = event {
            books[instrument as usize][0].on_diff(ids, bids, asks);
        }
    }

    /// The checkpoints of both, which must be equal and trusted.
    fn compare(&self) -> usize {
        for ((_, instrument), [json, sbe]) in self.json.instruments().iter().zip(&self.books) {
            let text = |book: &Book| {
                let mut text = Vec::new();
                write_checkpoint(&mut text, instrument, book).expect("a vector takes all");
                text
            };
            assert_eq!(text(json), text(sbe), "{}", instrument.symbol);
            assert!(sbe.is_trusted(), "{}: {:?}", instrument.symbol, sbe.counts());
        }
        self.compared
    }
}

#[test]
fn a_generated_market_gives_the_same_events_and_books() {
    for extension in [Extension::default(), Extension { version: 3, block: 7, entry: 9, tail: 11 }] {
        let start = Nanos(1_700_000_000_000_000_000);
        let mut market = GeneratedMarket::new(&["BTCUSDT", "ETHUSDT"], 7, start, 200).expect("a market");
        let listed = exchange_info::instruments(&market.exchange_info(), Market::Spot).expect("rules");
        let instruments = Arc::new(Instruments::new(listed).expect("a table"));
        let mut twins = Twins::new(&instruments);
        while market.next_time() < start + Nanos::from_secs(20) {
            market.next_frame(&mut |received, source, payload| {
                let frame = Frame { received, market: Market::Spot, source: *source, payload };
                twins.take(&frame, extension);
            });
        }
        assert!(twins.compare() > 1_000);
    }
}

#[test]
fn a_recorded_market_gives_the_same_events_and_books() {
    let Some(folder) = recordings() else { return };
    use crate::venue::binance::decode::tests::{instrument, instruments};
    let path = folder.join("tape/spot_btcusdt_20240808_0809.tsv.gz");
    let instruments = instruments(vec![instrument("BTCUSDT", Market::Spot, 8, 8)]);
    let mut twins = Twins::new(&instruments);
    for (origin, payload) in lines(&path) {
        let (market, source) = (Market::Spot, source(&origin));
        let frame = Frame { received: Nanos::ZERO, market, source, payload: payload.as_bytes() };
        twins.take(&frame, Extension::default());
    }
    assert_eq!(twins.compare(), 6_495 + 73_174 + 19_904);
}

fn levels(count: i64) -> Vec<Level> {
    (1..=count).map(|n| Level { price: Price(n * 100), quantity: Quantity(n) }).collect()
}

/// One frame of each template, by the encoder.
fn frames(extension: Extension) -> Vec<Vec<u8>> {
    let instruments = table();
    let encoder = SbeEncoder::new(instruments.get(0).expect("listed"), extension);
    let trade = |id, buyer_is_maker| Trade { id, price: Price(100), quantity: Quantity(7), buyer_is_maker };
    let top = Top { bid: Price(1), bid_quantity: Quantity(2), ask: Price(3), ask_quantity: Quantity(4) };
    let ids = DiffIds { first: 5, last: 9, previous: None };
    vec![
        encoder.trades(AT, &[trade(1, true), trade(2, false)]),
        encoder.best_bid_ask(AT, 77, &top),
        encoder.best_levels(AT, 78, [&levels(3), &levels(2)]),
        encoder.depth_diff(AT, ids, [&levels(2), &[]]),
    ]
}

/// Written by hand from the schema.
#[test]
fn a_frame_written_by_hand_is_read_and_written() {
    let mut bytes = Vec::new();
    [26_u16, 10_003, 1, 0].iter().for_each(|short| bytes.extend(short.to_le_bytes()));
    [1_700_000_000_123_456_i64, 5, 9].iter().for_each(|long| bytes.extend(long.to_le_bytes()));
    bytes.extend([0xfe, 0xfb]);
    bytes.extend([16, 0, 2, 0]);
    [100_i64, 1, 200, 2].iter().for_each(|long| bytes.extend(long.to_le_bytes()));
    bytes.extend([16, 0, 0, 0]);
    bytes.extend(b"\x07BTCUSDT");
    assert_eq!(bytes, frames(Extension::default())[3]);
    let mut seen = 0;
    SbeDecoder::new(table())
        .decode(&bytes, &mut |event| {
            seen += 1;
            let ids = DiffIds { first: 5, last: 9, previous: None };
            let (bids, asks) = (&*levels(2), &[][..]);
            let expected = MarketEvent::Depth { instrument: 0, ids, event_time: AT, bids, asks };
            assert_eq!(event, SbeEvent::Market(expected));
        })
        .expect("good");
    assert_eq!(seen, 1);
}

#[test]
fn unknown_fields_and_templates_are_passed_over() {
    let mut decoder = SbeDecoder::new(table());
    let plain: Vec<_> =
        frames(Extension::default()).iter().map(|frame| decode(&mut decoder, frame).expect("good")).collect();
    assert_eq!(plain.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 1, 1]);
    for extension in [
        Extension { version: 1, block: 1, ..Extension::default() },
        Extension { version: 9, entry: 8, ..Extension::default() },
        Extension { version: 2, tail: 30, ..Extension::default() },
        Extension { version: 65_535, block: 200, entry: 77, tail: 3 },
    ] {
        for (frame, plain) in frames(extension).iter().zip(&plain) {
            assert_eq!(decode(&mut decoder, frame).as_ref(), Ok(plain), "{extension:?}");
        }
    }
    let mut other = frames(Extension::default()).remove(1);
    other[2..4].copy_from_slice(&10_004_u16.to_le_bytes());
    let skipped = |skip| vec![told(&SbeEvent::Market(MarketEvent::Skipped(skip)))];
    assert_eq!(decode(&mut decoder, &other), Ok(skipped(Skip::Event)));
    for mut frame in frames(Extension::default()) {
        let at = frame.len() - 1;
        frame[at] = b'X';
        assert_eq!(decode(&mut decoder, &frame), Ok(skipped(Skip::Symbol)), "BTCUSDX");
    }
}

#[test]
fn every_cut_and_every_lie_about_a_length_is_refused() {
    let mut decoder = SbeDecoder::new(table());
    for extension in [Extension::default(), Extension { block: 3, entry: 2, ..Extension::default() }] {
        for frame in frames(extension) {
            for cut in 0..frame.len() {
                assert!(decode(&mut decoder, &frame[..cut]).is_err(), "cut at {cut} of {}", frame.len());
            }
        }
    }
    for frame in frames(Extension::default()) {
        let block = u16::from_le_bytes([frame[0], frame[1]]);
        let lies: [(usize, u16); 3] = [(0, block - 1), (0, u16::MAX), (4, 2)];
        for (at, lie) in lies {
            let mut lying = frame.clone();
            lying[at..at + 2].copy_from_slice(&lie.to_le_bytes());
            assert!(decode(&mut decoder, &lying).is_err(), "{lie} at {at}");
        }
    }
    // An entry shorter than its fields; and a count that no frame can hold.
    let mut short = frames(Extension::default()).remove(3);
    short[34] = 15;
    assert!(decode(&mut decoder, &short).is_err());
    let mut endless = frames(Extension::default()).remove(0);
    endless[28..32].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(decode(&mut decoder, &endless).is_err());
}

#[test]
fn a_label_says_of_which_stream_a_frame_is_and_how_far_that_is() {
    use template::{BEST_BID_ASK, DEPTH_DIFF, DEPTH_SNAPSHOT, TRADES};
    for extension in [Extension::default(), Extension { version: 9, block: 5, entry: 8, tail: 3 }] {
        let frames = frames(extension);
        let label = |frame| Label::of(frame).map(|label| (label.template, label.symbol, label.number));
        let labels: Vec<_> = frames.iter().filter_map(|frame| label(frame)).collect();
        let expected = [(TRADES, 2), (BEST_BID_ASK, 77), (DEPTH_SNAPSHOT, 78), (DEPTH_DIFF, 9)];
        assert_eq!(labels, expected.map(|(template, number)| (template, &b"BTCUSDT"[..], number)));
        for frame in &frames {
            let whole = frame.len() - usize::from(extension.tail);
            (0..whole).for_each(|cut| assert_eq!(Label::of(&frame[..cut]), None, "cut at {cut}"));
        }
    }
    for (at, other) in [(2, 10_004), (4, 2)] {
        let mut frame = frames(Extension::default()).remove(3);
        frame[at..at + 2].copy_from_slice(&u16::to_le_bytes(other));
        assert_eq!(Label::of(&frame), None);
    }
}

#[test]
fn a_bad_number_names_its_instrument() {
    let mut decoder = SbeDecoder::new(table());
    let bad = |template: usize, at: usize, value: i64| {
        let mut frame = frames(Extension::default()).remove(template);
        frame[at..at + 8].copy_from_slice(&value.to_le_bytes());
        frame
    };
    // Entries of trades begin at 32, the bid of a ticker at 26, levels at 38.
    for frame in
        [bad(0, 40, -1), bad(0, 32, -1), bad(1, 26, -5), bad(1, 16, -1), bad(3, 38, -1), bad(3, 16, -1)]
    {
        let error = decode(&mut decoder, &frame).expect_err("negative");
        assert_eq!(error.instrument, Some(0), "{error}");
    }
    let mut maker = frames(Extension::default()).remove(0);
    maker[32 + 24] = 255;
    assert_eq!(decode(&mut decoder, &maker).expect_err("no such boolean").instrument, Some(0));
    // Exponents of -3 and -6 at scales of 2 and 5: 0.100 is exact, 0.001 is not.
    let mut finer = frames(Extension::default()).remove(1);
    (finer[24], finer[25]) = (0xfd, 0xfb);
    let error = decode(&mut decoder, &finer).expect_err("a third decimal");
    let precision = DecodeReason::Decimal(crate::domain::DecimalError::Precision);
    assert_eq!((error.reason, error.at, error.instrument), (precision, 26, Some(0)));
}

proptest! {
    #[test]
    fn garbage_is_refused_or_read_and_nothing_else(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        _ = decode(&mut SbeDecoder::new(table()), &bytes);
    }

    #[test]
    fn a_damaged_frame_does_no_harm(
        which in 0_usize..4,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut frame = frames(Extension::default()).remove(which);
        for (at, byte) in damage {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        let mut decoder = SbeDecoder::new(table());
        _ = decode(&mut decoder, &frame);
        // What was left of it does not show in the next.
        let good = &frames(Extension::default())[3];
        prop_assert_eq!(decode(&mut decoder, good), decode(&mut SbeDecoder::new(table()), good));
    }
}

/// A reader that works from the schema alone, and that we did not write.
#[test]
fn the_schema_reads_what_we_write() {
    let Some(folder) = recordings() else { return };
    let scratch = tempfile::tempdir().expect("a folder");
    let paths: Vec<_> = frames(Extension { version: 0, block: 4, entry: 3, tail: 0 })
        .into_iter()
        .chain(frames(Extension::default()))
        .enumerate()
        .map(|(number, frame)| {
            let path = scratch.path().join(format!("{number}.sbe"));
            std::fs::write(&path, frame).expect("written");
            path
        })
        .collect();
    let program = "import sys,json; sys.path.insert(0,sys.argv[1]); from sbe_dump import S; s=S(sys.argv[2])\n\
                   for p in sys.argv[3:]: print(json.dumps(s.dump(open(p,'rb').read())))";
    let output = std::process::Command::new("python3")
        .args(["-c", program])
        .arg(folder.join("tools"))
        .arg(folder.join("samples/sbe_schemas/stream_1_0.xml"))
        .args(&paths)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output();
    let output = match output {
        Ok(output) if output.status.success() => output,
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            assert!(std::env::var_os("TRADING_CI").is_none(), "python3: {error}");
            println!("python3: {error}: our frames are not held against the schema's reader");
            return;
        }
    };
    let text = String::from_utf8(output.stdout).expect("text");
    let read: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(read.len(), 8);
    let time = AT.0 / 1_000;
    let level = |n: i64| json!({"price": n * 100, "qty": n});
    let trade = |id: i64, maker: &str| json!({"id": id, "price": 100, "qty": 7, "isBuyerMaker": maker});
    let exponents = json!({"eventTime": time, "priceExponent": -2, "qtyExponent": -5, "symbol": "BTCUSDT"});
    let expected = [
        ("TradesStreamEvent", json!({"transactTime": time, "trades": [trade(1, "True"), trade(2, "False")]})),
        (
            "BestBidAskStreamEvent",
            json!({"bookUpdateId": 77, "bidPrice": 1, "bidQty": 2, "askPrice": 3, "askQty": 4}),
        ),
        (
            "DepthSnapshotStreamEvent",
            json!({"bookUpdateId": 78, "bids": [level(1), level(2), level(3)], "asks": [level(1), level(2)]}),
        ),
        (
            "DepthDiffStreamEvent",
            json!({"firstBookUpdateId": 5, "lastBookUpdateId": 9, "bids": [level(1), level(2)], "asks": []}),
        ),
    ];
    for (dump, (name, own)) in read.iter().zip(expected.iter().chain(&expected)) {
        let mut fields = exponents.clone();
        for (key, value) in own.as_object().expect("an object") {
            fields[key] = value.clone();
        }
        assert_eq!((&dump["name"], &dump["used"], &dump["fields"]), (&json!(name), &dump["total"], &fields));
    }
}
