//! Settings: a flag beats the environment, which beats the TOML file, which beats the default. An empty variable is
//! unset. An unknown key, a value that does not do, or a file that cannot be read stops the start with one line that
//! names it.
//!
//! [`keys::KEYS`] is the one table of all settings; [`Settings`] is what a process gets: complete, checked, immutable.

pub mod amount;
pub mod duration;
pub mod environment;
pub mod secret;
pub mod venue;
pub mod values;
pub mod keys;
pub mod document;
pub mod flags;
pub mod layers;
pub mod places;

use std::net::IpAddr;
use std::path::PathBuf;

use engine::agent::IdleStrategy;
use engine::error::SetupError;

use crate::config::amount::Amount;
use crate::config::flags::Flags;
use crate::config::keys::Kept;
use crate::config::layers::{Layers, Source, Value};
use crate::config::values::{
    Choice, Choices, Count, Endpoint, Klines, LogFormat, MarketDataFormat, OnLoss, OnShutdown, Port,
    RecvWindow, Symbols, TapeRoom, TradeStream, WebSocketUrl, YesNo,
};
use crate::topology::Cores;

pub use document::Parameters;
pub use duration::Span;
pub use environment::Environment;
pub use flags::{AllFlags, ConnectFlags, PlaceFlags, TradeFlags};
pub use layers::Secrets;
pub use places::Places;
pub use secret::{Credentials, Secret};
pub use venue::Venue;

/// Where the services' ZeroMQ ports are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// 5555.
    pub market_data: String,
    /// 5556.
    pub order_execution: String,
    /// 5557.
    pub risk_management: String,
    /// 5558.
    pub strategy_engine: String,
}

/// Options of ZeroMQ sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZmqOptions {
    /// Messages kept for a peer that does not read.
    pub sndhwm: i32,
    /// Messages taken from peers before they are read.
    pub rcvhwm: i32,
    /// Milliseconds that a closing socket still tries to send.
    pub linger: i32,
}

/// Where a `simulated_exchange` is, and how to speak to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeSettings {
    /// Its URL.
    pub endpoint: String,
    /// Whether somebody named it: `trading run` trades inside its own process else.
    pub named: bool,
    /// The certificate to trust there.
    pub ca_file: Option<PathBuf>,
    /// Where it tells the keys of the account that it made.
    pub keys_file: PathBuf,
}

/// All settings of a process, resolved and checked.
#[derive(Debug)]
pub struct Settings {
    /// The instance's name and directories.
    pub places: Places,
    /// Where orders go.
    pub venue: Venue,
    /// Whether orders may cost real money.
    pub live: bool,
    /// The exchange behind the venue `simulated`.
    pub exchange: ExchangeSettings,
    /// Symbols to trade.
    pub symbols: Vec<String>,
    /// Strategies to run.
    pub strategies: Vec<Choice>,
    /// Strategies' parameters from the TOML file.
    pub parameters: Parameters,
    /// Largest position of a symbol, in notional.
    pub max_position_size: Amount,
    /// Loss of a day at which only reducing orders pass.
    pub max_daily_loss: Amount,
    /// The account's currency.
    pub account_currency: String,
    /// How market data come from the venue.
    pub market_data_format: MarketDataFormat,
    /// How trades come from the venue.
    pub trade_stream: TradeStream,
    /// Which bars of the venue's own are followed.
    pub klines: Klines,
    /// Whether every market stream comes on two connections.
    pub redundant_streams: bool,
    /// What opens SBE streams, where this process read it.
    pub market_data_key: Option<Secret>,
    /// How long after it was made the venue may take a signed request.
    pub recv_window: RecvWindow,
    /// Whether new orders leave over REST while the WebSocket API has no session.
    pub orders_over_rest: bool,
    /// Core of each thread that has one.
    pub cores: Cores,
    /// What an idle thread does.
    pub idle: IdleStrategy,
    /// Whether a service hosts its agent.
    pub host_agent: bool,
    /// What happens to resting orders at shutdown.
    pub on_shutdown: OnShutdown,
    /// What happens to a strategy's resting orders when its process dies.
    pub on_loss: OnLoss,
    /// Address that ports are bound to.
    pub bind: IpAddr,
    /// Port of this service; `None` means its own default.
    pub port: Option<u16>,
    /// The services' ports.
    pub endpoints: Endpoints,
    /// Options of ZeroMQ sockets.
    pub zmq: ZmqOptions,
    /// The gateway's tokens.
    pub api_tokens_file: PathBuf,
    /// How logs are written.
    pub log_format: LogFormat,
    /// What is logged.
    pub log_filter: String,
    /// Sessions kept in the data directory.
    pub sessions_kept: usize,
    /// Bytes that the tapes of a hosted ingest may take; 0: it keeps none.
    pub tapes_max_bytes: u64,
    credentials: Option<Credentials>,
    layers: Layers,
}

