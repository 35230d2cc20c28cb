//! The venue that the settings name, as agents see it: feeds, order entry and instruments are made here and nowhere else.
//!
//! ```text
//! simulated   a simulated_exchange over sockets; in `trading run` without an endpoint, an exchange in the same process
//! paper       Binance's market data; fills by the exchange in the same process
//! binance-*   Binance
//! ```

pub mod access;
mod account;
pub mod house;
pub mod listing;
pub mod record;
mod rest;

use std::sync::Arc;

use engine::clock::Clock;
use engine::domain::{InstrumentIndex, Nanos, OrderId};
use engine::error::SetupError;
use engine::message::Order;
use engine::tick_to_trade::route::RouteTiming;
use engine::venue::link::{LinkFeed, LinkOrderEntry};
use engine::venue::{Frame, LimitsUsed, MarketData, NotSent, OrderEntry, Question, VenueEvent};

use crate::binance::clock::offset;
use crate::binance::{BinanceEntry, BinanceFeed, Endpoints, Streams};
use crate::config::values::{MarketDataFormat, RecvWindow};
use crate::config::{Settings, Venue};
use crate::transport::{TlsTrust, Watch};
use crate::venue::listing::Listing;
use crate::venue::rest::Desk;

/// Market data of whichever venue.
pub enum VenueFeed {
    /// Over sockets.
    Sockets(Box<BinanceFeed>),
    /// Over rings, of the exchange in the same process or the next.
    Link(Box<LinkFeed>),
}

/// Order entry of whichever venue.
pub enum VenueEntry {
    /// Over sockets.
    Sockets(Box<BinanceEntry>),
    /// Over rings.
    Link(Box<LinkOrderEntry>),
}

impl VenueFeed {
    /// What a sleep of the thread that polls this may wait for, if it has sockets.
    ///
    /// # Errors
    /// When the system has no more descriptors.
    pub fn watch(&self) -> Result<Option<Watch>, SetupError> {
        match self {
            Self::Sockets(feed) => feed.watch().map(Some).map_err(no_watch),
            Self::Link(_) => Ok(None),
        }
    }
}

impl VenueEntry {
    /// What a sleep of the thread that polls this may wait for, if it has sockets.
    ///
    /// # Errors
    /// When the system has no more descriptors.
    pub fn watch(&self) -> Result<Option<Watch>, SetupError> {
        match self {
            Self::Sockets(entry) => entry.session().watch().map(Some).map_err(no_watch),
            Self::Link(_) => Ok(None),
        }
    }
}

fn no_watch(error: std::io::Error) -> SetupError {
    SetupError::io("sockets", "watching them", error)
}

impl MarketData for VenueFeed {
    #[inline]
    fn poll(&mut self, now: Nanos, on_frame: &mut dyn FnMut(&Frame<'_>)) -> bool {
        match self {
            Self::Sockets(feed) => feed.poll(now, on_frame),
            Self::Link(feed) => feed.poll(now, on_frame),
        }
    }

    #[inline]
    fn is_near(&self) -> bool {
        match self {
            Self::Sockets(feed) => feed.is_near(),
            Self::Link(feed) => feed.is_near(),
        }
    }

    fn next_deadline(&self) -> Nanos {
        match self {
            Self::Sockets(feed) => feed.next_deadline(),
            Self::Link(feed) => feed.next_deadline(),
        }
    }

    fn reconnects(&self) -> u64 {
        match self {
            Self::Sockets(feed) => feed.reconnects(),
            Self::Link(feed) => feed.reconnects(),
        }
    }

    fn request_snapshot(&mut self, instrument: InstrumentIndex, now: Nanos) {
        match self {
            Self::Sockets(feed) => feed.request_snapshot(instrument, now),
            Self::Link(feed) => feed.request_snapshot(instrument, now),
        }
    }
}

impl OrderEntry for VenueEntry {
    fn send(&mut self, order: &Order, now: Nanos) -> Result<(), NotSent> {
        match self {
            Self::Sockets(entry) => entry.send(order, now),
            Self::Link(entry) => entry.send(order, now),
        }
    }

    fn send_pair(&mut self, above: &Order, below: &Order, now: Nanos) -> Result<(), NotSent> {
        match self {
            Self::Sockets(entry) => entry.send_pair(above, below, now),
            Self::Link(entry) => entry.send_pair(above, below, now),
        }
    }

    fn query(&mut self, instrument: InstrumentIndex, id: OrderId, now: Nanos) -> Result<(), NotSent> {
        match self {
            Self::Sockets(entry) => entry.query(instrument, id, now),
            Self::Link(entry) => entry.query(instrument, id, now),
        }
    }

    fn ask(&mut self, question: Question, now: Nanos) -> Result<(), NotSent> {
        match self {
            Self::Sockets(entry) => entry.ask(question, now),
            Self::Link(entry) => entry.ask(question, now),
        }
    }

    #[inline]
    fn holds(&self) -> bool {
        match self {
            Self::Sockets(entry) => entry.holds(),
            Self::Link(entry) => entry.holds(),
        }
    }

    fn flush(&mut self) {
        match self {
            Self::Sockets(entry) => entry.flush(),
            Self::Link(entry) => entry.flush(),
        }
    }

