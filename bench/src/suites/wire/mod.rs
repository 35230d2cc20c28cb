//! Wire to wire on loopback: a frame leaves the exchange, an order arrives at it, through the whole path between with
//! its real sockets; beside a bare echo over the same transport on the same threads, in turn with it.
//!
//! ```text
//! core 0                                  core 1
//! post ──depth frame──▶ BinanceFeed ▶ ingest ▶ strategy ▶ risk ▶ route ▶ BinanceEntry ──order──▶ post ▶ simulated_exchange
//! post ──the same bytes──▶ WebSocketClient ▶ WebSocketClient ──as many bytes as an order──▶ post
//! ```
//!
//! The echo answers by a second connection, as an order leaves by another than the frame came by: an answer on the same one
//! takes the acknowledgement of the frame along, and is cheaper for the kernel by a packet each way.

mod post;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use engine::clock::Clock as _;
use engine::clock::tsc::LiveClock;
use engine::domain::{Instruments, Market, Nanos};
use engine::error::SetupError;
use engine::primitive::{AtomicU64, Ordering};
use shells::binance::{BinanceEntry, BinanceFeed, Endpoints, Signer, Streams};
use shells::exchange::websocket::{TEXT, write};
use shells::transport::{Reactor, TlsTrust, Url, WebSocketClient, WsEvent};

use crate::desk::{BURSTS, Desk, Plan};
use crate::frames::{Script, instrument};
use crate::histogram::Histogram;
use crate::report::{Ratio, Row, Target};
use crate::rig::Placement;
use crate::suites::Bench;
use crate::suites::exchange::server::{Server, runtime};
use post::{Door, PATIENCE, Relay, broken};

const SUITE: &str = "wire-to-wire";

/// Levels of a frame, a side.
const LEVELS: usize = 20;

/// The price of the frames' market, in cents: far below the exchange's, so that no order of ours trades there.
const BELOW_MARKET: i64 = 5_000_000;

/// Round trips of one kind before those of the other.
const TURN: u64 = 64;

/// What the second core does.
mod task {
    /// It runs the agents.
    pub const AGENTS: u64 = 0;
    /// It lets the agents come to rest, writes their journals, and then does nothing.
    pub const REST: u64 = 1;
    /// It has come to rest.
    pub const RESTED: u64 = 2;
    /// It echoes.
    pub const ECHO: u64 = 3;
    /// It ends.
    pub const END: u64 = 4;
}

/// What the two cores tell each other.
struct Between {
    /// The second core's task.
    task: AtomicU64,
    /// Bytes of the echo's answer.
    answer_bytes: AtomicU64,
}

/// Where the second core's clients go, and as whom.
struct Places {
    endpoints: Endpoints,
    echo: Url,
    answers: Url,
    signer: Arc<Signer>,
    instruments: Arc<Instruments>,
}

/// The first core's ends.
struct Post {
    rest: Door,
    streams: Door,
    relay: Relay,
    echo: Door,
    answers: Door,
    /// Frames for the agents, and equal ones for the echo: a book follows every one of its own.
    script: Script,
    echo_script: Script,
}

/// Runs the suite.
///
/// # Errors
/// When a server cannot be had, or a frame does not lead to an order.
pub fn run(bench: &mut Bench<'_>) -> Result<(), SetupError> {
    let runtime = runtime(bench.rig.cores()[0])?;
    // Its market hardly moves.
    let flags = ["--rate", "1", "--balances", "USDT=10000000000"];
    let exchange = Server::start(&runtime, bench.scratch, &flags)?;
    let [rest, streams, api, echo, answers] =
        [Door::new()?, Door::new()?, Door::new()?, Door::new()?, Door::new()?];
    let instrument = instrument("BTCUSDT", Market::Spot);
    let url = |scheme: &str, address: SocketAddr, path: &str| {
        format!("{scheme}://{address}{path}").parse::<Url>().map_err(SetupError::Invalid)
    };
    let places = Places {
        endpoints: Endpoints {
            rest: url("http", rest.address()?, "")?,
            streams: url("ws", streams.address()?, "")?,
            sbe: url("ws", streams.address()?, "/sbe")?,
            ws_api: url("ws", api.address()?, "/ws-api/v3")?,
        },
        echo: url("ws", echo.address()?, "/")?,
        answers: url("ws", answers.address()?, "/")?,
        signer: Arc::clone(&exchange.signer),
        instruments: Arc::new(Instruments::new(vec![instrument.clone()])?),
    };
    let relay = Relay::new(api, exchange.running.address);
    let script = Script::new(instrument, 1).around(BELOW_MARKET);
    let mut post = Post { rest, streams, relay, echo, answers, echo_script: script.clone(), script };
    let between = Between { task: AtomicU64::new(task::AGENTS), answer_bytes: AtomicU64::new(0) };
    let (rig, scratch) = (bench.rig, bench.scratch);
    let clock = LiveClock::new(rig.stopwatch);
    let stopwatch = rig.stopwatch;
    let there = || second_core(&between, &places, clock, stopwatch, scratch);
    let here = || {
        let measured = post.measure(bench, &between);
        between.task.store(task::END, Ordering::Release);
        measured
    };
    let (ended, measured) = rig.pair(there, here)?;
    ended?;
    let measured = measured?;
    report(bench, measured);
    Ok(())
}

