//! What trades and how much it may: strategies and limits, as the settings say.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use engine::domain::{InstrumentIndex, Instruments, Nanos, Quantity, SourceId};
use engine::error::SetupError;
use engine::tick_to_trade::assembly::StrategySlot;
use engine::tick_to_trade::risk::{
    ACCOUNT_SCALE, AccountLimits, InstrumentLimits, Limits, Rate, SourceLimits, UNLIMITED,
};
use engine::tick_to_trade::strategy::registry::{self, Settings};
use engine::venue::simulated::{FeeRate, QueueModel, SimulationConfig};
use serde::{Deserialize, Serialize};

use crate::cli::args::{FillArgs, ParameterArgs};
use crate::config::Settings as Resolved;
use crate::config::amount::Amount;
use crate::config::values::{Choice, OnLoss};

/// A strategy that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Its name in the registry.
    pub name: String,
    /// Its symbols; empty means all that are traded.
    pub symbols: Vec<String>,
    /// Its parameters; what is left out keeps its default.
    pub parameters: Settings,
}

/// The one key of every strategy that is not its own but risk's: `MAX_POSITION_SIZE` for it alone.
pub const OWN_LIMIT: &str = "max_position_size";

impl Planned {
    /// What the strategy itself is to know.
    fn own_parameters(&self) -> Settings {
        let mut own = self.parameters.clone();
        own.remove(OWN_LIMIT);
        own
    }
}

/// What trades, resolved; written beside a session so that it can be run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trading {
    /// The symbols; empty means every one that a tape tells of.
    pub symbols: Vec<String>,
    /// The strategies, each one on each of its symbols.
    pub strategies: Vec<Planned>,
    /// Largest position of a symbol, in quote units.
    pub max_position_size: String,
    /// Loss of a day at which new risk stops, in quote units.
    pub max_daily_loss: String,
    /// The account's currency.
    pub currency: String,
    /// Whether strategies' orders stay open when their process dies.
    #[serde(default)]
    pub keep_on_loss: bool,
}

impl Trading {
    /// What the settings say, with parameters from the command line on top.
    ///
    /// # Errors
    /// When a parameter is no KEY=VALUE, is given twice, or it is not clear for which strategy it is meant.
    pub fn of(settings: &Resolved, arguments: &ParameterArgs) -> Result<Self, SetupError> {
        let mut given: BTreeMap<(String, String), String> = BTreeMap::new();
        for argument in &arguments.parameters {
            let (strategy, key, value) = split(argument, settings)?;
            if given.insert((strategy, key), value).is_some() {
                return Err(SetupError::Invalid(format!("--param {argument}: its key is given twice")));
            }
        }
        let plan = |choice: &Choice| {
            let mut parameters = settings.parameters.get(&choice.name).cloned().unwrap_or_default();
            let own = given.iter().filter(|((strategy, _), _)| *strategy == choice.name);
            parameters.extend(own.map(|((_, key), value)| (key.clone(), value.clone())));
            Planned { name: choice.name.clone(), symbols: choice.symbols.clone(), parameters }
        };
        Ok(Self {
            symbols: settings.symbols.clone(),
            strategies: settings.strategies.iter().map(plan).collect(),
            max_position_size: settings.max_position_size.to_string(),
            max_daily_loss: settings.max_daily_loss.to_string(),
            currency: settings.account_currency.clone(),
            keep_on_loss: settings.on_loss == OnLoss::Keep,
        })
    }

    /// The strategies' names.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.strategies.iter().map(|planned| planned.name.as_str()).collect()
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

