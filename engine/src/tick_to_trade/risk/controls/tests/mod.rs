//! Tests of the pass: each control through the whole of it, and which of two codes wins.
//! `order` holds the controls on the order itself, `account` those on what surrounds it.

use super::*;
use crate::domain::{OrderId, OrderType, Price, Quantity, Side};
use crate::message::report::OrderState;
use crate::message::{Report, ReportKind};
use crate::tick_to_trade::risk::fixture::{
    EPOCH, OPEN, OPERATOR, USD, amend, cancel, fill, id, instruments, limit, limits, market, report,
};
use crate::tick_to_trade::risk::limits::{AccountLimits, Limits, Rate};
use crate::tick_to_trade::risk::market::tests::top;
use crate::tick_to_trade::risk::state::Latch;

mod account;
mod order;

const NOW: Nanos = Nanos::from_secs(100);
const ALICE: SourceId = SourceId(0);

/// Risk at work, with books of 1000/1010 everywhere.
struct Desk {
    state: State,
    sequence: u64,
    trade: u64,
    now: Nanos,
}

impl Desk {
    fn with(limits: Limits) -> Self {
        let mut state = State::new(&instruments(), limits, EPOCH).expect("valid limits");
        for instrument in 0..4 {
            state.on_tick(&top(instrument, 1_000, 1_010, NOW));
        }
        state.check_day(NOW);
        Self { state, sequence: 0, trade: 0, now: NOW }
    }

    fn new() -> Self {
        Self::with(limits())
    }

    fn next(&mut self) -> OrderId {
        self.sequence += 1;
        id(0, self.sequence)
    }

    fn verdict(&self, intent: &Intent) -> RejectCode {
        self.state.check(intent, intent.id.source, self.now, &OPEN).err().unwrap_or(RejectCode::None)
    }

    fn buy(&mut self, price: i64, quantity: i64) -> Intent {
        limit(self.next(), 0, Side::Buy, price, quantity)
    }

    fn sell(&mut self, price: i64, quantity: i64) -> Intent {
        limit(self.next(), 0, Side::Sell, price, quantity)
    }

    /// Checks an intent that must pass, and counts it.
    fn approve(&mut self, intent: &Intent) {
        let verdict = self.state.check(intent, intent.id.source, self.now, &OPEN);
        let order = verdict.as_ref().ok().and_then(Request::order);
        let Some(order) = order else { panic!("{verdict:?} for {intent:?}") };
        self.state.on_identity(intent.id);
        self.state.on_approval(order, self.now);
    }

    /// Buys or sells `quantity` past all controls, as a report of an order from before would tell.
    fn hold(&mut self, instrument: u32, side: Side, price: i64, quantity: i64) {
        self.trade += 1;
        let order = limit(id(1, self.trade), instrument, side, price, quantity);
        self.state.on_report(&fill(&order, price, quantity, quantity, self.trade), self.now);
        assert!(self.state.is_reconciled(instrument));
        self.state.check_day(self.now);
    }
}
