//! The order state machine (reliability.md §2): what each event of the venue does to an order.
//!
//! A trade is accepted in every state, terminal or not. Nothing here knows of time, journals or connections.

use crate::domain::{InstrumentIndex, Nanos, OrderId, Price, Quantity, Side};
use crate::error::RejectCode;
use crate::message::report::{OrderState, ReportKind};
use crate::tick_to_trade::route::trades::Trades;
use crate::venue::{VenueEvent, VenueEventKind};

/// Most trades of one order that are told apart; more are refused as duplicates would be, and counted.
const TRADES_PER_ORDER_MAX: usize = 4_096;

/// What route knows of one order. Owned by route.
#[derive(Clone, Debug)]
pub struct OrderRecord {
    /// Our id.
    pub id: OrderId,
    /// The venue's id; 0 until it said.
    pub venue_order_id: u64,
    /// The instrument.
    pub instrument: InstrumentIndex,
    /// Its side.
    pub side: Side,
    /// Its limit price; 0 for a market order.
    pub price: Price,
    /// Its quantity.
    pub quantity: Quantity,
    /// Filled so far: the sum of its trades.
    pub cumulative: Quantity,
    /// What an amendment under way shall lower the quantity to, and when that was sent; 0 when none is. Until the venue
    /// says that it has, `quantity` is the old one.
    pub amending: Quantity,
    /// See `amending`.
    pub amend_sent: Nanos,
    /// Where it is in its life.
    pub state: OrderState,
    /// When it left, on the engine's timeline.
    pub sent: Nanos,
    /// Conclusive answers that the venue knows no such order, and when the last one counted.
    pub not_found: u8,
    /// See `not_found`.
    pub not_found_at: Nanos,
    /// Whether a query of it is due or out.
    pub asking: bool,
    /// Whether the venue counts more of it as filled than its known trades sum to, and when they were last asked for.
    pub missing: bool,
    /// See `missing`.
    pub missing_asked: Nanos,
    /// Whether the venue has not spoken of it since the connection was made.
    pub unconfirmed: bool,
    /// Trades applied, to tell a repeat (F11).
    pub(super) trades: Trades,
}

/// What an event meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changed the order, and is to be reported.
    Report {
        /// What happened.
        kind: ReportKind,
        /// Why, for a rejection.
        reject: RejectCode,
        /// The order was thought never to have lived: alert, and stop the symbol (F04).
        revived: bool,
        /// A trade came before the acknowledgement: report the acceptance first (F13).
        implied_accept: bool,
    },
    /// It repeats or contradicts what is known already: counted, not reported (F10, F11).
    Stale,
    /// The venue does not say what became of the order: ask (F01, F07).
    Ask,
    /// The venue counts trades that are not known here: ask for them (F02, F08, F14).
    AskTrades,
    /// The trade would fill more than was ordered: not applied; the account cannot be trusted.
    Overfill,
}

const fn report(kind: ReportKind) -> Effect {
    Effect::Report { kind, reject: RejectCode::None, revived: false, implied_accept: false }
}

impl OrderRecord {
    /// An order whose bytes are about to leave.
    #[must_use]
    pub const fn new(
        id: OrderId,
        instrument: InstrumentIndex,
        side: Side,
        price: Price,
        quantity: Quantity,
        sent: Nanos,
    ) -> Self {
        Self {
            id,
            venue_order_id: 0,
            instrument,
            side,
            price,
            quantity,
            cumulative: Quantity::ZERO,
            amending: Quantity::ZERO,
            amend_sent: Nanos::ZERO,
            state: OrderState::Sent,
            sent,
            not_found: 0,
            not_found_at: Nanos::ZERO,
            asking: false,
            missing: false,
            missing_asked: Nanos::ZERO,
            unconfirmed: false,
            trades: Trades::new(),
        }
    }

    /// What may still trade at the venue: zero once terminal.
    #[must_use]
    pub const fn leaves(&self) -> Quantity {
        if self.state.is_terminal() { Quantity::ZERO } else { Quantity(self.quantity.0 - self.cumulative.0) }
    }

