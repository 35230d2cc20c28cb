//! Frames that two connections carry are handed over once: the first to arrive.
//!
//! While a connection is replaced, and always with redundant connections, each stream comes twice. Every event of a
//! stream carries a number that rises; an event whose number is not above the last of its stream is a repeat. Only a best
//! price may change twice within one update of the book: its number again, on the connection that told it first, is news.

use std::collections::BTreeMap;

use engine::venue::binance::MarketEvent;

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
    /// Whether a combined-stream frame that came by `connection` is new. What cannot be read as one is new: dropping is for known repeats alone.
    pub fn is_new(&mut self, frame: &[u8], connection: usize) -> bool {
        let Some((stream, number)) = identify(frame) else { return true };
        self.admit(stream, number, connection, stream.ends_with(b"@bookTicker"))
    }

    /// Whether an event of an SBE stream that came by `connection` is new.
    pub fn is_new_event(&mut self, event: &MarketEvent<'_>, connection: usize) -> bool {
        let (kind, instrument, number) = match *event {
            MarketEvent::Depth { instrument, ids, .. } => (b'd', instrument, ids.last),
            MarketEvent::Trade { instrument, trade_id, .. } => (b't', instrument, trade_id),
            MarketEvent::BookTicker { instrument, update_id, .. } => (b'b', instrument, update_id),
            MarketEvent::Snapshot { .. } | MarketEvent::Kline { .. } | MarketEvent::Skipped(_) => {
                return true;
            }
        };
        let [a, b, c, d] = instrument.to_le_bytes();
        self.admit(&[kind, a, b, c, d], number, connection, kind == b'b')
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
    use super::*;

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
            assert_eq!(dedup.is_new(frame.as_bytes(), 0), new, "{frame}");
        }
        dedup.clear();
        assert!(dedup.is_new(depth(5).as_bytes(), 0));
    }

    #[test]
    fn a_best_price_changes_twice_within_one_update_but_not_by_another_connection() {
        let mut dedup = Dedup::default();
        let ticker = |bid: u32| {
            format!(r#"{{"stream":"btcusdt@bookTicker","data":{{"u":5,"s":"BTCUSDT","b":"{bid}"}}}}"#)
        };
        let given =
            [(1, 0), (2, 0), (1, 1), (2, 1)].map(|(bid, by)| dedup.is_new(ticker(bid).as_bytes(), by));
        assert_eq!(given, [true, true, false, false]);
    }
}