impl Settings {
    /// Resolves and checks every setting.
    ///
    /// # Errors
    /// With one line that names the flag, variable, or file and line, and what is wrong there.
    pub fn resolve<const GROUPS: u8>(
        flags: &Flags<GROUPS>,
        environment: &Environment,
        secrets: Secrets,
    ) -> Result<Self, SetupError> {
        if secrets != Secrets::Withhold {
            secret::shield()?;
        }
        let layers = Layers::find(flags.values(), environment, secrets)?;
        let places = Places::of(&layers, environment)?;
        let tokens = layers.text("TRADING_API_TOKENS_FILE").map(PathBuf::from);
        let settings = Self {
            venue: layers.value("TRADING_VENUE")?,
            live: layers.value::<YesNo>("TRADING_LIVE")?.0,
            exchange: exchange(&layers, &places)?,
            symbols: layers.value::<Symbols>("TRADING_SYMBOLS")?.0,
            strategies: layers.value::<Choices>("TRADING_STRATEGIES")?.0,
            parameters: layers.parameters().clone(),
            max_position_size: layers.value("MAX_POSITION_SIZE")?,
            max_daily_loss: layers.value("MAX_DAILY_LOSS")?,
            account_currency: layers.value("TRADING_ACCOUNT_CURRENCY")?,
            market_data_format: layers.value("TRADING_MARKET_DATA_FORMAT")?,
            trade_stream: layers.value("TRADING_TRADE_STREAM")?,
            klines: layers.value("TRADING_KLINES")?,
            redundant_streams: layers.value::<YesNo>("TRADING_REDUNDANT_STREAMS")?.0,
            market_data_key: match &layers.row("BINANCE_MARKET_DATA_KEY").value {
                Value::Secret(key) => Some(key.clone()),
                Value::Unset | Value::Plain(_) | Value::Withheld => None,
            },
            recv_window: layers.value("TRADING_RECV_WINDOW")?,
            orders_over_rest: layers.value::<YesNo>("TRADING_ORDERS_OVER_REST")?.0,
            cores: layers.optional("TRADING_CORES")?.unwrap_or_default(),
            idle: layers.value("TRADING_IDLE")?,
            host_agent: layers.value::<YesNo>("TRADING_HOST_AGENT")?.0,
            on_shutdown: layers.value("TRADING_ON_SHUTDOWN")?,
            on_loss: layers.value("TRADING_ON_LOSS")?,
            bind: layers.value("TRADING_BIND")?,
            port: layers.optional::<Port>("TRADING_PORT")?.map(|port| port.0),
            endpoints: endpoints(&layers)?,
            zmq: zmq_options(&layers)?,
            api_tokens_file: tokens.unwrap_or_else(|| places.data.join("tokens.json")),
            log_format: layers.value("TRADING_LOG_FORMAT")?,
            log_filter: layers.value("RUST_LOG")?,
            sessions_kept: layers.value::<Kept>("TRADING_SESSIONS_KEPT")?.0,
            tapes_max_bytes: layers.value::<TapeRoom>("TRADING_TAPES_MAX_MIB")?.bytes(),
            credentials: credentials(&layers)?,
            places,
            layers,
        };
        settings.check()?;
        Ok(settings)
    }

