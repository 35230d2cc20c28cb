//! What a frame or a URL tells at a glance, without decoding it: its symbol and its market.

use memchr::memmem;

use crate::domain::Market;
use crate::venue::binance::sbe::Label;

/// How far into a frame its symbol and ids stand: before the levels, whatever their number.
const HEAD_BYTES: usize = 512;

/// Hosts of Binance.US, whose quote assets differ.
const US_HOST: &str = ".binance.us/";

/// The first bytes of a payload.
fn head(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().min(HEAD_BYTES)]
}

/// What follows the member name `key`, given with its quotes, in the head of `payload`.
fn after_key<'a>(payload: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let mut rest = head(payload);
    loop {
        rest = &rest[memmem::find(rest, key.as_bytes())? + key.len()..];
        // A string that is a value, not a name, is followed by something else.
        if let Some(value) = rest.trim_ascii_start().strip_prefix(b":") {
            return Some(value.trim_ascii_start());
        }
    }
}

/// Text of the string member `key`, where it needs no unescaping.
fn string_member<'a>(payload: &'a [u8], key: &str) -> Option<&'a str> {
    let value = after_key(payload, key)?.strip_prefix(b"\"")?;
    let end = memchr::memchr2(b'"', b'\\', value)?;
    if value[end] == b'\\' {
        return None;
    }
    std::str::from_utf8(&value[..end]).ok()
}

/// The symbol of a stream frame: its `s`.
#[must_use]
pub fn symbol_of_frame(payload: &[u8]) -> Option<&str> {
    string_member(payload, "\"s\"").filter(|symbol| !symbol.is_empty())
}

/// The symbol of a frame in SBE.
#[must_use]
pub fn symbol_of_sbe(payload: &[u8]) -> Option<&str> {
    Label::of(payload).and_then(|label| std::str::from_utf8(label.symbol).ok())
}

/// Whether a frame is a depth diff.
#[must_use]
pub fn is_depth_diff(payload: &[u8]) -> bool {
    string_member(payload, "\"e\"") == Some("depthUpdate")
}

/// Whether a payload is a depth snapshot as REST answers it: it begins with `lastUpdateId`.
#[must_use]
pub fn is_snapshot(payload: &[u8]) -> bool {
    payload
        .trim_ascii_start()
        .strip_prefix(b"{")
        .is_some_and(|members| members.trim_ascii_start().starts_with(b"\"lastUpdateId\""))
}

/// The symbol that a snapshot names itself: COIN-M's do, the others' do not.
#[must_use]
pub fn symbol_of_snapshot(payload: &[u8]) -> Option<&str> {
    string_member(payload, "\"symbol\"")
}

/// The market of a snapshot by its members: COIN-M's has `pair`, USD-M's `E`, spot's neither.
#[must_use]
pub fn market_of_snapshot(payload: &[u8]) -> Market {
    if after_key(payload, "\"pair\"").is_some() {
        Market::CoinMargined
    } else if after_key(payload, "\"E\"").is_some() {
        Market::UsdMargined
    } else {
        Market::Spot
    }
}

/// The market of a REST URL by its path; `None` where it is none of the three market APIs.
#[must_use]
pub fn market_of_url(url: &str) -> Option<Market> {
    let path = path_of(url);
    if path.contains("/fapi/") {
        Some(Market::UsdMargined)
    } else if path.contains("/dapi/") {
        Some(Market::CoinMargined)
    } else if path.contains("/api/") {
        Some(Market::Spot)
    } else {
        None
    }
}

/// The market of a stream frame, where the frame tells: a diff always does (`pu` is futures only, `ps` COIN-M
/// only), other events only if they carry a mark of futures.
#[must_use]
pub fn market_of_frame(payload: &[u8]) -> Option<Market> {
    let symbol = symbol_of_frame(payload)?;
    let coin = after_key(payload, "\"ps\"").is_some() || symbol.ends_with("USD_PERP");
    let diff = is_depth_diff(payload);
    let futures = if diff {
        after_key(payload, "\"pu\"").is_some()
    } else {
        // Spot's bookTicker has no `e`; only futures' trades say `X`.
        string_member(payload, "\"e\"") == Some("bookTicker") || string_member(payload, "\"X\"").is_some()
    };
    match (coin, futures, diff) {
        (true, _, _) => Some(Market::CoinMargined),
        (false, true, _) => Some(Market::UsdMargined),
        (false, false, true) => Some(Market::Spot),
        (false, false, false) => None,
    }
}

/// A URL up to its query.
fn path_of(url: &str) -> &str {
    url.split_once('?').map_or(url, |(path, _)| path)
}

/// Whether a URL asks for a depth snapshot.
#[must_use]
pub fn is_depth_url(url: &str) -> bool {
    path_of(url).ends_with("/depth")
}

/// Whether a URL asks for the venue's list of instruments.
#[must_use]
pub fn is_exchange_info_url(url: &str) -> bool {
    path_of(url).ends_with("/exchangeInfo")
}

