//! What the venue lists: instruments and limits. One process asks, publishes the answer in its own directory of shared
//! memory, and all others read that, so that every process has the very same table.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::clock::Clock;
use engine::domain::{Instruments, Market};
use engine::error::SetupError;
use engine::shm::paths::IpcPaths;
use engine::venue::binance::exchange_info;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::binance::limits::RateLimits;
use crate::config::Venue;
use crate::venue::rest::Desk;

/// Where the venue tells it.
const PATH: &str = "/api/v3/exchangeInfo";

/// What a venue lists of the symbols that are traded.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The instruments, in the order of the settings.
    pub instruments: Arc<Instruments>,
    /// The venue's rate limits.
    pub limits: RateLimits,
    /// Where it was asked.
    pub url: String,
    /// The part of the answer that is used: equal for equal rules.
    body: Vec<u8>,
}

impl Listing {
    /// Reads an `exchangeInfo` answer of `venue` about `symbols`.
    fn read(answer: &[u8], venue: Venue, url: &str, symbols: &[String]) -> Result<Self, SetupError> {
        let refuse = |reason: String| SetupError::Invalid(format!("{url}: exchangeInfo: {reason}"));
        let mut answer: Value = serde_json::from_slice(answer).map_err(|error| refuse(error.to_string()))?;
        let listed = answer["symbols"].as_array().cloned().unwrap_or_default();
        let find = |symbol: &String| {
            let found = listed.iter().find(|one| one["symbol"].as_str() == Some(symbol)).cloned();
            found.ok_or_else(|| refuse(format!("{symbol} is not listed")))
        };
        let table = symbols.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let body = json!({
            "venue": venue.name(), "url": url, "rateLimits": answer["rateLimits"].take(), "symbols": table,
        });
        Self::of_body(body.to_string().into_bytes(), url)
    }

    fn of_body(body: Vec<u8>, url: &str) -> Result<Self, SetupError> {
        let table = exchange_info::instruments(&body, Market::Spot)?;
        let limits = RateLimits::read(&body)?;
        Ok(Self { instruments: Arc::new(Instruments::new(table)?), limits, url: url.to_owned(), body })
    }

    /// The answer, as a tape keeps it.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Publishes it in ingest's directory; one that says the same is left as it is.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn publish(&self, ipc: &IpcPaths) -> Result<(), SetupError> {
        let path = file(ipc);
        if fs::read(&path).is_ok_and(|found| found == self.body) {
            return Ok(());
        }
        let new = path.with_extension("new");
        fs::write(&new, &self.body).map_err(|error| SetupError::io(&new, "writing it", error))?;
        fs::rename(&new, &path).map_err(|error| SetupError::io(&path, "publishing it", error))
    }

    /// What ingest has published, if it is of `venue` and `symbols`: an older one of others is as good as none.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(ipc: &IpcPaths, venue: Venue, symbols: &[String]) -> Result<Self, SetupError> {
        let path = file(ipc);
        let body = fs::read(&path).map_err(|error| SetupError::io(&path, "reading it", error))?;
        let told: Value =
            serde_json::from_slice(&body).map_err(|error| SetupError::file(&path, error.to_string()))?;
        if told["venue"].as_str() != Some(venue.name()) {
            return Err(SetupError::file(&path, format!("is not of the venue {venue}")));
        }
        let listing = Self::of_body(body, told["url"].as_str().unwrap_or_default())?;
        let listed = listing.instruments.iter().map(|(_, instrument)| &*instrument.symbol);
        if listed.eq(symbols.iter().map(String::as_str)) {
            return Ok(listing);
        }
        Err(SetupError::file(&path, format!("lists other symbols than {}", symbols.join(","))))
    }
}

/// Where ingest publishes what the venue lists.
#[must_use]
pub fn file(ipc: &IpcPaths) -> PathBuf {
    ipc.root().join("ingest/exchange_info.json")
}

/// The inode of what is published: another one says something else.
#[must_use]
pub fn edition(ipc: &IpcPaths) -> Option<u64> {
    inode(&file(ipc))
}

