//! New orders: accepted, and matched with what stands on the other side.

use super::AccountIndex;
use super::balances::{Amount, AssetIndex, base_amount, fee, quote_amount, quote_reserve};
use super::core::{Exchange, Fill};
use super::event::{Event, ExecutionKind, FillFacts, PublicTrade};
use super::order::{Expiry, Order, Status};
use super::plan::{Plan, Step};
use super::reject::Reject;
use super::request::NewOrder;
use crate::domain::{Instrument, InstrumentIndex, Nanos, Price, Quantity, Side, TimeInForce};

impl Exchange {
    /// Places an order. What becomes of it is in the events and in [`order`](Self::order).
    ///
    /// # Errors
    /// When it is refused: nothing has changed.
    pub fn place(&mut self, now: Nanos, account: AccountIndex, new: &NewOrder) -> Result<u64, Reject> {
        self.advance(now);
        let (plan, lock) = self.admit(account, new)?;
        let id = self.accept(account, new, plan.is_some(), lock, 0);
        if let (Some(plan), Some(order)) = (&plan, self.orders.get_mut(id))
            && new.quote_quantity > 0
        {
            order.quantity = Quantity(plan.filled + plan.prevented);
        }
        if plan.is_none() {
            self.follow_price(id);
        }
        self.report(ExecutionKind::New, id, None, None);
        match plan {
            Some(plan) => self.execute(id, &plan),
            None => self.wait(id),
        }
        self.finish(new.instrument);
        Ok(id)
    }

    /// Makes the order, of `list` if that is not 0, and reserves for it. One that is `working` does not wait.
    pub(super) fn accept(
        &mut self,
        account: AccountIndex,
        new: &NewOrder,
        working: bool,
        lock: Amount,
        list: u64,
    ) -> u64 {
        let id = self.orders.next_id();
        let now = self.clock;
        let order = Order {
            id,
            account,
            instrument: new.instrument,
            client_id: new.client_id.clone(),
            side: new.side,
            kind: new.kind,
            time_in_force: new.time_in_force,
            price: new.price,
            stop_price: new.stop_price,
            quantity: new.quantity,
            quote_quantity: new.quote_quantity,
            filled: Quantity::ZERO,
            quote_filled: 0,
            prevented: Quantity::ZERO,
            prevented_match: 0,
            status: Status::New,
            iceberg: new.iceberg,
            trailing_delta: new.trailing_delta,
            trail: None,
            trailing_since: None,
            stp: new.stp,
            expiry: None,
            list,
            strategy_id: new.strategy_id,
            strategy_type: new.strategy_type,
            created: now,
            updated: now,
            working: working.then_some(now),
            amends: 0,
            reserved_at: self.reserve_price(new),
            locked: lock,
        };
        let asset = self.pays_with(&order);
        self.orders.insert(order);
        if lock != 0 {
            self.credit(account, asset, -lock, lock);
        }
        id
    }

    /// The asset that an order pays with.
    pub(super) fn pays_with(&self, order: &Order) -> AssetIndex {
        let book = &self.books[order.instrument as usize];
        match order.side {
            Side::Buy => book.quote,
            Side::Sell => book.base,
        }
    }

    /// Carries an accepted order out.
    pub(super) fn execute(&mut self, id: u64, plan: &Plan) {
        for step in &plan.steps {
            self.step(id, *step);
        }
        let Some(order) = self.orders.get(id).filter(|order| order.status.is_open()) else { return };
        let (account, instrument, side, price) = (order.account, order.instrument, order.side, order.price);
        let leaves = order.leaves();
        let expiry = match (order.kind.is_market(), order.time_in_force) {
            (true, _) => Some(Expiry::InsufficientLiquidity),
            (_, TimeInForce::ImmediateOrCancel) => Some(Expiry::UnfilledIoc),
            (_, TimeInForce::FillOrKill) => Some(Expiry::UnfilledFok),
            (_, TimeInForce::GoodTillCancel) => None,
        };
        if expiry.is_some() {
            self.end(id, Status::Expired, expiry, None);
        } else {
            let part = order.iceberg.0;
            let book = &mut self.books[instrument as usize];
            book.sides.get_mut(side).insert(id, account, price, leaves.0, part);
        }
    }

