//! The pass: every control on every intent, in one order, without allocation. The first failing code wins.

use crate::counters::halt::HaltState;
use crate::domain::{Filters, InstrumentIndex, Nanos, OrderId, Quantity, SourceId};
use crate::error::RejectCode;
use crate::limits::{CANCEL_RESERVE, RING_CAPACITY_MIN};
use crate::message::Intent;
use crate::tick_to_trade::risk::latch::{DayState, day_loss, source_latch};
use crate::tick_to_trade::risk::limits::{InstrumentLimits, UNLIMITED};
use crate::tick_to_trade::risk::market::{Reference, collar, collar_of_trigger};
use crate::tick_to_trade::risk::open_orders::OpenRow;
use crate::tick_to_trade::risk::position::{Exposure, max_gross, max_position};
use crate::tick_to_trade::risk::rate::{duplicate_content, max_open, message_rate, slot, unresolved};
use crate::tick_to_trade::risk::request::{Amend, NewOrder, Request, Sweep, read};
use crate::tick_to_trade::risk::self_trade::self_trade;
use crate::tick_to_trade::risk::size::{filters, max_notional, max_quantity, valued_at};
use crate::tick_to_trade::risk::source::Source;
use crate::tick_to_trade::risk::state::{Own, State};
use crate::tick_to_trade::risk::valuation::{NoValue, Row};

/// C25: records of the journal that new orders may not use, so that rejects and cancels always find room.
pub const JOURNAL_RESERVE: usize = 16;

const _: () = {
    // A producer rereads its consumer's cursor only when less than half of the ring looks free: nearer to the half, a
    // stale copy could reject.
    assert!(JOURNAL_RESERVE * 2 < RING_CAPACITY_MIN && CANCEL_RESERVE * 2 < RING_CAPACITY_MIN);
};

/// What stands outside risk's own state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gates {
    /// The strictest of all halt pages for this source and instrument.
    pub(super) halt: HaltState,
    /// Records that fit the journal.
    pub(super) journal_free: usize,
    /// Orders that fit the order ring.
    pub(super) ring_free: usize,
    /// Whether ingest and route are alive.
    pub(super) link_up: bool,
}

impl Gates {
    /// Whether they let an order through, whatever it is: C01, C24, C25.
    #[inline(always)]
    pub(super) const fn are_open(&self) -> bool {
        let room = self.journal_free > JOURNAL_RESERVE && self.ring_free > CANCEL_RESERVE;
        matches!(self.halt, HaltState::Active) && self.link_up && room
    }
}

/// An order with what several controls need of it, looked up once.
struct Subject<'a> {
    state: &'a State,
    order: &'a NewOrder,
    /// The order in whose place it comes: never both of them trade.
    replaced: Option<&'a OrderId>,
    now: Nanos,
    /// Its source.
    source: &'a Source,
    /// Its instrument.
    own: &'a Own,
    prices: &'a Row,
    filters: &'a Filters,
    limits: &'a InstrumentLimits,
    open: &'a OpenRow,
}

impl State {
    /// Decides an intent that came through the ring of `source`, and changes nothing.
    ///
    /// # Errors
    /// The code of the first control that fails.
    pub(super) fn check(
        &self,
        intent: &Intent,
        source: SourceId,
        now: Nanos,
        gates: &Gates,
    ) -> Result<Request, RejectCode> {
        if gates.are_open()
            && let Some(order) = self.surely_passes(intent, source, now)
        {
            return Ok(Request::New(order));
        }
        self.check_in_full(intent, source, now, gates)
    }

    /// The same, control by control.
    #[inline(never)]
    pub(super) fn check_in_full(
        &self,
        intent: &Intent,
        source: SourceId,
        now: Nanos,
        gates: &Gates,
    ) -> Result<Request, RejectCode> {
        if slot(source) >= self.sources.len() {
            return Err(RejectCode::BadRequest);
        }
        let request = read(intent, self.origin(source));
        self.judge(&request, source, now, gates)?;
        request
    }

