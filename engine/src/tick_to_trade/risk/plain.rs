//! The short way through the pass, for what nearly every order is: a limit order within all bounds, on an instrument whose
//! money is the account's, from a source that nothing holds.
//!
//! It tells only that every control passes, by the same functions or by what `bounds` made of their limits; which control
//! fails, `controls` says.

use crate::counters::halt::HaltState;
use crate::domain::{Nanos, SourceId};
use crate::hint::unlikely;
use crate::message::Intent;
use crate::room::{Line, lines_of};
use crate::tick_to_trade::risk::bounds::Bounds;
use crate::tick_to_trade::risk::latch::DayState;
use crate::tick_to_trade::risk::market::{Reference, collar};
use crate::tick_to_trade::risk::open_orders::OpenRow;
use crate::tick_to_trade::risk::position::max_gross;
use crate::tick_to_trade::risk::rate::{max_open, message_rate, repeats, slot, unresolved};
use crate::tick_to_trade::risk::request::{NewOrder, read_alone};
use crate::tick_to_trade::risk::self_trade::self_trade;
use crate::tick_to_trade::risk::source::Source;
use crate::tick_to_trade::risk::state::{Own, State};

impl State {
    /// What the short way looks at of an instrument: its quote, all of what is looked up with every order, and what is open.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line> + use<> {
        let [quote, open] = [Line::first_of(&self.prices.rows), self.orders.line()];
        let own: [Line; lines_of::<Own>()] = Line::first_of(&self.own);
        quote.into_iter().chain(own).chain(open)
    }

    /// Brings to hand what the next order of any source will be written to.
    #[inline]
    pub(super) fn prepare(&mut self) {
        self.orders.prepare();
        self.sources.iter().for_each(|source| source.rates.recent.prepare());
    }

    /// The new order that an intent of `source` asks for, which the gates let through, if it surely passes every control. If
    /// not, they must be asked one by one.
    #[inline(always)]
    pub(super) fn surely_passes(&self, intent: &Intent, source: SourceId, now: Nanos) -> Option<NewOrder> {
        let order = read_alone(intent, self.origin(source))?;
        self.bears_all(&order, self.sources.get(slot(source))?, now).then_some(order)
    }

    #[inline(always)]
    fn bears_all(&self, order: &NewOrder, source: &Source, now: Nanos) -> bool {
        // First: of all that is asked for, this alone may be far away, and the rest need not wait for it.
        if unlikely(!self.limits_set || !self.is_original(source, order, now)) {
            return false;
        }
        let own = &self.own[order.instrument as usize];
        let open = self.orders.row(order.instrument);
        let Some(bounds) = &own.bounds else { return false };
        let quote = &self.prices.rows[order.instrument as usize].quote;
        let Ok(reference) = quote.reference(now, bounds.stale_after) else { return false };
        own.holds(bounds, order)
            && collar(order.price, order.side, reference, bounds.collars).is_ok()
            && self.bears(order, source, (own, bounds), open, (reference, now))
            && self_trade(order, self.orders.best(open, order.side.opposite())).is_ok()
            && self.is_calm(source) & self.has_room_for((bounds, open)) & source.is_new_and_timely(order, now)
            && message_rate(&source.rates.orders, &self.account_orders, now).is_ok()
    }

    /// C18, C19, C21: nothing is latched, and the day is fine.
    #[inline(always)]
    fn is_calm(&self, source: &Source) -> bool {
        let day = (self.day_latch == HaltState::Active) & (self.day.state == DayState::Fine);
        day & source.latched.is_none()
    }

    /// C04.
    #[inline(always)]
    fn is_original(&self, source: &Source, order: &NewOrder, now: Nanos) -> bool {
        let limit = self.limits.account.duplicates;
        !repeats(&source.rates.recent, &order.content(), now, limit)
    }

    /// C15, C23.
    #[inline(always)]
    fn has_room_for(&self, (bounds, open): (&Bounds, &OpenRow)) -> bool {
        let (account, total) = (&self.limits.account, self.orders.total());
        let count = max_open((open.tally.open, bounds.max_open), None, (total.open, account.max_open));
        let unknown =
            unresolved((open.tally.unknown, bounds.max_unknown), (total.unknown, account.max_unknown));
        count.is_ok() & unknown.is_ok() & self.orders.has_room()
    }

    /// C11 for the source alone. A copy: the order itself need not lie in memory.
    #[inline(never)]
    fn bears_own(&self, order: NewOrder, reference: Reference, now: Nanos) -> bool {
        let limit = self.limits.sources[slot(order.id.source)].max_position_value;
        self.check_own_position((&order, None), reference, limit, now).is_ok()
    }

    /// C11, C12. An order that only shrinks its position need not pass here.
    #[inline(always)]
    fn bears(
        &self,
        order: &NewOrder,
        source: &Source,
        (own, bounds): (&Own, &Bounds),
        open: &OpenRow,
        (reference, now): (Reference, Nanos),
    ) -> bool {
        let Ok(worst) = u64::try_from(own.exposure(open).with(order).worst()) else { return false };
        let value = bounds.plain.in_quote(worst, reference.of_two(), 1);
        let within = (worst <= bounds.position) & (value <= bounds.position_value);
        if unlikely(!(within & !self.exposure_lost & !own.unreconciled)) {
            return false;
        }
        if source.is_bounded && !self.bears_own(*order, reference, now) {
            return false;
        }
        let value = bounds.plain.to_account(value);
        let ordered = order.instrument;
        let value_of =
            |instrument| if instrument == ordered { Ok(value) } else { self.worst_value_of(instrument, now) };
        max_gross(self.active.members(), ordered, false, value_of, self.limits.account.max_gross).is_ok()
    }
}

impl Source {
    /// C03, EXPIRED. The first intent of a source's epoch does not surely pass.
    #[inline(always)]
    fn is_new_and_timely(&self, order: &NewOrder, now: Nanos) -> bool {
        let (epoch, last) = self.last;
        let new = (order.id.owner() >> 48 == u64::from(epoch)) & (order.id.sequence > last);
        new & (order.valid_until >= now)
    }
}

impl Own {
    /// C05, C06, C07.
    #[inline(always)]
    fn holds(&self, bounds: &Bounds, order: &NewOrder) -> bool {
        let (price, quantity) = (order.price.0.cast_unsigned(), order.quantity.0.cast_unsigned());
        let inside = bounds.price.holds(price) & bounds.quantity.holds(quantity);
        let on_grid = self.grids.price_on_grid(price) & self.grids.lot_on_grid(false, quantity);
        inside & on_grid & bounds.value.holds(bounds.plain.in_quote(quantity, price, 0))
    }
}

#[cfg(test)]
mod tests;
