//! What ingest keeps for one instrument.

use crate::book::{Book, SyncRule};
use crate::domain::{Instrument, Market, Nanos};
use crate::message::tick::Top;

/// One instrument's book, best prices and signs of life. In the order of their use: a bookTicker looks at the first two
/// lines, which with many instruments have to come from afar.
#[repr(C, align(128))]
pub struct InstrumentState {
    /// The newest best bid and ask: of the book, or of a bookTicker that is ahead of it.
    pub top: Top,
    /// Update id of `top`.
    top_id: u64,
    /// When a frame last spoke of it.
    pub heard: Option<Nanos>,
    /// Whether its silence was told.
    pub silent: bool,
    /// Whether its cell is out of date.
    pub dirty: bool,
    /// Whether a single trade was seen: aggregates then tell the same trades again.
    single_trades: bool,
    /// Its book.
    pub book: Book,
}

impl InstrumentState {
    /// An instrument that nothing is known of yet.
    pub fn new(instrument: &Instrument) -> Self {
        let rule = match instrument.market {
            Market::Spot => SyncRule::Spot,
            Market::UsdMargined | Market::CoinMargined => SyncRule::Futures,
        };
        Self {
            top: Top::default(),
            top_id: 0,
            heard: None,
            silent: false,
            dirty: false,
            single_trades: false,
            book: Book::new(rule, instrument.filters.tick),
        }
    }

    /// Takes the book's best prices unless a bookTicker is ahead of it. Returns whether they moved.
    pub fn take_book_top(&mut self) -> bool {
        if self.book.update_id() < self.top_id {
            return false;
        }
        self.top_id = self.book.update_id();
        let top = self.book.top();
        let moved = top != self.top;
        self.top = top;
        moved
    }

    /// Forgets bookTickers: after a resynchronisation the venue may count its updates anew.
    pub const fn restart_top(&mut self) {
        self.top_id = 0;
    }

    /// Takes a bookTicker's best prices if it is ahead. Returns whether they moved.
    pub fn refine_top(&mut self, update_id: u64, top: Top) -> bool {
        if update_id <= self.top_id {
            return false;
        }
        self.top_id = update_id;
        let moved = top != self.top;
        self.top = top;
        moved
    }

    /// Whether a trade is news: a feed with single trades and aggregates tells each twice.
    pub const fn takes_trade(&mut self, aggregate: bool) -> bool {
        if !aggregate {
            self.single_trades = true;
        }
        !(aggregate && self.single_trades)
    }
}
