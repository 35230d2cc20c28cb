//! What the account holds, asked before any order leaves: it is shown, and an account that may not trade ends the start.

use engine::clock::Clock;
use engine::domain::Instruments;
use engine::error::SetupError;
use serde_json::Value;
use tracing::info;

use crate::binance::Signer;
use crate::binance::clock::server_time;
use crate::config::values::RecvWindow;
use crate::venue::rest::{Desk, TIME};

/// Where the venue tells what the account holds.
const ACCOUNT: &str = "/api/v3/account";

/// Asks for the account of `signer`, and logs what it holds of what is traded.
///
/// # Errors
/// When the venue refuses or does not answer, or the account may not trade.
pub(super) fn show(
    desk: &mut Desk<'_, impl Clock>,
    signer: &Signer,
    window: RecvWindow,
    instruments: &Instruments,
) -> Result<(), SetupError> {
    let url = desk.url(ACCOUNT);
    let refuse = |reason: &str| SetupError::Invalid(format!("{url}: {reason}"));
    let told: Value = serde_json::from_slice(&desk.ask(TIME, TIME, &[])?).unwrap_or_default();
    // The venue's own clock: ours may be off by more than it allows.
    let time = server_time(&told).ok_or_else(|| refuse("the venue does not tell its time"))?;
    let time = time.0 / 1_000_000;
    let query = signer.sign_query(&format!("timestamp={time}&recvWindow={window}"));
    let header = [("X-MBX-APIKEY", signer.api_key())];
    let body = desk.ask(ACCOUNT, &format!("{ACCOUNT}?{query}"), &header)?;
    let account: Value = serde_json::from_slice(&body).map_err(|_| refuse("the answer cannot be read"))?;
    for (asset, free, locked) in held(&account, instruments).map_err(|reason| refuse(&reason))? {
        info!(asset, free, locked, "the account holds");
    }
    Ok(())
}

/// Asset, free and locked of each balance that trading moves.
fn held(account: &Value, instruments: &Instruments) -> Result<Vec<(String, String, String)>, String> {
    if account["canTrade"].as_bool() != Some(true) {
        return Err("the account may not trade (canTrade)".to_owned());
    }
    let listed = account["balances"].as_array().ok_or("the answer has no balances")?;
    let moves = |asset: &str| {
        instruments.iter().any(|(_, instrument)| [&*instrument.base, &*instrument.quote].contains(&asset))
    };
    let row = |balance: &Value| {
        let text = |name: &str| balance[name].as_str().map(str::to_owned);
        let asset = text("asset").filter(|asset| moves(asset))?;
        Some((asset, text("free")?, text("locked")?))
    };
    Ok(listed.iter().filter_map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::domain::{Market, Nanos};
    use engine::venue::binance::exchange_info;
    use engine::venue::generated::GeneratedMarket;
    use serde_json::json;

    #[test]
    fn what_trading_moves_is_shown_and_a_locked_account_ends_the_start() {
        let market = GeneratedMarket::new(&["BTCUSDT"], 1, Nanos::from_secs(1), 1).expect("a market");
        let table = exchange_info::instruments(&market.exchange_info(), Market::Spot).expect("a table");
        let instruments = Instruments::new(table).expect("a table");
        let balance = |asset: &str| json!({ "asset": asset, "free": "1.0", "locked": "0.5" });
        let mut account =
            json!({ "canTrade": true, "balances": [balance("BTC"), balance("BNB"), balance("USDT")] });
        let shown = held(&account, &instruments).expect("it may trade");
        assert_eq!(shown.iter().map(|row| row.0.as_str()).collect::<Vec<_>>(), ["BTC", "USDT"]);
        account["canTrade"] = json!(false);
        assert!(held(&account, &instruments).expect_err("it may not").contains("canTrade"));
        assert!(held(&json!({ "canTrade": true }), &instruments).is_err());
    }
}
