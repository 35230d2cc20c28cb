//! The server: opens the exchange, its port and the operator's, and serves until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::domain::Nanos;
use engine::error::SetupError;
use engine::venue::exchange::Exchange;
use engine::venue::simulated::{FeeRate, QueueModel};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;

use super::admin::{Ask, Question};
use super::clock::Clock;
use super::connection::{Hall, Keeping, serve};
use super::desk::{Desk, INBOX, ToDesk};
use super::door::Door;
use super::faults::Faults;
use super::keys::{Accounts, amount};
use super::limits::{Allowed, Limits};
use super::market::Source;
use super::operator;
use super::settings::Settings;
use super::tls;

/// Port of health, metrics and the operator, above the exchange's own.
const OPERATOR_PORT: u16 = 10_000;
/// Connections at once.
const CONNECTIONS_MAX: usize = 10_000;
/// How long a TLS handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// A running exchange.
pub struct Running {
    /// Where REST, streams and the WebSocket API are.
    pub address: SocketAddr,
    /// Where health, metrics and the operator's requests are.
    pub operator: SocketAddr,
    /// The certificate that clients have to trust, as PEM.
    pub certificate: String,
    desk: mpsc::Sender<ToDesk>,
}

impl Running {
    /// Asks the desk.
    ///
    /// # Errors
    /// When it is gone.
    pub async fn ask(&self, question: Question) -> Result<(u16, String), SetupError> {
        ask(&self.desk, question).await
    }
}

/// Asks the desk.
///
/// # Errors
/// When it is gone.
pub async fn ask(desk: &mpsc::Sender<ToDesk>, question: Question) -> Result<(u16, String), SetupError> {
    let gone = || SetupError::Invalid("the exchange has stopped".to_owned());
    let (reply, answer) = oneshot::channel();
    desk.send(ToDesk::Admin(Ask { question, reply })).await.map_err(|_| gone())?;
    answer.await.map_err(|_| gone())
}

fn deposits(written: &[String]) -> Result<Vec<(Box<str>, i128)>, SetupError> {
    let read = |text: &String| {
        let (asset, number) =
            text.split_once('=').ok_or_else(|| format!("{text:?}: ASSET=AMOUNT expected"))?;
        Ok((asset.into(), amount(number)?))
    };
    written
        .iter()
        .map(read)
        .collect::<Result<_, String>>()
        .map_err(|reason| SetupError::Invalid(format!("--balances: {reason}")))
}

fn accounts(settings: &Settings, keys: &std::path::Path) -> Result<Accounts, SetupError> {
    let (maker, taker) = (FeeRate(settings.maker_fee), FeeRate(settings.taker_fee));
    match &settings.accounts {
        Some(path) => Accounts::read(path, maker, taker),
        None => Accounts::demo(keys, deposits(&settings.balances)?, maker, taker),
    }
}

fn source(settings: &Settings, now: Nanos) -> Result<(Source, Arc<engine::domain::Instruments>), SetupError> {
    if !settings.tape.is_empty() {
        return Source::tapes(&settings.tape, now, settings.speed);
    }
    let symbols: Vec<&str> = settings.symbols.0.iter().map(String::as_str).collect();
    Source::generated(&symbols, settings.seed, settings.rate, now, settings.past.0, settings.speed)
}

fn span(nanos: Nanos) -> Duration {
    Duration::from_nanos(u64::try_from(nanos.0).unwrap_or(0))
}

/// Opens the exchange and serves in the background. `keys` is where a made account's keys are told.
///
/// # Errors
/// When an account, the market, a certificate or a port is not to be had.
pub async fn start(settings: &Settings, keys: &std::path::Path) -> Result<Running, SetupError> {
    let (clock, skew) = Clock::new();
    let accounts = Arc::new(accounts(settings, keys)?);
    let (source, instruments) = source(settings, clock.now())?;
    let exchange = Exchange::new(instruments, &accounts.specs, QueueModel::Probabilistic { power: 1 });
    let limits = Limits::new(Allowed::BINANCE.times(settings.limits.max(1)));
    let faults = (Faults::new(Vec::new(), settings.seed), settings.seed);
    let mut desk = Desk::new(exchange, Arc::clone(&accounts), limits, (clock.clone(), skew), source, faults);
    for fault in &settings.faults {
        desk.wreak(fault.clone(), clock.now());
    }
    let (certificate, acceptor) = tls::acceptor(settings.cert.as_deref().zip(settings.key.as_deref()))?;
    let listener = bind(SocketAddr::new(settings.bind, settings.port)).await?;
    let above = match settings.port {
        0 => 0,
        port => port.checked_add(OPERATOR_PORT).ok_or_else(|| {
            SetupError::Invalid(format!(
                "--port {port}: no room for health and metrics {OPERATOR_PORT} above"
            ))
        })?,
    };
    let operators = bind(SocketAddr::new(settings.bind, above)).await?;
    let address = |listener: &TcpListener| {
        listener
            .local_addr()
            .map_err(|error| SetupError::Invalid(format!("a bound port has no address: {error}")))
    };
    let (address, operator) = (address(&listener)?, address(&operators)?);
    let (to_desk, inbox) = mpsc::channel(INBOX);
    let keeping =
        Keeping { ping: span(settings.ping.0), pong: span(settings.pong.0), life: span(settings.life.0) };
    let hall = Hall { door: Door { accounts, clock }, desk: to_desk.clone(), keeping };
    tokio::spawn(desk.run(inbox));
    tokio::spawn(accept(listener, acceptor, hall));
    tokio::spawn(operator::serve(operators, to_desk.clone()));
    Ok(Running { address, operator, certificate, desk: to_desk })
}

async fn bind(address: SocketAddr) -> Result<TcpListener, SetupError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| SetupError::Invalid(format!("cannot listen on {address}: {error}")))
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, hall: Hall) {
    let room = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
    let mut next = 0;
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of file descriptors, most likely: others will end.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
        next += 1;
        let (id, hall, acceptor) = (next, hall.clone(), acceptor.clone());
        tokio::spawn(async move {
            welcome(stream, peer, id, hall, acceptor).await;
            drop(place);
        });
    }
}

/// Tells TLS by its first byte, and serves.
async fn welcome(stream: TcpStream, peer: SocketAddr, id: u64, hall: Hall, acceptor: TlsAcceptor) {
    let _ = stream.set_nodelay(true);
    let mut first = [0];
    let peeked = tokio::time::timeout(Duration::from_secs(90), stream.peek(&mut first)).await;
    if !matches!(peeked, Ok(Ok(1))) {
        return;
    }
    if first[0] != tls::HANDSHAKE {
        return serve(stream, peer.ip(), id, hall).await;
    }
    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
        serve(stream, peer.ip(), id, hall).await;
    }
}