    /// Decides what an intent of `source` was read as.
    fn judge(
        &self,
        request: &Result<Request, RejectCode>,
        source: SourceId,
        now: Nanos,
        gates: &Gates,
    ) -> Result<(), RejectCode> {
        match request {
            Ok(Request::Cancel(cancel)) => {
                self.check_target(cancel.id.source, cancel.target, cancel.instrument)?;
                self.check_cancels(source, now, gates)
            }
            Ok(Request::Sweep(sweep)) => self.check_sweep(sweep, now, gates),
            // C01, for what is readable and for what is not.
            _ if gates.halt > HaltState::ReduceOnly => Err(RejectCode::Halted),
            // C02.
            Err(code) => Err(*code),
            Ok(Request::New(order)) => self.check_new(order, None, now, gates),
            // One of a pair whose other did not come with it.
            Ok(Request::Leg(order)) if order.valid_until < now => Err(RejectCode::Expired),
            Ok(Request::Leg(_)) => Err(RejectCode::BadRequest),
            Ok(Request::Amend(amend)) => self.check_amend(amend, now, gates),
            Ok(Request::Replace(order, target)) => {
                self.check_replaced(order, *target)?;
                self.check_new(order, Some(target), now, gates)
            }
        }
    }

    /// The bucket of cancels; nothing but that and C02 may keep an order from being cancelled.
    fn check_cancels(&self, source: SourceId, now: Nanos, gates: &Gates) -> Result<(), RejectCode> {
        let limits = &self.limits.sources[slot(source)];
        let own = &self.sources[slot(source)].rates.cancels;
        // Who cancels for others is not held up by a flood of theirs.
        let account = if limits.cancels_for_others { own } else { &self.account_cancels };
        message_rate(own, account, now)?;
        if gates.journal_free == 0 {
            return Err(RejectCode::Journal);
        }
        if gates.ring_free == 0 { Err(RejectCode::RingFull) } else { Ok(()) }
    }

    /// A cancel of all is for people, who know whose orders those are; a late one would take what was placed since.
    fn check_sweep(&self, sweep: &Sweep, now: Nanos, gates: &Gates) -> Result<(), RejectCode> {
        let source = sweep.id.source;
        if !self.limits.sources[slot(source)].cancels_for_others {
            return Err(RejectCode::BadRequest);
        }
        if sweep.valid_until < now {
            return Err(RejectCode::Expired);
        }
        self.check_cancels(source, now, gates)
    }

    /// C02 of what changes an order: there is one, of that instrument, and the source may touch it.
    fn check_target(
        &self,
        source: SourceId,
        target: OrderId,
        named: InstrumentIndex,
    ) -> Result<(), RejectCode> {
        let instrument = self.orders.instrument_of(target).ok_or(RejectCode::UnknownOrder)?;
        if target.source != source && !self.limits.sources[slot(source)].cancels_for_others {
            return Err(RejectCode::UnknownOrder);
        }
        if instrument == named { Ok(()) } else { Err(RejectCode::BadRequest) }
    }

    /// What an amendment must pass: it can only lower exposure, so what bounds exposure does not bind it.
    fn check_amend(&self, amend: &Amend, now: Nanos, gates: &Gates) -> Result<(), RejectCode> {
        // C24.
        if !gates.link_up {
            return Err(RejectCode::LinkDown);
        }
        let source = &self.sources[slot(amend.id.source)];
        // C03.
        if (amend.id.source_epoch, amend.id.sequence) <= source.last {
            return Err(RejectCode::DuplicateId);
        }
        if amend.valid_until < now {
            return Err(RejectCode::Expired);
        }
        self.check_target(amend.id.source, amend.target, amend.instrument)?;
        let (quantity, filled) = self.orders.amendable(amend.target).ok_or(RejectCode::Unresolved)?;
        if self.may_be_paired(amend.target) || amend.quantity >= quantity || amend.quantity <= filled {
            return Err(RejectCode::KeepPriority);
        }
        // C05: price and value were judged when it was placed. C16.
        let index = amend.instrument as usize;
        if !self.tradable[index] {
            return Err(RejectCode::FilterStatus);
        }
        if !self.own[index].grids.lot_passes(&self.filters[index], false, amend.quantity) {
            return Err(RejectCode::FilterLot);
        }
        message_rate(&source.rates.orders, &self.account_orders, now)?;
        if gates.journal_free <= JOURNAL_RESERVE {
            return Err(RejectCode::Journal);
        }
        if gates.ring_free <= CANCEL_RESERVE { Err(RejectCode::RingFull) } else { Ok(()) }
    }

    /// What the order must be whose place a new one takes. The new one is judged beside it, as if both were to rest: which
    /// of the two the venue has at any moment only its events tell.
    fn check_replaced(&self, order: &NewOrder, target: OrderId) -> Result<(), RejectCode> {
        self.check_target(order.id.source, target, order.instrument)?;
        let (_, filled) = self.orders.amendable(target).ok_or(RejectCode::Unresolved)?;
        let possible = filled == Quantity::ZERO && self.filters[order.instrument as usize].cancel_replace;
        if possible && !self.may_be_paired(target) { Ok(()) } else { Err(RejectCode::NoReplace) }
    }