    /// Applies an event of the venue.
    pub fn apply(&mut self, event: &VenueEvent) -> Effect {
        if event.venue_order_id != 0 {
            self.venue_order_id = event.venue_order_id;
        }
        match event.kind {
            VenueEventKind::Accepted => self.accepted(),
            VenueEventKind::Trade { quantity, trade_id, .. } => self.traded(quantity, trade_id),
            VenueEventKind::Canceled | VenueEventKind::Expired | VenueEventKind::QueryState { .. }
                if event.cumulative > self.cumulative =>
            {
                Effect::AskTrades
            }
            VenueEventKind::Canceled => self.ended(OrderState::Canceled),
            VenueEventKind::Expired => self.ended(OrderState::Expired),
            VenueEventKind::Rejected { .. } => self.rejected(),
            VenueEventKind::CancelRejected { .. } => self.cancel_rejected(),
            VenueEventKind::Unknown => self.lost(),
            VenueEventKind::Amended { quantity } => self.amended(quantity),
            VenueEventKind::AmendRejected { .. } => self.amend_rejected(),
            VenueEventKind::QueryState { state, quantity } => self.resolved(state, quantity),
            // Whether "no such order" is conclusive depends on time: the agent decides.
            VenueEventKind::QueryNotFound => Effect::Ask,
            // Of no order: the agent takes them before it looks for one.
            VenueEventKind::Connected
            | VenueEventKind::Disconnected
            | VenueEventKind::OpenOrdersTold
            | VenueEventKind::TradesTold
            | VenueEventKind::Throttled { .. }
            | VenueEventKind::Banned { .. } => Effect::Stale,
        }
    }

    /// Whether it is to be asked about again.
    #[must_use]
    pub const fn is_open_question(&self) -> bool {
        self.missing
            || self.unconfirmed
            || (self.is_amending() && !self.state.is_terminal())
            || matches!(self.state, OrderState::Unknown | OrderState::PendingCancel)
    }

    /// Takes the order as never placed, once that is proven (F03).
    pub fn never_placed(&mut self) -> Effect {
        self.state = OrderState::NeverPlaced;
        report(ReportKind::NeverPlaced)
    }

    /// Marks a cancel as on its way.
    pub fn cancel_sent(&mut self) -> Effect {
        self.state = OrderState::PendingCancel;
        report(ReportKind::CancelSent)
    }

    /// Marks the outcome as unknown, unless it is known.
    pub fn lost(&mut self) -> Effect {
        match self.state {
            OrderState::Sent => {
                self.state = OrderState::Unknown;
                report(ReportKind::Unknown)
            }
            state if state.is_terminal() => Effect::Stale,
            _ => Effect::Ask,
        }
    }

    /// Whether an amendment is under way.
    #[must_use]
    pub const fn is_amending(&self) -> bool {
        self.amending.0 != 0
    }

    /// Marks an amendment to `quantity` as on its way.
    pub fn amend_sent(&mut self, quantity: Quantity, now: Nanos) {
        (self.amending, self.amend_sent) = (quantity, now);
    }

    /// The venue has lowered the quantity, or says in answer to a query what it is.
    fn amended(&mut self, quantity: Quantity) -> Effect {
        if self.is_amending() && quantity <= self.amending {
            self.amending = Quantity::ZERO;
        }
        if quantity <= Quantity::ZERO || quantity >= self.quantity || self.state.is_terminal() {
            return Effect::Stale;
        }
        if quantity < self.cumulative {
            return Effect::Ask;
        }
        let before = self.state;
        self.quantity = quantity;
        self.state = match before {
            _ if quantity == self.cumulative => OrderState::Filled,
            OrderState::PendingCancel => before,
            _ => self.working_state(),
        };
        Effect::Report {
            kind: ReportKind::Amended,
            reject: RejectCode::None,
            revived: false,
            implied_accept: matches!(before, OrderState::Sent | OrderState::Unknown),
        }
    }

    /// The venue refused the amendment under way.
    pub fn amend_rejected(&mut self) -> Effect {
        if !self.is_amending() {
            return Effect::Stale;
        }
        self.amending = Quantity::ZERO;
        if self.state.is_terminal() {
            return Effect::Stale;
        }
        Effect::Report {
            kind: ReportKind::AmendRejected,
            reject: RejectCode::Venue,
            revived: false,
            implied_accept: false,
        }
    }

    const fn working_state(&self) -> OrderState {
        if self.cumulative.0 > 0 { OrderState::Partial } else { OrderState::Open }
    }

    fn accepted(&mut self) -> Effect {
        match self.state {
            OrderState::Sent | OrderState::Unknown => {
                self.state = self.working_state();
                report(ReportKind::Accepted)
            }
            OrderState::NeverPlaced | OrderState::Rejected => {
                self.state = self.working_state();
                Effect::Report {
                    kind: ReportKind::Accepted,
                    reject: RejectCode::None,
                    revived: true,
                    implied_accept: false,
                }
            }
            _ => Effect::Stale,
        }
    }

