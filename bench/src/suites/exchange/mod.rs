//! `simulated_exchange` under load on loopback: 200 connections and 50,000 order requests a second, beside a server of the
//! same transport that only sends as many bytes back. The clients are one thread on one core, the server's runtime has
//! the other.

pub mod server;
mod crowd;
mod echo;

use std::net::SocketAddr;

use engine::clock::tsc::LiveClock;
use engine::domain::Nanos;
use engine::error::SetupError;
use shells::transport::Url;

use crate::histogram::Histogram;
use crate::report::{Ratio, Row, Target};
use crate::rig::Placement;
use crate::series::Series;
use crate::suites::Bench;
use crowd::{Crowd, Orders, Ran};
use server::{Server, runtime};

const SUITE: &str = "exchange";

/// Connections, and order requests a second of all of them together.
const CONNECTIONS: usize = 200;
const REQUESTS_A_SECOND: i64 = 50_000;

/// From request to request.
const INTERVAL: Nanos = Nanos(1_000_000_000 / REQUESTS_A_SECOND);

/// Whoever keeps up is done when the last request has been answered, hardly later than it left.
const KEEPS_UP: Target = Target::AtMost(1.01);

/// A server's rows.
#[derive(Default)]
struct Rows {
    /// At full speed: the mean time of a request.
    fast: Series,
    /// At the promised rate: from each request's intended sending to its answer.
    paced: Series,
    /// How long the promised rate took, as a multiple of the time that it should.
    late: Vec<f64>,
}

/// Runs the suite.
///
/// # Errors
/// When a server cannot be had, or a request is not answered as it should.
pub fn run(bench: &mut Bench<'_>) -> Result<(), SetupError> {
    let runtime = runtime(bench.rig.cores()[1])?;
    let clock = LiveClock::new(bench.rig.stopwatch);
    let exchange = Server::start(&runtime, bench.scratch, &[])?;
    let connections = bench.scale().of(CONNECTIONS, CONNECTIONS, 8);
    let at =
        |address: SocketAddr| format!("ws://{address}/ws-api/v3").parse::<Url>().map_err(SetupError::Invalid);
    let url = at(exchange.running.address)?;
    let orders = Orders::that_rest(&url, clock)?;
    let log_on = |now| exchange.log_on(now);
    let mut traders = Crowd::open(connections, &url, clock, orders.clone(), (true, &log_on))?;
    // The first orders touch every page and tell the size of an answer.
    let warm = bench.scale().of(40_000, 20_000, 40);
    let answer_bytes = traders.at_full_speed(warm)?.answer_bytes;
    let floor = at(runtime.block_on(echo::start(answer_bytes))?)?;
    let greet = |_| Ok("{\"id\":\"greeting\",\"x\":0}".to_owned());
    let mut shouters = Crowd::open(connections, &floor, clock, orders, (false, &greet))?;
    shouters.at_full_speed(warm)?;
    let (mut theirs, mut ours) = (Rows::default(), Rows::default());
    for _ in 0..bench.scale().of(5, 1, 1) {
        theirs.measure(bench, &mut shouters)?;
        ours.measure(bench, &mut traders)?;
    }
    report(bench, &theirs, &ours);
    bench.report.note(format!(
        "exchange: {connections} connections, {REQUESTS_A_SECOND} requests a second, each an order or its cancel as our order \
         entry writes them; every answer is checked; answers have {answer_bytes} bytes; clients and server share two cores"
    ));
    Ok(())
}

impl Rows {
    /// Measures both ways once.
    fn measure(&mut self, bench: &Bench<'_>, crowd: &mut Crowd) -> Result<(), SetupError> {
        let count = bench.scale().of(200_000, 50_000, 80);
        let Ran { spent, .. } = crowd.at_full_speed(count)?;
        let mut mean = Histogram::default();
        mean.record_mean(spent, count);
        self.fast.add_alone(&mean);
        let count = bench.scale().of(250_000, 100_000, 80);
        let Ran { times, spent, .. } = crowd.paced(count, INTERVAL)?;
        self.paced.add_alone(&times);
        self.late.push(spent.0 as f64 / (INTERVAL.0 * count.cast_signed()) as f64);
        Ok(())
    }
}

fn report(bench: &mut Bench<'_>, theirs: &Rows, ours: &Rows) {
    let over = |ours: &Series, theirs: &Series| match (ours.alone(), theirs.alone()) {
        (Some(ours), Some(theirs)) => ours.over(theirs),
        _ => f64::NAN,
    };
    let late = |rows: &Rows| rows.late.iter().copied().fold(0.0, f64::max);
    let kept =
        |rows: &Rows| Ratio::promised("the time that its requests took, at worst", late(rows), KEEPS_UP);
    let fastest = over(&ours.fast, &theirs.fast);
    let middle = over(&ours.paced, &theirs.paced);
    let tail = |rows: &Rows| rows.paced.alone().map_or(f64::NAN, |samples| samples.times.at(0.99));
    let tails = tail(ours) / tail(theirs);
    let series = |name: &str, series: &Series, ratios: Vec<Ratio>| {
        let mut row = Row::times(
            SUITE,
            name,
            Placement::Alone,
            series.alone().map(|s| s.times.clone()).unwrap_or_default(),
        );
        row.ratios = ratios;
        row
    };
    let per_request = ours.fast.alone().map_or(f64::NAN, |samples| samples.figure() / INTERVAL.0 as f64);
    bench.report.push(series("echo: a request at full speed", &theirs.fast, vec![]));
    bench.report.push(series(
        "exchange: an order request at full speed",
        &ours.fast,
        vec![
            Ratio::plain("the echo", fastest),
            Ratio::promised("the 20 us of 50,000 a second", per_request, Target::AtMost(1.0)),
        ],
    ));
    bench.report.push(series("echo: a request of 50,000 a second", &theirs.paced, vec![kept(theirs)]));
    bench.report.push(series(
        "exchange: an order request of 50,000 a second",
        &ours.paced,
        vec![Ratio::plain("the echo's p50", middle), Ratio::plain("the echo's p99", tails), kept(ours)],
    ));
}
