//! The command line: names as in the user's guide.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use engine::agent::IdleStrategy;

use crate::config::Span;
use crate::config::amount::Amount;
use crate::topology::{Cores, Placement};

/// A low-latency trading system for Binance: engine, simulated exchange and operator's tools in one binary.
#[derive(Debug, Parser)]
#[command(name = "trading", version, about, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole system in this process on a generated market with simulated fills
    Run(RunArgs),
    /// Replay recorded tapes, or a recorded session's directory, through the whole system
    Replay(ReplayArgs),
    /// Check or show journals
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Show latency percentiles of every stage
    Latency(LookArgs),
    /// Show the counters of every agent
    Counters(LookArgs),
    /// Show the top of an instrument's book
    Book(BookArgs),
}

/// Where the instance keeps its files.
#[derive(Clone, Debug, Args)]
pub struct PlaceArgs {
    /// Name of the instance: separates directories and locks [env: TRADING_INSTANCE; default]
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
    /// Directory of shared memory [env: TRADING_IPC_DIR; /dev/shm/trading-UID-INSTANCE]
    #[arg(long, value_name = "DIR")]
    pub ipc_dir: Option<PathBuf>,
    /// Directory of journals and recordings [env: TRADING_DATA_DIR; the XDG data directory]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// What trades, and how much it may.
#[derive(Clone, Debug, Args)]
pub struct TradeArgs {
    /// Symbols to trade, separated by commas [env: TRADING_SYMBOLS]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub symbols: Vec<String>,
    /// Strategy on every symbol, or `none` [env: TRADING_STRATEGIES; market_making]
    #[arg(long, value_name = "NAME")]
    pub strategy: Option<String>,
    /// A parameter of the strategy, as KEY=VALUE; may be repeated
    #[arg(long = "param", value_name = "KEY=VALUE")]
    pub parameters: Vec<String>,
    /// Largest position of a symbol, in quote units of notional [env: MAX_POSITION_SIZE; 10000]
    #[arg(long, value_name = "AMOUNT")]
    pub max_position_size: Option<Amount>,
    /// Loss of a day at which new risk stops, in quote units [env: MAX_DAILY_LOSS; 1000]
    #[arg(long, value_name = "AMOUNT")]
    pub max_daily_loss: Option<Amount>,
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
    /// Where the instance keeps its files
    #[command(flatten)]
    pub places: PlaceArgs,
    /// What trades, and how much it may
    #[command(flatten)]
    pub trade: TradeArgs,
    /// How simulated orders fill
    #[command(flatten)]
    pub fills: FillArgs,
    /// Stop after this long; without it, at Ctrl-C
    #[arg(long = "for", value_name = "DURATION")]
    pub duration: Option<Span>,
    /// All agents on one pinned thread, or one each
    #[arg(long, value_enum, default_value_t = Placement::Shared)]
    pub placement: Placement,
    /// Core of each thread, such as `ingest=0,strategy=1`; `engine=N` places the shared one [env: TRADING_CORES]
    #[arg(long, value_name = "LIST")]
    pub cores: Option<Cores>,
    /// What an idle thread does: spin, backoff or park [env: TRADING_IDLE; backoff]
    #[arg(long, value_name = "STRATEGY")]
    pub idle: Option<IdleStrategy>,
    /// Seed of the generated market
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Order-flow events per second and symbol of the generated market
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub rate: u32,
    /// End with one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Tapes (.gz, .zst or plain), merged by receive time; or one session's directory
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What trades, and how much it may
    #[command(flatten)]
    pub trade: TradeArgs,
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
    /// Capacity of the rings, in messages: a power of two
    #[arg(long, value_name = "N", default_value_t = 65_536)]
    pub ring_capacity: usize,
    /// End with one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

/// How fast a replay goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Speed {
    /// As fast as it goes.
    Max,
    /// As it was recorded.
    Real,
}

/// What to do with journals.
#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Check every record of the journals under a directory
    Verify(JournalArgs),
    /// Print every record of the journals under a directory
    Dump(JournalArgs),
}

/// Arguments of the journal commands.
#[derive(Debug, Args)]
pub struct JournalArgs {
    /// A journal's directory, or one that holds several; by default the instance's latest session
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Where the instance keeps its files
    #[command(flatten)]
    pub places: PlaceArgs,
    /// JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of the looking commands.
#[derive(Debug, Args)]
pub struct LookArgs {
    /// Where the instance keeps its files
    #[command(flatten)]
    pub places: PlaceArgs,
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
