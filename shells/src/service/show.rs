//! Rows as the messages that clients see.

use std::collections::BTreeMap;

use engine::counters::CellReader;
use engine::domain::{
    Decimal, InstrumentIndex, InstrumentKind, Liquidity, OrderType, Price, SelfTrade, Side, SourceId,
    TimeInForce,
};
use engine::error::RejectCode;
use engine::journal::{Halt, HaltScope, InstrumentFacts};
use engine::ledger::{Account as Figures, Ledger, Terms};
use engine::limits::SOURCES_MAX;
use engine::message::report::{FEE_SCALE, FeeAsset, ReportKind};
use engine::message::{OrderState, Report};
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::strategy::row::StrategyRow;

use crate::api::{orders, risk, strategies};
use crate::service::attach::Attached;
use crate::service::instruments::{Table, money, price, quantity};
use crate::service::orders::OrderRow;

/// Names of the sources of intents.
pub struct Names {
    rows: Attached<CellReader<StrategyRow>>,
}

impl Names {
    /// Looks under `paths`.
    #[must_use]
    pub fn new(paths: &IpcPaths) -> Self {
        let path = paths.strategies();
        Self { rows: Attached::new(move || CellReader::attach(&path)) }
    }

    /// Attaches to what is there.
    pub fn refresh(&mut self, now: engine::domain::Nanos) {
        self.rows.refresh(now);
    }

    /// The row of `source`; `None` if it is no strategy.
    #[must_use]
    pub fn row(&self, source: SourceId) -> Option<StrategyRow> {
        self.rows.get().ok()?.read(usize::from(source.0))
    }

    /// Every strategy's row.
    pub fn rows(&self) -> impl Iterator<Item = StrategyRow> {
        (0..).take(SOURCES_MAX).filter_map(|source| self.row(SourceId(source)))
    }

    /// What users call `source`.
    #[must_use]
    pub fn of(&self, source: SourceId) -> String {
        match source {
            SourceId::CLIENT => "client".to_owned(),
            SourceId::OPERATOR => "operator".to_owned(),
            _ => self
                .row(source)
                .and_then(|row| row.name().map(str::to_owned))
                .unwrap_or_else(|| format!("source-{}", source.0)),
        }
    }

    /// The source that users call `name`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<SourceId> {
        (0..).take(SOURCES_MAX).map(SourceId).find(|&source| self.of(source) == name)
    }
}

fn named<T: TryFrom<u8> + ToString>(code: u8) -> String {
    T::try_from(code).map_or_else(|_| format!("code-{code}"), |value| value.to_string())
}

/// An order.
#[must_use]
pub fn order(row: &OrderRow, facts: &InstrumentFacts, names: &Names) -> orders::Order {
    let intent = row.intent.unwrap_or_default();
    let known = |text: String| if row.intent.is_some() { text } else { "UNKNOWN".to_owned() };
    let average = (row.filled.0 > 0 && row.paid > 0).then(|| row.paid / i128::from(row.filled.0));
    orders::Order {
        order_id: row.id.to_string(),
        client_id: None,
        venue_order_id: (row.venue_order_id != 0).then_some(row.venue_order_id),
        symbol: facts.symbol.to_string(),
        strategy: names.of(row.id.source),
        side: named::<Side>(row.side),
        order_type: known(named::<OrderType>(intent.order_type)),
        time_in_force: known(named::<TimeInForce>(intent.time_in_force)),
        price: row.price.is_some().then(|| price(facts, row.price)),
        stop_price: intent.trigger.is_some().then(|| price(facts, intent.trigger)),
        self_trade_prevention: (intent.self_trade != 0).then(|| named::<SelfTrade>(intent.self_trade)),
        quantity: quantity(facts, row.quantity),
        filled: quantity(facts, row.filled),
        average_price: average.map(|value| Decimal::new(value, facts.price_scale).to_string()),
        state: row.state.map_or("APPROVED", OrderState::as_str).to_owned(),
        reject_code: (row.reject != RejectCode::None).then(|| row.reject.to_string()),
        created_ns: row.intent.map_or(row.updated.0, |intent| intent.decided.0),
        updated_ns: row.updated.0,
    }
}

/// The name of what a fee was taken in.
fn fee_asset(asset: FeeAsset, facts: &InstrumentFacts) -> &str {
    match asset {
        FeeAsset::Quote => &facts.quote,
        FeeAsset::Base => &facts.base,
        FeeAsset::Bnb | FeeAsset::Other => asset.as_str(),
    }
}

