//! `trading run`: the whole system in one process: on a generated market with simulated fills, or at a venue.

pub mod guard;
pub mod halts;
pub mod live;
pub mod recovery;
pub mod status;
pub mod threads;

use std::path::Path;
use std::sync::Arc;

use engine::agent::IdleStrategy;
use engine::clock::tsc::LiveClock;
use engine::clock::{Clock, Stopwatch};
use engine::domain::{Instruments, Market, Nanos};
use engine::error::SetupError;
use engine::shm::paths::IpcPaths;
use engine::venue::binance::exchange_info;
use engine::venue::generated::GeneratedMarket;
use engine::venue::replay::{TapeSource, TapeWriter};

use crate::cli::args::RunArgs;
use crate::cli::output::say;
use crate::config::values::{Klines, MarketDataFormat, OnShutdown, RecvWindow, TradeStream};
use crate::config::{Environment, Places, Secrets, Settings, Venue};
use crate::interrupt::Interrupt;
use crate::ports::{FIRST_PORT, Ground, Ports};
use crate::predecessor;
use crate::quota;
use crate::run::guard::Guard;
use crate::run::live::Live;
use crate::run::status::Status;
use crate::session::{self, Session, SessionFile};
use crate::topology::Cores;
use crate::trade::Trading;
use crate::venue::listing::Listing;
use crate::venue::{Way, access};

/// Capacity of the rings of ticks and journals of a live session; see `RingSizes`.
pub const RING_CAPACITY: usize = 65_536;

/// URL under which the generated market's rules stand on the tape.
const EXCHANGE_INFO_URL: &str = "http://generated/api/v3/exchangeInfo";

/// What stands behind the engine.
pub enum Backing {
    /// The exchange in this process, on a generated market that has not yet begun.
    Generated(Box<GeneratedMarket>),
    /// The exchange in this process, on Binance's market data.
    Paper(Way, Listing),
    /// A venue behind sockets.
    Sockets(Way, Listing),
}

/// Everything about a run that is decided before the first agent is made.
pub struct Plan {
    /// The symbols that are traded.
    pub symbols: Vec<String>,
    /// Their instruments.
    pub instruments: Arc<Instruments>,
    /// What trades.
    pub trading: Trading,
    /// Where the instance keeps its files.
    pub places: Places,
    /// Shared memory.
    pub ipc: IpcPaths,
    /// Where the session is recorded.
    pub session: Session,
    /// The engine's epoch.
    pub epoch: u32,
    /// The calibrated counter.
    pub stopwatch: Stopwatch,
    /// The clock.
    pub clock: LiveClock,
    /// Core of each thread.
    pub cores: Cores,
    /// What idle threads do.
    pub idle: IdleStrategy,
    /// What happens to resting orders at the end.
    pub on_shutdown: OnShutdown,
    /// Why it begins with everything halted, where it does.
    pub begins_halted: Option<String>,
}

/// Runs `trading run`.
///
/// # Errors
/// When an argument is no good, another engine runs on this instance, or a thread fails.
pub fn run(args: &RunArgs, environment: &Environment) -> Result<(), SetupError> {
    let settings = access::settings(&args.settings, environment, reads)?;
    if settings.venue != Venue::Simulated || goes_out(&settings) {
        crate::log::start(&settings);
    }
    if settings.venue.needs_credentials() {
        // Before anybody is asked anything.
        settings.credentials()?;
    }
    quota::permit(settings.idle, Path::new("/"))?;
    let interrupt = Interrupt::catch()?;
    let places = &settings.places;
    let ipc = IpcPaths::new(&places.ipc);
    ipc.create()?;
    // Held until the end of the process, whatever that end is.
    let guard = Guard::lock(&ipc)?;
    recovery::recover(&ipc, places)?;
    let (plan, backing) = Plan::make(args, &settings, ipc)?;
    let mut file = SessionFile::begin(
        plan.epoch,
        &args.placement.to_string(),
        plan.trading.clone(),
        RING_CAPACITY,
        args.seed,
    )
    .at_venue(backing.window());
    file.begins_halted.clone_from(&plan.begins_halted);
    let session = plan.session.clone();
    session.describe(&file)?;
    let tape = begin_tape(&plan, &backing, &session.tape())?;
    let status = Status::new(&plan);
    let (stopwatch, instruments, ipc) = (plan.stopwatch, Arc::clone(&plan.instruments), plan.ipc.clone());
    let trading = plan.trading.clone();

    let started = stopwatch.elapsed();
    let clock = plan.clock;
    interrupt.begun();
    let mut live = Live::start(&plan, backing, (args, &settings), tape)?;
    let port = settings.port.unwrap_or(FIRST_PORT);
    let ports = if args.headless || port == 0 {
        None
    } else {
        Some(Ports::start(port, Ground { settings: &settings, ipc: &ipc, clock, stopwatch })?)
    };
    let until = (args.duration.map(|span| span.0), &interrupt);
    let watched = live.watch(until, status, args.json, ports.as_ref());
    if let Some(ports) = ports {
        ports.stop();
    }
    let ended = live.end(&trading, &instruments, &ipc, stopwatch.elapsed() - started);
    // Why it ends comes before what its end met.
    let ended = watched.and(ended);
    if ended.is_err() {
        // A thread that does not end still writes what these guard: only the process's end frees them.
        std::mem::forget(guard);
    }
    let ended = ended?;
    file.state_hash = Some(ended.summary.state_hash().to_owned());
    file.lost = ended.lost;
    session.describe(&file)?;
    ended.summary.print(args.json);
    if !args.json {
        say!("session {}", session.directory().display());
        if ended.lost > 0 {
            say!("{} messages, cycles or acts of people were not recorded: it does not replay", ended.lost);
        }
    }
    Ok(())
}

