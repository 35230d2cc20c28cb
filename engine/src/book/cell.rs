//! The cell that ingest publishes for each book: its top levels at one moment.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::book::{Book, Level};
use crate::domain::{InstrumentIndex, Nanos, Side};
use crate::limits::BOOK_CELL_LEVELS;

/// The top of a book, copied whole by its readers. Any bit pattern is a valid value. Written by ingest alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct BookCell {
    /// The book's version: it grows with every change of levels or trust.
    pub version: u64,
    /// The venue's id of the last update in the book.
    pub update_id: u64,
    /// When the cell was made, on the engine's timeline.
    pub time: Nanos,
    /// The instrument.
    pub instrument: InstrumentIndex,
    /// 1 if the book was trusted, else 0: nothing may be decided on its levels.
    pub trusted: u32,
    /// The best bids, best first; price 0 where there are fewer.
    pub bids: [Level; BOOK_CELL_LEVELS],
    /// The best asks, best first; price 0 where there are fewer.
    pub asks: [Level; BOOK_CELL_LEVELS],
}

const _: () = assert!(size_of::<BookCell>() == 32 + 32 * BOOK_CELL_LEVELS);

impl BookCell {
    /// The cell of `book` at `time`.
    #[must_use]
    pub fn of(book: &Book, instrument: InstrumentIndex, time: Nanos) -> Self {
        let mut cell = Self {
            version: book.version(),
            update_id: book.update_id(),
            time,
            instrument,
            trusted: u32::from(book.is_trusted()),
            ..Self::default()
        };
        for (side, levels) in [(Side::Buy, &mut cell.bids), (Side::Sell, &mut cell.asks)] {
            book.side(side).copy_best(levels);
        }
        cell
    }

    /// Whether the book was trusted.
    #[must_use]
    pub const fn is_trusted(&self) -> bool {
        self.trusted == 1
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = Level> {
        let levels = match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        };
        levels.iter().copied().take_while(|level| level.price.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::{Distrust, SyncRule};
    use crate::domain::{Price, Quantity};

    #[test]
    fn holds_the_top_and_the_trust() {
        let mut book = Book::new(SyncRule::Spot, Price(1));
        let bids: Vec<_> =
            (1..=30).map(|i| Level { price: Price(1_000 - i), quantity: Quantity(i) }).collect();
        let asks = [Level { price: Price(1_000), quantity: Quantity(4) }];
        book.on_snapshot(77, &bids, &asks);
        let cell = BookCell::of(&book, 5, Nanos(9));
        assert!(cell.is_trusted());
        assert_eq!((cell.version, cell.update_id, cell.time, cell.instrument), (1, 77, Nanos(9), 5));
        assert!(cell.levels(Side::Buy).eq(bids[..BOOK_CELL_LEVELS].iter().copied()));
        assert!(cell.levels(Side::Sell).eq(asks));
        book.distrust(Distrust::Gap);
        let after = BookCell::of(&book, 5, Nanos(9));
        assert_eq!((after.is_trusted(), after.version), (false, 2));
        assert_eq!(BookCell::read_from_bytes(cell.as_bytes()), Ok(cell));
    }
}