/// Fees that the instrument's money cannot express, by asset.
fn other_fees(figures: &Figures, facts: &InstrumentFacts) -> BTreeMap<String, String> {
    let outside = |asset: FeeAsset| match asset {
        FeeAsset::Quote => facts.kind == InstrumentKind::Inverse,
        FeeAsset::Base => facts.kind == InstrumentKind::Linear,
        FeeAsset::Bnb | FeeAsset::Other => true,
    };
    let paid = |&asset: &FeeAsset| {
        let value = figures.fees.get(asset);
        let shown = Decimal { value, scale: FEE_SCALE }.to_string();
        (value != 0 && outside(asset)).then(|| (fee_asset(asset, facts).to_owned(), shown))
    };
    FeeAsset::ALL.iter().filter_map(paid).collect()
}

/// A fill.
#[must_use]
pub fn fill(report: &Report, facts: &InstrumentFacts, names: &Names) -> orders::Fill {
    orders::Fill {
        order_id: report.id.to_string(),
        symbol: facts.symbol.to_string(),
        strategy: names.of(report.id.source),
        side: named::<Side>(report.side),
        price: price(facts, report.price),
        quantity: quantity(facts, report.quantity),
        fee: Decimal { value: report.fee.into(), scale: FEE_SCALE }.to_string(),
        fee_asset: FeeAsset::try_from(report.detail >> 4).map_or_else(
            |unknown| format!("code-{}", unknown.code),
            |asset| fee_asset(asset, facts).to_owned(),
        ),
        liquidity: named::<Liquidity>(report.detail & 15),
        trade_id: report.trade_id,
        time_ns: report.at.0,
    }
}

/// A report.
#[must_use]
pub fn report(report: &Report, row: &OrderRow, facts: &InstrumentFacts, names: &Names) -> orders::Report {
    let is_fill = report.kind == ReportKind::Fill.code();
    orders::Report {
        kind: named::<ReportKind>(report.kind),
        fill: is_fill.then(|| fill(report, facts, names)),
        order: order(row, facts, names),
        time_ns: report.at.0,
    }
}

/// A strategy, without its parameters.
#[must_use]
pub fn strategy(row: &StrategyRow, table: &Table) -> strategies::Strategy {
    let symbol = |index| table.get(index).map(|facts| facts.symbol.to_string());
    strategies::Strategy {
        name: row.name().unwrap_or_default().to_owned(),
        source: row.source.0,
        activity: named::<engine::tick_to_trade::strategy::hosted::Activity>(row.activity),
        symbols: row.followed().filter_map(symbol).collect(),
        intents: row.intents,
        working_orders: u64::from(row.working),
        parameters: Vec::new(),
    }
}

/// A halt.
#[must_use]
pub fn halt(halt: &Halt, at: engine::domain::Nanos, table: &Table, names: &Names) -> risk::HaltEvent {
    let of = match HaltScope::try_from(halt.scope) {
        Ok(HaltScope::Source) => Some(names.of(halt.source)),
        Ok(HaltScope::Instrument) => table.get(halt.instrument).map(|facts| facts.symbol.to_string()),
        _ => None,
    };
    let cause = RejectCode::try_from(halt.cause).ok().filter(|&code| code != RejectCode::None);
    risk::HaltEvent {
        scope: named::<HaltScope>(halt.scope),
        of,
        state: named::<engine::counters::HaltState>(halt.state),
        cause: cause.map(|code| code.to_string()),
        reason: halt.reason().unwrap_or_default().to_owned(),
        time_ns: at.0,
    }
}

/// One instrument's account of one source, or of all.
struct Line<'a> {
    facts: &'a InstrumentFacts,
    strategy: Option<String>,
    terms: &'a Terms,
    figures: &'a Figures,
    mark: Option<Price>,
}

/// Every account with a fill on the instruments of `symbol`, or of all: first the whole, then by source.
fn lines<'a>(
    (table, ledger): (&'a Table, &'a Ledger),
    symbol: Option<&'a str>,
    names: &'a Names,
    mark: &'a dyn Fn(InstrumentIndex) -> Option<Price>,
) -> impl Iterator<Item = Line<'a>> {
    let meant = move |facts: &&InstrumentFacts| symbol.is_none_or(|symbol| *facts.symbol == *symbol);
    table.iter().filter(meant).flat_map(move |facts| {
        let index = facts.index;
        let whole = ledger.account(index).map(|figures| (None, figures));
        let each = (0..SOURCES_MAX as u16)
            .map(SourceId)
            .filter_map(move |source| Some((Some(source), ledger.account_of(index, source)?)));
        let terms = ledger.terms(index);
        whole
            .into_iter()
            .chain(each)
            .filter(|(_, figures)| figures.bought > 0 || figures.sold > 0)
            .filter_map(move |(source, figures)| {
                let strategy = source.map(|source| names.of(source));
                Some(Line { facts, strategy, terms: terms?, figures, mark: mark(index) })
            })
    })
}