    /// What no single value shows.
    fn check(&self) -> Result<(), SetupError> {
        if self.venue.is_real_money() && !self.live {
            return Err(SetupError::Invalid(format!(
                "TRADING_VENUE={}: orders there cost real money; say so with --live or TRADING_LIVE=yes",
                self.venue
            )));
        }
        let traded = |symbol: &&String| !self.symbols.contains(symbol);
        match self.strategies.iter().flat_map(|choice| &choice.symbols).find(traded) {
            Some(symbol) if self.has_symbols() => Err(SetupError::Invalid(format!(
                "TRADING_STRATEGIES names {symbol}, which TRADING_SYMBOLS does not"
            ))),
            _ => Ok(()),
        }
    }

    /// What a process that follows market data, and does nothing else with secrets, has to read.
    #[must_use]
    pub const fn market_data_secrets(&self) -> Secrets {
        match self.market_data_format {
            MarketDataFormat::Json => Secrets::Withhold,
            MarketDataFormat::Sbe => Secrets::MarketData,
        }
    }

    /// The key that orders are signed with.
    ///
    /// # Errors
    /// When there is none: with the variables to set.
    pub fn credentials(&self) -> Result<&Credentials, SetupError> {
        self.credentials.as_ref().ok_or_else(|| {
            SetupError::Invalid(format!(
                "TRADING_VENUE={}: orders there are signed; set BINANCE_API_KEY and BINANCE_API_SECRET, or \
                 BINANCE_API_KEY_FILE and BINANCE_API_SECRET_FILE",
                self.venue
            ))
        })
    }

    /// Whether symbols were named anywhere: a replay without takes all of its tape.
    #[must_use]
    pub fn has_symbols(&self) -> bool {
        self.layers.row("TRADING_SYMBOLS").source != Source::Default
    }

    /// Every setting with its value and source.
    #[must_use]
    pub const fn layers(&self) -> &Layers {
        &self.layers
    }
}

fn exchange(layers: &Layers, places: &Places) -> Result<ExchangeSettings, SetupError> {
    let file = |variable| layers.text(variable).map(PathBuf::from);
    Ok(ExchangeSettings {
        endpoint: layers.value::<WebSocketUrl>("TRADING_EXCHANGE_ENDPOINT")?.0,
        named: layers.row("TRADING_EXCHANGE_ENDPOINT").source != Source::Default,
        ca_file: file("TRADING_EXCHANGE_CA_FILE"),
        keys_file: file("TRADING_EXCHANGE_KEYS_FILE")
            .unwrap_or_else(|| places.data.join("simulated_exchange.json")),
    })
}

fn endpoints(layers: &Layers) -> Result<Endpoints, SetupError> {
    let endpoint = |variable| layers.value::<Endpoint>(variable).map(|endpoint| endpoint.0);
    Ok(Endpoints {
        market_data: endpoint("TRADING_MARKET_DATA_ENDPOINT")?,
        order_execution: endpoint("TRADING_ORDER_EXECUTION_ENDPOINT")?,
        risk_management: endpoint("TRADING_RISK_MANAGEMENT_ENDPOINT")?,
        strategy_engine: endpoint("TRADING_STRATEGY_ENGINE_ENDPOINT")?,
    })
}

fn zmq_options(layers: &Layers) -> Result<ZmqOptions, SetupError> {
    let count = |variable| layers.value::<Count>(variable).map(|count| count.0);
    Ok(ZmqOptions {
        sndhwm: count("TRADING_ZMQ_SNDHWM")?,
        rcvhwm: count("TRADING_ZMQ_RCVHWM")?,
        linger: count("TRADING_ZMQ_LINGER")?,
    })
}

fn credentials(layers: &Layers) -> Result<Option<Credentials>, SetupError> {
    let (key, secret) = (layers.row("BINANCE_API_KEY"), layers.row("BINANCE_API_SECRET"));
    match (&key.value, &secret.value) {
        (Value::Secret(key), Value::Secret(secret)) => {
            Ok(Some(Credentials { key: key.clone(), secret: secret.clone() }))
        }
        (Value::Secret(_), Value::Unset) => {
            Err(SetupError::Invalid("BINANCE_API_KEY is set without BINANCE_API_SECRET".to_owned()))
        }
        (Value::Unset, Value::Secret(_)) => {
            Err(SetupError::Invalid("BINANCE_API_SECRET is set without BINANCE_API_KEY".to_owned()))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests;