/// Whether a URL's query narrows the answer to some symbols.
#[must_use]
pub fn has_query(url: &str) -> bool {
    url.contains('?')
}

/// Whether a URL is of Binance.US.
#[must_use]
pub fn is_us_url(url: &str) -> bool {
    path_of(url).contains(US_HOST)
}

/// The `symbol` parameter of a URL.
#[must_use]
pub fn symbol_of_url(url: &str) -> Option<&str> {
    let (_, query) = url.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix("symbol=")).filter(|symbol| !symbol.is_empty())
}

/// The path under which a market answers depth snapshots: what a collector's file does not store.
#[must_use]
pub const fn depth_path(market: Market) -> &'static str {
    match market {
        Market::Spot => "https://api.binance.com/api/v3/depth",
        Market::UsdMargined => "https://fapi.binance.com/fapi/v1/depth",
        Market::CoinMargined => "https://dapi.binance.com/dapi/v1/depth",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_read_from_every_kind_of_frame() {
        for frame in [
            r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":1}}"#,
            r#"{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"1"}}"#,
            r#"{"e": "kline", "E": 1, "s": "BTCUSDT", "k": {"s": "BTCUSDT"}}"#,
            r#"{"e":"forceOrder","E":1,"o":{"s":"BTCUSDT","S":"SELL"}}"#,
        ] {
            assert_eq!(symbol_of_frame(frame.as_bytes()), Some("BTCUSDT"), "{frame}");
        }
        for frame in
            [r#"{"result":null,"id":1}"#, r#"{"a":"s","b":"x"}"#, r#"{"s":"BT\u0043"}"#, r#"{"s":"BTC"#]
        {
            assert_eq!(symbol_of_frame(frame.as_bytes()), None, "{frame}");
        }
        assert_eq!(symbol_of_frame("{\"s\":\"这是测试币456\"}".as_bytes()), Some("这是测试币456"));
    }

    #[test]
    fn markets_follow_from_urls_and_frames() {
        for (url, market) in [
            ("https://www.binance.com/api/v1/depth?symbol=BTCUSDT&limit=1000", Some(Market::Spot)),
            ("https://fapi.binance.com/fapi/v1/exchangeInfo", Some(Market::UsdMargined)),
            ("https://dapi.binance.com/dapi/v1/depth?symbol=BTCUSD_PERP", Some(Market::CoinMargined)),
            ("https://example.org/?next=/api/v3/depth", None),
        ] {
            assert_eq!(market_of_url(url), market, "{url}");
        }
        for (frame, market) in [
            (r#"{"e":"depthUpdate","s":"BTCUSDT","U":1,"u":2,"b":[]}"#, Some(Market::Spot)),
            (r#"{"e":"depthUpdate","s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[]}"#, Some(Market::UsdMargined)),
            (
                r#"{"e":"depthUpdate","s":"BTCUSD_210924","ps":"BTCUSD","U":1,"pu":0}"#,
                Some(Market::CoinMargined),
            ),
            (r#"{"e":"trade","s":"ETHUSD_PERP"}"#, Some(Market::CoinMargined)),
            (r#"{"e":"bookTicker","s":"BTCUSDT"}"#, Some(Market::UsdMargined)),
            (r#"{"u":1,"s":"BTCUSDT"}"#, None),
            (r#"{"e":"trade","s":"BTCUSDT"}"#, None),
        ] {
            assert_eq!(market_of_frame(frame.as_bytes()), market, "{frame}");
        }
    }

    #[test]
    fn urls_name_their_symbol_and_kind() {
        let url = "https://api.binance.us/api/v3/depth?limit=1000&symbol=CRVUSDT";
        assert_eq!(symbol_of_url(url), Some("CRVUSDT"));
        assert!(is_depth_url(url) && is_us_url(url) && !is_exchange_info_url(url));
        assert_eq!(symbol_of_url("https://api.binance.com/api/v3/depth?symbols=X"), None);
        assert!(is_exchange_info_url("https://api.binance.com/api/v3/exchangeInfo"));
    }

    #[test]
    fn bare_snapshots_are_known_by_their_first_member() {
        assert!(is_snapshot(br#"{"lastUpdateId":1,"bids":[]}"#));
        assert!(is_snapshot(br#" { "lastUpdateId": 1}"#));
        assert!(!is_snapshot(br#"{"stream":"x@depth20","data":{"lastUpdateId":1}}"#));
        assert_eq!(symbol_of_snapshot(br#"{"lastUpdateId":1,"symbol":"BTCUSD_PERP"}"#), Some("BTCUSD_PERP"));
        assert_eq!(market_of_snapshot(br#"{"lastUpdateId":1,"E":2,"T":1}"#), Market::UsdMargined);
        assert_eq!(market_of_snapshot(br#"{"lastUpdateId":1,"bids":[]}"#), Market::Spot);
    }
}