/// Round trips of both kinds.
struct Measured {
    own: Histogram,
    echo: Histogram,
    /// Trips of which something else than the order came back first.
    left_out: u64,
}

fn report(bench: &mut Bench<'_>, Measured { own, echo, left_out }: Measured) {
    let over = |part: f64| own.at(part) / echo.at(part);
    let (middle, tail) = (over(0.5), over(0.99));
    bench.report.push(Row::times(SUITE, "bare echo of a depthUpdate 20+20", Placement::Alone, echo));
    let row = Row::times(SUITE, "depthUpdate 20+20 to order", Placement::Alone, own)
        .with(Ratio::promised("the echo's p50", middle, Target::AtMost(1.3)))
        .with(Ratio::promised("the echo's p99", tail, Target::AtMost(2.0)));
    bench.report.push(row);
    bench.report.note(format!(
        "wire-to-wire: sockets of loopback without TLS, a session that has logged on, both threads spinning, one frame at a \
         time; journals are written between; {left_out} trips left out"
    ));
}

impl Post {
    fn measure(&mut self, bench: &Bench<'_>, between: &Between) -> Result<Measured, SetupError> {
        self.open(bench, between)?;
        let count = bench.scale().of(20_000, 4_000, 8);
        let warm = bench.scale().of(2_000, 1_000, 2);
        let mut measured = Measured { own: Histogram::prepared(), echo: Histogram::prepared(), left_out: 0 };
        let mut done = 0;
        while done < warm + count {
            let turn = TURN.min(warm + count - done);
            for trip in done..done + turn {
                let time = self.order(bench, between)?;
                match time.filter(|_| trip >= warm) {
                    Some(time) => measured.own.record(time),
                    None => measured.left_out += u64::from(trip >= warm),
                }
            }
            between.answer_bytes.store(self.relay.order_bytes as u64, Ordering::Release);
            between.task.store(task::ECHO, Ordering::Release);
            for trip in done..done + turn {
                let frame = frame(&mut self.echo_script);
                let time = self.echo.echo(&frame, &mut self.answers, bench.rig.stopwatch)?;
                if trip >= warm {
                    measured.echo.record(time);
                }
            }
            self.rest(bench, between)?;
            done += turn;
        }
        if measured.left_out * 10 > count {
            return Err(broken(SUITE, format!("{} of {count} trips were of no use", measured.left_out)));
        }
        Ok(measured)
    }

    /// One frame and its order, and then the order's end.
    fn order(&mut self, bench: &Bench<'_>, between: &Between) -> Result<Option<Nanos>, SetupError> {
        between.task.store(task::AGENTS, Ordering::Release);
        let frame = frame(&mut self.script);
        let Self { relay, streams, .. } = self;
        let time = relay.order_for(&frame, streams, bench.rig.stopwatch)?;
        self.wait(bench, "an order's end", |post| post.relay.ended >= post.relay.orders)?;
        self.rest(bench, between)?;
        Ok(time)
    }

    /// Lets the second core write its journals.
    fn rest(&mut self, bench: &Bench<'_>, between: &Between) -> Result<(), SetupError> {
        between.task.store(task::REST, Ordering::Release);
        self.wait(bench, "the agents' rest", |_| between.task.load(Ordering::Acquire) == task::RESTED)
    }

