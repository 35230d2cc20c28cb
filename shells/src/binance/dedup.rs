//! Frames that two connections carry are handed over once: the first to arrive.
//!
//! While a connection is replaced, and always with redundant connections, each stream comes twice. Every event of a
//! stream carries a number that rises; an event whose number is not above the last of its stream is a repeat. Only a best
//! price may change twice within one update of the book: its number again, on the connection that told it first, is news.

use std::collections::BTreeMap;

use engine::limits::SYMBOL_BYTES_MAX;
use engine::venue::Source;
use engine::venue::binance::sbe::{Label, template};

/// Longest name of a stream in SBE: a template and a symbol.
const STREAM_BYTES: usize = 2 + SYMBOL_BYTES_MAX;

/// What the newest event of every stream was numbered.
#[derive(Debug, Default)]
pub struct Dedup {
    streams: BTreeMap<Box<[u8]>, Last>,
}

#[derive(Debug)]
struct Last {
    number: u64,
    connection: usize,
}

impl Dedup {
    /// Whether a frame of combined streams that came by `connection` is new. What cannot be read as one is new: dropping is
    /// for known repeats alone.
    pub fn is_new(&mut self, source: Source<'_>, frame: &[u8], connection: usize) -> bool {
        if source == Source::Sbe {
            return self.is_new_sbe(frame, connection);
        }
        let Some((stream, number)) = identify(frame) else { return true };
        self.admit(stream, number, connection, stream.ends_with(b"@bookTicker"))
    }

    fn is_new_sbe(&mut self, frame: &[u8], connection: usize) -> bool {
        let Some(Label { template, symbol, number }) = Label::of(frame) else { return true };
        let mut stream = [0; STREAM_BYTES];
        let [kind, name] = [(0, 2), (2, symbol.len())].map(|(from, length)| from..from + length);
        let Some(stream) = stream.get_mut(..name.end) else { return true };
        stream[kind].copy_from_slice(&template.to_le_bytes());
        stream[name].copy_from_slice(symbol);
        self.admit(stream, number, connection, template == template::BEST_BID_ASK)
    }

    /// Whether `number` is news of `stream`; `again` says that its last one may be told twice.
    fn admit(&mut self, stream: &[u8], number: u64, connection: usize, again: bool) -> bool {
        match self.streams.get_mut(stream) {
            Some(last) if number == last.number => again && connection == last.connection,
            Some(last) if number < last.number => false,
            Some(last) => {
                *last = Last { number, connection };
                true
            }
            None => {
                self.streams.insert(stream.into(), Last { number, connection });
                true
            }
        }
    }

    /// Forgets all: a later event may have a lower number, as after a reset of the venue.
    pub fn clear(&mut self) {
        self.streams.clear();
    }
}

/// Stream and number of `{"stream":"S","data":{…}}`.
fn identify(frame: &[u8]) -> Option<(&[u8], u64)> {
    let rest = frame.strip_prefix(b"{\"stream\":\"")?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    let stream = &rest[..end];
    let kind = stream.split(|byte| *byte == b'@').nth(1)?;
    // bookTicker and depth: the book's last update; trades: their id; bars have none that rises with each event.
    let key: &[u8] = match kind {
        b"depth" | b"bookTicker" => b"\"u\":",
        b"trade" => b"\"t\":",
        b"aggTrade" => b"\"a\":",
        _ => return None,
    };
    let at = rest.windows(key.len()).position(|window| window == key)? + key.len();
    let digits = rest[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&rest[at..at + digits]).ok()?.parse().ok()?;
    Some((stream, number))
}

#[cfg(test)]
mod tests {
    use engine::book::DiffIds;
    use engine::domain::{
        Filters, Instrument, InstrumentKind, Market, Nanos, Price, Quantity, Scale, Symbol,
    };
    use engine::message::tick::Top;
    use engine::venue::binance::sbe::encode::{Extension, SbeEncoder, Trade};

