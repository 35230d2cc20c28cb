//! Pairs of which one cancels the other. The venue lets only one of them trade, so the upper one counts for both; but only as
//! long as nothing is known of either than that it rests, or is on its way. Whatever else is told of one, such as that its
//! answer is lost, that it trades or has ended, each counts for itself from then on, until its own end is told.

use crate::domain::OrderId;
use crate::message::Report;
use crate::message::report::{OrderState, ReportKind};
use crate::tick_to_trade::risk::open_orders::{OpenOrders, Pairing, Phase};

impl Pairing {
    const fn other_of(self, id: OrderId) -> Option<OrderId> {
        match self {
            Self::Alone => None,
            Self::Upper | Self::PartedUpper => Some(id.next()),
            Self::Lower | Self::PartedLower => Some(id.previous()),
        }
    }

    const fn parted(self) -> Self {
        match self {
            Self::Upper => Self::PartedUpper,
            Self::Lower => Self::PartedLower,
            as_it_is => as_it_is,
        }
    }
}

impl OpenOrders {
    /// Whether two more orders find room.
    pub(in crate::tick_to_trade::risk) fn has_room_for_two(&self) -> bool {
        self.slots.get(self.free as usize).is_some_and(|slot| self.slots.get(slot.next as usize).is_some())
    }

    /// Whether the order was placed as one of a pair, as far as this life of risk knows.
    pub(in crate::tick_to_trade::risk) fn is_paired(&self, id: OrderId) -> bool {
        self.find(id).is_some_and(|at| self.slots[at as usize].pairing != Pairing::Alone)
    }

    /// Makes two orders just reserved, of one instrument, side and quantity, a pair.
    pub(in crate::tick_to_trade::risk) fn pair(&mut self, upper: OrderId, lower: OrderId) {
        let (Some(above), Some(below)) = (self.find(upper), self.find(lower)) else { return };
        self.mark(above, Pairing::Upper);
        self.mark(below, Pairing::Lower);
    }

    /// The other one of the pair that the order was placed in, if it was, as far as this life of risk knows.
    #[cold]
    pub(in crate::tick_to_trade::risk) fn other_of(&self, id: OrderId) -> Option<OrderId> {
        self.slots[self.find(id)? as usize].pairing.other_of(id)
    }

    /// Knows again, after a restart, that an order was placed as the upper or lower one of a pair. Each counts for itself:
    /// what was told of the other meanwhile is not looked at.
    pub(in crate::tick_to_trade::risk) fn pair_again(&mut self, id: OrderId, upper: bool) {
        if let Some(at) = self.find(id) {
            self.mark(at, if upper { Pairing::PartedUpper } else { Pairing::PartedLower });
        }
    }

    /// Lets each of the pair of the order at `at` count for itself, unless `report` says only that it rests untouched.
    #[cold]
    pub(super) fn part_unless_untouched(&mut self, at: u32, report: &Report, state: OrderState) {
        let slot = self.slots[at as usize];
        let untouched = !state.is_terminal()
            && state != OrderState::Unknown
            && slot.phase == Phase::Live
            && report.cumulative.0 == 0
            // The other need not have become smaller as well.
            && report.kind != ReportKind::Amended.code();
        if untouched {
            return;
        }
        let other = slot.pairing.other_of(slot.id).and_then(|other| self.find(other));
        for at in std::iter::once(at).chain(other) {
            self.mark(at, self.slots[at as usize].pairing.parted());
        }
    }

    fn mark(&mut self, at: u32, pairing: Pairing) {
        let mut slot = self.slots[at as usize];
        slot.pairing = pairing;
        self.replace(at, slot);
    }
}