/// Which secrets it reads: who sends orders all, who follows SBE streams for fills in the process the key to those.
fn reads(settings: &Settings) -> Secrets {
    match settings.venue {
        _ if goes_out(settings) => Secrets::Read,
        Venue::Paper => settings.market_data_secrets(),
        _ => Secrets::Withhold,
    }
}

/// The setting that asks for streams which only a venue behind sockets has.
fn beyond_the_market_inside(settings: &Settings) -> Option<&'static str> {
    match settings {
        Settings { market_data_format: MarketDataFormat::Sbe, .. } => Some("TRADING_MARKET_DATA_FORMAT=sbe"),
        Settings { trade_stream: TradeStream::Aggregate, .. } => Some("TRADING_TRADE_STREAM=aggTrade"),
        Settings { klines, .. } if *klines != Klines::default() => Some("TRADING_KLINES"),
        _ => None,
    }
}

/// Whether orders leave this process: `simulated` has its exchange in it, unless another is named.
fn goes_out(settings: &Settings) -> bool {
    match settings.venue {
        Venue::Simulated => settings.exchange.named,
        Venue::Paper => false,
        Venue::BinanceTestnet | Venue::BinanceDemo | Venue::Binance => true,
    }
}

impl Backing {
    /// The venue of `settings` with the instruments of `trading`.
    fn make(
        args: &RunArgs,
        settings: &Settings,
        trading: &Trading,
        clock: &mut LiveClock,
    ) -> Result<(Self, Arc<Instruments>), SetupError> {
        if settings.venue == Venue::Simulated && !goes_out(settings) {
            if let Some(setting) = beyond_the_market_inside(settings) {
                return Err(SetupError::Invalid(format!(
                    "{setting}: the market inside `trading run` has no such streams; name an exchange \
                     (TRADING_EXCHANGE_ENDPOINT) or another venue"
                )));
            }
            let symbols: Vec<&str> = trading.symbols.iter().map(String::as_str).collect();
            let market = GeneratedMarket::new(&symbols, args.seed, clock.now(), args.rate)?;
            let listed = exchange_info::instruments(&market.exchange_info(), Market::Spot)?;
            return Ok((Self::Generated(Box::new(market)), Arc::new(Instruments::new(listed)?)));
        }
        let way = Way::of(settings)?;
        let listing = way.ask_listing(&trading.symbols, clock)?;
        let instruments = Arc::clone(&listing.instruments);
        let backing = if way.is_remote() { Self::Sockets(way, listing) } else { Self::Paper(way, listing) };
        Ok((backing, instruments))
    }

    /// How long the venue may take a request, where it is behind a connection.
    fn window(&self) -> Option<RecvWindow> {
        match self {
            Self::Generated(_) | Self::Paper(..) => None,
            Self::Sockets(way, _) => way.window(),
        }
    }

    /// When it begins, where its rules were found, and what they are.
    fn rules(&self, now: Nanos) -> (Nanos, &str, Vec<u8>) {
        match self {
            Self::Generated(market) => (market.next_time(), EXCHANGE_INFO_URL, market.exchange_info()),
            Self::Paper(_, listing) | Self::Sockets(_, listing) => {
                (now, &listing.url, listing.body().to_vec())
            }
        }
    }
}

impl Plan {
    /// A run of `trading` with the venue's `instruments`, in a session of its own.
    #[must_use]
    pub fn new(
        settings: &Settings,
        trading: Trading,
        instruments: Arc<Instruments>,
        ipc: IpcPaths,
        (session, epoch): (Session, u32),
        (stopwatch, clock): (Stopwatch, LiveClock),
    ) -> Self {
        Self {
            places: settings.places.clone(),
            symbols: trading.symbols.clone(),
            instruments,
            ipc,
            session,
            epoch,
            stopwatch,
            clock,
            cores: settings.cores.clone(),
            idle: settings.idle,
            on_shutdown: settings.on_shutdown,
            begins_halted: None,
            trading,
        }
    }

    fn make(args: &RunArgs, settings: &Settings, ipc: IpcPaths) -> Result<(Self, Backing), SetupError> {
        let trading = Trading::of(settings, &args.parameters)?;
        let stopwatch = Stopwatch::calibrate();
        let mut clock = LiveClock::new(stopwatch);
        let (backing, instruments) = Backing::make(args, settings, &trading, &mut clock)?;
        let least = session::least_epoch(settings.venue, clock.now());
        let (session, epoch) = Session::create(&settings.places, settings.sessions_kept, least)?;
        recovery::recover_risk_apart(&ipc, &settings.places, epoch)?;
        session.keep_risk_apart(&settings.places, epoch, settings.sessions_kept)?;
        let mut plan = Self::new(settings, trading, instruments, ipc, (session, epoch), (stopwatch, clock));
        plan.begins_halted = predecessor::left(&settings.places, settings.venue, epoch, clock.now())?;
        Ok((plan, backing))
    }
}

/// Starts the tape with the venue's rules, from which a replay makes its instrument table.
fn begin_tape(plan: &Plan, backing: &Backing, path: &Path) -> Result<TapeWriter, SetupError> {
    let mut tape = TapeWriter::create(path)?;
    let mut clock = plan.clock;
    let (at, url, rules) = backing.rules(clock.now());
    tape.write(at, TapeSource::Rest(url), &rules)?;
    Ok(tape)
}