/// Positions: of the account and of each source that has traded.
#[must_use]
pub fn positions(
    books: (&Table, &Ledger),
    symbol: Option<&str>,
    names: &Names,
    mark: &dyn Fn(InstrumentIndex) -> Option<Price>,
) -> Vec<risk::Position> {
    let show = |line: Line<'_>| {
        let Line { facts, strategy, terms, figures, mark } = line;
        let held = figures.position.0;
        let value = mark.and_then(|mark| terms.worth(held, mark));
        // Money per unit of quantity: cost has `scale` decimals, the position the quantity's.
        let digits = terms.scale().saturating_sub(terms.quantity_scale.digits());
        let average = (held != 0 && figures.cost != 0).then(|| figures.cost / i128::from(held));
        risk::Position {
            symbol: facts.symbol.to_string(),
            strategy,
            quantity: quantity(facts, figures.position),
            asset: facts.money().to_owned(),
            value: value.map(|value| money(terms, value)),
            average_price: average.map(|value| Decimal { value, scale: digits }.to_string()),
            mark: mark.map(|mark| price(facts, mark)),
        }
    };
    lines(books, symbol, names, mark).map(show).collect()
}

/// PnL: of the account and of each source that has traded; lines that need a mark and have none are left out.
#[must_use]
pub fn pnl(
    books: (&Table, &Ledger),
    symbol: Option<&str>,
    names: &Names,
    mark: &dyn Fn(InstrumentIndex) -> Option<Price>,
) -> Vec<risk::Pnl> {
    let show = |line: Line<'_>| {
        let Line { facts, strategy, terms, figures, mark } = line;
        let pnl = figures.pnl(terms, mark.unwrap_or(Price::NONE)).ok()?;
        Some(risk::Pnl {
            symbol: facts.symbol.to_string(),
            strategy,
            asset: facts.money().to_owned(),
            realised: money(terms, pnl.realised),
            unrealised: money(terms, pnl.unrealised),
            fees: money(terms, pnl.fees),
            total: money(terms, pnl.total),
            other_fees: other_fees(figures, facts),
        })
    };
    lines(books, symbol, names, mark).filter_map(show).collect::<Vec<_>>()
}

/// Counters by name.
#[must_use]
pub fn counters(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::instruments::sample;
    use engine::message::report::OrderState;

    /// A fill of 1 BTC at 100 USDT, the `trade`th, with a fee of 0.001 in `asset`.
    fn filled(asset: FeeAsset, trade: u64) -> Report {
        Report {
            kind: ReportKind::Fill.code(),
            state: OrderState::Partial.code(),
            side: Side::Buy.code(),
            price: Price(10_000),
            quantity: engine::domain::Quantity(100_000),
            fee: 100_000,
            detail: asset.code() << 4 | Liquidity::Maker.code(),
            trade_id: trade,
            ..Report::default()
        }
    }

    #[test]
    fn fees_positions_and_results_name_their_assets() {
        let table = sample();
        let names = Names::new(&IpcPaths::new(std::path::Path::new("/nonexistent")));
        let mut ledger = Ledger::new(&table.instruments().expect("a table"), SOURCES_MAX).expect("fits");
        let paid: Vec<String> = (1..)
            .zip(FeeAsset::ALL)
            .map(|(trade, &asset)| {
                let report = filled(asset, trade);
                ledger.apply(&report).expect("a fill");
                fill(&report, table.get(0).expect("listed"), &names).fee_asset
            })
            .collect();
        assert_eq!(paid, ["USDT", "BTC", "other", "BNB"]);
        let mark = |_| Some(Price(10_000));
        let position = positions((&table, &ledger), None, &names, &mark).remove(0);
        assert_eq!((position.value.as_deref(), position.asset.as_str()), (Some("400"), "USDT"));
        let result = pnl((&table, &ledger), None, &names, &mark).remove(0);
        // 0.001 USDT, and 0.001 BTC at 100; what is neither stands apart.
        assert_eq!((result.fees.as_str(), result.asset.as_str()), ("0.101", "USDT"));
        let other: Vec<_> =
            result.other_fees.iter().map(|(asset, fee)| (asset.as_str(), fee.as_str())).collect();
        assert_eq!(other, [("BNB", "0.001"), ("other", "0.001")]);
    }
}
