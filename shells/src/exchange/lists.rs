//! Order lists as Binance writes them (binance.md §6 and §8).

use engine::domain::Nanos;
use engine::venue::exchange::{ListChange, ListStatus, Order, OrderList};

use super::json::text;
use super::render::{Render, list};

impl Render<'_> {
    fn legs<'a>(&'a self, of: &'a OrderList) -> impl Iterator<Item = &'a Order> {
        of.legs.iter().filter_map(|id| self.exchange.order(*id))
    }

    fn symbol_of(&self, of: &OrderList) -> String {
        let listed = self.exchange.instruments().get(of.instrument);
        listed.map_or_else(String::new, |instrument| text(&instrument.symbol).to_string())
    }

    /// A list, its orders by name; `more` is what else the answer holds.
    fn list_with(&self, of: &OrderList, more: &str) -> String {
        let symbol = self.symbol_of(of);
        let (kind, status) = if of.done { ("ALL_DONE", "ALL_DONE") } else { ("EXEC_STARTED", "EXECUTING") };
        let orders = list(self.legs(of).map(|order| {
            format!(
                "{{\"symbol\":{symbol},\"orderId\":{},\"clientOrderId\":{}}}",
                order.id,
                text(&order.client_id)
            )
        }));
        format!(
            "{{\"orderListId\":{},\"contingencyType\":\"{}\",\"listStatusType\":\"{kind}\",\"listOrderStatus\":\"{status}\",\"listClientOrderId\":{},\"transactionTime\":{},\"symbol\":{symbol},\"orders\":{orders}{more}}}",
            of.id,
            of.contingency,
            text(&of.client_id),
            self.unit.show(of.updated)
        )
    }

    /// A list that was asked for.
    #[must_use]
    pub fn list(&self, of: &OrderList) -> String {
        self.list_with(of, "")
    }

    /// A list just placed or cancelled, with what `report` says of each of its orders.
    #[must_use]
    pub fn list_reported(&self, of: &OrderList, report: impl Fn(&Order) -> String) -> String {
        let reports = list(self.legs(of).map(report));
        self.list_with(of, &format!(",\"orderReports\":{reports}"))
    }

    /// A `listStatus`.
    #[must_use]
    pub fn list_status(&self, change: &ListChange, now: Nanos) -> String {
        let ListChange { list: of, status, time } = change;
        let symbol = self.symbol_of(of);
        let orders =
            list(self.legs(of).map(|order| {
                format!("{{\"s\":{symbol},\"i\":{},\"c\":{}}}", order.id, text(&order.client_id))
            }));
        format!(
            "{{\"e\":\"listStatus\",\"E\":{},\"s\":{symbol},\"g\":{},\"c\":\"{}\",\"l\":\"{status}\",\"L\":\"{}\",\"r\":\"NONE\",\"C\":{},\"T\":{},\"O\":{orders}}}",
            self.unit.show(now),
            of.id,
            of.contingency,
            if *status == ListStatus::Done { "ALL_DONE" } else { "EXECUTING" },
            text(&of.client_id),
            self.unit.show(*time)
        )
    }
}
