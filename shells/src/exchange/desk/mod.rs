//! The desk: the one task that owns the exchange. Connections talk to it by channels; it answers, plays the market,
//! and tells what happens.

mod orders;
mod new_order;
mod replace;
mod lists;
mod account;
mod wallet;
mod look;
mod tickers;
mod listing;
mod follow;
mod user;
mod slow;
mod records;
mod fault;
mod publish;
mod seconds;

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::IpAddr;
use std::sync::Arc;

use engine::domain::{InstrumentIndex, Market, Nanos};
use engine::venue::exchange::{AccountIndex, Event, Exchange};
use tokio::sync::{mpsc, watch};

use super::clock::Clock;
use super::failure::Failure;
use super::faults::{Faults, Kind};
use super::history::History;
use super::keys::Accounts;
use super::limits::{Limits, Usage};
use super::market::Source;
use super::method::Method;
use super::params::{Params, RETURN_LIMITS};
use super::render::{Render, TimeUnit};
use super::streams::Wire;
use fault::{Due, Later, Memory};
use follow::Followers;
use records::Records;
use slow::SlowDepth;
use user::Listeners;

/// Frames that wait for a connection before it is given up: it does not read.
pub const OUTBOX: usize = 8_192;
/// Messages that wait for the desk before connections wait.
pub const INBOX: usize = 4_096;
/// Most messages between two looks at the market.
const BATCH: usize = 256;

/// A connection.
pub type Connection = u64;

/// A request on its way to the desk, its signature and time checked.
#[derive(Debug)]
pub struct Call {
    /// From where.
    pub connection: Connection,
    /// From which address.
    pub address: IpAddr,
    /// The request's own id as JSON, on a WebSocket.
    pub id: Option<Box<str>>,
    /// What is asked.
    pub method: Method,
    /// With what.
    pub params: Params,
    /// By whom.
    pub account: Option<AccountIndex>,
    /// In what times are told.
    pub unit: TimeUnit,
    /// The outcome, where the connection knows it already: the desk counts the request and answers in its turn.
    pub known: Option<Result<String, Failure>>,
}

/// What the desk is told.
#[derive(Debug)]
pub enum ToDesk {
    /// A connection is there.
    Open(Connection, mpsc::Sender<Out>),
    /// It has become a WebSocket API connection.
    Api(Connection),
    /// It is gone.
    Closed(Connection),
    /// A request.
    Call(Box<Call>),
    /// A stream connection's first streams, and how they and their times are told.
    Follow(Connection, Vec<String>, Wire, TimeUnit),
    /// A control message of a stream connection.
    Control(Connection, String),
    /// The operator asks.
    Admin(super::admin::Ask),
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The request's own id as JSON, on a WebSocket.
    pub id: Option<Box<str>>,
    /// What became of it.
    pub result: Result<String, Failure>,
    /// What was used of the limits.
    pub usage: Usage,
    /// Whether that is told, where the request says.
    pub limits: Option<bool>,
}

/// The code with which a server closes that goes down (RFC 6455, 7.4.1).
const GOING_AWAY: u16 = 1001;

/// What a connection is told.
#[derive(Clone, Debug)]
pub enum Out {
    /// An answer.
    Answer(Box<Answer>),
    /// A frame.
    Frame(Arc<str>),
    /// A frame of SBE.
    Binary(Arc<[u8]>),
    /// Close, with this code.
    Close(u16),
    /// Cut the connection after this many more bytes, without a word.
    Cut(usize),
    /// Say nothing from now on, and hear nothing, but stay connected.
    HalfOpen,
}

/// The desk.
pub struct Desk {
    pub(super) exchange: Exchange,
    pub(super) accounts: Arc<Accounts>,
    pub(super) limits: Limits,
    pub(super) clock: Clock,
    pub(super) source: Source,
    history: Vec<History>,
    connections: BTreeMap<Connection, mpsc::Sender<Out>>,
    /// Those that speak the WebSocket API.
    api: BTreeSet<Connection>,
    followers: Followers,
    slow_depth: SlowDepth,
    listeners: Listeners,
    records: Records,
    /// What happened and was not told yet.
    events: Vec<Event>,
    ids: ClientIds,
    next_publication: Nanos,
    publications: u64,
    pub(super) faults: Faults,
    memory: Memory,
    due: BinaryHeap<Due>,
    skew: watch::Sender<Nanos>,
}

