//! What `simulated_exchange` can be told, as flags and environment variables.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Parser;

use crate::config::duration::Span;
use crate::config::values::Symbols;

/// The generated market's symbols unless others are named.
const SYMBOLS: &str = "BTCUSDT,ETHUSDT";

fn symbols(text: &str) -> Result<Symbols, String> {
    if text.is_empty() { SYMBOLS.parse() } else { text.parse() }
}

/// An exchange that speaks Binance Spot's REST, stream and WebSocket-API protocols, to test against.
#[derive(Clone, Debug, Parser)]
#[command(name = "simulated_exchange", version)]
pub struct Settings {
    /// Address to listen on.
    #[arg(long, env = "TRADING_BIND", default_value = "127.0.0.1")]
    pub bind: IpAddr,
    /// Port of REST, streams and the WebSocket API, plain and TLS. Health, metrics and the operator's requests are at
    /// the port 10000 above. 0 takes free ports.
    #[arg(long, env = "TRADING_PORT", default_value_t = 5560)]
    pub port: u16,
    /// Symbols of the generated market; an empty variable is as good as none.
    #[arg(long, env = "TRADING_SYMBOLS", default_value = SYMBOLS, value_parser = symbols)]
    pub symbols: Symbols,
    /// Seed of the generated market and of faults.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Events a second and symbol of the generated market.
    #[arg(long, default_value_t = 50)]
    pub rate: u32,
    /// How long the generated market has been going on at the start.
    #[arg(long, default_value = "10m")]
    pub past: Span,
    /// Plays these tapes instead of a generated market.
    #[arg(long, value_name = "FILE")]
    pub tape: Vec<PathBuf>,
    /// How fast the market goes: a factor such as 1 or 2.5, or `step` for when the operator says so.
    #[arg(long, default_value = "1", value_parser = speed)]
    pub speed: super::market::Pace,
    /// TOML file of accounts: `[[account]]` with name, api_key, hmac_secret or ed25519_public_key, balances, maker_fee
    /// and taker_fee. Without it there is one account, whose keys are made now.
    #[arg(long, value_name = "FILE")]
    pub accounts: Option<PathBuf>,
    /// Where the keys of the account that is made are told; only its owner may read it. Without it:
    /// `simulated_exchange.json` in the data directory.
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// What the account that is made holds.
    #[arg(long, value_delimiter = ',', default_value = "USDT=1000000,BTC=100,ETH=1000,BNB=1000")]
    pub balances: Vec<String>,
    /// Fee of makers, in millionths of what they receive.
    #[arg(long, default_value_t = 1_000)]
    pub maker_fee: i32,
    /// Fee of takers.
    #[arg(long, default_value_t = 1_000)]
    pub taker_fee: i32,
    /// Rate limits, as a multiple of Binance's.
    #[arg(long, default_value_t = 1)]
    pub limits: u64,
    /// Certificate chain for TLS, as PEM. Without it one is made, signed by itself.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// Its private key, as PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Between pings of a WebSocket.
    #[arg(long, default_value = "20s")]
    pub ping: Span,
    /// How long a WebSocket may leave them unanswered.
    #[arg(long, default_value = "60s")]
    pub pong: Span,
    /// How long a WebSocket lives.
    #[arg(long, default_value = "24h")]
    pub life: Span,
    /// Lets this go wrong: a fault's name, then `name=value` of method, stream, count, skip, chance (millionths), ms,
    /// bytes, status and executed, with commas between.
    #[arg(long = "fault", value_name = "FAULT", value_parser = super::faults::Fault::read_flag)]
    pub faults: Vec<super::faults::Fault>,
    /// Writes the ledger here at the end.
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
}

/// A factor with up to three decimals, or `step`.
fn speed(text: &str) -> Result<super::market::Pace, String> {
    if text == "step" {
        return Ok(super::market::Pace::Stepped);
    }
    let scale = engine::domain::Scale::new(3).ok_or("no such scale")?;
    match engine::domain::decimal::parse(text.as_bytes(), scale) {
        Ok(thousandths) if thousandths > 0 => Ok(super::market::Pace::Times(thousandths)),
        _ => Err(format!("{text:?}: a factor above 0 with at most three decimals, or step")),
    }
}
