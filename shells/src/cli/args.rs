//! The command line: names as in the user's guide.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use crate::cli::acting_args::{
    ActArgs, AmendArgs, AskArgs, CancelAllArgs, CancelArgs, FlattenArgs, LimitsCommand, NamedArgs, OcoArgs,
    OrderArgs, OrderCommand, SideArg, StrategyCommand,
};
use crate::config::{AllFlags, PlaceFlags, Span, TradeFlags, Venue};
use crate::topology::Placement;
use engine::error::SetupError;

/// A low-latency trading system for Binance: engine, simulated exchange and operator's tools in one binary.
#[derive(Debug, Parser)]
#[command(name = "trading", version, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole system in this process: on a generated market with simulated fills, or at a venue
    Run(RunArgs),
    /// Host the agents without any port, in one process or several; a killed one goes on where it was
    Engine(EngineArgs),
    /// Record the venue's market data on a tape that replays
    Record(RecordArgs),
    /// Replay recorded tapes, or a recorded session's directory, through the whole system
    Replay(ReplayArgs),
    /// Run whole sessions on generated markets with faults, a seed each, in their own time, and say which fail
    Simulate(SimulateArgs),
    /// Check or show journals
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Show latency percentiles of every stage
    Latency(LookArgs),
    /// Show the counters of every agent
    Counters(LookArgs),
    /// Show the top of an instrument's book
    Book(BookArgs),
    /// Show the whole system on one screen
    Status(LookArgs),
    /// Watch the whole system on a screen, with a halt key
    Top(LookArgs),
    /// Show the open orders
    Orders(OrdersArgs),
    /// Show the newest fills
    Fills(FillListArgs),
    /// Show positions, of the account and of each strategy
    Positions(LookArgs),
    /// Show profit and loss, of the account and of each strategy
    Pnl(LookArgs),
    /// Show halts, rejects and open orders
    Risk(LookArgs),
    /// Tell one order's life, from the venue's frame to the last report
    Trace(TraceArgs),
    /// Place an order through risk
    #[command(subcommand)]
    Order(OrderCommand),
    /// Lower an order's quantity; it keeps its id and its place in the queue
    Amend(AmendArgs),
    /// Replace an order by one of another price or quantity
    Replace(AmendArgs),
    /// Cancel one order
    Cancel(CancelArgs),
    /// Cancel every open order, or those of one symbol or strategy
    CancelAll(CancelAllArgs),
    /// Cancel every order and close every position at the market, through risk
    Flatten(FlattenArgs),
    /// Show or set risk's limits
    #[command(subcommand)]
    Limits(LimitsCommand),
    /// List, show, start, stop or tune strategies
    #[command(subcommand)]
    Strategy(StrategyCommand),
    /// Stop all trading at once, or that of one symbol; it stays so, across restarts, until `resume`
    Halt(HaltArgs),
    /// Let only orders pass that shrink a position
    ReduceOnly(HaltArgs),
    /// Take back the operator's own halt
    Resume(HaltArgs),
    /// Examine this machine and the settings, and say what to do
    Doctor(DoctorArgs),
    /// Make, list and revoke the gateway's tokens
    #[command(subcommand)]
    Token(crate::cli::token::TokenCommand),
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Check or show the settings: flags, environment, TOML file and defaults
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Parameters of the strategies, beside those of the TOML file.
#[derive(Clone, Debug, Default, Args)]
pub struct ParameterArgs {
    /// A parameter as KEY=VALUE, or STRATEGY.KEY=VALUE where several run; may be repeated
    #[arg(long = "param", value_name = "KEY=VALUE")]
    pub parameters: Vec<String>,
}

