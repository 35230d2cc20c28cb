//! Everything that the controls read, and how reports, ticks and approvals change it. No rings here.

use std::collections::VecDeque;

use crate::counters::halt::HaltState;
use crate::domain::{Filters, Grids, InstrumentIndex, Instruments, Nanos, OrderId, Price, SourceId};
use crate::error::{RejectCode, SetupError};
use crate::ledger::{Applied, Ledger};
use crate::message::report::FeeAsset;
use crate::message::{Intent, Report, ReportKind, Tick};
use crate::room;
use crate::tick_to_trade::risk::bounds::Bounds;
use crate::tick_to_trade::risk::instrument_set::InstrumentSet;
use crate::tick_to_trade::risk::latch::{Day, DayState};
use crate::tick_to_trade::risk::limits::{AccountLimits, Limits, Rate};
use crate::tick_to_trade::risk::market::Reference;
use crate::tick_to_trade::risk::open_orders::{OpenOrders, OpenRow};
use crate::tick_to_trade::risk::position::Exposure;
use crate::tick_to_trade::risk::rate::{counts_as_storm, slot};
use crate::tick_to_trade::risk::request::{NewOrder, Origin, content_of};
use crate::tick_to_trade::risk::source::Source;
use crate::tick_to_trade::risk::valuation::{NoValue, Prices, mark};
use crate::tick_to_trade::risk::window::{Bucket, Window};

/// What risk looks up of one instrument with every order, side by side.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Own {
    /// The ledger's.
    position: i64,
    /// Its position is not known: a fill could not be applied.
    pub(super) unreconciled: bool,
    /// What surely passes of it; `None` where that is nothing, or not to be told so simply.
    pub(super) bounds: Option<Bounds>,
    /// The grids of its filters.
    pub(super) grids: Grids,
    /// What fees in a third asset, such as BNB, have cost at most, in the instrument's money: nothing here tells what that
    /// asset is worth.
    fees_elsewhere: i128,
}

impl Own {
    /// Its position, and what is open of it.
    #[inline]
    pub(super) const fn exposure(&self, open: &OpenRow) -> Exposure {
        Exposure { position: self.position, buys: open.left.buy, sells: open.left.sell }
    }

    /// Whether it is known to hold nothing.
    #[inline]
    const fn is_flat(&self) -> bool {
        self.position == 0 && !self.unreconciled
    }
}

/// A latch was raised: it must reach risk's halt page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Latch {
    /// C18 or C21.
    Source(SourceId, RejectCode),
    /// C19.
    Global(HaltState),
}

/// C04, C18, C19, C21.
fn limits_set(account: &AccountLimits) -> bool {
    let rates = [account.duplicates, account.repeat_fills, account.reject_storm];
    rates.iter().all(Rate::is_set) && account.day_loss_soft > 0 && account.day_loss_hard > 0
}

/// The highest fee of Binance Spot is one part in this many of a fill (0.1 %, its regular rate).
const HIGHEST_FEE: u128 = 1_000;

/// The state of risk.
#[derive(Debug)]
pub(super) struct State {
    pub(super) limits: Limits,
    pub(super) epoch: u32,
    pub(super) filters: Vec<Filters>,
    pub(super) tradable: Vec<bool>,
    pub(super) own: Vec<Own>,
    pub(super) prices: Prices,
    pub(super) ledger: Ledger,
    pub(super) orders: OpenOrders,
    /// Instruments with a position or open orders, or whose position is not known.
    pub(super) active: InstrumentSet,
    /// Instruments with fills.
    traded: InstrumentSet,
    pub(super) sources: Vec<Source>,
    pub(super) account_orders: Bucket,
    pub(super) account_cancels: Bucket,
    /// Whether every limit is set of which one that is not refuses all orders: of what is latched, and C04's.
    pub(super) limits_set: bool,
    pub(super) day: Day,
    /// What C19 has latched.
    pub(super) day_latch: HaltState,
    /// Reports were lost or could not be attributed: no exposure is known.
    pub(super) exposure_lost: bool,
    /// The other one of the pair whose refusal was counted last: what is told of it is the same refusal.
    refused_with: Option<OrderId>,
    /// Latches raised since they were last taken.
    raised: VecDeque<Latch>,
}

