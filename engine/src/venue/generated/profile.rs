//! What a generated symbol looks like: its assets, its grid, and where its price starts.

use xxhash_rust::xxh3::xxh3_64;

use crate::domain::Scale;
use crate::error::SetupError;
use crate::limits::SYMBOL_BYTES_MAX;
use crate::venue::replay::assets::split_symbol;

/// Base assets that people know, with decimals of price and quantity and a start in ticks, in dollars.
const KNOWN: &[(&str, u8, u8, i64)] = &[
    ("BTC", 2, 5, 6_000_000),
    ("ETH", 2, 4, 250_000),
    ("BNB", 2, 3, 58_000),
    ("SOL", 2, 3, 15_000),
    ("XRP", 4, 1, 6_000),
    ("ADA", 4, 1, 4_000),
    ("DOGE", 5, 0, 10_000),
];

/// Quote assets worth about a dollar.
const DOLLARS: &[&str] = &["USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USDP", "USD", "DAI"];

/// Lots of a typical order.
pub(super) const ORDER_LOTS: i64 = 1_000;

/// A symbol, in ticks of `10^-price_scale` and lots of `10^-quantity_scale`; the two have at most eight decimals
/// together, so that a notional has no more than Binance writes.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    pub(super) symbol: String,
    pub(super) base: String,
    pub(super) quote: String,
    pub(super) price_scale: Scale,
    pub(super) quantity_scale: Scale,
    pub(super) start_ticks: i64,
    /// Names the symbol's own stream of draws.
    pub(super) hash: u64,
}

impl Profile {
    /// Unknown bases get a grid and a price that follow from their name.
    pub(super) fn new(symbol: &str) -> Result<Self, SetupError> {
        let refused =
            |reason: &str| SetupError::Invalid(format!("generated market: symbol {symbol:?}: {reason}"));
        if symbol.len() > SYMBOL_BYTES_MAX || !symbol.chars().all(char::is_alphanumeric) {
            return Err(refused("letters and digits expected, not too many"));
        }
        let Some((base, quote)) = split_symbol(symbol, false) else {
            return Err(refused("no known quote asset ends it"));
        };
        let hash = xxh3_64(symbol.as_bytes());
        let known = KNOWN.iter().find(|known| known.0 == base && DOLLARS.contains(&quote));
        let (price, quantity, start_ticks) = match known {
            Some(&(_, price, quantity, start)) => (price, quantity, start),
            None => {
                let [price, quantity, low, high, ..] = hash.to_le_bytes();
                let start = 10_000 + i64::from(u16::from_le_bytes([low, high]));
                (2 + price % 5, quantity % 3, start)
            }
        };
        let scale = |digits| Scale::new(digits).ok_or_else(|| refused("too many decimals"));
        Ok(Self {
            symbol: symbol.to_owned(),
            base: base.to_owned(),
            quote: quote.to_owned(),
            price_scale: scale(price)?,
            quantity_scale: scale(quantity)?,
            start_ticks,
            hash,
        })
    }

    /// Decimals of ticks × lots.
    pub(super) fn notional_scale(&self) -> Scale {
        Scale::new(self.price_scale.digits() + self.quantity_scale.digits()).unwrap_or(Scale::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_has_a_grid_that_fits() {
        for symbol in
            ["BTCUSDT", "ETHUSDT", "DOGEUSDT", "ETHBTC", "PEPEUSDC", "1000SATSFDUSD", "这是测试币USDT"]
        {
            let profile = Profile::new(symbol).expect("a symbol");
            assert!(profile.price_scale.digits() + profile.quantity_scale.digits() <= 8, "{symbol}");
            assert!(profile.start_ticks >= 4_000, "{symbol}");
        }
        assert_eq!(Profile::new("BTCUSDT").expect("a symbol").start_ticks, 6_000_000);
        for symbol in ["", "USDT", "BTC", "BTC\"USDT", "BTC USDT", &"A".repeat(60)] {
            assert!(Profile::new(symbol).is_err(), "{symbol}");
        }
    }
}
