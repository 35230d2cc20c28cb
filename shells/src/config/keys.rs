//! Every setting there is: one table gives its variable, its flag, its key in TOML, its default and its check.

use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;

use engine::agent::IdleStrategy;

use crate::config::amount::Amount;
use crate::config::places::DataDirs;
use crate::config::values::{
    Choices, Count, Endpoint, HighWaterMark, Klines, LogFormat, MarketDataFormat, OnLoss, OnShutdown, Port,
    RecvWindow, Symbols, TapeRoom, TradeStream, WebSocketUrl, YesNo,
};
use crate::config::venue::Venue;
use crate::topology::Cores;

/// Settings that say where an instance keeps its files.
pub const PLACES: u8 = 1;
/// Settings that say what trades, and how much it may.
pub const TRADE: u8 = 2;
/// All other settings.
pub const SERVICE: u8 = 4;
/// Of those, where the services are found: commands that ask them take these too.
pub const ENDPOINTS: u8 = 8;

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// The environment variable.
    pub variable: &'static str,
    /// The dotted key in TOML.
    pub toml: &'static str,
    /// The flag, without dashes.
    pub flag: &'static str,
    /// What stands for the value in help.
    pub value_name: &'static str,
    /// The default; `None` where there is none, or where it is computed.
    pub default: Option<&'static str>,
    /// What it is.
    pub doc: &'static str,
    /// Which commands take its flag.
    pub group: u8,
    /// Whether a flag without a value means `yes`.
    pub switch: bool,
    /// For a secret: the variable and the flag that name a file with its value. A secret has no flag of its own: a
    /// command line can be seen by everybody on the machine.
    pub secret_file: Option<(&'static str, &'static str)>,
    /// Whether a text can be a value.
    pub check: fn(&str) -> Result<(), String>,
}

fn check<T: FromStr>(text: &str) -> Result<(), String>
where
    T::Err: Display,
{
    text.parse::<T>().map(|_| ()).map_err(|error| error.to_string())
}

fn any(_: &str) -> Result<(), String> {
    Ok(())
}

/// What the guide puts where a key belongs.
const PLACEHOLDERS: [&str; 2] = ["your_api_key_here", "your_api_secret_here"];

fn secret(text: &str) -> Result<(), String> {
    if PLACEHOLDERS.iter().any(|placeholder| text.trim().eq_ignore_ascii_case(placeholder)) {
        return Err("is the guide's placeholder, not a key".to_owned());
    }
    if !text.starts_with("-----BEGIN ") && text.contains(char::is_whitespace) {
        return Err("holds white space, as neither a key nor an HMAC secret does".to_owned());
    }
    Ok(())
}

const fn key(variable: &'static str, toml: &'static str, flag: &'static str) -> Key {
    Key {
        variable,
        toml,
        flag,
        value_name: "VALUE",
        default: None,
        doc: "",
        group: SERVICE,
        switch: false,
        secret_file: None,
        check: any,
    }
}

/// The variable that names the TOML file, and its flag.
pub const CONFIG: (&str, &str) = ("TRADING_CONFIG", "config");

/// What `simulated_exchange` can be told in its own section of the TOML file: its flags, with `_` for `-`.
pub const EXCHANGE_KEYS: [&str; 21] = [
    "bind",
    "port",
    "symbols",
    "seed",
    "rate",
    "past",
    "tape",
    "speed",
    "accounts",
    "keys",
    "balances",
    "maker_fee",
    "taker_fee",
    "limits",
    "cert",
    "key",
    "ping",
    "pong",
    "life",
    "fault",
    "ledger",
];