    #[inline]
    fn poll(&mut self, now: Nanos) -> Option<VenueEvent> {
        match self {
            Self::Sockets(entry) => entry.poll(now),
            Self::Link(entry) => entry.poll(now),
        }
    }

    fn limits_used(&self) -> LimitsUsed {
        match self {
            Self::Sockets(entry) => entry.limits_used(),
            Self::Link(entry) => entry.limits_used(),
        }
    }

    fn clock_offset(&self) -> Nanos {
        match self {
            Self::Sockets(entry) => entry.clock_offset(),
            Self::Link(entry) => entry.clock_offset(),
        }
    }

    #[inline]
    fn is_near(&self) -> bool {
        match self {
            Self::Sockets(entry) => entry.is_near(),
            Self::Link(entry) => entry.is_near(),
        }
    }

    fn next_deadline(&self) -> Nanos {
        match self {
            Self::Sockets(entry) => entry.next_deadline(),
            Self::Link(entry) => entry.next_deadline(),
        }
    }
}

/// The way to a venue behind sockets.
#[derive(Clone, Debug)]
pub struct Way {
    /// The venue.
    pub venue: Venue,
    endpoints: Endpoints,
    trust: TlsTrust,
    window: RecvWindow,
    streams: Streams,
}

impl Way {
    /// The way that the settings name.
    ///
    /// # Errors
    /// When the endpoint is none, or the certificate to trust cannot be read.
    pub fn of(settings: &Settings) -> Result<Self, SetupError> {
        let exchange = &settings.exchange;
        let trust = match (&exchange.ca_file, settings.venue) {
            (Some(path), Venue::Simulated) => TlsTrust::file(path)?,
            _ => TlsTrust::public(),
        };
        let endpoints = Endpoints::of(settings.venue, &exchange.endpoint)?;
        let (window, streams) = (settings.recv_window, Streams::of(settings));
        Ok(Self { venue: settings.venue, endpoints, trust, window, streams })
    }

    /// Whether orders leave this machine's rings: what happens to them there can be missed, and must be asked for.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        self.venue != Venue::Paper
    }

    /// How long the venue may take a request, where it is behind a connection.
    #[must_use]
    pub fn window(&self) -> Option<RecvWindow> {
        self.is_remote().then_some(self.window)
    }

    /// What route may wait for there.
    #[must_use]
    pub fn timing(&self) -> RouteTiming {
        timing(self.window())
    }

    /// The venue's clock less ours, asked of it once, and how much less or more that may be.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn ask_clock(&self, clock: &mut impl Clock) -> Result<(Nanos, Nanos), String> {
        let asked = clock.now();
        let told = Desk::new(&self.endpoints.rest, &self.trust, clock).ask_time()?;
        Ok(offset(told, asked, clock.now()))
    }

    /// What the venue lists of `symbols`, asked of it now.
    ///
    /// # Errors
    /// When it does not answer within a minute, or refuses: with its words.
    pub fn ask_listing(&self, symbols: &[String], clock: &mut impl Clock) -> Result<Listing, SetupError> {
        listing::ask(self.venue, &mut Desk::new(&self.endpoints.rest, &self.trust, clock), symbols)
    }

    /// The venue's market data in the format that the settings name.
    ///
    /// # Errors
    /// When there is no key for SBE, or the system gives no descriptor.
    pub fn feed(
        &self,
        listing: &Listing,
        settings: &Settings,
        clock: &mut impl Clock,
    ) -> Result<BinanceFeed, SetupError> {
        let instruments = Arc::clone(&listing.instruments);
        let feed = BinanceFeed::new(&self.endpoints, &self.trust, instruments, &self.streams, seed());
        let feed = feed.map_err(|error| SetupError::io("sockets", "making a poll", error))?;
        let feed = feed.limited(&listing.limits);
        if settings.market_data_format == MarketDataFormat::Json {
            return Ok(feed);
        }
        let key = access::market_data_key(settings, clock)?;
        Ok(feed.in_sbe(&self.endpoints, &key, &self.streams, seed()))
    }

    /// The account at the venue, once what it holds has been shown.
    ///
    /// # Errors
    /// When there is no key, the venue refuses it or the account may not trade, or the system gives no descriptor.
    pub fn entry(
        &self,
        listing: &Listing,
        settings: &Settings,
        clock: &mut impl Clock,
    ) -> Result<BinanceEntry, SetupError> {
        let signer = Arc::new(access::signer(settings, clock)?);
        let mut desk = Desk::new(&self.endpoints.rest, &self.trust, clock);
        account::show(&mut desk, &signer, self.window, &listing.instruments)?;
        let instruments = Arc::clone(&listing.instruments);
        let entry = BinanceEntry::new(&self.endpoints, &self.trust, signer, instruments, seed());
        let entry = entry.map_err(|error| SetupError::io("sockets", "making a poll", error))?;
        let entry = entry.limited(&listing.limits).within(self.window);
        Ok(entry.over_rest(settings.orders_over_rest))
    }
}

/// What route may wait for at a venue that may take a request within `window`; without one, at one whose orders are filled
/// where nothing that happens to them can be missed.
#[must_use]
pub fn timing(window: Option<RecvWindow>) -> RouteTiming {
    window.map_or_else(RouteTiming::default, |window| RouteTiming::behind_connection(window.span()))
}

/// Spreads the attempts of processes that lost their connections at the same moment.
fn seed() -> u64 {
    u64::from(std::process::id())
}
