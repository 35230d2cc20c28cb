//! Where faults bite: on requests and their answers, and on frames.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use engine::domain::Nanos;
use engine::venue::exchange::{Event, Execution, ExecutionKind, OrderName};

use super::super::failure::Failure;
use super::super::faults::{Fault, Kind};
use super::super::method::Method;
use super::orders::named;
use super::{Answer, Call, Connection, Desk, GOING_AWAY, Out};

/// Something that happens later.
#[derive(Debug)]
pub(super) enum Later {
    Send(Connection, Out),
    Call(Box<Call>),
    CloseAll,
}

/// When, in which order, what.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) at: Nanos,
    number: u64,
    pub(super) what: Later,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The earliest is the greatest, as a heap wants it.
impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

/// What faults remember.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Frames that wait for the next one on their connection.
    held: BTreeMap<Connection, Out>,
    /// The NEW report of each open order, while stale reports are wanted.
    news: BTreeMap<u64, (Connection, Out)>,
    count: u64,
}

impl Desk {
    pub(super) fn later(&mut self, at: Nanos, what: Later) {
        self.memory.count += 1;
        self.due.push(Due { at, number: self.memory.count, what });
    }

    /// Does what is due.
    pub(super) fn catch_up(&mut self, now: Nanos) {
        while self.due.peek().is_some_and(|due| due.at <= now) {
            let Some(due) = self.due.pop() else { return };
            match due.what {
                Later::Send(connection, out) => self.send(connection, out),
                Later::Call(call) => {
                    let result = self.handle(&call, now);
                    drop(result);
                    self.exchange.take_events(&mut self.events);
                    self.tell(now);
                }
                Later::CloseAll => self.close_all(),
            }
        }
    }

    fn close_all(&mut self) {
        let streams: Vec<Connection> =
            self.followers.connections().map(|(connection, _)| connection).collect();
        streams.into_iter().for_each(|connection| self.send(connection, Out::Close(1000)));
        self.close_api(1000);
    }

    fn close_api(&mut self, code: u16) {
        let api: Vec<Connection> = self.api.iter().copied().collect();
        api.into_iter().for_each(|connection| self.send(connection, Out::Close(code)));
    }

    /// A fault is asked for.
    pub(in crate::exchange) fn wreak(&mut self, fault: Fault, now: Nanos) {
        match fault.kind {
            Kind::DayCut => self.close_all(),
            Kind::ServerShutdown => {
                self.announce_shutdown(now);
                self.later(now + fault.span, Later::CloseAll);
            }
            Kind::ClockSkew => {
                // Whoever reads the clock is gone only when the exchange is.
                let _ = self.skew.send(fault.span);
            }
            Kind::NoWebSocketApi => {
                self.faults.add(fault);
                self.close_api(GOING_AWAY);
            }
            _ => self.faults.add(fault),
        }
    }

    /// A request that a fault keeps from being handled as usual: what it comes to; `None` where no answer comes.
    pub(super) fn handle_with(
        &mut self,
        fault: &Fault,
        call: &Call,
        now: Nanos,
    ) -> Option<Result<String, Failure>> {
        let acts = |desk: &mut Self| {
            if fault.executed {
                drop(desk.handle(call, now));
            }
        };
        match fault.kind {
            Kind::LostRequest => None,
            Kind::ServerError => {
                acts(self);
                let failure =
                    Failure::told(0, "<html><body><h1>Service Unavailable</h1></body></html>".to_owned());
                Some(Err(failure.with_status(fault.status)))
            }
            Kind::UnexpectedResponse => {
                acts(self);
                let words =
                    "An unexpected response was received from the message bus. Execution status unknown.";
                Some(Err(Failure::new(-1006, words).with_status(500)))
            }
            Kind::Timeout => {
                acts(self);
                let words = "Timeout waiting for response from backend server. Send status unknown; execution status unknown.";
                Some(Err(Failure::new(-1007, words).with_status(408)))
            }
            Kind::TooManyRequests => Some(Err(limited(fault, now))),
            Kind::Banned => {
                self.limits.ban(call.address, now, fault.span.0 / 1_000_000);
                Some(self.limits.request(call.address, now, 1).map(|()| String::new()))
            }
            Kind::FillAfterCancel => {
                self.fill_before_cancel(call, now);
                let result = self.handle(call, now);
                self.exchange.take_events(&mut self.events);
                trades_last(&mut self.events);
                Some(result)
            }
            _ => {
                let result = self.handle(call, now);
                (fault.kind != Kind::LostAck).then_some(result)
            }
        }
    }