    /// Whether the venue may change or cancel another order with this one, of which it then tells nothing: one of a pair, or
    /// what an earlier session left, of which nobody here knows whether it is.
    fn may_be_paired(&self, id: OrderId) -> bool {
        id.epoch != self.epoch || self.orders.is_paired(id)
    }

    /// Every control on a new order, which may come in the place of another.
    pub(super) fn check_new(
        &self,
        order: &NewOrder,
        replaced: Option<&OrderId>,
        now: Nanos,
        gates: &Gates,
    ) -> Result<(), RejectCode> {
        // C01: the stricter states were refused before.
        if gates.halt == HaltState::ReduceOnly && !self.reduces(order, replaced) {
            return Err(RejectCode::Halted);
        }
        let subject = Subject::of(self, (order, replaced), now);
        // C24.
        if !gates.link_up {
            return Err(RejectCode::LinkDown);
        }
        subject.identity()?;
        let reference = subject.size_and_price()?;
        let reduces = subject.position(reference)?;
        subject.rate()?;
        subject.latches(reduces)?;
        subject.orders()?;
        if gates.journal_free <= JOURNAL_RESERVE {
            return Err(RejectCode::Journal);
        }
        if gates.ring_free <= CANCEL_RESERVE { Err(RejectCode::RingFull) } else { Ok(()) }
    }

    /// What is held and open with a new order, and whether that can only shrink a position that is known.
    #[inline(always)]
    fn exposure_after(&self, order: &NewOrder, replaced: Option<&OrderId>) -> (Exposure, bool) {
        let after = self.exposure(order.instrument).with(order);
        let in_place = match replaced.and_then(|id| self.orders.working(*id)) {
            None => after,
            Some((_, side, left)) => after.without(side, left),
        };
        (after, self.is_reconciled(order.instrument) && in_place.only_shrinks(order.side))
    }

    /// C01, where the halt state lets only what shrinks a position pass.
    #[cold]
    fn reduces(&self, order: &NewOrder, replaced: Option<&OrderId>) -> bool {
        self.exposure_after(order, replaced).1
    }

    /// C11 for the source alone. What shrinks its own position passes, whatever it does to the account's.
    #[inline(never)]
    pub(super) fn check_own_position(
        &self,
        (order, replaced): (&NewOrder, Option<&OrderId>),
        reference: Reference,
        limit: i128,
        now: Nanos,
    ) -> Result<(), RejectCode> {
        let before = self.exposure_of(order.id.source, order.instrument);
        let in_place = replaced.and_then(|id| self.orders.working(*id));
        let in_place = in_place.filter(|(source, ..)| *source == order.id.source);
        let in_place = in_place.map_or(before, |(_, side, left)| before.without(side, left));
        if in_place.with(order).only_shrinks(order.side) {
            return Ok(());
        }
        let own = before.with(order);
        let value = self.worst_value_at(reference, order.instrument, &own, now);
        let value = value.map_err(|error| error.code(RejectCode::MaxPosition))?;
        if value <= limit { Ok(()) } else { Err(RejectCode::MaxPosition) }
    }

    /// C18, C19, C21 for an order of a source that `latched` holds, if any does.
    #[cold]
    fn check_latches(&self, latched: Option<RejectCode>, reduces: bool) -> Result<(), RejectCode> {
        let account = &self.limits.account;
        let held_by = |code| latched == Some(code);
        let code = RejectCode::RepeatExecution;
        source_latch(held_by(code), account.repeat_fills.is_set(), code)?;
        let limits_set = account.day_loss_soft > 0 && account.day_loss_hard > 0;
        // What is latched stays so, whatever the result is by now.
        let day = match self.day_latch {
            HaltState::Active => self.day.state,
            HaltState::ReduceOnly if self.day.state != DayState::Hard => DayState::Soft,
            _ => DayState::Hard,
        };
        day_loss(day, limits_set, reduces)?;
        let code = RejectCode::RejectStorm;
        source_latch(held_by(code), account.reject_storm.is_set(), code)
    }
}

impl<'a> Subject<'a> {
    #[inline(always)]
    fn of(state: &'a State, (order, replaced): (&'a NewOrder, Option<&'a OrderId>), now: Nanos) -> Self {
        let index = order.instrument as usize;
        Self {
            state,
            order,
            replaced,
            now,
            source: &state.sources[slot(order.id.source)],
            own: &state.own[index],
            prices: &state.prices.rows[index],
            filters: &state.filters[index],
            limits: &state.limits.instruments[index],
            open: state.orders.row(order.instrument),
        }
    }