    /// Passes on what comes until `done`.
    fn wait(
        &mut self,
        bench: &Bench<'_>,
        what: &str,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> Result<(), SetupError> {
        let start = bench.rig.stopwatch.elapsed();
        while !done(self) {
            self.relay.pump()?;
            if bench.rig.stopwatch.elapsed() - start > PATIENCE {
                return Err(broken(SUITE, format!("{what} did not come")));
            }
            // The exchange lives on this core.
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Opens every connection, and sends frames until orders come.
    fn open(&mut self, bench: &Bench<'_>, between: &Between) -> Result<(), SetupError> {
        let mut failed = None;
        self.wait(bench, "a connection", |post| {
            failed = post.welcome().err();
            failed.is_some() || post.streams.is_open()
        })?;
        let mut next = Nanos::ZERO;
        self.wait(bench, "the first order", |post| {
            // A frame each ten milliseconds, until the account is reconciled with the exchange.
            if failed.is_none() && bench.rig.stopwatch.elapsed() > next {
                next = bench.rig.stopwatch.elapsed() + Nanos::from_millis(10);
                let frame = frame(&mut post.script);
                failed = post.welcome().and_then(|()| post.streams.send(&frame)).err();
            }
            failed.is_some() || post.relay.orders > 0 && post.relay.ended >= post.relay.orders
        })?;
        between.task.store(task::ECHO, Ordering::Release);
        self.wait(bench, "the echo", |post| {
            failed = failed.take().or_else(|| post.welcome().err());
            failed.is_some() || (post.echo.is_open() && post.answers.is_open())
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// Takes connections, and answers those who ask for a book.
    fn welcome(&mut self) -> Result<(), SetupError> {
        let Self { rest, streams, echo, answers, script, .. } = self;
        rest.serve(&mut || script.snapshot(1_000).1)?;
        streams.serve(&mut Vec::new)?;
        echo.serve(&mut Vec::new)?;
        answers.serve(&mut Vec::new)?;
        Ok(())
    }
}

/// The next frame, as the combined stream sends it.
fn frame(script: &mut Script) -> Vec<u8> {
    let mut payload = b"{\"stream\":\"btcusdt@depth@100ms\",\"data\":".to_vec();
    payload.extend_from_slice(&script.depth(LEVELS));
    payload.push(b'}');
    let mut frame = Vec::with_capacity(payload.len() + 4);
    write(&mut frame, TEXT, &payload);
    frame
}

/// Runs the agents and the echo's client, each in its turn, until the end.
fn second_core(
    between: &Between,
    places: &Places,
    mut clock: LiveClock,
    stopwatch: engine::clock::Stopwatch,
    scratch: &Path,
) -> Result<(), SetupError> {
    let sockets = |error| SetupError::io("sockets", "making a poll", error);
    let trust = TlsTrust::public();
    let Places { endpoints, echo, answers, signer, instruments } = places;
    let streams = Streams::default();
    let feed = BinanceFeed::new(endpoints, &trust, Arc::clone(instruments), &streams, 1).map_err(sockets)?;
    let entry = BinanceEntry::new(endpoints, &trust, Arc::clone(signer), Arc::clone(instruments), 1)
        .map_err(sockets)?;
    let start = clock.now();
    let plan = Plan { remote: true, start, rate: BURSTS, ..Plan::new(Arc::clone(instruments), Vec::new()) };
    let mut desk = Desk::between((feed, entry), &plan, stopwatch, scratch)?;
    let mut echo = Echo::new(echo, answers, &trust, start)?;
    loop {
        let now = clock.now();
        match between.task.load(Ordering::Acquire) {
            task::AGENTS => {
                desk.at(now);
                desk.cycle();
            }
            task::REST => {
                desk.at(now);
                desk.rest()?;
                // Only from rest: the first core may have gone on.
                let _ = between.task.compare_exchange(
                    task::REST,
                    task::RESTED,
                    Ordering::AcqRel,
                    Ordering::Acquire,
                );
            }
            task::ECHO => {
                let bytes = between.answer_bytes.load(Ordering::Relaxed);
                echo.turn(usize::try_from(bytes).unwrap_or(0), now)?;
            }
            task::END => return Ok(()),
            _ => std::hint::spin_loop(),
        }
    }
}

/// Answers whatever comes by one connection on another.
struct Echo {
    reactor: Reactor,
    heard: WebSocketClient,
    answers: WebSocketClient,
    answer: String,
}

impl Echo {
    fn new(heard: &Url, answers: &Url, trust: &TlsTrust, now: Nanos) -> Result<Self, SetupError> {
        let open = |url: &Url| {
            let client = WebSocketClient::connect(url, trust, &[], Nanos::from_secs(3_600), now);
            client.map_err(|reason| broken("the echo's client", reason))
        };
        let reactor = Reactor::new().map_err(|error| SetupError::io("sockets", "making a poll", error))?;
        Ok(Self { reactor, heard: open(heard)?, answers: open(answers)?, answer: String::new() })
    }

    /// Looks once, and answers with `bytes` bytes.
    fn turn(&mut self, bytes: usize, now: Nanos) -> Result<(), SetupError> {
        let Self { reactor, heard, answers, answer } = self;
        reactor.turn();
        match heard.poll(reactor, now, &mut |_, _| {}) {
            WsEvent::Message => {
                answers.send(answer).map_err(|error| broken("the echo", format!("{error:?}")))?;
            }
            WsEvent::Closed(reason) => return Err(broken("the echo's client", reason)),
            WsEvent::Idle | WsEvent::Opened => {}
        }
        if let WsEvent::Closed(reason) = answers.poll(reactor, now, &mut |_, _| {}) {
            return Err(broken("the echo's client", reason));
        }
        if answer.len() != bytes {
            *answer = "x".repeat(bytes);
        }
        Ok(())
    }
}
