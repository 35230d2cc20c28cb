//! What trades and how much it may: strategies and limits from the command line and the environment.

use std::str::FromStr;
use std::sync::Arc;

use engine::domain::{InstrumentIndex, Instruments, Nanos, Quantity};
use engine::error::SetupError;
use engine::tick_to_trade::assembly::StrategySlot;
use engine::tick_to_trade::risk::{
    ACCOUNT_SCALE, AccountLimits, InstrumentLimits, Limits, Rate, SourceLimits,
};
use engine::tick_to_trade::strategy::registry::{self, Settings};
use engine::venue::simulated::{FeeRate, QueueModel, SimulationConfig};
use serde::{Deserialize, Serialize};

use crate::cli::args::{FillArgs, TradeArgs};
use crate::config::Environment;
use crate::config::amount::Amount;

/// The strategy that runs when none is named.
const STRATEGY: &str = "market_making";

/// Symbols of the generated market when none are named.
pub const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];

/// What trades, resolved; written beside a session so that it can be run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trading {
    /// The symbols; empty means every one that a tape tells of.
    pub symbols: Vec<String>,
    /// The strategy's name, or `none`.
    pub strategy: String,
    /// Its parameters.
    pub parameters: Settings,
    /// Largest position of a symbol, in quote units.
    pub max_position_size: String,
    /// Loss of a day at which new risk stops, in quote units.
    pub max_daily_loss: String,
    /// The account's currency.
    pub currency: String,
}

impl Trading {
    /// Resolves flags and environment.
    ///
    /// # Errors
    /// When a value cannot be read.
    pub fn resolve(args: &TradeArgs, environment: &Environment) -> Result<Self, SetupError> {
        let symbols = if args.symbols.is_empty() {
            let listed = environment.get("TRADING_SYMBOLS").unwrap_or_default();
            listed.split(',').filter(|symbol| !symbol.is_empty()).map(str::to_owned).collect()
        } else {
            args.symbols.clone()
        };
        let mut parameters = Settings::new();
        for parameter in &args.parameters {
            let (key, value) = parameter
                .split_once('=')
                .ok_or_else(|| SetupError::Invalid(format!("--param {parameter}: expected KEY=VALUE")))?;
            if parameters.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(SetupError::Invalid(format!("--param {key}: given twice")));
            }
        }
        let position =
            environment.resolve(args.max_position_size, "MAX_POSITION_SIZE", Amount::whole(10_000))?;
        let loss = environment.resolve(args.max_daily_loss, "MAX_DAILY_LOSS", Amount::whole(1_000))?;
        Ok(Self {
            symbols,
            strategy: environment.resolve(
                args.strategy.clone(),
                "TRADING_STRATEGIES",
                STRATEGY.to_owned(),
            )?,
            parameters,
            max_position_size: position.to_string(),
            max_daily_loss: loss.to_string(),
            currency: environment.get("TRADING_ACCOUNT_CURRENCY").unwrap_or("USDT").to_owned(),
        })
    }

    /// The instruments to trade: those named, each of which must be known and tradable, or else every tradable one
    /// of `present`.
    ///
    /// # Errors
    /// When a named symbol is unknown or cannot be traded.
    pub fn targets(
        &self,
        instruments: &Instruments,
        present: &[InstrumentIndex],
    ) -> Result<Vec<InstrumentIndex>, SetupError> {
        if self.symbols.is_empty() {
            let tradable = |index: &&InstrumentIndex| {
                instruments.get(**index).is_some_and(|instrument| instrument.untradable.is_none())
            };
            return Ok(present.iter().filter(tradable).copied().collect());
        }
        let find = |symbol: &String| {
            let index = instruments
                .find_any(symbol)
                .ok_or_else(|| SetupError::Invalid(format!("unknown symbol {symbol}")))?;
            match instruments.get(index).and_then(|instrument| instrument.untradable.as_deref()) {
                Some(reason) => Err(SetupError::Invalid(format!("{symbol} cannot be traded: {reason}"))),
                None => Ok(index),
            }
        };
        self.symbols.iter().map(find).collect()
    }

    /// One strategy a target.
    ///
    /// # Errors
    /// When the strategy or a parameter is unknown.
    pub fn strategies(
        &self,
        instruments: &Arc<Instruments>,
        targets: &[InstrumentIndex],
    ) -> Result<Vec<StrategySlot>, SetupError> {
        if self.strategy == "none" {
            return Ok(Vec::new());
        }
        let slot = |&index: &InstrumentIndex| {
            let Some(instrument) = instruments.get(index) else {
                return Err(SetupError::Invalid(format!("there is no instrument {index}")));
            };
            let strategy = registry::create(&self.strategy, index, instrument, &self.parameters)?;
            let name = format!("{}/{}", self.strategy, instrument.symbol);
            Ok(StrategySlot { name, strategy, instruments: vec![index] })
        };
        targets.iter().map(slot).collect()
    }

    /// Risk's limits for `sources` strategies on `instruments`.
    ///
    /// # Errors
    /// When an amount cannot be read or does not fit.
    pub fn limits(&self, instruments: &Instruments, sources: usize) -> Result<Limits, SetupError> {
        let amount = |key: &str, text: &str| {
            Amount::from_str(text)
                .ok()
                .and_then(|amount| amount.at_scale(ACCOUNT_SCALE))
                .ok_or_else(|| SetupError::Invalid(format!("{key}={text}: no amount that fits")))
        };
        let position = amount("MAX_POSITION_SIZE", &self.max_position_size)?;
        let loss = amount("MAX_DAILY_LOSS", &self.max_daily_loss)?;
        let instrument = |max_quantity: Quantity| InstrumentLimits {
            max_quantity,
            max_notional: position,
            max_position: Quantity(i64::MAX),
            max_position_value: position,
            collar_aggressive_bps: 100,
            collar_passive_bps: 1_000,
            stale_after: Nanos::from_secs(2),
            max_open: 32,
            max_unknown: 1,
        };
        let lots = instruments.iter().map(|(_, instrument)| match instrument.filters.lot.max {
            Quantity(0) => Quantity(i64::MAX),
            max => max,
        });
        let source = SourceLimits { orders: MESSAGES, cancels: MESSAGES, cancels_for_others: false };
        Ok(Limits {
            account: AccountLimits {
                currency: self.currency.clone().into(),
                at_par: AT_PAR.iter().map(|&asset| asset.into()).collect(),
                max_gross: position.saturating_mul(instruments.len().max(1) as i128),
                max_open: 1_024,
                orders: MESSAGES,
                cancels: MESSAGES,
                day_loss_soft: loss,
                day_loss_hard: loss.saturating_mul(3) / 2,
                duplicates: Rate::new(3, Nanos::from_millis(500)),
                repeat_fills: Rate::new(200, Nanos::from_secs(10)),
                reject_storm: Rate::new(1_000, Nanos::from_secs(10)),
                max_unknown: 5,
            },
            instruments: lots.map(instrument).collect(),
            sources: vec![source; sources],
        })
    }
}

