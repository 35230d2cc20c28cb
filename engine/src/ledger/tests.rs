//! Tests of the ledger: hand figures, exactness over random fills, and each trade once.

use proptest::prelude::*;

use super::*;
use crate::domain::{Filters, Instrument, InstrumentKind, Market, OrderId, Scale, Symbol};
use crate::message::OrderState;

const KINDS: [(InstrumentKind, i64, u8, u8); 4] = [
    (InstrumentKind::Spot, 1, 2, 5),
    (InstrumentKind::Spot, 1, 8, 0),
    (InstrumentKind::Linear, 10, 1, 3),
    (InstrumentKind::Inverse, 100, 1, 0),
];

fn instruments() -> Instruments {
    let scale = |digits| Scale::new(digits).expect("a valid scale");
    let table = KINDS.iter().enumerate().map(|(i, &(kind, multiplier, price, quantity))| Instrument {
        symbol: Symbol::new(&format!("S{i}")).expect("it fits"),
        market: Market::Spot,
        kind,
        base: "BTC".into(),
        quote: "USDT".into(),
        price_scale: scale(price),
        quantity_scale: scale(quantity),
        multiplier,
        filters: Filters::default(),
        untradable: None,
    });
    Instruments::new(table.collect()).expect("a valid table")
}

fn ledger() -> Ledger {
    Ledger::new(&instruments(), 2).expect("two sources")
}

fn fill(instrument: u32, source: u16, side: Side, price: i64, quantity: i64, trade_id: u64) -> Report {
    Report {
        id: OrderId { epoch: 1, source: SourceId(source), source_epoch: 1, sequence: trade_id },
        instrument,
        kind: ReportKind::Fill.code(),
        state: OrderState::Partial.code(),
        side: side.code(),
        price: Price(price),
        quantity: Quantity(quantity),
        detail: FeeAsset::Quote.code() << 4 | 1,
        trade_id,
        ..Report::default()
    }
}

fn with_fee(mut report: Report, asset: FeeAsset, fee: i64) -> Report {
    report.detail = asset.code() << 4 | 2;
    report.fee = fee;
    report
}

#[test]
fn a_spot_round_trip_by_hand() {
    let mut ledger = ledger();
    // Buy 1 at 100.00, buy 2 at 103.00, sell 2 at 110.00; money has 10 decimals.
    for report in [
        with_fee(fill(0, 0, Side::Buy, 10_000, 100_000, 1), FeeAsset::Base, 100_000),
        with_fee(fill(0, 0, Side::Buy, 10_300, 200_000, 2), FeeAsset::Quote, 5_000_000),
        with_fee(fill(0, 1, Side::Sell, 11_000, 150_000, 3), FeeAsset::Other, 7),
        with_fee(fill(0, 1, Side::Sell, 11_000, 50_000, 4), FeeAsset::Bnb, 9),
    ] {
        assert!(matches!(ledger.apply(&report), Ok(Applied::Fill(_))));
    }
    const UNIT: i128 = 10_000_000_000;
    // Average cost 102: realised 2 × 8 = 16. At 111: unrealised 9. Fees 0.05 + 0.001 × 111 = 0.161.
    let pnl = ledger.pnl(0, Price(11_100)).expect("a mark");
    assert_eq!(pnl.realised, 16 * UNIT);
    assert_eq!(pnl.unrealised, 9 * UNIT);
    assert_eq!(pnl.fees, 161 * UNIT / 1_000);
    assert_eq!(pnl.total, 25 * UNIT - pnl.fees);
    assert_eq!(ledger.position(0), Some(Quantity(100_000)));
    let account = ledger.account(0).expect("instrument 0");
    assert_eq!((account.bought, account.sold), (300_000, 200_000));
    assert_eq!((account.fees.other, account.fees.bnb), (7, 9));
    assert_eq!(ledger.account_of(0, SourceId(1)).expect("source 1").position, Quantity(-200_000));
    assert_eq!(ledger.pnl(0, Price::NONE), Err(LedgerError::NoMark));
}

