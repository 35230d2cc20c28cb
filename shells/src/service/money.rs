//! Positions and PnL as metrics. Figures are floats here, as Prometheus has them; the exact ones are in the API.

use engine::domain::{InstrumentIndex, Price, SourceId};
use engine::ledger::{Ledger, Terms};
use engine::limits::SOURCES_MAX;
use engine::message::report::FEE_SCALE;

use crate::service::families::{Families, names};
use crate::service::instruments::Table;
use crate::service::show::Names;

fn units(value: i128, scale: u8) -> f64 {
    value as f64 / 10_f64.powi(i32::from(scale))
}

/// Positions, exposure, PnL and fees of every instrument and of every source that has traded it.
pub fn families(
    (table, ledger): (&Table, &Ledger),
    called: &Names,
    mark: &dyn Fn(InstrumentIndex) -> Option<Price>,
    families: &mut Families,
) {
    for facts in table.iter() {
        let (index, symbol) = (facts.index, &*facts.symbol);
        let Some((terms, account)) = ledger.terms(index).zip(ledger.account(index)) else { continue };
        let mark = mark(index).unwrap_or(Price::NONE);
        let exposure = terms.worth(account.position.0, mark).map_or(0.0, |worth| units(worth, terms.scale()));
        families.gauge(names::EXPOSURE, &[("symbol", symbol)], exposure.abs());
        // Fees in the base asset are worth what the mark says; before there is one, those in the quote asset are told.
        let fees = ledger
            .pnl(index, mark)
            .map_or_else(|_| units(account.fees.quote, FEE_SCALE), |pnl| units(pnl.fees, terms.scale()));
        families.gauge(names::FEES, &[("symbol", symbol)], fees);
        for source in (0..SOURCES_MAX as u16).map(SourceId) {
            let strategy = called.row(source).is_some_and(|row| row.followed().any(|it| it == index));
            let traded =
                ledger.account_of(index, source).filter(|own| strategy || own.bought > 0 || own.sold > 0);
            let Some(own) = traded else { continue };
            let name = called.of(source);
            let position = units(own.position.0.into(), facts.quantity_scale.digits());
            families.gauge(names::POSITION, &[("symbol", symbol), ("strategy", &name)], position);
            pnl(terms, ledger, (index, source), mark, (symbol, &name), families);
        }
    }
}

fn pnl(
    terms: &Terms,
    ledger: &Ledger,
    (index, source): (InstrumentIndex, SourceId),
    mark: Price,
    (symbol, strategy): (&str, &str),
    families: &mut Families,
) {
    let Ok(pnl) = ledger.pnl_of(index, source, mark) else { return };
    for (kind, value) in
        [("realised", pnl.realised), ("unrealised", pnl.unrealised), ("fees", pnl.fees), ("total", pnl.total)]
    {
        let labels = [("symbol", symbol), ("strategy", strategy), ("kind", kind)];
        families.gauge(names::PNL, &labels, units(value, terms.scale()));
    }
}
