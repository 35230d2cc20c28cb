//! The market as ingest publishes it: the tick stream, and the cells of books.

use engine::book::BookCell;
use engine::counters::CellReader;
use engine::domain::{InstrumentIndex, Nanos, Price};
use engine::journal::ListedInstrument;
use engine::message::Tick;
use engine::ring::broadcast::{Polled, Reader};
use engine::shm::paths::IpcPaths;

use crate::service::attach::Attached;
use crate::service::instruments::Table;

/// Books and instruments.
pub struct BookView {
    rows: Attached<CellReader<ListedInstrument>>,
    cells: Attached<CellReader<BookCell>>,
    table: Option<Table>,
    reason: String,
}

impl BookView {
    /// Looks under `paths`.
    #[must_use]
    pub fn new(paths: &IpcPaths) -> Self {
        let (instruments, books) = (paths.instruments(), paths.books());
        Self {
            rows: Attached::new(move || CellReader::attach(&instruments)),
            cells: Attached::new(move || CellReader::attach(&books)),
            table: None,
            reason: String::new(),
        }
    }

    /// Attaches what is there; returns whether the instrument table is another.
    pub fn refresh(&mut self, now: Nanos) -> bool {
        self.cells.refresh(now);
        let anew = self.rows.refresh(now);
        if !anew && (self.table.is_some() == self.rows.get().is_ok()) {
            return false;
        }
        let read = match self.rows.get() {
            Ok(cells) => Table::read(cells).map_err(|error| error.to_string()),
            Err(reason) => Err(reason.to_owned()),
        };
        match read {
            Ok(table) => {
                self.table = Some(table);
                true
            }
            Err(reason) => {
                self.reason = reason;
                self.table.take().is_some()
            }
        }
    }

    /// The instrument table.
    ///
    /// # Errors
    /// Why there is none.
    pub fn table(&self) -> Result<&Table, &str> {
        self.table.as_ref().ok_or(&self.reason)
    }

    /// The top of the book of `instrument`; `None` before the first.
    #[must_use]
    pub fn book(&self, instrument: InstrumentIndex) -> Option<BookCell> {
        self.cells.get().ok()?.read(instrument as usize)
    }

    /// Whether the books are attached.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), &str> {
        self.table()?;
        self.cells.get().map(|_| ())
    }

    /// The price at which a position is valued: the middle of the book, rounded down, where both sides have levels.
    #[must_use]
    pub fn mark(&self, instrument: InstrumentIndex) -> Option<Price> {
        use engine::domain::Side;
        let book = self.book(instrument)?;
        let best = |side| book.levels(side).next().map(|level| level.price.0);
        let (bid, ask) = (best(Side::Buy)?, best(Side::Sell)?);
        Some(Price(bid / 2 + ask / 2 + (bid % 2 + ask % 2) / 2))
    }
}

/// The tick stream.
pub struct TickView {
    ticks: Attached<Reader<Tick>>,
    missed: u64,
}

/// What the stream gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A tick.
    Tick(Tick),
    /// Ticks are missing: this view was too slow, or the ring is another.
    Hole,
    /// Nothing new.
    Nothing,
}

impl TickView {
    /// Looks under `paths`.
    #[must_use]
    pub fn new(paths: &IpcPaths) -> Self {
        let path = paths.ticks();
        Self { ticks: Attached::new(move || Reader::attach(&path)), missed: 0 }
    }

    /// Attaches to what is there; returns whether it did anew.
    pub fn refresh(&mut self, now: Nanos) -> bool {
        self.ticks.refresh(now)
    }

    /// The next tick.
    pub fn poll(&mut self) -> Heard {
        let Some(reader) = self.ticks.get_mut() else { return Heard::Nothing };
        match reader.poll() {
            Polled::Message(tick) => Heard::Tick(tick),
            Polled::Empty => Heard::Nothing,
            Polled::Lapped { missed } => {
                self.missed += missed;
                Heard::Hole
            }
        }
    }

    /// Ticks that this view was too slow to read.
    #[must_use]
    pub const fn missed(&self) -> u64 {
        self.missed
    }

    /// Epoch of the stream's writer.
    ///
    /// # Errors
    /// Why it is not attached.
    pub fn epoch(&self) -> Result<u32, &str> {
        self.ticks.get().map(Reader::epoch)
    }
}
