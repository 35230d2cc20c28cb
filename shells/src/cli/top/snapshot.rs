//! What `trading top` shows, at one moment.

use engine::domain::{Decimal, Price, Quantity, Side, SourceId};
use engine::error::SetupError;
use engine::journal::{InstrumentFacts, Record};
use engine::limits::SOURCES_MAX;
use engine::message::{Intent, SealedOrder};
use engine::ring::Message;
use engine::ring::backlog::Backlog;
use serde::{Deserialize, Serialize};

use crate::api::orders::Order;
use crate::api::service::Latency;
use crate::cli::looking::account::list_orders;
use crate::cli::looking::status::Status;
use crate::cli::looking::view::{View, refuse};
use crate::operator::log::wall_clock;
use crate::service::latency::latency;

/// The best of a book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Best {
    /// The symbol.
    pub symbol: String,
    /// Best bid, and its quantity; empty without one.
    pub bid: [String; 2],
    /// Best ask, and its quantity; empty without one.
    pub ask: [String; 2],
}

/// A ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring {
    /// Its name.
    pub name: String,
    /// Messages that wait to be read.
    pub waiting: u64,
    /// Messages that it holds.
    pub capacity: u64,
}

/// Everything on the screen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// When it was taken.
    pub time_ns: i64,
    /// Agents, books, halts, positions, PnL.
    pub status: Status,
    /// The best of each book.
    pub best: Vec<Best>,
    /// Open orders.
    pub orders: Vec<Order>,
    /// Latency of every stage.
    pub latency: Latency,
    /// The lossless rings.
    pub rings: Vec<Ring>,
}

impl Snapshot {
    /// What `view` shows now.
    ///
    /// # Errors
    /// When a table cannot be read.
    pub fn of(view: &View) -> Result<Self, SetupError> {
        let table = view.views().table().map_err(|error| refuse(&error))?;
        Ok(Self {
            time_ns: wall_clock().0,
            status: Status::of(view)?,
            best: table.iter().map(|facts| best(view, facts)).collect(),
            orders: list_orders(view, false)?,
            latency: latency(&view.ipc),
            rings: rings(view),
        })
    }
}

fn best(view: &View, facts: &InstrumentFacts) -> Best {
    let cell = view.views().books.book(facts.index);
    let side = |side| {
        let level = cell.as_ref().and_then(|cell| cell.levels(side).next());
        level.map_or([String::new(), String::new()], |level| {
            let (Price(price), Quantity(quantity)) = (level.price, level.quantity);
            [
                Decimal::new(price, facts.price_scale).to_string(),
                Decimal::new(quantity, facts.quantity_scale).to_string(),
            ]
        })
    };
    Best { symbol: facts.symbol.to_string(), bid: side(Side::Buy), ask: side(Side::Sell) }
}

fn rings(view: &View) -> Vec<Ring> {
    fn ring<T: Message>(name: String, file: &std::path::Path, cursor: &std::path::Path) -> Option<Ring> {
        let backlog = Backlog::<T>::attach(file, cursor).ok()?;
        Some(Ring { name, waiting: backlog.waiting(), capacity: backlog.capacity() })
    }
    let ipc = &view.ipc;
    let sources = (0..).take(SOURCES_MAX).map(SourceId);
    let mut rings: Vec<Ring> = sources
        .filter(|&source| ipc.intents(source).exists())
        .filter_map(|source| {
            let name = format!("intents {}", view.views().names.of(source));
            ring::<Intent>(name, &ipc.intents(source), &ipc.intents_cursor(source))
        })
        .collect();
    rings.extend(ring::<SealedOrder>("orders".to_owned(), &ipc.orders(), &ipc.orders_cursor()));
    for name in ["risk", "route"] {
        rings.extend(ring::<Record>(
            format!("{name} journal"),
            &ipc.journal(name),
            &ipc.journal_cursor(name),
        ));
    }
    rings
}