    fn step(&mut self, taker: u64, step: Step) {
        let Some(order) = self.orders.get(taker) else { return };
        let (instrument, side) = (order.instrument, order.side);
        let other = side.opposite();
        match step {
            Step::Market { price, quantity } => {
                let book = &mut self.books[instrument as usize];
                book.sides.get_mut(other).take_market(price, quantity);
                let trade = self.trade(instrument, price, Quantity(quantity), side);
                self.fill(taker, trade, price, Quantity(quantity), false);
                self.market_side(instrument, price, Quantity(quantity), other);
            }
            Step::Order { id, price, quantity } => {
                self.books[instrument as usize].sides.get_mut(other).reduce(id, price, quantity);
                let trade = self.trade(instrument, price, Quantity(quantity), side);
                self.fill(taker, trade, price, Quantity(quantity), false);
                self.fill(id, trade, price, Quantity(quantity), true);
            }
            Step::Prevent { id, price, quantity, shrinks, maker_ends, taker_ends } => {
                self.preventions += 1;
                let by = if shrinks { quantity } else { 0 };
                if shrinks {
                    self.books[instrument as usize].sides.get_mut(other).reduce(id, price, quantity);
                }
                self.prevent(id, quantity, by, maker_ends);
                self.prevent(taker, quantity, by, taker_ends);
            }
        }
    }

    /// A match of `quantity` was prevented, and the order loses `by`.
    fn prevent(&mut self, id: u64, quantity: i64, by: i64, ends: bool) {
        let (number, instruments) = (self.preventions, std::sync::Arc::clone(&self.instruments));
        let shared = self.shares_lock(id);
        let Some(order) = self.orders.get_mut(id) else { return };
        order.prevented.0 += by;
        order.prevented_match = number;
        // A market buy has reserved for its trades alone; what a list has reserved is not of one of its orders.
        if by > 0 && !shared && !(order.kind.is_market() && order.side == Side::Buy) {
            let account = order.account;
            let keep = instruments.get(order.instrument).map_or(0, |instrument| open_lock(instrument, order));
            let release = order.locked - keep;
            order.locked = keep;
            let order = order.clone();
            self.credit(account, self.pays_with(&order), release, -release);
        }
        self.report(ExecutionKind::TradePrevention, id, None, None);
        if let Some(Event::Execution(execution)) = self.events.last_mut() {
            execution.prevented = Quantity(quantity);
        }
        if ends {
            self.end(id, Status::ExpiredInMatch, None, None);
        }
    }

    /// A trade, as everyone sees it. Returns its id.
    pub(super) fn trade(
        &mut self,
        instrument: InstrumentIndex,
        price: Price,
        quantity: Quantity,
        aggressor: Side,
    ) -> u64 {
        let time = self.clock;
        let book = &mut self.books[instrument as usize];
        book.trade_id += 1;
        book.last = Some(price);
        let id = book.trade_id;
        self.events.push(Event::Trade(PublicTrade { instrument, id, price, quantity, aggressor, time }));
        id
    }

    /// The market was the other side of a fill, on `side`.
    pub(super) fn market_side(
        &mut self,
        instrument: InstrumentIndex,
        price: Price,
        quantity: Quantity,
        side: Side,
    ) {
        let Some(listed) = self.instruments.get(instrument) else { return };
        let value = quote_amount(listed, price, quantity).unwrap_or(0);
        let base = base_amount(listed, quantity);
        let book = &self.books[instrument as usize];
        let sign = i128::from(side.sign());
        self.market[book.base as usize] += sign * base;
        self.market[book.quote as usize] -= sign * value;
    }

