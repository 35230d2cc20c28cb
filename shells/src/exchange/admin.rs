//! The operator's view, on a port of its own: health, metrics, the ledger. It listens on loopback, or asks for it.

use std::fmt::Write;

use engine::domain::Nanos;
use tokio::sync::oneshot;

use super::desk::Desk;
use super::json::{amount, text};
use super::render::{Render, TimeUnit, list};

/// What is asked of the desk.
#[derive(Debug)]
pub enum Question {
    /// Figures in Prometheus's text format.
    Metrics,
    /// Orders, fills, fees and balances of every account.
    Ledger,
    /// Let a stepped market go on.
    Step(Nanos),
    /// Tell every WebSocket that the server goes down.
    Announce,
    /// Let something go wrong.
    Wreak(super::faults::Fault),
    /// What may go wrong, and what has.
    Faults,
    /// Let nothing more go wrong.
    Mend,
    /// The market trades this quantity with this order, at its price; `None` for all that is left.
    Fill(u64, Option<String>),
    /// Whether it is ready, and if not, why.
    Ready,
}

/// A question with where its answer goes.
#[derive(Debug)]
pub struct Ask {
    /// What.
    pub question: Question,
    /// An HTTP status and a body.
    pub reply: oneshot::Sender<(u16, String)>,
}

impl Desk {
    /// Answers the operator.
    pub fn admin(&mut self, ask: Ask) {
        let answer = match ask.question {
            Question::Metrics => (200, self.metrics()),
            Question::Ledger => (200, self.ledger()),
            Question::Step(span) => {
                self.source.step(span);
                (200, "{}".to_owned())
            }
            Question::Announce => {
                self.announce_shutdown(self.clock.now());
                (200, "{}".to_owned())
            }
            Question::Wreak(fault) => {
                self.wreak(fault, self.clock.now());
                (200, "{}".to_owned())
            }
            Question::Faults => (200, self.faults.json()),
            Question::Mend => {
                self.faults.clear();
                (200, "{}".to_owned())
            }
            Question::Fill(order, quantity) => self.fill(order, quantity.as_deref()),
            Question::Ready => self.ready(),
        };
        // An operator who has gone gets no answer.
        let _ = ask.reply.send(answer);
    }

    /// The market comes to an order.
    fn fill(&mut self, order: u64, quantity: Option<&str>) -> (u16, String) {
        let refused = |reason: &str| (400, format!("{{\"error\":{}}}", text(reason)));
        let Some(found) = self.exchange.order(order) else { return refused("no such order") };
        let quantity = match quantity.zip(self.exchange.instruments().get(found.instrument)) {
            None => found.leaves(),
            Some((text, instrument)) => match instrument.quantity(text) {
                Ok(quantity) => quantity,
                Err(error) => return refused(&format!("quantity={text}: {error}")),
            },
        };
        let now = self.clock.now();
        if !self.exchange.meet(now, order, quantity) {
            return refused("it does not stand on the book with so much left");
        }
        self.settle(now);
        (200, "{}".to_owned())
    }

    fn ready(&self) -> (u16, String) {
        if let Some(failure) = &self.source.failure {
            return (503, format!("{{\"ready\":false,\"reason\":{}}}", text(&failure.to_string())));
        }
        let instruments = self.exchange.instruments();
        let without = instruments.iter().find(|(index, _)| !self.exchange.has_book(*index));
        match without {
            Some((_, instrument)) => {
                let reason = format!("no book of {} yet", instrument.symbol);
                (503, format!("{{\"ready\":false,\"reason\":{}}}", text(&reason)))
            }
            None => (200, "{\"ready\":true}".to_owned()),
        }
    }

    fn metrics(&self) -> String {
        let (mut open, mut fills) = (0, 0);
        for account in (0..).take(self.accounts.names.len()) {
            open += self.exchange.open_orders(account, None).count();
            fills += self.exchange.account(account).map_or(0, |view| view.fills.len());
        }
        format!(
            "# TYPE trading_exchange_orders_total counter\ntrading_exchange_orders_total {}\n\
             # TYPE trading_exchange_open_orders gauge\ntrading_exchange_open_orders {open}\n\
             # TYPE trading_exchange_fills_total counter\ntrading_exchange_fills_total {fills}\n\
             # TYPE trading_exchange_connections gauge\ntrading_exchange_connections {}\n\
             # TYPE trading_exchange_unreadable_frames_total counter\ntrading_exchange_unreadable_frames_total {}\n\
             # TYPE trading_build_info gauge\ntrading_build_info{{version=\"{}\"}} 1\n",
            self.exchange.order_count(),
            self.connection_count(),
            self.source.unreadable,
            env!("CARGO_PKG_VERSION")
        )
    }

    /// Everything that accounts own and did, as JSON.
    #[must_use]
    pub fn ledger(&self) -> String {
        let render = Render { exchange: &self.exchange, unit: TimeUnit::Micros };
        let mut out = String::from("{\"accounts\":[");
        for (at, name) in (0..).zip(&self.accounts.names) {
            let Some(view) = self.exchange.account(at) else { continue };
            let orders = self.exchange.orders().filter(|order| order.account == at);
            let balances = self.exchange.assets().iter().zip(view.balances).map(|(asset, balance)| {
                format!(
                    "{{\"asset\":{},\"free\":{},\"locked\":{}}}",
                    text(asset),
                    amount(balance.free),
                    amount(balance.locked)
                )
            });
            // Writing to a string does not fail.
            let _ = write!(
                out,
                "{}{{\"name\":{},\"balances\":{},\"orders\":{},\"fills\":{}}}",
                if at > 0 { "," } else { "" },
                text(name),
                list(balances),
                list(orders.map(|order| render.queried(order))),
                list(view.fills.iter().map(|fill| render.fill(fill)))
            );
        }
        let sums = |values: &[i128]| {
            let named = self.exchange.assets().iter().zip(values);
            let members: Vec<String> =
                named.map(|(asset, value)| format!("{}:{}", text(asset), amount(*value))).collect();
            format!("{{{}}}", members.join(","))
        };
        let _ = write!(
            out,
            "],\"market\":{},\"fees\":{}}}",
            sums(self.exchange.market_gains()),
            sums(self.exchange.fees_taken())
        );
        out
    }
}