    /// C03, EXPIRED, C04.
    #[inline(always)]
    fn identity(&self) -> Result<(), RejectCode> {
        // C03: sequences rise within a source's epoch and epochs rise, so no id can come twice.
        if (self.order.id.source_epoch, self.order.id.sequence) <= self.source.last {
            return Err(RejectCode::DuplicateId);
        }
        if self.order.valid_until < self.now {
            return Err(RejectCode::Expired);
        }
        let limit = self.state.limits.account.duplicates;
        duplicate_content(&self.source.rates.recent, &self.order.content(), self.now, limit)
    }

    /// Value of a quantity of its instrument at a price, in the account's currency.
    #[inline(always)]
    fn value(&self, quantity: i128, price: (i128, i128)) -> Result<i128, NoValue> {
        let Self { state, order, now, .. } = *self;
        match self.prices.value(quantity, price) {
            Some(value) => Ok(value),
            None => {
                state.prices.value_in_full(&state.limits.instruments, order.instrument, quantity, price, now)
            }
        }
    }

    /// C05 to C08, C10. Gives the reference, which is there for whatever passes them.
    #[inline(always)]
    fn size_and_price(&self) -> Result<Reference, RejectCode> {
        let Self { order, limits, filters: rules, prices, .. } = *self;
        let reference = prices.quote.reference(self.now, limits.stale_after);
        let tradable = self.state.tradable[order.instrument as usize];
        filters(order, (rules, &self.own.grids), tradable, &prices.terms, reference)?;
        max_quantity(order, limits)?;
        let price = valued_at(order, reference, limits)?;
        max_notional(self.value(order.quantity.0.into(), price), limits)?;
        // C10 speaks where its reference is first needed.
        let reference = reference?;
        let limit = (!order.is_market()).then_some(order.price);
        if order.order_type.is_conditional() {
            collar_of_trigger((order.trigger, limit), order.side, reference, limits.collars())?;
        } else if let Some(limit) = limit {
            collar(limit, order.side, reference, limits.collars())?;
        }
        Ok(reference)
    }

    /// C11, C12. Gives whether it can only shrink the position.
    #[inline(always)]
    fn position(&self, reference: Reference) -> Result<bool, RejectCode> {
        let Self { state, order, now, .. } = *self;
        if !state.is_reconciled(order.instrument) {
            return Err(RejectCode::MaxPosition);
        }
        let (after, reduces) = state.exposure_after(order, self.replaced);
        let value = self.value(after.worst(), (reference.doubled(), 2));
        max_position(&after, reduces, value, self.limits)?;
        // C11 for the source alone.
        let own_limit = state.limits.sources[slot(order.id.source)].max_position_value;
        if own_limit != UNLIMITED {
            state.check_own_position((order, self.replaced), reference, own_limit, now)?;
        }
        let ordered = order.instrument;
        let value_of = move |instrument| {
            if instrument == ordered { value } else { state.worst_value_of(instrument, now) }
        };
        max_gross(state.active.members(), ordered, reduces, value_of, state.limits.account.max_gross)?;
        Ok(reduces)
    }

    /// C15, C16.
    #[inline(always)]
    fn rate(&self) -> Result<(), RejectCode> {
        let orders = &self.state.orders;
        let account_open = (orders.total().open, self.state.limits.account.max_open);
        let open = (self.open.tally.open, self.limits.max_open);
        max_open(open, self.filters.max_open_orders, account_open)?;
        if !orders.has_room() {
            return Err(RejectCode::MaxOpen);
        }
        message_rate(&self.source.rates.orders, &self.state.account_orders, self.now)
    }

    /// C18, C19, C21.
    #[inline(always)]
    fn latches(&self, reduces: bool) -> Result<(), RejectCode> {
        // Nearly always: nothing is latched, the day is fine and all limits are set.
        let State { day_latch, day, limits_set, .. } = self.state;
        let calm = *limits_set && *day_latch == HaltState::Active && day.state == DayState::Fine;
        if calm && self.source.latched.is_none() {
            return Ok(());
        }
        self.state.check_latches(self.source.latched, reduces)
    }

    /// C22, C23.
    #[inline(always)]
    fn orders(&self) -> Result<(), RejectCode> {
        let Self { state, order, .. } = *self;
        self_trade(order, state.orders.best(self.open, order.side.opposite()))?;
        let unknown = (self.open.tally.unknown, self.limits.max_unknown);
        unresolved(unknown, (state.orders.total().unknown, state.limits.account.max_unknown))
    }
}

#[cfg(test)]
mod tests;