#[test]
fn an_inverse_flip_by_hand() {
    let mut ledger = ledger();
    // Long 10 contracts of 100 at 20000.0 (0.05), sell 15 at 25000.0 (0.06): closes 10 and opens 5 short.
    ledger.apply(&fill(3, 0, Side::Buy, 200_000, 10, 1)).expect("a fill");
    let sell = with_fee(fill(3, 0, Side::Sell, 250_000, 15, 2), FeeAsset::Base, 1_000);
    ledger.apply(&sell).expect("a fill");
    const UNIT: i128 = 1_000_000_000_000;
    // 10 × 100 × (1/20000 − 1/25000) = 0.01; short 5 from 25000 to 20000: 500 × (1/20000 − 1/25000) = 0.005.
    let pnl = ledger.pnl(3, Price(200_000)).expect("a mark");
    assert_eq!((pnl.realised, pnl.unrealised), (UNIT / 100, UNIT / 200));
    assert_eq!(pnl.fees, 1_000 * 10_000);
    assert_eq!(ledger.position(3), Some(Quantity(-5)));
}

#[test]
fn a_trade_counts_once_a_side() {
    let mut ledger = ledger();
    let report = fill(0, 0, Side::Buy, 10_000, 5, 77);
    assert!(matches!(ledger.apply(&report), Ok(Applied::Fill(_))));
    assert_eq!(ledger.apply(&report), Ok(Applied::Duplicate));
    // We were on both sides of trade 77, and another instrument has a trade 77 too.
    assert!(matches!(ledger.apply(&fill(0, 1, Side::Sell, 10_000, 5, 77)), Ok(Applied::Fill(_))));
    assert!(matches!(ledger.apply(&fill(1, 0, Side::Buy, 10_000, 5, 77)), Ok(Applied::Fill(_))));
    assert_eq!(ledger.position(0), Some(Quantity(0)));
    assert_eq!(ledger.apply(&Report { kind: ReportKind::Sent.code(), ..report }), Ok(Applied::NoFill));
}

#[test]
fn what_it_cannot_hold_changes_nothing() {
    let mut ledger = ledger();
    let good = fill(0, 0, Side::Buy, 10_000, 5, 1);
    let refused = [
        (Report { kind: 99, ..good }, LedgerError::Malformed),
        (Report { side: 0, ..good }, LedgerError::Malformed),
        (Report { detail: 0x51, ..good }, LedgerError::Malformed),
        (Report { price: Price(0), ..good }, LedgerError::Malformed),
        (Report { quantity: Quantity(i64::MIN), ..good }, LedgerError::Malformed),
        (Report { trade_id: 0, ..good }, LedgerError::Malformed),
        (Report { instrument: 4, ..good }, LedgerError::Instrument),
        (Report { id: OrderId { source: SourceId(2), ..good.id }, ..good }, LedgerError::Source),
        (
            Report { instrument: 2, quantity: Quantity(i64::MAX), price: Price(i64::MAX), ..good },
            LedgerError::Overflow,
        ),
    ];
    for (report, error) in refused {
        assert_eq!(ledger.apply(&report), Err(error));
    }
    assert_eq!(ledger.account(0), Some(&Account::default()));
    let huge = fill(0, 0, Side::Buy, 1, i64::MAX, 2);
    assert!(matches!(ledger.apply(&huge), Ok(Applied::Fill(_))));
    assert_eq!(ledger.apply(&good), Err(LedgerError::Overflow));
    // The refused trade was not remembered as applied.
    assert!(matches!(ledger.apply(&Report { side: Side::Sell.code(), ..good }), Ok(Applied::Fill(_))));
    assert_eq!(ledger.position(0), Some(Quantity(i64::MAX - 5)));
}

#[test]
fn reconciliation_finds_one_unit() {
    let mut ledger = ledger();
    let fills = [fill(0, 0, Side::Buy, 10_001, 3, 1), fill(0, 1, Side::Sell, 10_002, 1, 2)];
    for report in &fills {
        ledger.apply(report).expect("a fill");
    }
    assert_eq!(ledger.reconcile(&fills), Ok(()));
    assert_eq!(ledger.reconcile(fills.iter().chain(&fills)), Ok(()), "duplicates count once");
    // A missing fill, one unit of price, one unit of fee.
    let missing = ledger.reconcile(&fills[..1]).expect_err("the sell is missing");
    assert_eq!(missing.to_string(), "instrument 0: position is 2 in the ledger and 3 by the fills");
    let dearer = [fill(0, 0, Side::Buy, 10_002, 3, 1), fills[1]];
    assert!(matches!(ledger.reconcile(&dearer), Err(LedgerBreak::Differs { figure: "cash", .. })));
    let taxed = [with_fee(fills[0], FeeAsset::Quote, 1), fills[1]];
    assert!(matches!(ledger.reconcile(&taxed), Err(LedgerBreak::Differs { figure: "quote fees", .. })));
    // A planted cost on a flat account.
    let mut planted = self::ledger();
    planted.rows[0].total.cost = 1;
    let found = planted.reconcile(&[]);
    assert!(matches!(found, Err(LedgerBreak::Differs { figure: "cost of a flat position", .. })));
}

