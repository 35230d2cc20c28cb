//! What hftbacktest's collector leaves out: which request a bare snapshot answers.
//!
//! A collector's file stores neither URL nor symbol. It belongs to one symbol, which its stream frames tell, before
//! the snapshot or after it; a snapshot in a file of several symbols cannot be placed.

use crate::domain::Market;
use crate::limits::FRAME_BYTES_MAX;
use crate::venue::replay::blocks::{BlockError, Blocks, trim_ending};
use crate::venue::replay::scan;

/// The symbols of a collector's file, as far as it has been read.
#[derive(Debug, Default)]
pub(super) struct Collector {
    symbol: String,
    /// Line of the first snapshot that named no symbol, and so was given `symbol`.
    given: Option<u64>,
    /// A second symbol, and the line that told it.
    second: Option<(String, u64)>,
}

impl Collector {
    /// Follows a stream frame.
    ///
    /// # Errors
    /// When it tells that a snapshot before it was given a symbol that may be wrong.
    pub(super) fn stream(&mut self, payload: &[u8], line: u64) -> Result<(), String> {
        let Some(symbol) = scan::symbol_of_frame(payload) else { return Ok(()) };
        if self.symbol.is_empty() {
            self.symbol.push_str(symbol);
        } else if self.symbol != symbol && self.second.is_none() {
            self.second = Some((symbol.to_owned(), line));
            return self.check();
        }
        Ok(())
    }

    /// Whether a snapshot names its symbol, or the file has told one.
    pub(super) fn can_place(&self, snapshot: &[u8]) -> bool {
        !self.symbol.is_empty() || scan::symbol_of_snapshot(snapshot).is_some()
    }

    /// Writes the URL that `snapshot`, for which [`can_place`](Self::can_place) holds, answers.
    ///
    /// # Errors
    /// When it names no symbol and the file has several.
    pub(super) fn place(&mut self, snapshot: &[u8], line: u64, url: &mut String) -> Result<(), String> {
        let market = scan::market_of_snapshot(snapshot);
        if let Some(symbol) = scan::symbol_of_snapshot(snapshot) {
            set_url(url, market, symbol);
            return Ok(());
        }
        self.given.get_or_insert(line);
        set_url(url, market, &self.symbol);
        self.check()
    }

    /// Takes the symbol of the first stream frame that names one, `at` bytes into the text or later, within what
    /// one block holds. `false` if there is none.
    ///
    /// # Errors
    /// When the text cannot be read that far.
    pub(super) fn look_ahead(&mut self, blocks: &mut Blocks, mut at: usize) -> Result<bool, BlockError> {
        while at < FRAME_BYTES_MAX {
            let Some(length) = blocks.line_at(at)? else { break };
            let text = trim_ending(blocks.text(at, at + length));
            let payload = memchr::memchr(b' ', text).map_or(&text[..0], |space| &text[space + 1..]);
            if let Some(symbol) = scan::symbol_of_frame(payload).filter(|_| !scan::is_snapshot(payload)) {
                self.symbol.push_str(symbol);
                return Ok(true);
            }
            at += length;
        }
        Ok(false)
    }

    fn check(&self) -> Result<(), String> {
        match (&self.given, &self.second) {
            (Some(given), Some((second, line))) => Err(format!(
                "line {given}: the snapshot names no symbol, and the file has several: {} and, on line {line}, {second}",
                self.symbol
            )),
            _ => Ok(()),
        }
    }
}

/// The URL of a depth snapshot.
fn set_url(url: &mut String, market: Market, symbol: &str) {
    url.clear();
    for part in [scan::depth_path(market), "?symbol=", symbol] {
        url.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &[u8] = br#"{"lastUpdateId":1,"bids":[],"asks":[]}"#;

    #[test]
    fn a_bare_snapshot_belongs_to_the_only_symbol() {
        let mut collector = Collector::default();
        let mut url = String::new();
        assert!(!collector.can_place(BARE));
        collector.stream(br#"{"e":"trade","s":"AUSDT"}"#, 1).expect("one symbol");
        assert!(collector.can_place(BARE));
        collector.place(BARE, 2, &mut url).expect("one symbol");
        assert_eq!(url, "https://api.binance.com/api/v3/depth?symbol=AUSDT");

        let error =
            collector.stream(br#"{"e":"trade","s":"BUSDT"}"#, 3).expect_err("the snapshot may be either's");
        assert!(error.starts_with("line 2:") && error.contains("AUSDT and, on line 3, BUSDT"), "{error}");
    }

    #[test]
    fn a_snapshot_that_names_its_symbol_needs_nobody() {
        let mut collector = Collector::default();
        let mut url = String::new();
        for (line, symbol) in (1..).zip(["AUSDT", "BUSDT"]) {
            let frame = format!(r#"{{"e":"trade","s":"{symbol}"}}"#);
            collector.stream(frame.as_bytes(), line).expect("no snapshot yet");
        }
        let named = br#"{"lastUpdateId":1,"E":2,"T":3,"symbol":"BTCUSD_PERP","pair":"BTCUSD","bids":[]}"#;
        collector.place(named, 3, &mut url).expect("it names its symbol");
        assert_eq!(url, "https://dapi.binance.com/dapi/v1/depth?symbol=BTCUSD_PERP");
        collector.place(BARE, 4, &mut url).expect_err("several symbols");
    }
}
