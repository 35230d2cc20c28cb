//! Reconciliation: the sums of a list of fills, taken afresh and the simple way, against the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::domain::{InstrumentIndex, Side, SourceId};
use crate::ledger::{Account, Fill, Ledger, LedgerError};
use crate::message::Report;
use crate::message::report::FeeAsset;

/// The first figure in which the ledger and the fills differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerBreak {
    /// A fill that the ledger cannot hold.
    Unreadable(LedgerError),
    /// Two sums differ.
    Differs {
        /// The instrument.
        instrument: InstrumentIndex,
        /// The source; `None` for the instrument's sum over all.
        source: Option<SourceId>,
        /// Which figure.
        figure: &'static str,
        /// The ledger's.
        ledger: i128,
        /// That of the fills.
        fills: i128,
    },
}

impl fmt::Display for LedgerBreak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "a fill does not fit the ledger: {error}"),
            Self::Differs { instrument, source, figure, ledger, fills } => {
                write!(f, "instrument {instrument}")?;
                if let Some(source) = source {
                    write!(f, ", source {}", source.0)?;
                }
                write!(f, ": {figure} is {ledger} in the ledger and {fills} by the fills")
            }
        }
    }
}

impl std::error::Error for LedgerBreak {}

/// position, cash, quote fees, base fees, BNB fees, other fees, bought, sold.
type Sums = [i128; 8];

const FIGURES: [&str; 8] =
    ["position", "cash", "quote fees", "base fees", "BNB fees", "other fees", "bought", "sold"];

fn sums_of(account: &Account) -> Sums {
    let Account { position, cash, cost: _, fees, bought, sold } = account;
    [i128::from(position.0), *cash, fees.quote, fees.base, fees.bnb, fees.other, *bought, *sold]
}

impl Ledger {
    /// Sums the fills among `reports` afresh, each trade once, and compares every account to the last unit; also
    /// checks that a flat account carries no cost.
    ///
    /// Allocates: for the end of a replay and for audits.
    ///
    /// # Errors
    /// The first difference, in order of instruments and sources.
    pub fn reconcile<'a>(&self, reports: impl IntoIterator<Item = &'a Report>) -> Result<(), LedgerBreak> {
        let mut seen = BTreeSet::new();
        let mut sums: BTreeMap<(InstrumentIndex, Option<SourceId>), Sums> = BTreeMap::new();
        for report in reports {
            let Some(fill) = Fill::read(report).map_err(LedgerBreak::Unreadable)? else { continue };
            if !seen.insert((fill.instrument, fill.side, fill.trade_id)) {
                continue;
            }
            let change = self.change(&fill).map_err(LedgerBreak::Unreadable)?;
            for key in [(fill.instrument, None), (fill.instrument, Some(fill.source))] {
                for (sum, change) in sums.entry(key).or_default().iter_mut().zip(change) {
                    *sum = sum.checked_add(change).ok_or(LedgerBreak::Unreadable(LedgerError::Overflow))?;
                }
            }
        }
        for (instrument, row) in (0..).zip(&self.rows) {
            let sources = (0..).zip(row.by_source.iter()).map(|(id, account)| (Some(SourceId(id)), account));
            for (source, account) in std::iter::once((None, &row.total)).chain(sources) {
                let expected = sums.get(&(instrument, source)).copied().unwrap_or_default();
                compare(instrument, source, account, &expected)?;
            }
        }
        Ok(())
    }

    fn change(&self, fill: &Fill) -> Result<Sums, LedgerError> {
        let terms = self.terms(fill.instrument).ok_or(LedgerError::Instrument)?;
        self.account_of(fill.instrument, fill.source).ok_or(LedgerError::Source)?;
        let quantity = i128::from(fill.quantity.0);
        let signed = fill.quantity.0 * fill.side.sign();
        let cash = -terms.worth(signed, fill.price).ok_or(LedgerError::Overflow)?;
        let fee = |asset| if fill.fee_asset == asset { i128::from(fill.fee) } else { 0 };
        let volume = |side| if fill.side == side { quantity } else { 0 };
        Ok([
            i128::from(signed),
            cash,
            fee(FeeAsset::Quote),
            fee(FeeAsset::Base),
            fee(FeeAsset::Bnb),
            fee(FeeAsset::Other),
            volume(Side::Buy),
            volume(Side::Sell),
        ])
    }
}

fn compare(
    instrument: InstrumentIndex,
    source: Option<SourceId>,
    account: &Account,
    expected: &Sums,
) -> Result<(), LedgerBreak> {
    let differs =
        |figure, ledger, fills| Err(LedgerBreak::Differs { instrument, source, figure, ledger, fills });
    for ((figure, ledger), &fills) in FIGURES.into_iter().zip(sums_of(account)).zip(expected) {
        if ledger != fills {
            return differs(figure, ledger, fills);
        }
    }
    if account.position.0 == 0 && account.cost != 0 {
        return differs("cost of a flat position", account.cost, 0);
    }
    Ok(())
}