    /// The strategies, each once on every target that is one of its symbols.
    ///
    /// # Errors
    /// When a strategy, a parameter, or one of its symbols is unknown.
    pub fn strategies(
        &self,
        instruments: &Arc<Instruments>,
        targets: &[InstrumentIndex],
    ) -> Result<Vec<StrategySlot>, SetupError> {
        let mut slots = Vec::new();
        for planned in &self.strategies {
            let mut missing: Vec<&String> = planned.symbols.iter().collect();
            for &index in targets {
                let Some(instrument) = instruments.get(index) else {
                    return Err(SetupError::Invalid(format!("there is no instrument {index}")));
                };
                missing.retain(|symbol| **symbol != *instrument.symbol);
                if !planned.symbols.is_empty() && !planned.symbols.iter().any(|s| **s == *instrument.symbol) {
                    continue;
                }
                let strategy = registry::create(&planned.name, index, instrument, &planned.own_parameters())?;
                let name = format!("{}/{}", planned.name, instrument.symbol);
                slots.push(StrategySlot { name, strategy, instruments: vec![index] });
            }
            if let Some(symbol) = missing.first() {
                let name = &planned.name;
                return Err(SetupError::Invalid(format!(
                    "{name} is to trade {symbol}, which is not traded here"
                )));
            }
        }
        Ok(slots)
    }

    /// Risk's limits on each source: the people's, then those of `strategies`.
    fn sources(&self, strategies: &[StrategySlot]) -> Result<Vec<SourceLimits>, SetupError> {
        // People may cancel and close what any strategy has open: the account's limits hold them.
        let people = SourceLimits {
            orders: MESSAGES,
            cancels: MESSAGES,
            max_position_value: UNLIMITED,
            cancels_for_others: true,
            keep_on_loss: false,
        };
        let mut sources = vec![people; SourceId::EXTERNAL.len()];
        for slot in strategies {
            let max_position_value = match self.own_limit(slot) {
                Some(text) => account_amount(&format!("{}.{OWN_LIMIT}", slot.name), text)?,
                None => UNLIMITED,
            };
            let keep_on_loss = self.keep_on_loss;
            sources.push(SourceLimits {
                max_position_value,
                cancels_for_others: false,
                keep_on_loss,
                ..people
            });
        }
        Ok(sources)
    }

    /// Largest position that the strategy in `slot` may come to, where it has a limit of its own.
    fn own_limit(&self, slot: &StrategySlot) -> Option<&str> {
        let planned = self.strategies.iter().find(|planned| {
            slot.name.strip_prefix(&planned.name).is_some_and(|rest| rest.starts_with('/'))
        })?;
        planned.parameters.get(OWN_LIMIT).map(String::as_str)
    }

    /// Risk's limits for `strategies` and for the sources beside them, on `instruments`.
    ///
    /// # Errors
    /// When an amount cannot be read or does not fit.
    pub fn limits(
        &self,
        instruments: &Instruments,
        strategies: &[StrategySlot],
    ) -> Result<Limits, SetupError> {
        let position = account_amount("MAX_POSITION_SIZE", &self.max_position_size)?;
        let loss = account_amount("MAX_DAILY_LOSS", &self.max_daily_loss)?;
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
            sources: self.sources(strategies)?,
        })
    }
}

/// The amount `text` in the account's currency; `key` is named when it is none.
fn account_amount(key: &str, text: &str) -> Result<i128, SetupError> {
    Amount::from_str(text)
        .ok()
        .and_then(|amount| amount.at_scale(ACCOUNT_SCALE))
        .ok_or_else(|| SetupError::Invalid(format!("{key}={text}: no amount that fits")))
}

/// Strategy, key and value of a `--param`.
fn split(argument: &str, settings: &Resolved) -> Result<(String, String, String), SetupError> {
    let refuse = |reason: &str| Err(SetupError::Invalid(format!("--param {argument}: {reason}")));
    let Some((key, value)) = argument.split_once('=') else {
        return refuse("expected KEY=VALUE");
    };
    let runs = |name: &str| settings.strategies.iter().any(|choice| choice.name == name);
    match (key.split_once('.'), settings.strategies.as_slice()) {
        (Some((strategy, key)), _) if runs(strategy) => {
            Ok((strategy.to_owned(), key.to_owned(), value.to_owned()))
        }
        (Some((strategy, _)), _) => refuse(&format!("{strategy} does not run")),
        (None, [only]) => Ok((only.name.clone(), key.to_owned(), value.to_owned())),
        (None, []) => refuse("no strategy runs"),
        (None, _) => refuse("several strategies run: expected STRATEGY.KEY=VALUE"),
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