/// Every setting.
pub static KEYS: [Key; 42] = [
    Key {
        value_name: "NAME",
        default: Some("default"),
        doc: "Name of the instance: separates directories and locks",
        group: PLACES,
        ..key("TRADING_INSTANCE", "instance", "instance")
    },
    Key {
        value_name: "DIR",
        doc: "Directory of shared memory; /dev/shm/trading-UID-INSTANCE if unset",
        group: PLACES,
        ..key("TRADING_IPC_DIR", "ipc_dir", "ipc-dir")
    },
    Key {
        value_name: "DIR",
        doc: "Directory of journals and recordings; the XDG data directory if unset",
        group: PLACES,
        ..key("TRADING_DATA_DIR", "data_dir", "data-dir")
    },
    Key {
        value_name: "LIST",
        doc: "Directories of owners whose data lies apart, such as risk=/risk; of risk, operator, gateway, ingest",
        group: PLACES,
        check: check::<DataDirs>,
        ..key("TRADING_DATA_DIRS", "data_dirs", "data-dirs")
    },
    Key {
        value_name: "VENUE",
        default: Some("simulated"),
        doc: "Where orders go: simulated, paper, binance-testnet, binance-demo or binance",
        check: check::<Venue>,
        ..key("TRADING_VENUE", "venue", "venue")
    },
    Key {
        value_name: "YES",
        default: Some("no"),
        doc: "Allow the venue `binance`, where orders cost real money",
        switch: true,
        check: check::<YesNo>,
        ..key("TRADING_LIVE", "live", "live")
    },
    Key {
        value_name: "URL",
        default: Some("ws://127.0.0.1:5560"),
        doc: "A `simulated_exchange`, for the venue `simulated`: ws://HOST:PORT, or wss for TLS",
        check: check::<WebSocketUrl>,
        ..key("TRADING_EXCHANGE_ENDPOINT", "exchange.endpoint", "exchange-endpoint")
    },
    Key {
        value_name: "FILE",
        doc: "Certificate to trust there, as PEM; the public authorities if unset",
        ..key("TRADING_EXCHANGE_CA_FILE", "exchange.ca_file", "exchange-ca-file")
    },
    Key {
        value_name: "FILE",
        doc: "Keys of the account that it made; DATA_DIR/INSTANCE/simulated_exchange.json if unset",
        ..key("TRADING_EXCHANGE_KEYS_FILE", "exchange.keys_file", "exchange-keys-file")
    },
    Key {
        value_name: "LIST",
        default: Some("BTCUSDT,ETHUSDT"),
        doc: "Symbols to trade, separated by commas; a replay takes all of its tape if unset",
        group: TRADE,
        check: check::<Symbols>,
        ..key("TRADING_SYMBOLS", "symbols", "symbols")
    },
    Key {
        value_name: "LIST",
        default: Some("market_making"),
        doc: "Strategies, as NAME or NAME@SYMBOL+SYMBOL, separated by commas; or `none`",
        group: TRADE,
        check: check::<Choices>,
        ..key("TRADING_STRATEGIES", "strategies", "strategy")
    },
    Key {
        value_name: "AMOUNT",
        default: Some("10000"),
        doc: "Largest position of a symbol, in notional",
        group: TRADE,
        check: check::<Amount>,
        ..key("MAX_POSITION_SIZE", "limits.max_position_size", "max-position-size")
    },
    Key {
        value_name: "AMOUNT",
        default: Some("1000"),
        doc: "Loss since 00:00 UTC at which only reducing orders pass; half as much again halts",
        group: TRADE,
        check: check::<Amount>,
        ..key("MAX_DAILY_LOSS", "limits.max_daily_loss", "max-daily-loss")
    },
    Key {
        value_name: "ASSET",
        default: Some("USDT"),
        doc: "The account's currency, in which limits count",
        group: TRADE,
        check: check::<Symbols>,
        ..key("TRADING_ACCOUNT_CURRENCY", "limits.account_currency", "account-currency")
    },
    Key {
        secret_file: Some(("BINANCE_API_KEY_FILE", "binance-api-key-file")),
        doc: "The API key",
        check: secret,
        ..key("BINANCE_API_KEY", "binance.api_key", "")
    },
    Key {
        secret_file: Some(("BINANCE_API_SECRET_FILE", "binance-api-secret-file")),
        doc: "The API key's HMAC secret, or an Ed25519 key as PKCS#8 PEM",
        check: secret,
        ..key("BINANCE_API_SECRET", "binance.api_secret", "")
    },
    Key {
        value_name: "FORMAT",
        default: Some("json"),
        doc: "How market data come from the venue: json, or sbe, which is binary and needs a key",
        check: check::<MarketDataFormat>,
        ..key("TRADING_MARKET_DATA_FORMAT", "binance.market_data_format", "market-data-format")
    },
    Key {
        value_name: "STREAM",
        default: Some("trade"),
        doc: "How trades come from the venue: trade, or aggTrade, which tells those of one taker at one price as one",
        check: check::<TradeStream>,
        ..key("TRADING_TRADE_STREAM", "binance.trade_stream", "trade-stream")
    },
    Key {
        value_name: "LIST",
        default: Some("1m"),
        doc: "Intervals of the venue's own bars that are followed, such as 1m,5m,1h; none for none",
        check: check::<Klines>,
        ..key("TRADING_KLINES", "binance.klines", "klines")
    },
    Key {
        value_name: "YES",
        default: Some("no"),
        doc: "Follow every market stream on two connections: what comes first counts, and one may break",
        switch: true,
        check: check::<YesNo>,
        ..key("TRADING_REDUNDANT_STREAMS", "binance.redundant_streams", "redundant-streams")
    },
    Key {
        secret_file: Some(("BINANCE_MARKET_DATA_KEY_FILE", "binance-market-data-key-file")),
        doc: "An Ed25519 API key that opens SBE streams: better another than BINANCE_API_KEY, and without permissions",
        check: secret,
        ..key("BINANCE_MARKET_DATA_KEY", "binance.market_data_key", "")
    },
    Key {
        value_name: "MS",
        default: Some("5000"),
        doc: "Milliseconds after which the venue may no longer take a signed request: 1 to 60000",
        check: check::<RecvWindow>,
        ..key("TRADING_RECV_WINDOW", "binance.recv_window", "recv-window")
    },
    Key {
        value_name: "YES",
        default: Some("yes"),
        doc: "Whether new orders leave over REST while the WebSocket API has no session",
        switch: true,
        check: check::<YesNo>,
        ..key("TRADING_ORDERS_OVER_REST", "binance.orders_over_rest", "orders-over-rest")
    },
    Key {
        value_name: "LIST",
        doc: "Core of each thread, such as ingest=2,strategy=3; engine=N places the shared one",
        check: check::<Cores>,
        ..key("TRADING_CORES", "engine.cores", "cores")
    },
    Key {
        value_name: "STRATEGY",
        default: Some("backoff"),
        doc: "What an idle thread does: spin, backoff or park",
        check: check::<IdleStrategy>,
        ..key("TRADING_IDLE", "engine.idle", "idle")
    },
    Key {
        value_name: "YES",
        default: Some("yes"),
        doc: "Host this service's agent; `no` attaches to agents hosted by `trading engine`",
        switch: true,
        check: check::<YesNo>,
        ..key("TRADING_HOST_AGENT", "engine.host_agent", "host-agent")
    },
    Key {
        value_name: "POLICY",
        default: Some("cancel"),
        doc: "What happens to resting orders at shutdown: cancel or keep",
        check: check::<OnShutdown>,
        ..key("TRADING_ON_SHUTDOWN", "engine.on_shutdown", "on-shutdown")
    },
    Key {
        value_name: "POLICY",
        default: Some("cancel"),
        doc: "What risk does with a strategy's resting orders when its process dies: cancel or keep",
        check: check::<OnLoss>,
        ..key("TRADING_ON_LOSS", "engine.on_loss", "on-loss")
    },
    Key {
        value_name: "ADDRESS",
        default: Some("127.0.0.1"),
        doc: "Address that ports are bound to",
        check: check::<IpAddr>,
        ..key("TRADING_BIND", "service.bind", "bind")
    },
    Key {
        value_name: "PORT",
        doc: "Port of this service; each has a default of its own",
        check: check::<Port>,
        ..key("TRADING_PORT", "service.port", "port")
    },
    endpoint(
        "TRADING_MARKET_DATA_ENDPOINT",
        "endpoints.market_data",
        "market-data-endpoint",
        "tcp://127.0.0.1:5555",
    ),
    endpoint(
        "TRADING_ORDER_EXECUTION_ENDPOINT",
        "endpoints.order_execution",
        "order-execution-endpoint",
        "tcp://127.0.0.1:5556",
    ),
    endpoint(
        "TRADING_RISK_MANAGEMENT_ENDPOINT",
        "endpoints.risk_management",
        "risk-management-endpoint",
        "tcp://127.0.0.1:5557",
    ),
    endpoint(
        "TRADING_STRATEGY_ENGINE_ENDPOINT",
        "endpoints.strategy_engine",
        "strategy-engine-endpoint",
        "tcp://127.0.0.1:5558",
    ),
    Key {
        value_name: "N",
        default: Some("1000"),
        doc: "Messages kept for a ZeroMQ peer that does not read",
        check: check::<HighWaterMark>,
        ..key("TRADING_ZMQ_SNDHWM", "zmq.sndhwm", "zmq-sndhwm")
    },
    Key {
        value_name: "N",
        default: Some("1000"),
        doc: "Messages taken from ZeroMQ peers before they are read",
        check: check::<HighWaterMark>,
        ..key("TRADING_ZMQ_RCVHWM", "zmq.rcvhwm", "zmq-rcvhwm")
    },
    Key {
        value_name: "MS",
        default: Some("0"),
        doc: "Milliseconds that a closing ZeroMQ socket still tries to send",
        check: check::<Count>,
        ..key("TRADING_ZMQ_LINGER", "zmq.linger", "zmq-linger")
    },
    Key {
        value_name: "FILE",
        doc: "File of the gateway's tokens; DATA_DIR/INSTANCE/tokens.json if unset",
        group: PLACES,
        ..key("TRADING_API_TOKENS_FILE", "gateway.tokens_file", "api-tokens-file")
    },
    Key {
        value_name: "FORMAT",
        default: Some("text"),
        doc: "How logs are written: text or json",
        check: check::<LogFormat>,
        ..key("TRADING_LOG_FORMAT", "log.format", "log-format")
    },
    Key {
        value_name: "FILTER",
        default: Some("info"),
        doc: "What is logged: a level, or TARGET=LEVEL, separated by commas",
        check: log_filter,
        ..key("RUST_LOG", "log.filter", "log-filter")
    },
    Key {
        value_name: "N",
        default: Some("16"),
        doc: "Sessions kept in the data directory",
        check: check::<Kept>,
        ..key("TRADING_SESSIONS_KEPT", "sessions_kept", "sessions-kept")
    },
    Key {
        value_name: "MIB",
        default: Some("4096"),
        doc: "MiB that the tapes of a hosted ingest may take, the oldest removed beyond them; 0 keeps none",
        check: check::<TapeRoom>,
        ..key("TRADING_TAPES_MAX_MIB", "tapes_max_mib", "tapes-max-mib")
    },
];

