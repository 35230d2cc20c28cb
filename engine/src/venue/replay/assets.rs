//! Base and quote of a symbol whose instrument no exchangeInfo describes.

/// Assets that Binance prices in, longest first so that `BTCFDUSD` is not read as BTCFD and USD.
const QUOTES: &[&str] = &[
    "FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "USDS", "USD1", "BIDR", "IDRT", "BKRW", "BVND", "EURI",
    "DOGE", "BTC", "ETH", "BNB", "TRX", "XRP", "SOL", "DOT", "EUR", "GBP", "AUD", "TRY", "RUB", "BRL", "NGN",
    "UAH", "ZAR", "PLN", "RON", "ARS", "JPY", "MXN", "COP", "CZK", "PAX", "DAI", "VAI", "UST", "USD",
];

/// Binance.US never priced in TUSD or FDUSD, but prices much in USD: `BATUSD` is BAT and USD there.
const US_QUOTES: &[&str] = &["USDT", "USDC", "BUSD", "BTC", "ETH", "BNB", "ADA", "DAI", "USD"];

/// Splits a symbol into base and quote by the known quote assets; a futures contract's suffix (`_PERP`, `_210924`)
/// is left out. `None` where no known quote ends it.
#[must_use]
pub fn split_symbol(symbol: &str, us: bool) -> Option<(&str, &str)> {
    let pair = symbol.split_once('_').map_or(symbol, |(pair, _)| pair);
    let quotes = if us { US_QUOTES } else { QUOTES };
    quotes.iter().find_map(|quote| {
        let base = pair.strip_suffix(quote).filter(|base| !base.is_empty())?;
        Some((base, &pair[base.len()..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_quote_wins() {
        for (symbol, us, split) in [
            ("BTCUSDT", false, Some(("BTC", "USDT"))),
            ("BTCFDUSD", false, Some(("BTC", "FDUSD"))),
            ("BTCUSD_PERP", false, Some(("BTC", "USD"))),
            ("BTCUSDT_210924", false, Some(("BTC", "USDT"))),
            ("PERLBNB", false, Some(("PERL", "BNB"))),
            ("BUSDTRY", false, Some(("BUSD", "TRY"))),
            ("BATUSD", true, Some(("BAT", "USD"))),
            ("OMGBUSD", true, Some(("OMG", "BUSD"))),
            ("USDT", false, None),
            ("NOPE", false, None),
        ] {
            assert_eq!(split_symbol(symbol, us), split, "{symbol}");
        }
        assert!(QUOTES.is_sorted_by_key(|quote| std::cmp::Reverse(quote.len())));
    }
}
