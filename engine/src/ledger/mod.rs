//! The ledger: positions, cash, fees and PnL of every fill, in integers, exact to the last unit.
//!
//! Per (instrument, source) and per instrument over all sources it holds one [`Account`]. Money is an integer at
//! [`Terms::scale`] decimals: of the quote asset for spot and linear instruments, of the base asset for inverse ones.
//! At any moment, for any mark, before fees:
//!
//! ```text
//! realised + unrealised = cash + worth(position, mark)
//! ```
//!
//! No rounding can break that: the average cost is kept as the cost of the whole open position, what a closing fill
//! takes out of it is truncated, and the remainder stays in. Only an inverse fill rounds at all (see [`Terms::value`]).
//!
//! Risk keeps a ledger from the tail of route's journal; a replay keeps another and reconciles at its end.

pub mod terms;
pub mod account;
mod trades;
mod reconcile;

use crate::domain::{InstrumentIndex, Instruments, Price, Quantity, Side, SourceId};
use crate::error::SetupError;
use crate::limits::SOURCES_MAX;
use crate::message::report::FeeAsset;
use crate::message::{Report, ReportKind};
use crate::room;

pub use account::{Account, Fees, Pnl};
pub use reconcile::LedgerBreak;
pub use terms::Terms;

use trades::{Seen, Trades};

/// Own trades remembered per instrument and side, to apply each once.
pub const TRADES_REMEMBERED: usize = 512;

/// Why the ledger could not take a fill or give a figure. Whoever gets one must treat the position as unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// A code, price, quantity or trade id of the fill names nothing.
    #[error("the fill is malformed")]
    Malformed,
    /// The instrument is not in the table.
    #[error("unknown instrument")]
    Instrument,
    /// The source is not one of those the ledger was made for.
    #[error("unknown source")]
    Source,
    /// A sum left its range.
    #[error("out of range")]
    Overflow,
    /// More than [`TRADES_REMEMBERED`] later trades were seen: whether this one was too cannot be told.
    #[error("the trade is older than the ledger remembers")]
    TooOld,
    /// The figure needs a mark and there is none.
    #[error("no mark price")]
    NoMark,
}

/// A fill, read from a report and validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The instrument.
    pub instrument: InstrumentIndex,
    /// Whose order it was.
    pub source: SourceId,
    /// Which side we were on.
    pub side: Side,
    /// Its price, above zero.
    pub price: Price,
    /// Its quantity, above zero.
    pub quantity: Quantity,
    /// Its fee in units of `10^-8` of `fee_asset`; a rebate is negative.
    pub fee: i64,
    /// What the fee was taken in.
    pub fee_asset: FeeAsset,
    /// The venue's id of the trade, above zero; trades of an instrument have rising ids.
    pub trade_id: u64,
}

impl Fill {
    /// Reads the fill of a report; `None` if the report tells of no fill.
    ///
    /// # Errors
    /// `Malformed` when a code is unknown, or price, quantity or trade id is not above zero.
    pub fn read(report: &Report) -> Result<Option<Self>, LedgerError> {
        let kind = ReportKind::try_from(report.kind).map_err(|_| LedgerError::Malformed)?;
        if kind != ReportKind::Fill {
            return Ok(None);
        }
        let side = Side::try_from(report.side).map_err(|_| LedgerError::Malformed)?;
        let fee_asset = FeeAsset::try_from(report.detail >> 4).map_err(|_| LedgerError::Malformed)?;
        if report.price.0 <= 0 || report.quantity.0 <= 0 || report.trade_id == 0 {
            return Err(LedgerError::Malformed);
        }
        Ok(Some(Self {
            instrument: report.instrument,
            source: report.id.source,
            side,
            price: report.price,
            quantity: report.quantity,
            fee: report.fee,
            fee_asset,
            trade_id: report.trade_id,
        }))
    }
}

/// What [`Ledger::apply`] did with a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It tells of no fill.
    NoFill,
    /// The fill was applied before; nothing changed.
    Duplicate,
    /// The fill was applied.
    Fill(Fill),
}

/// What the ledger holds for one instrument.
#[derive(Debug)]
struct Row {
    terms: Terms,
    total: Account,
    by_source: Box<[Account]>,
    trades: Trades,
}

/// The ledger. It allocates only when it is made.
#[derive(Debug)]
pub struct Ledger {
    rows: Vec<Row>,
}

