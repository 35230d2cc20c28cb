//! Where Binance's services are (binance.md §1).

use engine::error::SetupError;

use crate::config::Venue;
use crate::transport::Url;

/// The services of one venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// REST, without the path of a call.
    pub rest: Url,
    /// Market streams, without `/ws` or `/stream`.
    pub streams: Url,
    /// Market streams in SBE (binance.md §10).
    pub sbe: Url,
    /// The WebSocket API, with its path.
    pub ws_api: Url,
}

impl Endpoints {
    /// The services of `venue`; of the public data alone for `paper`. `simulated` is a simulated exchange at `base`,
    /// which serves all three on one port: `ws://HOST:PORT`, or `wss` for TLS.
    ///
    /// # Errors
    /// When `base` is no URL of a WebSocket.
    pub fn of(venue: Venue, base: &str) -> Result<Self, SetupError> {
        let fixed = |rest: &str, streams: &str, sbe: &str, ws_api: &str| {
            let read = |text: &str| text.parse().map_err(SetupError::Invalid);
            Ok(Self { rest: read(rest)?, streams: read(streams)?, sbe: read(sbe)?, ws_api: read(ws_api)? })
        };
        match venue {
            Venue::Simulated => Self::at(base),
            Venue::Paper => fixed(
                "https://data-api.binance.vision",
                "wss://data-stream.binance.vision",
                "wss://stream-sbe.binance.com",
                "wss://ws-api.binance.com:443/ws-api/v3",
            ),
            Venue::BinanceTestnet => fixed(
                "https://testnet.binance.vision",
                "wss://stream.testnet.binance.vision",
                "wss://stream-sbe.testnet.binance.vision",
                "wss://ws-api.testnet.binance.vision/ws-api/v3",
            ),
            Venue::BinanceDemo => fixed(
                "https://demo-api.binance.com",
                "wss://demo-stream.binance.com",
                "wss://demo-stream-sbe.binance.com",
                "wss://demo-ws-api.binance.com/ws-api/v3",
            ),
            Venue::Binance => fixed(
                "https://api.binance.com",
                "wss://stream.binance.com:443",
                "wss://stream-sbe.binance.com",
                "wss://ws-api.binance.com:443/ws-api/v3",
            ),
        }
    }

    /// All services at one place, where SBE has a path of its own.
    ///
    /// # Errors
    /// When `base` is no URL of a WebSocket.
    pub fn at(base: &str) -> Result<Self, SetupError> {
        let streams: Url = base.parse().map_err(SetupError::Invalid)?;
        if !streams.websocket || !streams.path.trim_end_matches('/').is_empty() {
            return Err(SetupError::Invalid(format!("{base:?}: ws://HOST:PORT or wss://HOST:PORT expected")));
        }
        let streams = Url { path: String::new(), ..streams };
        let rest = Url { websocket: false, ..streams.clone() };
        Ok(Self { rest, sbe: streams.join("/sbe"), ws_api: streams.join("/ws-api/v3"), streams })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_venue_has_its_services() {
        for venue in Venue::ALL {
            let found = Endpoints::of(venue, "ws://127.0.0.1:5560").expect("known");
            assert!(found.ws_api.path.ends_with("/ws-api/v3") && !found.rest.websocket, "{venue}");
            assert_eq!(found.rest.secure, venue != Venue::Simulated);
        }
        let local = Endpoints::at("wss://localhost:5560/").expect("known");
        assert_eq!(local.rest.to_string(), "https://localhost:5560");
        assert_eq!(local.streams.join("/stream").to_string(), "wss://localhost:5560/stream");
        assert_eq!(local.sbe.join("/stream").to_string(), "wss://localhost:5560/sbe/stream");
        for bad in ["http://h:1", "ws://h:1/x", "h:1"] {
            assert!(Endpoints::at(bad).is_err(), "{bad}");
        }
    }
}