/// How many sessions are kept: at least the running one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept(pub usize);

impl FromStr for Kept {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let count = text.parse().ok().filter(|count| (1..=100_000).contains(count));
        count.map(Self).ok_or_else(|| "expected 1 to 100000".to_owned())
    }
}

const fn endpoint(
    variable: &'static str,
    toml: &'static str,
    flag: &'static str,
    default: &'static str,
) -> Key {
    Key {
        value_name: "ENDPOINT",
        default: Some(default),
        doc: "Where the service's ZeroMQ port is found",
        group: SERVICE | ENDPOINTS,
        check: check::<Endpoint>,
        ..key(variable, toml, flag)
    }
}

fn log_filter(text: &str) -> Result<(), String> {
    tracing_subscriber::EnvFilter::try_new(text).map(|_| ()).map_err(|error| error.to_string())
}

/// The setting with this variable.
#[must_use]
pub fn find(variable: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.variable == variable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_defaults_pass_their_own_checks() {
        let mut names = BTreeSet::new();
        for key in &KEYS {
            assert!(names.insert(key.variable) && names.insert(key.toml), "{}", key.variable);
            assert!(!key.doc.is_empty());
            match key.secret_file {
                Some((variable, flag)) => assert!(names.insert(variable) && names.insert(flag)),
                None => assert!(names.insert(&*format!("--{}", key.flag).leak()), "{}", key.flag),
            }
            if let Some(default) = key.default {
                assert_eq!((key.check)(default), Ok(()), "{}", key.variable);
            }
        }
    }

    #[test]
    fn placeholders_are_refused() {
        for text in ["your_api_key_here", " YOUR_API_SECRET_HERE ", "abc ", "\nabc"] {
            assert!(secret(text).is_err(), "{text}");
        }
        assert!(secret(&"k".repeat(64)).is_ok());
    }
}