    /// Fills an order, pays for it, and tells.
    pub(super) fn fill(&mut self, id: u64, trade_id: u64, price: Price, quantity: Quantity, maker: bool) {
        let instruments = std::sync::Arc::clone(&self.instruments);
        if let Some(list) = self.orders.get(id).map(|order| order.list).filter(|&list| list != 0) {
            self.activate(id, list);
        }
        let Some(order) = self.orders.get_mut(id) else { return };
        let Some(instrument) = instruments.get(order.instrument) else { return };
        let value = quote_amount(instrument, price, quantity).unwrap_or(0);
        let base = base_amount(instrument, quantity);
        order.filled.0 += quantity.0;
        order.quote_filled += value;
        let done = order.leaves() == Quantity::ZERO;
        order.status = if done { Status::Filled } else { Status::PartiallyFilled };
        let (pays, receives) = match order.side {
            Side::Buy => (value, base),
            Side::Sell => (base, value),
        };
        let market_buy = order.kind.is_market() && order.side == Side::Buy;
        let keep = match (done, market_buy) {
            (true, _) => 0,
            (_, true) => order.locked - pays,
            _ => open_lock(instrument, order),
        };
        let release = order.locked - keep;
        order.locked = keep;
        let (account, index, side, list) = (order.account, order.instrument, order.side, order.list);
        let pay_asset = {
            let order = order.clone();
            self.pays_with(&order)
        };
        let book = &self.books[index as usize];
        let receive_asset = if side == Side::Buy { book.base } else { book.quote };
        let owner = &mut self.accounts[account as usize];
        let rate = if maker { owner.maker } else { owner.taker };
        let fee = fee(receives, rate.0);
        let facts = FillFacts { trade_id, price, quantity, value, fee, fee_asset: receive_asset, maker };
        owner.fills.push(Fill { instrument: index, order: id, list, side, facts, time: self.clock });
        self.fees[receive_asset as usize] += fee;
        self.credit(account, pay_asset, release - pays, -release);
        self.credit(account, receive_asset, receives - fee, 0);
        self.report(ExecutionKind::Trade, id, Some(facts), None);
        if done {
            self.orders.close(id);
            if list != 0 {
                let order = self.orders.get(id).cloned();
                order.iter().for_each(|order| self.leg_ended(order, None));
            }
        }
    }

    /// Ends an order that has not filled: off the book, its reservation released, told.
    pub(super) fn end(
        &mut self,
        id: u64,
        status: Status,
        expiry: Option<Expiry>,
        request_id: Option<Box<str>>,
    ) {
        let Some(order) = self.orders.get_mut(id) else { return };
        let release = std::mem::replace(&mut order.locked, 0);
        (order.status, order.expiry) = (status, expiry);
        let order = order.clone();
        let book = &mut self.books[order.instrument as usize];
        book.sides.get_mut(order.side).remove(id, order.price);
        book.waiting.retain(|waiting| *waiting != id);
        self.credit(order.account, self.pays_with(&order), release, -release);
        let kind = match status {
            Status::Canceled => ExecutionKind::Canceled,
            Status::Rejected => ExecutionKind::Rejected,
            _ => ExecutionKind::Expired,
        };
        let list = (order.list != 0).then_some((order, request_id.clone()));
        self.report(kind, id, None, request_id);
        self.orders.close(id);
        if let Some((order, request_id)) = list {
            self.leg_ended(&order, request_id.as_deref());
        }
    }
}

/// What an open order with a limit, a sell, or one that waits needs for the rest of its life.
pub(super) fn open_lock(instrument: &Instrument, order: &Order) -> Amount {
    match order.side {
        Side::Sell => base_amount(instrument, order.leaves()),
        Side::Buy => quote_reserve(instrument, order.reserved_at, order.leaves()).unwrap_or(order.locked),
    }
}