fn any_fill() -> impl Strategy<Value = Report> {
    let asset = prop::sample::select(FeeAsset::ALL);
    (0_u32..4, 0_u16..2, any::<bool>(), 1_i64..5_000_000, 1_i64..3_000_000, -500_i64..100_000, asset)
        .prop_map(|(instrument, source, buy, price, quantity, fee, asset)| {
            let side = if buy { Side::Buy } else { Side::Sell };
            with_fee(fill(instrument, source, side, price, quantity, 1), asset, fee)
        })
}

proptest! {
    #[test]
    fn realised_and_unrealised_are_cash_and_worth_to_the_unit(
        mut reports in prop::collection::vec(any_fill(), 1..120),
        marks in prop::array::uniform4(1_i64..5_000_000),
        repeat in any::<prop::sample::Index>(),
    ) {
        let mut ledger = ledger();
        for (id, report) in (1..).zip(&mut reports) {
            report.trade_id = id;
            prop_assert!(matches!(ledger.apply(report), Ok(Applied::Fill(_))));
            let account = ledger.account(report.instrument).expect("it is listed");
            // The cost of what is open has the sign of its worth, or is nothing.
            let sign = ledger.rows[report.instrument as usize].terms.worth(account.position.0, Price(1));
            prop_assert!(account.cost == 0 || account.cost.signum() == sign.expect("it fits").signum());
        }
        let again = reports[repeat.index(reports.len())];
        prop_assert_eq!(ledger.apply(&again), Ok(Applied::Duplicate));
        prop_assert_eq!(ledger.reconcile(&reports), Ok(()));

        for (instrument, mark) in (0..).zip(marks.map(Price)) {
            let (kind, multiplier, price_digits, quantity_digits) = KINDS[instrument as usize];
            let pnl = ledger.pnl(instrument, mark).expect("a mark");
            let mut cash = 0_i128;
            let mut position = 0_i128;
            // An independent sum, from the definition of each kind.
            let value = |quantity: i128, price: i64| match kind {
                InstrumentKind::Inverse => {
                    quantity * i128::from(multiplier) * 10_i128.pow(12 + u32::from(price_digits)) / i128::from(price)
                }
                _ => {
                    let scale = ledger.terms(instrument).expect("listed").scale();
                    let finer = u32::from(scale - price_digits - quantity_digits);
                    quantity * i128::from(multiplier) * i128::from(price) * 10_i128.pow(finer)
                }
            };
            let direction = if kind == InstrumentKind::Inverse { -1 } else { 1 };
            for report in reports.iter().filter(|report| report.instrument == instrument) {
                let sign = if report.side == Side::Buy.code() { 1 } else { -1 };
                position += sign * i128::from(report.quantity.0);
                cash -= direction * sign * value(i128::from(report.quantity.0), report.price.0);
            }
            prop_assert_eq!(pnl.realised + pnl.unrealised, cash + direction * value(position, mark.0));
            prop_assert_eq!(pnl.total, pnl.realised + pnl.unrealised - pnl.fees);
        }
    }

    #[test]
    fn no_fill_panics(
        bits in prop::array::uniform11(any::<u64>()),
        price in any::<i64>(), quantity in any::<i64>(), fee in any::<i64>(), buy in any::<bool>(),
    ) {
        let mut ledger = ledger();
        let side = if buy { Side::Buy } else { Side::Sell };
        for instrument in 0..4 {
            for trade in 1..4 {
                let report = fill(instrument, 0, side, price, quantity, trade);
                let _ = ledger.apply(&with_fee(report, FeeAsset::Base, fee));
                let _ = ledger.pnl(instrument, Price(price));
            }
        }
        let garbage: Report = zerocopy::transmute!(bits);
        let _ = ledger.apply(&garbage);
        let _ = ledger.pnl(0, Price(i64::MAX));
    }
}