/// Client ids for orders and cancels that come without: as long as Binance's, and of the same letters.
#[derive(Debug)]
struct ClientIds(u64);

impl ClientIds {
    fn next(&mut self) -> Box<str> {
        const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let mut id = String::with_capacity(22);
        for _ in 0..2 {
            let mut bits = super::faults::draw(&mut self.0);
            for _ in 0..11 {
                id.push(char::from(LETTERS[usize::try_from(bits % 62).unwrap_or(0)]));
                bits /= 62;
            }
        }
        id.into()
    }
}

/// Time between publications of depth.
const PUBLICATION: Nanos = Nanos::from_millis(100);

impl Desk {
    /// Opens.
    #[must_use]
    pub fn new(
        exchange: Exchange,
        accounts: Arc<Accounts>,
        limits: Limits,
        clock: (Clock, watch::Sender<Nanos>),
        source: Source,
        (faults, seed): (Faults, u64),
    ) -> Self {
        let (clock, skew) = clock;
        let instruments = exchange.instruments().len();
        Self {
            history: (0..instruments).map(|_| History::default()).collect(),
            followers: Followers::new(instruments),
            slow_depth: SlowDepth::new(instruments),
            listeners: Listeners::default(),
            records: Records::default(),
            connections: BTreeMap::new(),
            api: BTreeSet::new(),
            events: Vec::new(),
            ids: ClientIds(seed),
            next_publication: Nanos::ZERO,
            publications: 0,
            faults,
            memory: Memory::default(),
            due: BinaryHeap::new(),
            skew,
            exchange,
            accounts,
            limits,
            clock,
            source,
        }
    }

