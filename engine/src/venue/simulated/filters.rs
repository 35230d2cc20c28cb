//! The venue's own check of its filters (binance.md §2). Risk checks them before (C05); a venue trusts nobody.

use super::fees::notional;
use super::request::{Placement, Style};
use crate::domain::{Instrument, InstrumentKind, Price, Quantity};

/// Whether every filter of `instrument` lets `order` pass. A market order is valued at `reference`; where there is
/// none, its value is not judged (it then finds no liquidity either).
pub(super) fn passes(instrument: &Instrument, order: &Placement, reference: Option<Price>) -> bool {
    let filters = &instrument.filters;
    let market = order.style == Style::Market;
    let valued = if market { reference } else { Some(order.price) };
    (market || filters.price_passes(order.price))
        && order.condition.is_none_or(|condition| filters.price_passes(condition.trigger))
        && filters.lot_of(market).passes(order.quantity)
        && valued.is_none_or(|price| notional_passes(instrument, price, order.quantity, market))
}

fn notional_passes(instrument: &Instrument, price: Price, quantity: Quantity, market: bool) -> bool {
    let (min, max) = instrument.filters.notional.bounds(market);
    if min.is_none() && max.is_none() {
        return true;
    }
    // The bounds are at the price's scale + the quantity's; an inverse contract's value comes at the quantity's.
    let unit = match instrument.kind {
        InstrumentKind::Spot | InstrumentKind::Linear => 1,
        InstrumentKind::Inverse => i128::from(instrument.price_scale.unit()),
    };
    let value = notional(instrument, price, quantity).and_then(|value| value.checked_mul(unit));
    value.is_some_and(|value| min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::instrument;
    use super::*;
    use crate::domain::{Filters, NotionalFilter, OrderId, QuantityFilter, Side, SourceId};

    fn order(style: Style, price: i64, quantity: i64) -> Placement {
        let id = OrderId { epoch: 1, source: SourceId(0), source_epoch: 1, sequence: 1 };
        let (price, quantity) = (Price(price), Quantity(quantity));
        Placement { id, instrument: 0, side: Side::Buy, style, price, quantity, condition: None }
    }

    fn bounds(min: i64, max: i64, step: i64) -> QuantityFilter {
        QuantityFilter { min: Quantity(min), max: Quantity(max), step: Quantity(step) }
    }

    fn strict() -> Instrument {
        let filters = Filters {
            tick: Price(5),
            min_price: Price(10),
            max_price: Price(1_000),
            lot: bounds(2, 100, 2),
            market_lot: bounds(0, 50, 0),
            notional: NotionalFilter {
                min: Some(200),
                max: Some(50_000),
                min_applies_to_market: true,
                max_applies_to_market: false,
            },
            max_open_orders: None,
            cancel_replace: false,
            oco: false,
        };
        Instrument { filters, ..instrument() }
    }

    #[test]
    fn each_bound_and_grid_holds() {
        let cases = [
            (100, 10, true),
            (102, 10, false),
            (5, 50, false),
            (1_005, 10, false),
            (1_000, 50, true),
            (1_000, 52, false),
            (100, 0, false),
            (100, 3, false),
            (500, 102, false),
            (10, 20, true),
            (10, 18, false),
        ];
        for (price, quantity, pass) in cases {
            let found = passes(&strict(), &order(Style::Rest, price, quantity), None);
            assert_eq!(found, pass, "{quantity} at {price}");
        }
    }

    #[test]
    fn market_orders_have_their_own_bounds() {
        let market = |quantity, reference| {
            passes(&strict(), &order(Style::Market, 0, quantity), Some(Price(reference)))
        };
        assert!(market(50, 1_003), "no grid for a reference, no largest notional, the largest quantity");
        assert!(!market(52, 100), "above the largest market quantity");
        assert!(!market(3, 100), "the step of LOT_SIZE where the market's is off");
        assert!(!market(2, 99), "the smallest notional applies");
        assert!(passes(&strict(), &order(Style::Market, 0, 2), None), "nothing to value it at");
    }

    #[test]
    fn off_is_off_and_overflow_fails() {
        assert!(passes(&instrument(), &order(Style::Rest, 1, 1), None));
        let mut huge = strict();
        huge.multiplier = i64::MAX;
        huge.kind = InstrumentKind::Linear;
        assert!(!passes(&huge, &order(Style::Rest, 100, 10), None));
    }

    #[test]
    fn an_inverse_contract_is_valued_at_its_face() {
        let mut inverse = strict();
        inverse.kind = InstrumentKind::Inverse;
        inverse.multiplier = 100;
        assert!(passes(&inverse, &order(Style::Rest, 1_000, 2), None), "2 × 100 is enough at any price");
        inverse.multiplier = 10;
        assert!(!passes(&inverse, &order(Style::Rest, 1_000, 2), None));
    }
}