impl State {
    /// # Errors
    /// When the limits are not valid for the instruments.
    pub(super) fn new(instruments: &Instruments, limits: Limits, epoch: u32) -> Result<Self, SetupError> {
        limits.validate(instruments)?;
        let count = instruments.len();
        let source = |own| Source::new(&limits, own, count);
        let own = |filters| Own {
            position: 0,
            unreconciled: false,
            bounds: None,
            grids: Grids::of(filters),
            fees_elsewhere: 0,
        };
        let sources: Vec<_> = limits.sources.iter().map(source).collect();
        // Room for orders that reports bring in, beyond those that risk itself may have open.
        let orders = limits.account.max_open as usize * 2 + 64;
        let mut state = Self {
            epoch,
            filters: instruments.iter().map(|(_, instrument)| instrument.filters).collect(),
            tradable: instruments.iter().map(|(_, instrument)| instrument.untradable.is_none()).collect(),
            own: instruments.iter().map(|(_, instrument)| own(&instrument.filters)).collect(),
            prices: Prices::new(instruments, &limits.account),
            ledger: Ledger::new(instruments, sources.len())?,
            orders: OpenOrders::new(count, orders),
            active: InstrumentSet::new(count),
            traded: InstrumentSet::new(count),
            account_orders: Bucket::full(limits.account.orders),
            account_cancels: Bucket::full(limits.account.cancels),
            limits_set: limits_set(&limits.account),
            day: Day::new(),
            day_latch: HaltState::Active,
            refused_with: None,
            exposure_lost: false,
            raised: room::queue(sources.len() + 2, Latch::Global(HaltState::Active)),
            sources,
            limits,
        };
        state.bind();
        Ok(state)
    }

    /// Makes the bounds of every instrument from its filters and the limits in force.
    pub(super) fn bind(&mut self) {
        for (index, own) in self.own.iter_mut().enumerate() {
            let plain = self.prices.rows[index].plain.filter(|_| self.tradable[index]);
            own.bounds = Bounds::of(&self.filters[index], plain, &self.limits.instruments[index]);
        }
    }

    /// Takes new limits over at once; everything counted so far stays counted.
    ///
    /// # Errors
    /// When they are not valid, have other sources, or name another currency: the old ones stay.
    pub(super) fn set_limits(
        &mut self,
        instruments: &Instruments,
        limits: Limits,
        now: Nanos,
    ) -> Result<(), SetupError> {
        limits.validate(instruments)?;
        let fixed = |limits: &Limits| {
            let account = &limits.account;
            (limits.sources.len(), account.currency.clone(), account.at_par.clone())
        };
        if fixed(&limits) != fixed(&self.limits) {
            return Err(SetupError::Invalid("limits: sources and currency are fixed at start".into()));
        }
        for (source, own) in self.sources.iter_mut().zip(&limits.sources) {
            source.set_limits(&limits, own, now);
        }
        self.account_orders.set_rate(limits.account.orders, now);
        self.account_cancels.set_rate(limits.account.cancels, now);
        self.limits_set = limits_set(&limits.account);
        self.limits = limits;
        self.bind();
        Ok(())
    }

    /// How many instruments there are.
    #[inline]
    pub(super) const fn instruments(&self) -> usize {
        self.own.len()
    }

    /// Who may send what comes through the ring of `source`.
    #[inline]
    pub(super) const fn origin(&self, source: SourceId) -> Origin {
        Origin { source, epoch: self.epoch, instruments: self.instruments() }
    }

    /// Whether the position and the open orders of an instrument are known.
    #[inline]
    pub(super) fn is_reconciled(&self, instrument: InstrumentIndex) -> bool {
        !self.exposure_lost && !self.own[instrument as usize].unreconciled
    }

    /// Position and open orders of an instrument.
    #[inline]
    pub(super) fn exposure(&self, instrument: InstrumentIndex) -> Exposure {
        self.own[instrument as usize].exposure(self.orders.row(instrument))
    }

