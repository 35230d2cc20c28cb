//! Controls on the order alone: C05 venue filters, C06 quantity, C07 notional.

use crate::domain::{Filters, Grids, Quantity};
use crate::error::RejectCode;
use crate::ledger::Terms;
use crate::tick_to_trade::risk::limits::InstrumentLimits;
use crate::tick_to_trade::risk::market::{Reference, market_price};
use crate::tick_to_trade::risk::request::NewOrder;
use crate::tick_to_trade::risk::valuation::{NoValue, in_quote, notional, product, unit};

/// The price at which an order is valued, as a fraction: its limit, or for one without a limit [`market_price`]; where it
/// waits for a trigger, what it may come to there if that is more.
///
/// # Errors
/// NO_REF or STALE_MD for an order without a limit and a reference.
#[inline(always)]
pub(super) fn valued_at(
    order: &NewOrder,
    reference: Result<Reference, RejectCode>,
    limits: &InstrumentLimits,
) -> Result<(i128, i128), RejectCode> {
    if order.is_market() {
        let triggered = market_price(Reference::at(order.trigger), limits);
        return Ok((market_price(reference?, limits).max(triggered), 1));
    }
    Ok((order.price.max(order.trigger).0.into(), 1))
}

/// C05, NOTIONAL: min ≤ value ≤ max in the quote asset, at the decimals of price and quantity. A market order is held
/// to the bounds that apply to it, at the mid: the venue's own reference is not known here.
#[inline(always)]
fn notional_filter(
    order: &NewOrder,
    filters: &Filters,
    terms: &Terms,
    reference: Result<Reference, RejectCode>,
) -> Result<(), RejectCode> {
    let market = order.is_market();
    let (min, max) = filters.notional.bounds(market);
    if min.is_none() && max.is_none() {
        return Ok(());
    }
    let value = if market {
        notional_in_full(terms, order.quantity, (reference?.doubled(), 2))?
    } else {
        match in_quote(terms, order.quantity, order.price) {
            Some(value) => value,
            None => notional_in_full(terms, order.quantity, (order.price.0.into(), 1))?,
        }
    };
    let inside = min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max);
    if inside { Ok(()) } else { Err(RejectCode::FilterNotional) }
}

/// The value of a quantity of any instrument at a price, at the decimals of price and quantity.
#[inline(never)]
fn notional_in_full(
    terms: &Terms,
    quantity: Quantity,
    (numerator, denominator): (i128, i128),
) -> Result<i128, RejectCode> {
    let (value, scale) = notional(terms, quantity.0.into(), numerator, denominator)
        .map_err(|error| error.code(RejectCode::FilterNotional))?;
    let finer = terms.price_scale.digits() + terms.quantity_scale.digits() - scale;
    let value = if finer == 0 { Some(value) } else { product(value, unit(finer)) };
    value.ok_or(RejectCode::FilterNotional)
}

/// C05: the venue's filters, so that what it would refuse never leaves.
#[inline(always)]
pub(super) fn filters(
    order: &NewOrder,
    (filters, grids): (&Filters, &Grids),
    tradable: bool,
    terms: &Terms,
    reference: Result<Reference, RejectCode>,
) -> Result<(), RejectCode> {
    if !tradable {
        return Err(RejectCode::FilterStatus);
    }
    let waits = order.order_type.is_conditional();
    if (!order.is_market() && !grids.price_passes(filters, order.price))
        || (waits && !grids.price_passes(filters, order.trigger))
    {
        return Err(RejectCode::FilterPrice);
    }
    if !grids.lot_passes(filters, order.is_market(), order.quantity) {
        return Err(RejectCode::FilterLot);
    }
    notional_filter(order, filters, terms, reference)
}

/// C06: quantity ≤ max_quantity.
pub(super) fn max_quantity(order: &NewOrder, limits: &InstrumentLimits) -> Result<(), RejectCode> {
    if order.quantity <= limits.max_quantity { Ok(()) } else { Err(RejectCode::MaxQuantity) }
}