    /// Works until every connection and the server are gone.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<ToDesk>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let now = self.clock.now();
            let due = self.play(now).min(self.next_publication);
            let due = self.due.peek().map_or(due, |first| due.min(first.at));
            let wait = u64::try_from(due.0.saturating_sub(now.0)).unwrap_or(0);
            tokio::select! {
                count = inbox.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return;
                    }
                }
                () = tokio::time::sleep(std::time::Duration::from_nanos(wait)) => {}
            }
            for message in batch.drain(..) {
                self.hear(message);
            }
        }
    }

    /// Plays the market up to `now` and publishes what is due. Returns when the market goes on.
    fn play(&mut self, now: Nanos) -> Nanos {
        self.catch_up(now);
        let next = self.source.play(now, &mut self.exchange);
        self.exchange.take_events(&mut self.events);
        self.tell(now);
        if now >= self.next_publication {
            self.publish(now);
            self.next_publication = Nanos(now.0 / PUBLICATION.0 * PUBLICATION.0 + PUBLICATION.0);
        }
        next
    }

    fn hear(&mut self, message: ToDesk) {
        match message {
            ToDesk::Open(connection, out) => {
                self.connections.insert(connection, out);
            }
            ToDesk::Api(connection) => {
                self.api.insert(connection);
                if self.faults.on_api() {
                    self.send(connection, Out::Close(GOING_AWAY));
                }
            }
            ToDesk::Closed(connection) => self.forget(connection),
            ToDesk::Call(call) => self.call(*call),
            ToDesk::Follow(connection, names, wire, unit) => {
                self.followers.open(connection, wire, unit);
                for name in names {
                    self.follow(connection, &name);
                }
            }
            ToDesk::Control(connection, text) => {
                let reply = self.control(connection, &text);
                self.send(connection, Out::Frame(reply.into()));
            }
            ToDesk::Admin(ask) => self.admin(ask),
        }
    }

    fn forget(&mut self, connection: Connection) {
        self.connections.remove(&connection);
        self.api.remove(&connection);
        self.followers.close(connection);
        self.listeners.close(connection);
    }

    /// Tells what the exchange has done just now.
    pub(super) fn settle(&mut self, now: Nanos) {
        self.exchange.take_events(&mut self.events);
        self.tell(now);
    }

    /// How many connections there are.
    pub(super) fn connection_count(&self) -> usize {
        self.connections.len()
    }

    /// Sends, or gives the connection up if it does not read.
    pub(super) fn send(&mut self, connection: Connection, out: Out) {
        let full = self.connections.get(&connection).is_some_and(|to| to.try_send(out).is_err());
        if full {
            self.forget(connection);
        }
    }

    fn call(&mut self, mut call: Call) {
        let now = self.clock.now();
        let weight = self.weight(&call);
        let fault = self.faults.on_request(call.method);
        if let Some(fault) = fault.as_ref().filter(|fault| fault.kind == Kind::DelayedRequest) {
            self.later(now + fault.span, Later::Call(Box::new(call)));
            return;
        }
        let result = match self.limits.request(call.address, now, weight) {
            Err(failure) => Some(Err(failure)),
            Ok(()) => {
                let result = match (call.known.take(), &fault) {
                    (Some(known), _) => Some(known),
                    (None, Some(fault)) => self.handle_with(fault, &call, now),
                    (None, None) => Some(self.handle(&call, now)),
                };
                if call.method.is_free_on_success() && result.as_ref().is_some_and(Result::is_ok) {
                    self.limits.refund(call.address, now, weight);
                }
                result
            }
        };
        self.exchange.take_events(&mut self.events);
        if fault.as_ref().is_some_and(|fault| fault.kind == Kind::ReportBeforeAck) {
            self.tell(now);
        }
        if let Some(result) = result {
            let account = call.account.filter(|_| call.method.is_free_on_success());
            let usage = self.limits.usage(call.address, account, now);
            match self.faults.on_connection(call.method) {
                Some(fault) if fault.kind == Kind::HalfOpen => self.send(call.connection, Out::HalfOpen),
                Some(fault) => self.send(call.connection, Out::Cut(fault.bytes)),
                None => {}
            }
            let limits = call.params.flag(RETURN_LIMITS).unwrap_or_default();
            let answer = Answer { id: call.id, result, usage, limits };
            self.answer_with(fault.as_ref(), call.connection, answer, now);
        }
        self.tell(now);
    }

    fn handle(&mut self, call: &Call, now: Nanos) -> Result<String, Failure> {
        match call.method {
            Method::Ping => Ok("{}".to_owned()),
            Method::Time => Ok(format!("{{\"serverTime\":{}}}", call.unit.show(now))),
            Method::ExchangeInfo => self.exchange_info(&call.params, now, call.unit),
            Method::OrderTest
            | Method::OrderPlace
            | Method::OrderStatus
            | Method::OrderCancel
            | Method::CancelReplace
            | Method::Amend
            | Method::OpenOrders
            | Method::CancelAll
            | Method::AllOrders
            | Method::Amendments => self.about_orders(call, now),
            Method::OcoPlace
            | Method::OcoPlaceOld
            | Method::OtoPlace
            | Method::OtocoPlace
            | Method::OpoPlace
            | Method::OpocoPlace
            | Method::SorPlace
            | Method::SorTest
            | Method::ListStatus
            | Method::ListCancel
            | Method::OpenLists
            | Method::AllLists => self.about_lists(call, now),
            Method::Account
            | Method::MyTrades
            | Method::Prevented
            | Method::Allocations
            | Method::OrderRate
            | Method::Commission
            | Method::MyFilters => self.about_account(call, now),
            Method::SystemStatus
            | Method::Coins
            | Method::TradeFee
            | Method::MarginPairs
            | Method::IsolatedPairs => self.about_wallet(call),
            Method::UserSubscribe
            | Method::UserSubscribeSigned
            | Method::UserUnsubscribe
            | Method::Subscriptions
            | Method::SessionLogout => self.about_listening(call, now),
            // The connection itself answers these.
            Method::SessionStatus | Method::SessionLogon => Err(Failure::new(-1000, "Internal error.")),
            _ => self.about_market(call, now),
        }
    }

    /// The account of a signed request.
    fn owner(call: &Call) -> Result<AccountIndex, Failure> {
        call.account.ok_or_else(|| {
            Failure::new(-2015, "Invalid API-key, IP, or permissions for action.").with_status(401)
        })
    }

    fn symbol(&self, text: &str) -> Result<InstrumentIndex, Failure> {
        let sound = text.chars().all(|c| c.is_alphanumeric() && !c.is_lowercase() || "-_.".contains(c));
        if !sound || text.len() > 50 {
            return Err(Failure::new(
                -1100,
                "Illegal characters found in parameter 'symbol'; legal range is '^[\\w\\-._&&[^a-z]]{1,50}$'.",
            ));
        }
        let found = self.exchange.instruments().find(Market::Spot, text);
        found.ok_or_else(|| Failure::new(-1121, "Invalid symbol."))
    }

    fn render(&self, call: &Call) -> Render<'_> {
        Render { exchange: &self.exchange, unit: call.unit }
    }
}
