//! What risk keeps of one source: its rates, its latest identity, its latch, its fills.

use crate::domain::{Nanos, OrderId};
use crate::error::RejectCode;
use crate::tick_to_trade::risk::limits::{Limits, SourceLimits, UNLIMITED};
use crate::tick_to_trade::risk::rate::SourceRates;
use crate::tick_to_trade::risk::request::NewOrder;
use crate::tick_to_trade::risk::window::Window;

/// What risk keeps of one source.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) rates: SourceRates,
    /// Epoch and sequence of its latest intent.
    pub(super) last: (u16, u64),
    /// The control whose latch holds it.
    pub(super) latched: Option<RejectCode>,
    /// Whether C11 bounds what it may hold by itself.
    pub(super) is_bounded: bool,
    /// C18: its fills, by instrument.
    pub(super) fills: Vec<Window>,
}

impl Source {
    /// A source that has sent nothing.
    pub(super) fn new(limits: &Limits, own: &SourceLimits, instruments: usize) -> Self {
        Self {
            rates: SourceRates::new(limits, own),
            last: (0, 0),
            latched: None,
            is_bounded: is_bounded(own),
            fills: vec![Window::new(limits.account.repeat_fills); instruments],
        }
    }

    /// Takes new limits over and keeps what was counted.
    pub(super) fn set_limits(&mut self, limits: &Limits, own: &SourceLimits, now: Nanos) {
        self.rates.set_limits(limits, own, now);
        self.is_bounded = is_bounded(own);
        self.fills.iter_mut().for_each(|window| window.set_rate(limits.account.repeat_fills));
    }

    /// Remembers the identity of a well-formed intent, whatever became of it.
    #[inline]
    pub(super) fn on_identity(&mut self, id: OrderId) {
        if self.last < (id.source_epoch, id.sequence) {
            self.last = (id.source_epoch, id.sequence);
        }
    }

    /// C04, C16: counts an order as a message and by its content.
    #[inline(always)]
    pub(super) fn count_order(&mut self, order: &NewOrder, now: Nanos) {
        self.rates.orders.take(now);
        self.rates.recent.remember(order.content(), now);
    }
}

const fn is_bounded(own: &SourceLimits) -> bool {
    own.max_position_value != UNLIMITED
}