/// C16: messages of a source and of the account, new orders and cancels each.
const MESSAGES: Rate = Rate::new(1_000, Nanos::from_secs(10));

/// Assets counted as the account's currency, one to one.
const AT_PAR: [&str; 6] = ["USD", "USDT", "USDC", "BUSD", "FDUSD", "TUSD"];

/// The simulated venue's settings.
///
/// # Errors
/// When the queue model is unknown or a latency is too short: an answer must come after its question.
pub fn simulation(args: &FillArgs) -> Result<SimulationConfig, SetupError> {
    let queue = match args.queue.split_once(':') {
        None if args.queue == "risk-averse" => QueueModel::RiskAverse,
        None if args.queue == "probabilistic" => QueueModel::Probabilistic { power: 1 },
        Some(("probabilistic", power)) => {
            let power = power.parse().ok().filter(|power| *power <= 16).ok_or_else(|| {
                SetupError::Invalid(format!("--queue {}: the power is a whole number up to 16", args.queue))
            })?;
            QueueModel::Probabilistic { power }
        }
        _ => {
            let reason = format!("--queue {}: risk-averse or probabilistic:POWER", args.queue);
            return Err(SetupError::Invalid(reason));
        }
    };
    Ok(SimulationConfig {
        queue,
        maker_fee: FeeRate(args.maker_fee),
        taker_fee: FeeRate(args.taker_fee),
        order_latency: args.order_latency.0,
        answer_latency: args.answer_latency.0,
        partial_fills: true,
    })
}