    fn traded(&mut self, quantity: Quantity, trade_id: u64) -> Effect {
        if self.trades.contains(trade_id) {
            return Effect::Stale;
        }
        let Some(cumulative) = self.cumulative.0.checked_add(quantity.0) else { return Effect::Overfill };
        if quantity.0 <= 0 || cumulative > self.quantity.0 || self.trades.len() >= TRADES_PER_ORDER_MAX {
            return Effect::Overfill;
        }
        self.trades.push(trade_id);
        self.cumulative = Quantity(cumulative);
        let before = self.state;
        let full = cumulative == self.quantity.0;
        self.state = match before {
            _ if full => OrderState::Filled,
            // A cancelled or expired order keeps its end, with more filled than it ended with (F09).
            OrderState::Canceled | OrderState::Expired | OrderState::PendingCancel => before,
            _ => OrderState::Partial,
        };
        Effect::Report {
            kind: ReportKind::Fill,
            reject: RejectCode::None,
            revived: matches!(before, OrderState::NeverPlaced | OrderState::Rejected),
            implied_accept: matches!(before, OrderState::Sent | OrderState::Unknown),
        }
    }

    fn ended(&mut self, state: OrderState) -> Effect {
        if self.state.is_terminal() && self.state != OrderState::NeverPlaced {
            return Effect::Stale;
        }
        self.state = state;
        report(if state == OrderState::Canceled { ReportKind::Canceled } else { ReportKind::Expired })
    }

    fn rejected(&mut self) -> Effect {
        match self.state {
            OrderState::Sent | OrderState::Unknown => {
                self.state = OrderState::Rejected;
                Effect::Report {
                    kind: ReportKind::Rejected,
                    reject: RejectCode::Venue,
                    revived: false,
                    implied_accept: false,
                }
            }
            _ => Effect::Stale,
        }
    }

    /// A cancel refused because the order filled, or never was: only a query tells (F07). Until then the order stays
    /// pending.
    const fn cancel_rejected(&self) -> Effect {
        if self.state.is_terminal() { Effect::Stale } else { Effect::Ask }
    }

