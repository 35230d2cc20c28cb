//! Orders, fills and user events as Binance writes them (binance.md §6 and §8).

use std::fmt::Write;

use engine::domain::{Instruments, Nanos, Quantity, Side};
use engine::venue::exchange::{
    BalanceChange, Exchange, Execution, ExecutionKind, Fill, FillFacts, Order, Status,
};

use super::json::{amount, millis, price, quantity, text};

/// In what times are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeUnit {
    /// Whole milliseconds.
    #[default]
    Millis,
    /// Whole microseconds.
    Micros,
}

impl TimeUnit {
    /// A time in it.
    #[must_use]
    pub const fn show(self, at: Nanos) -> i64 {
        match self {
            Self::Millis => millis(at),
            Self::Micros => at.0.div_euclid(1_000),
        }
    }
}

/// Writes what the exchange holds.
#[derive(Clone, Copy)]
pub struct Render<'a> {
    /// The exchange.
    pub exchange: &'a Exchange,
    /// In what times are told.
    pub unit: TimeUnit,
}

/// How an order's list is told: -1 for none.
fn list_id(list: u64) -> i128 {
    if list == 0 { -1 } else { i128::from(list) }
}

impl Render<'_> {
    fn instruments(&self) -> &Instruments {
        self.exchange.instruments()
    }

    /// An order's state, as placing, cancelling and querying tell it; `names` come first.
    fn state(&self, order: &Order, names: &str) -> String {
        let Some(instrument) = self.instruments().get(order.instrument) else { return String::new() };
        let mut out = format!(
            "{{\"symbol\":{}{names},\"price\":{},\"origQty\":{},\"executedQty\":{},\"origQuoteOrderQty\":{},\"cummulativeQuoteQty\":{},\"status\":\"{}\",\"timeInForce\":\"{}\",\"type\":\"{}\",\"side\":\"{}\"",
            text(&instrument.symbol),
            price(instrument, order.price),
            quantity(instrument, order.quantity),
            quantity(instrument, order.filled),
            amount(order.quote_quantity),
            amount(order.quote_filled),
            order.status,
            order.time_in_force,
            order.kind,
            order.side
        );
        // Writing to a string does not fail.
        if order.stop_price.is_some() {
            let _ = write!(out, ",\"stopPrice\":{}", price(instrument, order.stop_price));
        }
        if order.iceberg != Quantity::ZERO {
            let _ = write!(out, ",\"icebergQty\":{}", quantity(instrument, order.iceberg));
        }
        if order.trailing_delta > 0 {
            let since = order.trailing_since.map_or(-1, |at| self.unit.show(at));
            let _ = write!(out, ",\"trailingDelta\":{},\"trailingTime\":{since}", order.trailing_delta);
        }
        if let Some(strategy) = order.strategy_id {
            let _ = write!(out, ",\"strategyId\":{strategy}");
        }
        if let Some(strategy) = order.strategy_type {
            let _ = write!(out, ",\"strategyType\":{strategy}");
        }
        if order.prevented_match > 0 {
            let _ = write!(
                out,
                ",\"preventedMatchId\":{},\"preventedQuantity\":{}",
                order.prevented_match,
                quantity(instrument, order.prevented)
            );
        }
        if let Some(expiry) = order.expiry {
            let _ = write!(out, ",\"expiryReason\":\"{expiry}\"");
        }
        let _ = write!(out, ",\"selfTradePreventionMode\":\"{}\"", order.stp);
        out
    }

    fn working_time(&self, order: &Order) -> i64 {
        order.working.map_or(-1, |at| self.unit.show(at))
    }

    /// The answer to a query.
    #[must_use]
    pub fn queried(&self, order: &Order) -> String {
        let names = format!(
            ",\"orderId\":{},\"orderListId\":{},\"clientOrderId\":{}",
            order.id,
            list_id(order.list),
            text(&order.client_id)
        );
        let mut out = self.state(order, &names);
        let stop = if order.stop_price.is_some() { "" } else { ",\"stopPrice\":\"0.00000000\"" };
        let iceberg = if order.iceberg == Quantity::ZERO { ",\"icebergQty\":\"0.00000000\"" } else { "" };
        let _ = write!(
            out,
            "{stop}{iceberg},\"time\":{},\"updateTime\":{},\"isWorking\":{},\"workingTime\":{}}}",
            self.unit.show(order.created),
            self.unit.show(order.updated),
            order.working.is_some(),
            self.working_time(order)
        );
        out
    }

    /// An amended order, which was called `former` before: with keys that no other answer has.
    #[must_use]
    pub fn amended(&self, order: &Order, former: &str) -> String {
        let Some(instrument) = self.instruments().get(order.instrument) else { return String::new() };
        let stop = if order.stop_price.is_some() {
            format!(",\"stopPrice\":{}", price(instrument, order.stop_price))
        } else {
            String::new()
        };
        format!(
            "{{\"symbol\":{},\"orderId\":{},\"orderListId\":{},\"origClientOrderId\":{},\"clientOrderId\":{},\"price\":{},\"qty\":{},\"executedQty\":{},\"preventedQty\":{},\"quoteOrderQty\":{},\"cumulativeQuoteQty\":{},\"status\":\"{}\",\"timeInForce\":\"{}\",\"type\":\"{}\",\"side\":\"{}\"{stop},\"workingTime\":{},\"selfTradePreventionMode\":\"{}\"}}",
            text(&instrument.symbol),
            order.id,
            list_id(order.list),
            text(former),
            text(&order.client_id),
            price(instrument, order.price),
            quantity(instrument, order.quantity),
            quantity(instrument, order.filled),
            quantity(instrument, order.prevented),
            amount(order.quote_quantity),
            amount(order.quote_filled),
            order.status,
            order.time_in_force,
            order.kind,
            order.side,
            self.working_time(order),
            order.stp
        )
    }

    /// The short answer to a new order.
    #[must_use]
    pub fn acknowledged(&self, order: &Order) -> String {
        let Some(instrument) = self.instruments().get(order.instrument) else { return String::new() };
        format!(
            "{{\"symbol\":{},\"orderId\":{},\"orderListId\":{},\"clientOrderId\":{},\"transactTime\":{}}}",
            text(&instrument.symbol),
            order.id,
            list_id(order.list),
            text(&order.client_id),
            self.unit.show(order.updated)
        )
    }

    /// The longer answers to a new order: with its state, and with its fills if they are given.
    #[must_use]
    pub fn placed(&self, order: &Order, fills: Option<&[FillFacts]>) -> String {
        let names = format!(
            ",\"orderId\":{},\"orderListId\":{},\"clientOrderId\":{},\"transactTime\":{}",
            order.id,
            list_id(order.list),
            text(&order.client_id),
            self.unit.show(order.updated)
        );
        let mut out = self.state(order, &names);
        let _ = write!(out, ",\"workingTime\":{}", self.working_time(order));
        if let Some((fills, instrument)) = fills.zip(self.instruments().get(order.instrument)) {
            out.push_str(",\"fills\":[");
            for (at, fill) in fills.iter().enumerate() {
                let _ = write!(
                    out,
                    "{}{{\"price\":{},\"qty\":{},\"commission\":{},\"commissionAsset\":{},\"tradeId\":{}}}",
                    if at > 0 { "," } else { "" },
                    price(instrument, fill.price),
                    quantity(instrument, fill.quantity),
                    amount(fill.fee),
                    self.asset(fill),
                    fill.trade_id
                );
            }
            out.push(']');
        }
        out.push('}');
        out
    }

    /// The answer to a cancel, whose own id is `cancel_id`.
    #[must_use]
    pub fn cancelled(&self, order: &Order, cancel_id: &str) -> String {
        let names = format!(
            ",\"origClientOrderId\":{},\"orderId\":{},\"orderListId\":{},\"clientOrderId\":{},\"transactTime\":{}",
            text(&order.client_id),
            order.id,
            list_id(order.list),
            text(cancel_id),
            self.unit.show(order.updated)
        );
        let mut out = self.state(order, &names);
        out.push('}');
        out
    }

    fn asset(&self, fill: &FillFacts) -> serde_json::Value {
        self.exchange.assets().get(fill.fee_asset as usize).map_or(serde_json::Value::Null, |name| text(name))
    }

    /// A fill of an account.
    #[must_use]
    pub fn fill(&self, fill: &Fill) -> String {
        let Some(instrument) = self.instruments().get(fill.instrument) else { return String::new() };
        let Fill { facts, .. } = fill;
        format!(
            "{{\"symbol\":{},\"id\":{},\"orderId\":{},\"orderListId\":{},\"price\":{},\"qty\":{},\"quoteQty\":{},\"commission\":{},\"commissionAsset\":{},\"time\":{},\"isBuyer\":{},\"isMaker\":{},\"isBestMatch\":true}}",
            text(&instrument.symbol),
            facts.trade_id,
            fill.order,
            list_id(fill.list),
            price(instrument, facts.price),
            quantity(instrument, facts.quantity),
            amount(facts.value),
            amount(facts.fee),
            self.asset(facts),
            self.unit.show(fill.time),
            fill.side == Side::Buy,
            facts.maker
        )
    }

    /// An `executionReport`.
    #[must_use]
    pub fn execution(&self, execution: &Execution, now: Nanos) -> String {
        let Execution { order, fill, .. } = execution;
        let Some(instrument) = self.instruments().get(order.instrument) else { return String::new() };
        let (client, original) = match &execution.request_id {
            Some(own) => (&**own, &*order.client_id),
            None => (&*order.client_id, ""),
        };
        // An amended order's new id is its own; the former one is the original.
        let (client, original) =
            if execution.kind == ExecutionKind::Replaced { (original, client) } else { (client, original) };
        let unit = self.unit;
        let zero = amount(0);
        let mut out = format!(
            "{{\"e\":\"executionReport\",\"E\":{},\"s\":{},\"c\":{},\"S\":\"{}\",\"o\":\"{}\",\"f\":\"{}\",\"q\":{},\"p\":{},\"P\":{},\"F\":{},\"g\":{},\"C\":{},\"x\":\"{}\",\"X\":\"{}\",\"r\":\"NONE\",\"i\":{}",
            unit.show(now),
            text(&instrument.symbol),
            text(client),
            order.side,
            order.kind,
            order.time_in_force,
            quantity(instrument, order.quantity),
            price(instrument, order.price),
            price(instrument, order.stop_price),
            quantity(instrument, order.iceberg),
            list_id(order.list),
            text(original),
            execution.kind,
            order.status,
            order.id
        );
        let filled = quantity(instrument, order.filled);
        // Writing to a string does not fail.
        let _ = match fill {
            Some(fill) => write!(
                out,
                ",\"l\":{},\"z\":{filled},\"L\":{},\"n\":{},\"N\":{}",
                quantity(instrument, fill.quantity),
                price(instrument, fill.price),
                amount(fill.fee),
                self.asset(fill)
            ),
            None => write!(out, ",\"l\":{zero},\"z\":{filled},\"L\":{zero},\"n\":\"0\",\"N\":null"),
        };
        let trade = fill.map_or(-1, |fill| i128::from(fill.trade_id));
        let _ = write!(out, ",\"T\":{},\"t\":{trade}", unit.show(execution.time));
        if order.prevented_match > 0 {
            let _ = write!(out, ",\"v\":{}", order.prevented_match);
        }
        let on_book = order.status.is_open()
            && order.working.is_some()
            && matches!(execution.kind, ExecutionKind::New | ExecutionKind::Replaced)
            || order.status == Status::PartiallyFilled && fill.is_some_and(|fill| fill.maker);
        let maker = fill.is_some_and(|fill| fill.maker);
        let _ = write!(
            out,
            ",\"I\":{},\"w\":{on_book},\"m\":{maker},\"M\":{},\"O\":{},\"Z\":{},\"Y\":{},\"Q\":{}",
            execution.id,
            fill.is_some(),
            unit.show(order.created),
            amount(order.quote_filled),
            amount(fill.map_or(0, |fill| fill.value)),
            amount(order.quote_quantity)
        );
        if let Some(working) = order.working {
            let _ = write!(out, ",\"W\":{}", unit.show(working));
        }
        let _ = write!(out, ",\"V\":\"{}\"", order.stp);
        self.rare(&mut out, execution);
        out.push('}');
        out
    }

    /// The fields that few reports have.
    fn rare(&self, out: &mut String, execution: &Execution) {
        let order = &execution.order;
        let Some(instrument) = self.instruments().get(order.instrument) else { return };
        // Writing to a string does not fail.
        if order.trailing_delta > 0 {
            let _ = write!(out, ",\"d\":{}", order.trailing_delta);
        }
        if let Some(since) = order.trailing_since {
            let _ = write!(out, ",\"D\":{}", self.unit.show(since));
        }
        if let Some(strategy) = order.strategy_id {
            let _ = write!(out, ",\"j\":{strategy}");
        }
        if let Some(strategy) = order.strategy_type {
            let _ = write!(out, ",\"J\":{strategy}");
        }
        if order.prevented_match > 0 {
            let _ = write!(out, ",\"A\":{}", quantity(instrument, order.prevented));
        }
        if execution.kind == ExecutionKind::TradePrevention {
            let _ = write!(out, ",\"B\":{}", quantity(instrument, execution.prevented));
        }
        if let Some(expiry) = order.expiry.filter(|_| execution.kind == ExecutionKind::Expired) {
            let _ = write!(out, ",\"eR\":\"{expiry}\"");
        }
    }

    /// An `outboundAccountPosition`.
    #[must_use]
    pub fn position(&self, change: &BalanceChange, now: Nanos) -> String {
        let mut out = format!(
            "{{\"e\":\"outboundAccountPosition\",\"E\":{},\"u\":{},\"B\":[",
            self.unit.show(now),
            self.unit.show(change.time)
        );
        for (at, (asset, balance)) in change.balances.iter().enumerate() {
            let name = self.exchange.assets().get(*asset as usize).map_or("", |name| name);
            // Writing to a string does not fail.
            let _ = write!(
                out,
                "{}{{\"a\":{},\"f\":{},\"l\":{}}}",
                if at > 0 { "," } else { "" },
                text(name),
                amount(balance.free),
                amount(balance.locked)
            );
        }
        out.push_str("]}");
        out
    }
}

/// Texts as a JSON list.
#[must_use]
pub fn list(items: impl IntoIterator<Item = String>) -> String {
    let mut out = String::from("[");
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&item);
    }
    out.push(']');
    out
}