    /// The market takes half of an order that is about to be cancelled.
    fn fill_before_cancel(&mut self, call: &Call, now: Nanos) {
        if call.method != Method::OrderCancel {
            return;
        }
        let Some((account, symbol)) = call.account.zip(call.params.get("symbol")) else { return };
        let Ok(instrument) = self.symbol(symbol) else { return };
        let name: OrderName<'_> = match named(&call.params) {
            Ok(name) => name,
            Err(_) => return,
        };
        let order = self.exchange.find(account, instrument, name);
        let Some((id, half)) = order.ok().map(|order| (order.id, order.leaves().0 / 2)) else { return };
        self.exchange.meet(now, id, engine::domain::Quantity(half));
    }

    /// Sends an answer as a fault wants it.
    pub(super) fn answer_with(
        &mut self,
        fault: Option<&Fault>,
        connection: Connection,
        answer: Answer,
        now: Nanos,
    ) {
        let out = Out::Answer(Box::new(answer));
        match fault {
            Some(fault) if fault.kind == Kind::DelayedAck => {
                self.later(now + fault.span, Later::Send(connection, out));
            }
            _ => self.send(connection, out),
        }
    }

    /// A frame leaves, as faults want it. `stream` is its name, or `user`; `report` is what a user frame tells.
    pub(super) fn send_frame(
        &mut self,
        connection: Connection,
        out: Out,
        stream: &str,
        report: Option<&Execution>,
        now: Nanos,
    ) {
        let fault = self.faults.on_frame(stream, now);
        let held = self.memory.held.remove(&connection);
        match fault.as_ref().map(|fault| fault.kind) {
            Some(Kind::DroppedFrame | Kind::SequenceGap | Kind::SilentStream) => {}
            Some(Kind::DuplicateFrame | Kind::DuplicateReport) => {
                self.send(connection, out.clone());
                self.send(connection, out);
            }
            Some(Kind::ReorderedFrame) => {
                self.memory.held.insert(connection, out);
            }
            Some(Kind::DelayedFrame) => {
                let span = fault.as_ref().map_or(Nanos::ZERO, |fault| fault.span);
                self.later(now + span, Later::Send(connection, out));
            }
            Some(Kind::HalfOpen) => self.send(connection, Out::HalfOpen),
            Some(Kind::Disconnect) => {
                let bytes = fault.as_ref().map_or(0, |fault| fault.bytes);
                self.send(connection, Out::Cut(bytes));
                self.send(connection, out);
            }
            Some(Kind::StaleReport) => self.send_with_stale(connection, out, report),
            _ => self.send(connection, out),
        }
        if let Some(held) = held {
            self.send(connection, held);
        }
    }

    fn send_with_stale(&mut self, connection: Connection, out: Out, report: Option<&Execution>) {
        self.send(connection, out.clone());
        let Some(report) = report else { return };
        let id = report.order.id;
        if report.kind == ExecutionKind::New {
            self.memory.news.insert(id, (connection, out));
        } else if !report.order.status.is_open()
            && let Some((connection, stale)) = self.memory.news.remove(&id)
        {
            self.send(connection, stale);
        }
    }
}

fn limited(fault: &Fault, now: Nanos) -> Failure {
    let until = (now + fault.span).0 / 1_000_000;
    Failure {
        status: 429,
        retry_after: u64::try_from((fault.span.0 + 999_999_999) / 1_000_000_000).ok(),
        data: Some(format!("{{\"serverTime\":{},\"retryAfter\":{until}}}", now.0 / 1_000_000)),
        ..Failure::new(
            -1003,
            "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.",
        )
    }
}

/// Puts trades behind the cancels of their orders.
fn trades_last(events: &mut Vec<Event>) {
    let is_trade = |event: &Event| matches!(event, Event::Execution(e) if e.kind == ExecutionKind::Trade);
    let (trades, others): (Vec<Event>, Vec<Event>) = std::mem::take(events).into_iter().partition(is_trade);
    events.extend(others);
    events.extend(trades);
}
