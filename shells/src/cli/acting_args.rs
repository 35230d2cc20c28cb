//! The arguments of the acting commands.

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::args::LookArgs;
use crate::config::{ConnectFlags, PlaceFlags, Span};

/// How a command acts through shared memory.
#[derive(Debug, Args)]
pub struct ActArgs {
    /// Why, for the operator's log
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Where the instance keeps its files
    #[command(flatten)]
    pub places: PlaceFlags,
    /// JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// A side.
#[derive(Debug, Subcommand)]
pub enum OrderCommand {
    /// Buy
    Buy(OrderArgs),
    /// Sell
    Sell(OrderArgs),
    /// Place two orders of which one cancels the other: one waits for a better price, one stops a loss
    Oco(OcoArgs),
}

/// The sides of a pair.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SideArg {
    /// The upper one waits for a better price, the lower one stops a loss
    Sell,
    /// The lower one waits for a better price, the upper one stops a loss
    Buy,
}

/// Arguments of `order oco`.
#[derive(Debug, Args)]
pub struct OcoArgs {
    /// The side of both
    #[arg(ignore_case = true)]
    pub side: SideArg,
    /// The symbol
    pub symbol: String,
    /// The quantity of each, in the base asset
    pub quantity: String,
    /// The upper order's limit price
    #[arg(long, value_name = "PRICE", required_unless_present = "above_stop_price")]
    pub above_price: Option<String>,
    /// The last price that sets the upper order off
    #[arg(long, value_name = "PRICE")]
    pub above_stop_price: Option<String>,
    /// LIMIT_MAKER, STOP_LOSS and so on [what its prices and side mean]
    #[arg(long, value_name = "TYPE")]
    pub above_type: Option<String>,
    /// GTC, IOC or FOK [GTC; IOC without a price]
    #[arg(long, value_name = "TIF")]
    pub above_time_in_force: Option<String>,
    /// The lower order's limit price
    #[arg(long, value_name = "PRICE", required_unless_present = "below_stop_price")]
    pub below_price: Option<String>,
    /// The last price that sets the lower order off
    #[arg(long, value_name = "PRICE")]
    pub below_stop_price: Option<String>,
    /// As --above-type
    #[arg(long, value_name = "TYPE")]
    pub below_type: Option<String>,
    /// As --above-time-in-force
    #[arg(long, value_name = "TIF")]
    pub below_time_in_force: Option<String>,
    /// How it is sent
    #[command(flatten)]
    pub sending: SendingArgs,
}

/// Arguments of every `order`.
#[derive(Debug, Args)]
pub struct SendingArgs {
    /// What the venue does where it would trade with our own: NONE, EXPIRE_TAKER, EXPIRE_MAKER and so on
    #[arg(long, value_name = "MODE")]
    pub self_trade_prevention: Option<String>,
    /// How long it may wait for its sending (1s)
    #[arg(long, value_name = "DURATION")]
    pub valid_for: Option<Span>,
    /// How to act
    #[command(flatten)]
    pub act: ActArgs,
}

/// Arguments of `order buy` and `order sell`.
#[derive(Debug, Args)]
pub struct OrderArgs {
    /// The symbol
    pub symbol: String,
    /// The quantity, in the base asset or in contracts
    pub quantity: String,
    /// The limit price; without it the order trades at the market
    #[arg(long, value_name = "PRICE")]
    pub price: Option<String>,
    /// Refuse to trade at once: LIMIT_MAKER
    #[arg(long, requires = "price", conflicts_with = "stop_price")]
    pub post_only: bool,
    /// Wait until the last price reaches this, against the order's side: STOP_LOSS, with a price STOP_LOSS_LIMIT
    #[arg(long, value_name = "PRICE")]
    pub stop_price: Option<String>,
    /// The stop price is in favour of the order's side: TAKE_PROFIT, with a price TAKE_PROFIT_LIMIT
    #[arg(long, requires = "stop_price")]
    pub take_profit: bool,
    /// GTC, IOC or FOK [GTC; IOC at the market]
    #[arg(long, value_name = "TIF")]
    pub time_in_force: Option<String>,
    /// How it is sent
    #[command(flatten)]
    pub sending: SendingArgs,
}

/// Arguments of `amend` and `replace`.
#[derive(Debug, Args)]
#[group(id = "change", required = true, multiple = true, args = ["quantity", "price", "stop_price"])]
pub struct AmendArgs {
    /// The order's id, such as t-1-2-1-7f
    pub order: String,
    /// The new quantity
    #[arg(long, value_name = "QUANTITY")]
    pub quantity: Option<String>,
    /// The new price
    #[arg(long, value_name = "PRICE")]
    pub price: Option<String>,
    /// The new stop price
    #[arg(long, value_name = "PRICE")]
    pub stop_price: Option<String>,
    /// How to ask
    #[command(flatten)]
    pub ask: AskArgs,
}

/// Arguments of `cancel`.
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// The order's id, such as t-1-2-1-7f
    pub order: String,
    /// How to act
    #[command(flatten)]
    pub act: ActArgs,
}

/// Arguments of `cancel-all`.
#[derive(Debug, Args)]
pub struct CancelAllArgs {
    /// Those of one symbol
    #[arg(long, value_name = "SYMBOL")]
    pub symbol: Option<String>,
    /// Those of one strategy, as NAME/SYMBOL
    #[arg(long, value_name = "NAME")]
    pub strategy: Option<String>,
    /// Also what others have placed on the account: the venue cancels all that it has open on the symbol
    #[arg(long, requires = "symbol", conflicts_with = "strategy")]
    pub foreign: bool,
    /// How to act
    #[command(flatten)]
    pub act: ActArgs,
}

/// Arguments of `flatten`.
#[derive(Debug, Args)]
pub struct FlattenArgs {
    /// One symbol instead of everything
    #[arg(long, value_name = "SYMBOL")]
    pub symbol: Option<String>,
    /// How to act
    #[command(flatten)]
    pub act: ActArgs,
}

/// How a service is asked.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// Why, for the operator's log
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Where the instance and its services are
    #[command(flatten)]
    pub connect: ConnectFlags,
    /// JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// What to do with limits.
#[derive(Debug, Subcommand)]
pub enum LimitsCommand {
    /// Show every limit with its ceiling
    Show(AskArgs),
    /// Set a limit: tighter at once, looser up to its ceiling
    Set {
        /// The limit, such as BTCUSDT.max_position_value
        key: String,
        /// Its value
        value: String,
        /// How to ask
        #[command(flatten)]
        ask: AskArgs,
    },
}

/// A strategy, and how its service is asked.
#[derive(Debug, Args)]
pub struct NamedArgs {
    /// Its name, as NAME/SYMBOL
    pub name: String,
    /// How to ask
    #[command(flatten)]
    pub ask: AskArgs,
}

/// What to do with strategies.
#[derive(Debug, Subcommand)]
pub enum StrategyCommand {
    /// Show the strategies that run, and those that could
    List(LookArgs),
    /// Show one strategy, with the parameters of its kind
    Show {
        /// Its name, as NAME or NAME/SYMBOL
        name: String,
        /// Where and how to look
        #[command(flatten)]
        look: LookArgs,
    },
    /// Start a strategy that was stopped
    Start(NamedArgs),
    /// Stop a strategy: its orders are cancelled
    Stop(NamedArgs),
    /// Set a parameter of a running strategy
    Set {
        /// Its name, as NAME/SYMBOL
        name: String,
        /// The parameter
        key: String,
        /// Its value
        value: String,
        /// How to ask
        #[command(flatten)]
        ask: AskArgs,
    },
}