    /// Position and open orders of one source on an instrument.
    pub(super) fn exposure_of(&self, source: SourceId, instrument: InstrumentIndex) -> Exposure {
        use crate::domain::Side::{Buy, Sell};
        let position = self.ledger.account_of(instrument, source).map_or(0, |own| own.position.0);
        let left = |side| self.orders.left_of(source, instrument, side);
        Exposure { position, buys: left(Buy), sells: left(Sell) }
    }

    /// The reference price of an instrument.
    ///
    /// # Errors
    /// NO_REF or STALE_MD.
    #[inline]
    pub(super) fn reference(&self, instrument: InstrumentIndex, now: Nanos) -> Result<Reference, RejectCode> {
        self.prices.reference(&self.limits.instruments, instrument, now)
    }

    /// Value of the largest position that could come of what is held and open of an instrument, in the account's currency.
    ///
    /// # Errors
    /// When a price is missing, or the exposure itself is not known.
    #[inline(never)]
    pub(super) fn worst_value_of(&self, instrument: InstrumentIndex, now: Nanos) -> Result<i128, NoValue> {
        if !self.is_reconciled(instrument) {
            return Err(NoValue::Unconvertible);
        }
        let reference = self.reference(instrument, now).map_err(NoValue::Reference)?;
        self.worst_value_at(reference, instrument, &self.exposure(instrument), now)
    }

    /// Value of the largest position that could come of `exposure`, of an instrument that is reconciled and has that reference.
    ///
    /// # Errors
    /// When a price for the conversion is missing.
    #[inline]
    pub(super) fn worst_value_at(
        &self,
        reference: Reference,
        instrument: InstrumentIndex,
        exposure: &Exposure,
        now: Nanos,
    ) -> Result<i128, NoValue> {
        let price = (reference.doubled(), 2);
        self.prices.value(&self.limits.instruments, instrument, exposure.worst(), price, now)
    }

    /// Takes a tick; true if the day's result may have changed by it.
    #[inline(always)]
    pub(super) fn on_tick(&mut self, tick: &Tick) -> bool {
        let Some(row) = self.prices.rows.get_mut(tick.instrument as usize) else { return false };
        let moved = row.quote.on_tick(tick);
        let held = || self.own[tick.instrument as usize].position != 0;
        // What is not known may be by this price, also of a flat account: fees in the base asset need one.
        let concerns =
            || self.day.state == DayState::Unknown || self.prices.is_converter(tick.instrument) || held();
        moved && !self.traded.members().is_empty() && concerns()
    }

    /// Ticks were missed: no book is trusted before its next top.
    pub(super) fn on_tick_gap(&mut self) {
        self.prices.rows.iter_mut().for_each(|row| row.quote.on_gap());
    }

    /// Takes a report; true if it applied a fill.
    pub(super) fn on_report(&mut self, report: &Report, now: Nanos) -> bool {
        let refused = report.kind == ReportKind::Rejected.code();
        let other = if refused { self.orders.other_of(report.id) } else { None };
        self.on_report_of(report, other, now)
    }