/// How simulated orders fill.
#[derive(Clone, Debug, Args)]
pub struct FillArgs {
    /// Queue position model: `risk-averse`, or `probabilistic:POWER`
    #[arg(long, value_name = "MODEL", default_value = "risk-averse")]
    pub queue: String,
    /// Maker fee in parts per million of the notional; negative is a rebate
    #[arg(long, value_name = "PPM", default_value_t = 200, allow_negative_numbers = true)]
    pub maker_fee: i32,
    /// Taker fee in parts per million of the notional
    #[arg(long, value_name = "PPM", default_value_t = 700, allow_negative_numbers = true)]
    pub taker_fee: i32,
    /// Time from our order's leaving to the exchange's taking it
    #[arg(long, value_name = "DURATION", default_value = "1ms")]
    pub order_latency: Span,
    /// Time from the exchange's answer to our seeing it
    #[arg(long, value_name = "DURATION", default_value = "1ms")]
    pub answer_latency: Span,
    /// Time from the exchange's event to our seeing its frame
    #[arg(long, value_name = "DURATION", default_value = "0ms")]
    pub feed_latency: Span,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Every setting
    #[command(flatten)]
    pub settings: AllFlags,
    /// Parameters of the strategies
    #[command(flatten)]
    pub parameters: ParameterArgs,
    /// How simulated orders fill
    #[command(flatten)]
    pub fills: FillArgs,
    /// Stop after this long; without it, at Ctrl-C
    #[arg(long = "for", value_name = "DURATION")]
    pub duration: Option<Span>,
    /// All agents on one pinned thread, or one each
    #[arg(long, value_enum, default_value_t = Placement::Shared)]
    pub placement: Placement,
    /// Seed of the generated market
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Order-flow events per second and symbol of the generated market
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub rate: u32,
    /// Listen on no port; else --port is the first of the four ZeroMQ ports (5555), and 0 is as --headless
    #[arg(long)]
    pub headless: bool,
    /// End with one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

/// What a hosting process may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// The fills of the venue `paper`, simulated on Binance's market data; at other venues there is none.
    Venue,
    /// Frames to ticks.
    Ingest,
    /// Ticks to intents.
    Strategy,
    /// Intents to orders.
    Risk,
    /// Orders to the venue, and back.
    Route,
}

impl Role {
    /// Whose directory in shared memory it writes.
    #[must_use]
    pub const fn owner(self) -> &'static str {
        match self {
            Self::Venue => "venue",
            Self::Ingest => "ingest",
            Self::Strategy => "strategy",
            Self::Risk => "risk",
            Self::Route => "route",
        }
    }
}

/// Arguments of `engine`.
#[derive(Debug, Args)]
pub struct EngineArgs {
    /// Every setting
    #[command(flatten)]
    pub settings: AllFlags,
    /// Parameters of the strategies
    #[command(flatten)]
    pub parameters: ParameterArgs,
    /// How simulated orders fill
    #[command(flatten)]
    pub fills: FillArgs,
    /// Host these only; the others run in processes of their own
    #[arg(long = "role", value_enum, value_delimiter = ',')]
    pub roles: Vec<Role>,
    /// Stop after this long; without it, at Ctrl-C
    #[arg(long = "for", value_name = "DURATION")]
    pub duration: Option<Span>,
}

impl EngineArgs {
    /// What to host at `venue`: everything, unless some are named.
    ///
    /// # Errors
    /// When the fills of `paper` are named at another venue.
    pub fn roles(&self, venue: Venue) -> Result<Vec<Role>, SetupError> {
        use clap::ValueEnum;
        if venue != Venue::Paper && self.roles.contains(&Role::Venue) {
            let reason = format!("--role venue: TRADING_VENUE={venue} fills orders itself; `paper` does not");
            return Err(SetupError::Invalid(reason));
        }
        let all = |role: &Role| self.roles.is_empty() && (venue == Venue::Paper || *role != Role::Venue);
        let hosted = |role: &Role| all(role) || self.roles.contains(role);
        Ok(Role::value_variants().iter().copied().filter(hosted).collect())
    }
}

/// Arguments of `record`.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// Directory of the tapes, made if it is not there; each run writes one of its own
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Every setting
    #[command(flatten)]
    pub settings: AllFlags,
    /// Stop after this long; without it, at Ctrl-C
    #[arg(long = "for", value_name = "DURATION")]
    pub duration: Option<Span>,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Tapes (.gz, .zst or plain), merged by receive time; or one session's directory
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What trades, and how much it may
    #[command(flatten)]
    pub settings: TradeFlags,
    /// Parameters of the strategies
    #[command(flatten)]
    pub parameters: ParameterArgs,
    /// How simulated orders fill
    #[command(flatten)]
    pub fills: FillArgs,
    /// Instruments from this exchangeInfo answer instead of the tape's own or inferred ones
    #[arg(long, value_name = "FILE")]
    pub exchange_info: Option<PathBuf>,
    /// As fast as it goes, or as it was recorded
    #[arg(long, value_enum, default_value_t = Speed::Max)]
    pub speed: Speed,
    /// Write checkpoints of every book to this file
    #[arg(long, value_name = "OUT", requires = "every")]
    pub checkpoints: Option<PathBuf>,
    /// Diffs of a book between its checkpoints
    #[arg(long, value_name = "N", requires = "checkpoints", value_parser = clap::value_parser!(u64).range(1..))]
    pub every: Option<u64>,
    /// Keep journals and a summary in this directory
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Capacity of the rings of ticks and journals, in messages: a power of two
    #[arg(long, value_name = "N", default_value_t = 65_536)]
    pub ring_capacity: usize,
    /// End with one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// What trades, and how much it may
    #[command(flatten)]
    pub settings: TradeFlags,
    /// Parameters of the strategies
    #[command(flatten)]
    pub parameters: ParameterArgs,
    /// How simulated orders fill; latencies are drawn from the seed
    #[command(flatten)]
    pub fills: FillArgs,
    /// How many sessions, each of a seed of its own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: u64,
    /// The first seed
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Length of a session, in its own time
    #[arg(long = "for", value_name = "DURATION", default_value = "1h")]
    pub duration: Span,
    /// Order-flow events per second and symbol of the generated markets
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub rate: u32,
    /// Let the exchange lie, to see that it is found out
    #[arg(long, value_enum, hide = true)]
    pub plant: Option<Lie>,
    /// End with one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