/// C07: quantity × (limit price, or ref × (1 + collar) for a market order; see [`valued_at`]) ≤ max_notional, in the
/// account's currency.
pub(super) fn max_notional(
    value: Result<i128, NoValue>,
    limits: &InstrumentLimits,
) -> Result<(), RejectCode> {
    let value = value.map_err(|error| error.code(RejectCode::MaxNotional))?;
    // The smallest value is rounded up to one unit, so a limit of zero passes nothing.
    if value <= limits.max_notional && limits.max_notional > 0 {
        Ok(())
    } else {
        Err(RejectCode::MaxNotional)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        InstrumentKind, Nanos, NotionalFilter, OrderId, OrderType, Price, QuantityFilter, Scale, Side,
    };
    use crate::tick_to_trade::risk::market::Quote;
    use crate::tick_to_trade::risk::market::tests::top;

    fn order(order_type: OrderType, price: i64, quantity: i64) -> NewOrder {
        NewOrder {
            id: OrderId::NONE,
            instrument: 0,
            side: Side::Sell,
            order_type,
            price: Price(price),
            trigger: Price::NONE,
            quantity: Quantity(quantity),
            valid_until: Nanos::NEVER,
        }
    }

    fn terms(kind: InstrumentKind) -> Terms {
        let scale = Scale::new(2).expect("a valid scale");
        Terms { kind, multiplier: 10, price_scale: scale, quantity_scale: Scale::ZERO }
    }

    fn reference(bid: i64, ask: i64) -> Result<Reference, RejectCode> {
        let mut quote = Quote::default();
        quote.on_tick(&top(0, bid, ask, Nanos(0)));
        quote.reference(Nanos(0), Nanos(1))
    }

    const FILTERS: Filters = Filters {
        tick: Price(5),
        min_price: Price(100),
        max_price: Price(1_000),
        lot: QuantityFilter { min: Quantity(4), max: Quantity(40), step: Quantity(2) },
        market_lot: QuantityFilter { min: Quantity(0), max: Quantity(20), step: Quantity(0) },
        notional: NotionalFilter {
            min: None,
            max: None,
            min_applies_to_market: false,
            max_applies_to_market: false,
        },
        max_open_orders: None,
        cancel_replace: false,
        oco: false,
    };

    fn c05(order: &NewOrder, given: &Filters) -> Result<(), RejectCode> {
        filters(order, (given, &Grids::of(given)), true, &terms(InstrumentKind::Linear), reference(199, 202))
    }

    #[test]
    fn c05_price_and_lot_have_bounds_and_a_grid() {
        for (price, quantity, code) in [
            (100, 4, None),
            (1_000, 40, None),
            (95, 4, Some(RejectCode::FilterPrice)),
            (1_005, 4, Some(RejectCode::FilterPrice)),
            (101, 4, Some(RejectCode::FilterPrice)),
            (i64::MAX, 4, Some(RejectCode::FilterPrice)),
            (100, 2, Some(RejectCode::FilterLot)),
            (100, 42, Some(RejectCode::FilterLot)),
            (100, 5, Some(RejectCode::FilterLot)),
            (100, i64::MAX, Some(RejectCode::FilterLot)),
        ] {
            assert_eq!(
                c05(&order(OrderType::Limit, price, quantity), &FILTERS).err(),
                code,
                "{price} {quantity}"
            );
        }
        assert_eq!(c05(&order(OrderType::Limit, 101, 3), &Filters::default()), Ok(()), "all parts off");
        let halted = filters(
            &order(OrderType::Limit, 100, 4),
            (&FILTERS, &Grids::of(&FILTERS)),
            false,
            &terms(InstrumentKind::Spot),
            reference(199, 202),
        );
        assert_eq!(halted, Err(RejectCode::FilterStatus));
    }

    #[test]
    fn c05_market_orders_have_no_price_and_their_own_maximum() {
        for (quantity, code) in [
            (4, None),
            (20, None),
            (22, Some(RejectCode::FilterLot)),
            (2, Some(RejectCode::FilterLot)),
            (5, Some(RejectCode::FilterLot)),
        ] {
            assert_eq!(c05(&order(OrderType::Market, 0, quantity), &FILTERS).err(), code, "{quantity}");
        }
    }

    #[test]
    fn c05_notional_is_the_contracts_value() {
        let notional = |market| NotionalFilter {
            min: Some(8_000),
            max: Some(80_000),
            min_applies_to_market: market,
            max_applies_to_market: market,
        };
        let with = |market| Filters { notional: notional(market), ..FILTERS };
        let limit = |price, quantity| order(OrderType::Limit, price, quantity);
        // 4 contracts of 10 at 2.00: exactly 80.00.
        assert_eq!(c05(&limit(200, 4), &with(true)), Ok(()));
        assert_eq!(c05(&limit(195, 4), &with(true)), Err(RejectCode::FilterNotional));
        assert_eq!(c05(&limit(200, 40), &with(true)), Ok(()));
        assert_eq!(c05(&limit(205, 40), &with(true)), Err(RejectCode::FilterNotional));
        // A market order is valued at the mid 2.005, where the bound applies to it.
        assert_eq!(c05(&order(OrderType::Market, 0, 4), &with(true)), Ok(()));
        let small = Filters { notional: NotionalFilter { min: Some(8_021), ..notional(true) }, ..FILTERS };
        assert_eq!(c05(&order(OrderType::Market, 0, 4), &small), Err(RejectCode::FilterNotional));
        let exempt = Filters { notional: NotionalFilter { min: Some(8_021), ..notional(false) }, ..FILTERS };
        assert_eq!(c05(&order(OrderType::Market, 0, 4), &exempt), Ok(()));
        let blind = filters(
            &order(OrderType::Market, 0, 4),
            (&small, &Grids::of(&small)),
            true,
            &terms(InstrumentKind::Linear),
            Err(RejectCode::NoReference),
        );
        assert_eq!(blind, Err(RejectCode::NoReference));
        // Inverse: 4 contracts of 10 dollars are 40.00 at the filter's two decimals, at any price.
        let (given, grids) = (with(true), Grids::of(&FILTERS));
        let inverse = |order: &NewOrder| {
            filters(order, (&given, &grids), true, &terms(InstrumentKind::Inverse), reference(199, 202))
        };
        assert_eq!(inverse(&limit(1_000, 4)), Err(RejectCode::FilterNotional));
        assert_eq!(inverse(&limit(100, 8)), Ok(()));
        let open = Filters { notional: notional(true), ..Filters::default() };
        assert_eq!(c05(&limit(i64::MAX, i64::MAX), &open), Err(RejectCode::FilterNotional), "overflow");
    }

    #[test]
    fn c06_and_c07_hold_their_limits_and_zero_rejects() {
        let limits = |quantity, notional| InstrumentLimits {
            max_quantity: Quantity(quantity),
            max_notional: notional,
            ..InstrumentLimits::default()
        };
        let order = order(OrderType::Limit, 100, 7);
        assert_eq!(max_quantity(&order, &limits(7, 0)), Ok(()));
        assert_eq!(max_quantity(&order, &limits(6, 0)), Err(RejectCode::MaxQuantity));
        assert_eq!(max_quantity(&order, &limits(0, 0)), Err(RejectCode::MaxQuantity));
        assert_eq!(max_notional(Ok(10), &limits(0, 10)), Ok(()));
        assert_eq!(max_notional(Ok(11), &limits(0, 10)), Err(RejectCode::MaxNotional));
        assert_eq!(max_notional(Ok(0), &limits(0, 0)), Err(RejectCode::MaxNotional));
        assert_eq!(max_notional(Err(NoValue::Overflow), &limits(0, 10)), Err(RejectCode::MaxNotional));
        assert_eq!(max_notional(Err(NoValue::Unconvertible), &limits(0, 10)), Err(RejectCode::MaxNotional));
        let stale = NoValue::Reference(RejectCode::StaleMarketData);
        assert_eq!(max_notional(Err(stale), &limits(0, 10)), Err(RejectCode::StaleMarketData));
    }

    #[test]
    fn market_orders_need_a_reference_to_be_valued() {
        let limits = InstrumentLimits { collar_aggressive_bps: 100, ..InstrumentLimits::default() };
        let market = order(OrderType::Market, 0, 1);
        assert_eq!(valued_at(&market, reference(199, 201), &limits), Ok((202, 1)));
        assert_eq!(valued_at(&market, Err(RejectCode::NoReference), &limits), Err(RejectCode::NoReference));
        assert_eq!(
            valued_at(&order(OrderType::Limit, 7, 1), Err(RejectCode::NoReference), &limits),
            Ok((7, 1))
        );
    }
}