    /// The same, of an order whose `other` of a pair is known, if it was refused and there is one.
    pub(super) fn on_report_of(&mut self, report: &Report, other: Option<OrderId>, now: Nanos) -> bool {
        let Some(own) = self.own.get_mut(report.instrument as usize) else {
            self.exposure_lost = true;
            return false;
        };
        let mut traded = 0;
        match self.ledger.apply(report) {
            Ok(Applied::Fill(fill)) => {
                traded = fill.quantity.0;
                own.position = self.ledger.position(fill.instrument).map_or(0, |position| position.0);
                if matches!(fill.fee_asset, FeeAsset::Other | FeeAsset::Bnb) && fill.fee > 0 {
                    let worth = self.prices.terms(fill.instrument).worth(traded, fill.price);
                    let most = worth.map(|worth| worth.unsigned_abs().div_ceil(HIGHEST_FEE));
                    let most = most.and_then(|most| i128::try_from(most).ok()).unwrap_or(i128::MAX);
                    own.fees_elsewhere = own.fees_elsewhere.saturating_add(most);
                }
            }
            Ok(Applied::NoFill | Applied::Duplicate) => {}
            Err(_) => own.unreconciled = true,
        }
        if self.orders.on_report(report, traded).is_err() {
            self.exposure_lost = true;
        }
        let (instrument, source) = (report.instrument, report.id.source);
        if traded > 0 {
            self.traded.set(instrument, true);
            let window = &mut self.sources[slot(source)].fills[instrument as usize];
            // A limit that is not set rejects at the order; it latches nothing.
            if window.hit(now) && self.limits.account.repeat_fills.is_set() {
                self.latch_source(source, RejectCode::RepeatExecution);
            }
        }
        if report.kind == ReportKind::Rejected.code() && self.refused_with != Some(report.id) {
            // A pair is one request, whose refusal is told of both, one behind the other.
            self.refused_with = other;
            self.on_reject(source, RejectCode::Venue, now);
        }
        self.active.set(instrument, self.is_active(instrument));
        traded > 0
    }

    /// Brings to hand what deciding `intent` of `source` will need.
    #[inline]
    pub(super) fn expect(&self, source: SourceId, intent: &Intent) {
        if let (Some(own), Some(content)) = (self.sources.get(slot(source)), content_of(intent)) {
            own.rates.recent.expect(&content);
        }
    }

    /// Remembers the identity of a well-formed intent, whatever became of it.
    #[inline]
    pub(super) fn on_identity(&mut self, id: OrderId) {
        self.sources[slot(id.source)].on_identity(id);
    }

    /// C21: counts a reject.
    pub(super) fn on_reject(&mut self, source: SourceId, code: RejectCode, now: Nanos) {
        let Some(own) = self.sources.get_mut(slot(source)) else { return };
        if counts_as_storm(code) && own.rates.rejects.hit(now) && self.limits.account.reject_storm.is_set() {
            self.latch_source(source, RejectCode::RejectStorm);
        }
    }

    /// Counts an order that every control passed: in full, from now on.
    pub(super) fn on_approval(&mut self, order: &NewOrder, now: Nanos) {
        self.count_order(order, now);
        self.hold(order);
    }

    /// The same of an order with a limit of `source`, in the epoch of its that is known, with its identity.
    #[inline(always)]
    pub(super) fn on_sure_approval(&mut self, order: &NewOrder, source: SourceId, now: Nanos) {
        let source = &mut self.sources[slot(source)];
        source.last.1 = order.id.sequence;
        source.count_order(order, now);
        self.account_orders.take(now);
        self.hold_at(order, order.price);
    }

    /// Counts a pair that every control passed, of which the venue lets only one trade.
    pub(super) fn on_pair(&mut self, orders: &[NewOrder; 2], now: Nanos) {
        for order in orders {
            self.on_approval(order, now);
        }
        self.orders.pair(orders[0].id, orders[1].id);
    }

    /// C04, C16: counts an order as a message and by its content.
    pub(super) fn count_order(&mut self, order: &NewOrder, now: Nanos) {
        self.sources[slot(order.id.source)].count_order(order, now);
        self.account_orders.take(now);
    }

    /// Holds what an order may trade, in full, until reports say otherwise.
    pub(super) fn hold(&mut self, order: &NewOrder) {
        self.hold_at(order, order.worst_price());
    }

    #[inline(always)]
    fn hold_at(&mut self, order: &NewOrder, worst: Price) {
        let Ok(is_first) = self.orders.reserve(order, worst) else {
            // C15 saw room; if there is none after all, what is open is not known any more.
            self.exposure_lost = true;
            return;
        };
        // What it may trade is more than nothing. What is open already, or held, is among them.
        if is_first && self.own[order.instrument as usize].is_flat() {
            self.active.set(order.instrument, true);
        }
    }

    /// Counts an amendment that passed: to the venue it is a message like a new order.
    pub(super) fn on_amend(&mut self, source: SourceId, now: Nanos) {
        self.sources[slot(source)].rates.orders.take(now);
        self.account_orders.take(now);
    }