/// Tells a file from one that took its place.
#[must_use]
pub fn inode(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|found| found.ino())
}

/// Asks the venue.
///
/// # Errors
/// When it refuses, or does not answer in time: with its words.
pub(super) fn ask(
    venue: Venue,
    desk: &mut Desk<'_, impl Clock>,
    symbols: &[String],
) -> Result<Listing, SetupError> {
    let names = serde_json::to_string(symbols).unwrap_or_default();
    let path = format!("{PATH}?symbols={}", utf8_percent_encode(&names, NON_ALPHANUMERIC));
    let body = desk.ask(&format!("{PATH} of {}", symbols.join(",")), &path, &[])?;
    Listing::read(&body, venue, &desk.url(PATH), symbols)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::domain::Nanos;
    use engine::venue::generated::GeneratedMarket;

    fn answer(symbols: &[&str]) -> Vec<u8> {
        let market = GeneratedMarket::new(symbols, 1, Nanos::from_secs(1), 1).expect("a market");
        let mut told: Value = serde_json::from_slice(&market.exchange_info()).expect("JSON");
        told["serverTime"] = json!(1);
        told["rateLimits"] = json!([
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 50},
        ]);
        told.to_string().into_bytes()
    }

    fn names(symbols: &[&str]) -> Vec<String> {
        symbols.iter().map(|&symbol| symbol.to_owned()).collect()
    }

    #[test]
    fn what_is_published_is_the_same_table_for_everybody() {
        let folder = tempfile::tempdir().expect("a folder");
        let ipc = IpcPaths::new(folder.path());
        ipc.create().expect("made");
        let symbols = names(&["ETHUSDT", "BTCUSDT"]);
        let venue = Venue::Simulated;
        assert!(Listing::find(&ipc, venue, &symbols).is_err(), "none yet");
        let listing =
            Listing::read(&answer(&["BTCUSDT", "ETHUSDT"]), venue, "http://x", &symbols).expect("read");
        assert_eq!(listing.instruments.get(0).map(|one| &*one.symbol), Some("ETHUSDT"));
        listing.publish(&ipc).expect("published");
        let found = Listing::find(&ipc, venue, &symbols).expect("found");
        assert!(found.instruments.iter().eq(listing.instruments.iter()) && found.limits == listing.limits);

        // The same again is no news; what another venue or other symbols have, is not ours.
        let edition = edition(&ipc);
        listing.publish(&ipc).expect("published");
        assert_eq!(super::edition(&ipc), edition);
        assert!(Listing::find(&ipc, Venue::BinanceTestnet, &symbols).is_err());
        assert!(Listing::find(&ipc, venue, &names(&["BTCUSDT"])).is_err());
    }

    #[test]
    fn what_the_venue_allows_is_allowed_on_paper_too() {
        let (symbols, listed) = (names(&["BTCUSDT"]), answer(&["BTCUSDT"]));
        let listed = String::from_utf8(listed).expect("text");
        for allowed in [true, false] {
            let told = listed.replace("\"ocoAllowed\":true", &format!("\"ocoAllowed\":{allowed}"));
            for venue in [Venue::Paper, Venue::Binance] {
                let listing = Listing::read(told.as_bytes(), venue, "http://x", &symbols).expect("read");
                assert_eq!(listing.instruments.get(0).map(|one| one.filters.oco), Some(allowed), "{venue}");
            }
        }
    }

    #[test]
    fn what_is_not_listed_or_not_readable_is_named() {
        let refused = |bytes: &[u8], symbol: &str| {
            let error = Listing::read(bytes, Venue::Binance, "http://x", &names(&[symbol]));
            error.expect_err("refused").to_string()
        };
        assert!(refused(&answer(&["BTCUSDT"]), "XRPUSDT").contains("XRPUSDT is not listed"));
        assert!(refused(b"<html>", "BTCUSDT").starts_with("http://x: exchangeInfo: "));
        let without = String::from_utf8(answer(&["BTCUSDT"])).expect("text").replace("ORDERS", "X");
        assert!(refused(without.as_bytes(), "BTCUSDT").contains("none of ORDERS"));
    }
}