    use super::*;

    fn listed() -> Instrument {
        let scale = Scale::new(2).expect("valid");
        Instrument {
            symbol: Symbol::new("").expect("it fits"),
            market: Market::Spot,
            kind: InstrumentKind::Spot,
            base: "".into(),
            quote: "".into(),
            price_scale: scale,
            quantity_scale: scale,
            multiplier: 1,
            filters: Filters::default(),
            untradable: None,
        }
    }

    #[test]
    fn the_second_of_two_is_dropped_and_nothing_else() {
        let mut dedup = Dedup::default();
        let depth = |u: u64| {
            format!(r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","U":1,"u":{u}}}}}"#)
        };
        let trade = |t: u64| format!(r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","t":{t}}}}}"#);
        for (frame, new) in [
            (depth(5), true),
            (depth(5), false),
            (depth(4), false),
            (trade(5), true),
            (depth(6), true),
            (trade(5), false),
            (r#"{"result":null,"id":1}"#.to_owned(), true),
            (r#"{"result":null,"id":1}"#.to_owned(), true),
            (r#"{"stream":"btcusdt@kline_1m","data":{"t":5}}"#.to_owned(), true),
            (r#"{"stream":"btcusdt@kline_1m","data":{"t":5}}"#.to_owned(), true),
        ] {
            assert_eq!(dedup.is_new(Source::Stream, frame.as_bytes(), 0), new, "{frame}");
        }
        dedup.clear();
        assert!(dedup.is_new(Source::Stream, depth(5).as_bytes(), 0));
    }

    #[test]
    fn streams_in_sbe_are_told_apart_by_template_and_symbol() {
        let instrument =
            |symbol: &str| Instrument { symbol: Symbol::new(symbol).expect("it fits"), ..listed() };
        let (one, other) = (instrument("BTCUSDT"), instrument("ETHUSDT"));
        let encoder = |instrument| SbeEncoder::new(instrument, Extension::default());
        let depth = |instrument, last| {
            let ids = DiffIds { first: 1, last, previous: None };
            encoder(instrument).depth_diff(Nanos::ZERO, ids, [&[], &[]])
        };
        let trades = |ids: &[u64]| {
            let trade = |&id| Trade { id, price: Price(1), quantity: Quantity(1), buyer_is_maker: false };
            encoder(&one).trades(Nanos::ZERO, &ids.iter().map(trade).collect::<Vec<_>>())
        };
        let best = encoder(&one).best_bid_ask(Nanos::ZERO, 5, &Top::default());
        let mut dedup = Dedup::default();
        for (frame, by, new) in [
            (depth(&one, 5), 0, true),
            (depth(&other, 5), 0, true),
            (depth(&one, 5), 1, false),
            (trades(&[4, 5]), 0, true),
            (trades(&[4, 5]), 1, false),
            (trades(&[6]), 1, true),
            (best.clone(), 0, true),
            (best.clone(), 1, false),
            (best, 0, true),
            (depth(&one, 4), 0, false),
            (depth(&one, 6), 1, true),
            (b"not SBE".to_vec(), 0, true),
            (b"not SBE".to_vec(), 1, true),
        ] {
            assert_eq!(dedup.is_new(Source::Sbe, &frame, by), new, "{frame:?} by {by}");
        }
    }

    #[test]
    fn a_best_price_changes_twice_within_one_update_but_not_by_another_connection() {
        let mut dedup = Dedup::default();
        let ticker = |bid: u32| {
            format!(r#"{{"stream":"btcusdt@bookTicker","data":{{"u":5,"s":"BTCUSDT","b":"{bid}"}}}}"#)
        };
        let given = [(1, 0), (2, 0), (1, 1), (2, 1)]
            .map(|(bid, by)| dedup.is_new(Source::Stream, ticker(bid).as_bytes(), by));
        assert_eq!(given, [true, true, false, false]);
    }
}