    /// Counts a cancel that passed.
    pub(super) fn on_cancel(&mut self, source: SourceId, now: Nanos) {
        self.sources[slot(source)].rates.cancels.take(now);
        self.account_cancels.take(now);
    }

    /// Whether an instrument has a position or open orders, or its position is not known.
    #[inline(always)]
    pub(super) fn is_active(&self, instrument: InstrumentIndex) -> bool {
        self.own[instrument as usize].unreconciled || !self.exposure(instrument).is_flat()
    }

    fn latch_source(&mut self, source: SourceId, code: RejectCode) {
        let latched = &mut self.sources[slot(source)].latched;
        if latched.is_none() {
            *latched = Some(code);
            self.raised.push_back(Latch::Source(source, code));
        }
    }

    /// Holds `source` latched by `cause`, as its last life had it; what was raised for it since is in there.
    pub(super) fn restore_source_latch(&mut self, source: SourceId, cause: RejectCode) {
        self.unraise(source);
        if let Some(own) = self.sources.get_mut(slot(source)) {
            own.latched = Some(cause);
        }
    }

    fn unraise(&mut self, source: SourceId) {
        self.raised.retain(|latch| !matches!(latch, Latch::Source(raised, _) if *raised == source));
    }

    /// An operator clears the latches of a source; what led to them is forgotten.
    pub(super) fn clear_source(&mut self, source: SourceId) {
        self.unraise(source);
        if let Some(own) = self.sources.get_mut(slot(source)) {
            own.latched = None;
            own.rates.rejects.clear();
            own.fills.iter_mut().for_each(Window::clear);
        }
    }

    /// An operator clears the latch of C19. It returns with the next check if the loss stands.
    pub(super) fn clear_day_latch(&mut self) {
        self.day_latch = HaltState::Active;
    }

    /// Whether there is a latch that has not yet been taken.
    #[inline]
    pub(super) fn has_raised(&self) -> bool {
        !self.raised.is_empty()
    }

    /// The earliest latch that has not yet been taken.
    pub(super) fn take_latch(&mut self) -> Option<Latch> {
        self.raised.pop_front()
    }

    /// C19: computes the day's result at `now`, and starts a day that has begun.
    pub(super) fn check_day(&mut self, now: Nanos) {
        if self.day.is_over(now) {
            // What was known of prices at midnight is what was last seen of them.
            let total = self.total_pnl(|state, instrument| {
                state.prices.rows[instrument as usize]
                    .quote
                    .last()
                    .ok_or(NoValue::Reference(RejectCode::NoReference))
            });
            self.day.start(now, total);
        }
        let total =
            self.total_pnl(|state, instrument| state.reference(instrument, now).map_err(NoValue::Reference));
        let account = &self.limits.account;
        let raised = self.day.check(total, account.day_loss_soft, account.day_loss_hard);
        if raised > self.day_latch {
            self.day_latch = raised;
            self.raised.push_back(Latch::Global(raised));
        }
    }

    /// Result of all time in the account's currency: realised, unrealised and fees; `None` when it is not known.
    fn total_pnl(&self, rate: impl Fn(&Self, InstrumentIndex) -> Result<Reference, NoValue>) -> Option<i128> {
        let mut total = 0_i128;
        for &instrument in self.traded.members() {
            if !self.is_reconciled(instrument) {
                return None;
            }
            let position = self.ledger.position(instrument)?.0;
            let price = if position == 0 {
                // Only base fees of the past need it.
                self.prices.rows[instrument as usize].quote.last().map_or(Price::NONE, Reference::floor)
            } else {
                mark(position, rate(self, instrument).ok()?)
            };
            let mut pnl = self.ledger.pnl(instrument, price).ok()?;
            pnl.total = pnl.total.checked_sub(self.own[instrument as usize].fees_elsewhere)?;
            let value = self.prices.pnl(instrument, &pnl, |through| rate(self, through)).ok()?;
            total = total.checked_add(value)?;
        }
        if self.exposure_lost { None } else { Some(total) }
    }
}
