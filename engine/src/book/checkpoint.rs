//! A book as one line of text, for comparison with an independent oracle (`data/tools/expected.py`).

use std::fmt::Write as _;
use std::io;

use sha2::{Digest, Sha256};

use crate::book::{Book, Level};
use crate::domain::{Instrument, Side};

/// Text is hashed in pieces of about this many bytes.
const PIECE: usize = 1 << 12;

/// Writes the checkpoint of `book`:
/// `{"s":symbol,"n":diffs since the snapshot,"u":update id,"bid":[price,quantity],"ask":[…],"nb":bids,"na":asks,"h":hash}`
///
/// `bid` and `ask` are `null` where the side is empty. `h` is the SHA-256 of the whole book as text: `b PRICE QUANTITY`
/// for each bid, then `a PRICE QUANTITY` for each ask, best first, a line each. Numbers are plain decimals without
/// trailing zeros.
///
/// # Errors
/// When `out` fails.
pub fn write_checkpoint(out: &mut impl io::Write, instrument: &Instrument, book: &Book) -> io::Result<()> {
    let (bids, asks) = (book.side(Side::Buy), book.side(Side::Sell));
    let mut line = String::from("{\"s\":\"");
    escape(&mut line, &instrument.symbol);
    let _ = write!(line, "\",\"n\":{},\"u\":{},\"bid\":", book.applied(), book.update_id());
    show_best(&mut line, instrument, bids.best());
    line.push_str(",\"ask\":");
    show_best(&mut line, instrument, asks.best());
    let _ = write!(line, ",\"nb\":{},\"na\":{},\"h\":\"", bids.len(), asks.len());
    for byte in hash(instrument, book) {
        let _ = write!(line, "{byte:02x}");
    }
    line.push_str("\"}\n");
    out.write_all(line.as_bytes())
}

/// SHA-256 of the whole book as text.
fn hash(instrument: &Instrument, book: &Book) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let mut text = String::with_capacity(PIECE + 128);
    for (name, side) in [('b', Side::Buy), ('a', Side::Sell)] {
        for level in book.side(side).iter() {
            let (price, quantity) = show(instrument, level);
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name} {price} {quantity}");
            if text.len() >= PIECE {
                hasher.update(&text);
                text.clear();
            }
        }
    }
    hasher.update(&text);
    hasher.finalize().into()
}

fn show(instrument: &Instrument, level: Level) -> (impl std::fmt::Display, impl std::fmt::Display) {
    (instrument.show_price(level.price), instrument.show_quantity(level.quantity))
}

fn show_best(line: &mut String, instrument: &Instrument, best: Option<Level>) {
    let Some(level) = best else { return line.push_str("null") };
    let (price, quantity) = show(instrument, level);
    let _ = write!(line, "[\"{price}\",\"{quantity}\"]");
}

/// A symbol inside a JSON string, in ASCII as the oracle writes it: other characters as UTF-16 escapes.
fn escape(line: &mut String, symbol: &str) {
    for character in symbol.chars() {
        match character {
            '"' | '\\' => line.extend(['\\', character]),
            ' '..='~' => line.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    let _ = write!(line, "\\u{unit:04x}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::SyncRule;
    use crate::domain::{Filters, InstrumentKind, Market, Price, Quantity, Scale, Symbol};

    fn instrument(symbol: &str) -> Instrument {
        Instrument {
            symbol: Symbol::new(symbol).expect("it fits"),
            market: Market::Spot,
            kind: InstrumentKind::Spot,
            base: "A".into(),
            quote: "B".into(),
            price_scale: Scale::new(4).expect("valid"),
            quantity_scale: Scale::new(3).expect("valid"),
            multiplier: 1,
            filters: Filters::default(),
            untradable: None,
        }
    }

    fn line(symbol: &str, book: &Book) -> String {
        let mut out = Vec::new();
        write_checkpoint(&mut out, &instrument(symbol), book).expect("a vector takes all");
        String::from_utf8(out).expect("ASCII")
    }

    fn level(price: i64, quantity: i64) -> Level {
        Level { price: Price(price), quantity: Quantity(quantity) }
    }

    #[test]
    fn is_the_oracles_line() {
        let mut book = Book::new(SyncRule::Spot, Price(1));
        // printf 'b 10.5 2\nb 10 0.125\na 10.5001 700\n' | sha256sum
        book.on_snapshot(42, &[level(100_000, 125), level(105_000, 2_000)], &[level(105_001, 700_000)]);
        assert_eq!(
            line("AB", &book),
            "{\"s\":\"AB\",\"n\":0,\"u\":42,\"bid\":[\"10.5\",\"2\"],\"ask\":[\"10.5001\",\"700\"],\"nb\":2,\"na\":1,\
             \"h\":\"bf9ae6acec3d3bf4f38504f04a95423ddd5c1915d64858c5656499f9443460c8\"}\n"
        );
    }

    #[test]
    fn an_empty_book_has_null_sides_and_the_hash_of_nothing() {
        let empty = "{\"s\":\"\\\"\\u8fd9\\ud83d\\ude00\",\"n\":0,\"u\":0,\"bid\":null,\"ask\":null,\"nb\":0,\"na\":0,\
             \"h\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}\n";
        assert_eq!(line("\"\u{8fd9}\u{1f600}", &Book::new(SyncRule::Spot, Price(1))), empty);
    }
}