/// A lie of the exchange, which the judge of a simulation must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Lie {
    /// It tells of fills that never happened.
    PhantomFill,
}

/// How fast a replay goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Speed {
    /// As fast as it goes.
    Max,
    /// As it was recorded.
    Real,
}

/// Arguments of `halt`, `reduce-only` and `resume`.
#[derive(Debug, Args)]
pub struct HaltArgs {
    /// One symbol instead of everything
    #[arg(long, value_name = "SYMBOL")]
    pub symbol: Option<String>,
    /// One strategy: NAME on all of its symbols, or NAME/SYMBOL
    #[arg(long, value_name = "NAME", conflicts_with = "symbol")]
    pub strategy: Option<String>,
    /// Leave resting orders at the venue: else a halt cancels those that it reaches
    #[arg(long)]
    pub keep_orders: bool,
    /// How to act
    #[command(flatten)]
    pub act: ActArgs,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Every setting
    #[command(flatten)]
    pub settings: AllFlags,
    /// JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check every setting, and say nothing more
    Check(ConfigArgs),
    /// Print every setting, its value and where it was found; secrets are masked
    Show(ConfigArgs),
}

/// Arguments of the config commands.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Every setting
    #[command(flatten)]
    pub settings: AllFlags,
    /// JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// What to do with journals.
#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Check every record of the journals under a directory
    Verify(JournalArgs),
    /// Print every record of the journals under a directory
    Dump(JournalArgs),
    /// Print the last records of the running engine's journals, and each new one as it comes
    Tail(TailArgs),
}

/// Arguments of `journal tail`.
#[derive(Debug, Args)]
pub struct TailArgs {
    /// The journal: risk or route; both if left out
    #[arg(value_name = "NAME", value_parser = ["risk", "route"])]
    pub name: Option<String>,
    /// Records of each journal to begin with
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub lines: usize,
    /// End after this long; without it, at Ctrl-C or when the engine ends
    #[arg(long = "for", value_name = "DURATION")]
    pub duration: Option<Span>,
    /// Where the instance keeps its files
    #[command(flatten)]
    pub places: PlaceFlags,
    /// JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of the journal commands.
#[derive(Debug, Args)]
pub struct JournalArgs {
    /// A journal's directory, or one that holds several; by default the instance's latest session
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Where the instance keeps its files
    #[command(flatten)]
    pub places: PlaceFlags,
    /// JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of the looking commands.
#[derive(Debug, Args)]
pub struct LookArgs {
    /// Where the instance keeps its files
    #[command(flatten)]
    pub places: PlaceFlags,
    /// JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `orders`.
#[derive(Debug, Args)]
pub struct OrdersArgs {
    /// Those that have ended as well
    #[arg(long)]
    pub all: bool,
    /// Where and how to look
    #[command(flatten)]
    pub look: LookArgs,
}

/// Arguments of `fills`.
#[derive(Debug, Args)]
pub struct FillListArgs {
    /// How many, newest last
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
    /// Where and how to look
    #[command(flatten)]
    pub look: LookArgs,
}

/// Arguments of `trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// The order's id, such as t-1-2-1-7f
    pub order: String,
    /// The session's directory, or a replay's report; by default the session of the id's epoch
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Where the instance keeps its files
    #[command(flatten)]
    pub places: PlaceFlags,
    /// JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `book`.
#[derive(Debug, Args)]
pub struct BookArgs {
    /// The instrument
    pub symbol: String,
    /// Levels a side
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub depth: u8,
    /// Where and how to look
    #[command(flatten)]
    pub look: LookArgs,
}