    fn resolved(&mut self, state: OrderState, quantity: Quantity) -> Effect {
        if self.state.is_terminal() && self.state != OrderState::NeverPlaced {
            return Effect::Stale;
        }
        self.not_found = 0;
        if quantity > Quantity::ZERO && quantity < self.quantity {
            if !state.is_terminal() || state == OrderState::Filled {
                return self.amended(quantity);
            }
            self.quantity = quantity.max(self.cumulative);
        }
        match state {
            OrderState::Open | OrderState::Partial => match self.state {
                OrderState::Sent | OrderState::Unknown | OrderState::NeverPlaced => self.accepted(),
                OrderState::PendingCancel => {
                    self.state = self.working_state();
                    report(ReportKind::CancelRejected)
                }
                _ => Effect::Stale,
            },
            OrderState::Canceled | OrderState::Expired => self.ended(state),
            OrderState::Rejected => self.rejected(),
            // The venue says filled: its trades, which carry prices and fees, are on their way or must be asked for.
            _ => Effect::Stale,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Liquidity;
    use crate::message::report::FeeAsset;

    fn order(state: OrderState) -> OrderRecord {
        let mut order = OrderRecord::new(OrderId::NONE, 0, Side::Buy, Price(100), Quantity(10), Nanos::ZERO);
        order.state = state;
        order
    }

    fn event(kind: VenueEventKind) -> VenueEvent {
        VenueEvent {
            kind,
            id: OrderId::NONE,
            venue_order_id: 5,
            cumulative: Quantity::ZERO,
            instrument: 0,
            received: Nanos::ZERO,
        }
    }

    fn trade(quantity: i64, trade_id: u64) -> VenueEvent {
        event(VenueEventKind::Trade {
            price: Price(100),
            quantity: Quantity(quantity),
            trade_id,
            fee: 0,
            fee_asset: FeeAsset::Quote,
            liquidity: Liquidity::Maker,
        })
    }

    #[test]
    fn f01_a_lost_ack_is_unknown_until_the_venue_says() {
        let mut order = order(OrderState::Sent);
        assert_eq!(order.apply(&event(VenueEventKind::Unknown)), report(ReportKind::Unknown));
        assert_eq!((order.state, order.leaves()), (OrderState::Unknown, Quantity(10)));
        assert_eq!(order.apply(&event(VenueEventKind::Accepted)), report(ReportKind::Accepted));
        assert_eq!(order.state, OrderState::Open);
    }

    #[test]
    fn f04_a_report_revives_a_dead_order() {
        for dead in [OrderState::NeverPlaced, OrderState::Rejected] {
            let mut order = order(dead);
            let Effect::Report { revived, .. } = order.apply(&trade(4, 1)) else { panic!("not reported") };
            assert!(revived);
            assert_eq!((order.state, order.cumulative), (OrderState::Partial, Quantity(4)));
        }
    }

    #[test]
    fn f07_a_refused_cancel_stays_pending() {
        let mut order = order(OrderState::PendingCancel);
        assert_eq!(order.apply(&event(VenueEventKind::CancelRejected { code: -2011 })), Effect::Ask);
        assert_eq!(order.state, OrderState::PendingCancel);
        order.apply(&trade(10, 1));
        assert_eq!(order.state, OrderState::Filled);
    }

    #[test]
    fn f09_a_trade_after_the_cancel_counts() {
        let mut order = order(OrderState::Canceled);
        order.apply(&trade(4, 1));
        assert_eq!(
            (order.state, order.cumulative, order.leaves()),
            (OrderState::Canceled, Quantity(4), Quantity(0))
        );
        order.apply(&trade(6, 2));
        assert_eq!(order.state, OrderState::Filled);
    }

    #[test]
    fn f10_f11_stale_news_and_repeated_trades_change_nothing() {
        let mut order = order(OrderState::Open);
        order.apply(&trade(10, 1));
        for stale in [
            event(VenueEventKind::Canceled),
            event(VenueEventKind::Accepted),
            event(VenueEventKind::Expired),
            event(VenueEventKind::Rejected { code: -2010 }),
            event(VenueEventKind::QueryState { state: OrderState::Open, quantity: Quantity::ZERO }),
            event(VenueEventKind::Unknown),
            trade(10, 1),
        ] {
            assert_eq!(order.apply(&stale), Effect::Stale, "{stale:?}");
            assert_eq!((order.state, order.cumulative), (OrderState::Filled, Quantity(10)));
        }
    }

    #[test]
    fn f13_a_fill_before_the_ack_implies_it() {
        let mut order = order(OrderState::Sent);
        let Effect::Report { implied_accept, .. } = order.apply(&trade(3, 1)) else { panic!("not reported") };
        assert!(implied_accept);
        assert_eq!(order.apply(&event(VenueEventKind::Accepted)), Effect::Stale);
        assert_eq!(order.state, OrderState::Partial);
    }

    fn told(state: OrderState, quantity: i64) -> VenueEvent {
        event(VenueEventKind::QueryState { state, quantity: Quantity(quantity) })
    }

    #[test]
    fn an_amendment_lowers_the_quantity_only_when_the_venue_says_so() {
        let mut order = order(OrderState::Open);
        order.amend_sent(Quantity(6), Nanos(1));
        assert_eq!(
            (order.quantity, order.leaves(), order.is_open_question()),
            (Quantity(10), Quantity(10), true)
        );
        let amended = event(VenueEventKind::Amended { quantity: Quantity(6) });
        assert_eq!(order.apply(&amended), report(ReportKind::Amended));
        assert_eq!(
            (order.leaves(), order.state, order.is_amending()),
            (Quantity(6), OrderState::Open, false)
        );
        assert_eq!(order.apply(&amended), Effect::Stale);
        assert_eq!(order.apply(&event(VenueEventKind::Amended { quantity: Quantity(9) })), Effect::Stale);
        assert_eq!(order.apply(&trade(7, 1)), Effect::Overfill);
        order.apply(&trade(6, 2));
        assert_eq!(order.state, OrderState::Filled);
    }

    #[test]
    fn a_lost_amendment_is_told_by_a_query() {
        for (told, kind, state, leaves) in [
            (told(OrderState::Open, 6), ReportKind::Amended, OrderState::Partial, 2),
            (told(OrderState::Filled, 4), ReportKind::Amended, OrderState::Filled, 0),
            (told(OrderState::Canceled, 6), ReportKind::Canceled, OrderState::Canceled, 0),
        ] {
            let mut order = order(OrderState::Open);
            order.apply(&trade(4, 1));
            order.amend_sent(Quantity(6), Nanos(1));
            assert_eq!(order.apply(&event(VenueEventKind::Unknown)), Effect::Ask);
            let told = VenueEvent { cumulative: Quantity(4), ..told };
            assert_eq!(order.apply(&told), report(kind), "{told:?}");
            assert_eq!((order.state, order.leaves()), (state, Quantity(leaves)));
        }
        let mut order = order(OrderState::Open);
        order.amend_sent(Quantity(6), Nanos(1));
        assert_eq!(order.apply(&told(OrderState::Open, 10)), Effect::Stale);
        assert!(order.is_amending(), "it may still arrive");
        let refused = event(VenueEventKind::AmendRejected { code: -2038 });
        assert!(matches!(order.apply(&refused), Effect::Report { kind: ReportKind::AmendRejected, .. }));
        assert_eq!((order.leaves(), order.apply(&refused)), (Quantity(10), Effect::Stale));
    }

    #[test]
    fn more_than_was_ordered_is_never_applied() {
        let mut order = order(OrderState::Open);
        for quantity in [11, 0, -1, i64::MAX] {
            assert_eq!(order.apply(&trade(quantity, 7)), Effect::Overfill);
            assert_eq!(order.cumulative, Quantity(0));
        }
    }
}