impl Ledger {
    /// A ledger without fills for `sources` sources, numbered from 0.
    ///
    /// # Errors
    /// When there are more sources than the engine allows.
    pub fn new(instruments: &Instruments, sources: usize) -> Result<Self, SetupError> {
        if sources > SOURCES_MAX {
            return Err(SetupError::Invalid(format!("{sources} sources: at most {SOURCES_MAX}")));
        }
        let row = |instrument| Row {
            terms: Terms::of(instrument),
            total: Account::default(),
            by_source: room::slice(sources, Account::default()),
            trades: Trades::new(TRADES_REMEMBERED),
        };
        Ok(Self { rows: instruments.iter().map(|(_, instrument)| row(instrument)).collect() })
    }

    /// Takes a report. A fill counts once: it is known by (instrument, side, trade id), since a trade of two of our
    /// own orders carries one id on both sides.
    ///
    /// # Errors
    /// When the fill cannot be read, belongs to nobody here, overflows a sum, or is too old to be told from a
    /// duplicate. Nothing has changed then, and the ledger no longer knows the position: risk must fail closed.
    pub fn apply(&mut self, report: &Report) -> Result<Applied, LedgerError> {
        let Some(fill) = Fill::read(report)? else { return Ok(Applied::NoFill) };
        let row = self.rows.get_mut(fill.instrument as usize).ok_or(LedgerError::Instrument)?;
        let own = row.by_source.get_mut(usize::from(fill.source.0)).ok_or(LedgerError::Source)?;
        let place = match row.trades.look_up(fill.side, fill.trade_id) {
            Seen::Before => return Ok(Applied::Duplicate),
            Seen::TooOld => return Err(LedgerError::TooOld),
            Seen::New(place) => place,
        };
        // Both accounts are computed before either is stored, and the trade is remembered last: all or nothing.
        let total = row.total.with_fill(&row.terms, &fill)?;
        *own = own.with_fill(&row.terms, &fill)?;
        row.total = total;
        row.trades.remember(fill.side, fill.trade_id, place);
        Ok(Applied::Fill(fill))
    }

    /// Scales and kind of an instrument.
    #[must_use]
    pub fn terms(&self, instrument: InstrumentIndex) -> Option<&Terms> {
        self.rows.get(instrument as usize).map(|row| &row.terms)
    }

    /// The account of an instrument over all sources.
    #[must_use]
    pub fn account(&self, instrument: InstrumentIndex) -> Option<&Account> {
        self.rows.get(instrument as usize).map(|row| &row.total)
    }

    /// The account of one source on an instrument.
    #[must_use]
    pub fn account_of(&self, instrument: InstrumentIndex, source: SourceId) -> Option<&Account> {
        self.rows.get(instrument as usize)?.by_source.get(usize::from(source.0))
    }

    /// The signed position on an instrument over all sources: the sum of the fills, base fees not deducted.
    #[must_use]
    pub fn position(&self, instrument: InstrumentIndex) -> Option<Quantity> {
        self.account(instrument).map(|account| account.position)
    }

    /// PnL of an instrument over all sources, at `mark` ([`Price::NONE`] if there is none).
    ///
    /// Average costs net over the sources, so the split into realised and unrealised differs from the sum of the
    /// sources' splits; the totals agree (for inverse contracts: up to the truncation of each source's worth).
    ///
    /// # Errors
    /// When the instrument is unknown, a needed mark is missing, or a sum overflows.
    pub fn pnl(&self, instrument: InstrumentIndex, mark: Price) -> Result<Pnl, LedgerError> {
        let row = self.rows.get(instrument as usize).ok_or(LedgerError::Instrument)?;
        row.total.pnl(&row.terms, mark)
    }

    /// PnL of one source on an instrument, at `mark`.
    ///
    /// # Errors
    /// As [`pnl`](Self::pnl), and when the source is unknown.
    pub fn pnl_of(
        &self,
        instrument: InstrumentIndex,
        source: SourceId,
        mark: Price,
    ) -> Result<Pnl, LedgerError> {
        let row = self.rows.get(instrument as usize).ok_or(LedgerError::Instrument)?;
        row.by_source.get(usize::from(source.0)).ok_or(LedgerError::Source)?.pnl(&row.terms, mark)
    }
}

#[cfg(test)]
mod tests;
