//! C02: what an intent says, read once from the copy and checked: codes, ranges, identity.

use crate::domain::{
    InstrumentIndex, Nanos, OrderId, OrderType, Price, Quantity, SelfTrade, Side, SourceId, TimeInForce,
};
use crate::error::RejectCode;
use crate::message::{Intent, IntentKind};
use crate::tick_to_trade::risk::window::Content;

/// A well-formed intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    New(NewOrder),
    Cancel(Cancel),
    Amend(Amend),
    Sweep(Sweep),
    /// A new order in the place of the one with this id.
    Replace(NewOrder, OrderId),
    /// One of a pair: nothing without the other.
    Leg(NewOrder),
}

impl Request {
    /// The new order that it asks for, if it does.
    pub(super) const fn order(&self) -> Option<&NewOrder> {
        match self {
            Self::New(order) | Self::Replace(order, _) | Self::Leg(order) => Some(order),
            Self::Cancel(_) | Self::Amend(_) | Self::Sweep(_) => None,
        }
    }
}

/// A new order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NewOrder {
    pub(super) id: OrderId,
    pub(super) instrument: InstrumentIndex,
    pub(super) side: Side,
    pub(super) order_type: OrderType,
    /// Above zero, except for an order without a limit: [`Price::NONE`].
    pub(super) price: Price,
    /// Above zero for an order that waits for it, else [`Price::NONE`].
    pub(super) trigger: Price,
    /// Above zero.
    pub(super) quantity: Quantity,
    pub(super) valid_until: Nanos,
}

impl NewOrder {
    pub(super) const fn is_market(&self) -> bool {
        self.order_type.is_market()
    }

    pub(super) const fn content(&self) -> Content {
        let Self { instrument, side, price, trigger, quantity, .. } = *self;
        Content { instrument, side, price, trigger, quantity }
    }

    /// The worst price at which it may trade: an order without a limit may trade at any. One that still waits for its
    /// trigger counts as if it did not: when it is set off, nobody asks risk again.
    pub(super) const fn worst_price(&self) -> Price {
        match (self.is_market(), self.side) {
            (true, Side::Buy) => Price(i64::MAX),
            (true, Side::Sell) => Price::NONE,
            _ => self.price,
        }
    }
}

/// A cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cancel {
    pub(super) id: OrderId,
    pub(super) target: OrderId,
    pub(super) instrument: InstrumentIndex,
}

/// A smaller quantity of an order, whose id and place stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Amend {
    pub(super) id: OrderId,
    pub(super) target: OrderId,
    pub(super) instrument: InstrumentIndex,
    /// Above zero: filled and unfilled.
    pub(super) quantity: Quantity,
    pub(super) valid_until: Nanos,
}

/// A cancel of whatever the account has open on an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sweep {
    pub(super) id: OrderId,
    pub(super) valid_until: Nanos,
}

/// Who may write into the ring from which an intent came, and for which table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// Owner of the ring: identity comes from the ring, not from the message.
    pub(super) source: SourceId,
    /// The engine's epoch.
    pub(super) epoch: u32,
    /// Instruments in the table.
    pub(super) instruments: usize,
}

impl Origin {
    /// Whether an intent is of its owner, in its epoch, on an instrument of its table, and says nothing unknown.
    #[inline(always)]
    fn sent(self, intent: &Intent) -> bool {
        let (own, its) = (OrderId::nameless(self.epoch, self.source).owner(), intent.id.owner());
        // All but the source's epoch, which is above all else.
        let ours = (own ^ its) << 16 == 0;
        let named = (own != its) & (intent.id.sequence > 0);
        let [first, second, third] = intent.reserved;
        // With the byte before them they are a word.
        let spare = u32::from_le_bytes([intent.self_trade, first, second, third]) >> 8;
        ours & named & (spare == 0) & ((intent.instrument as usize) < self.instruments)
    }
}

/// Reads an intent.
///
/// # Errors
/// BAD_REQUEST when a code names nothing, a spare bit is set, a field that must be empty is not, the instrument is not
/// in the table, the identity is not the ring owner's in this epoch, a price or trigger is missing or not of this type of
/// order, or a quantity, price or trigger is not above zero.
#[inline(never)]
pub(super) fn read(intent: &Intent, origin: Origin) -> Result<Request, RejectCode> {
    let kind = IntentKind::try_from(intent.kind).map_err(|_| RejectCode::BadRequest)?;
    let request = if origin.sent(intent) { read_of_kind(kind, intent) } else { None };
    request.ok_or(RejectCode::BadRequest)
}

const LIMIT: u8 = OrderType::Limit.code();
const LIMIT_MAKER: u8 = OrderType::LimitMaker.code();

/// Reads what nearly every intent is: a new order that is alone and has nothing but a limit. `None` for any other, and for
/// what is not well-formed.
#[inline(always)]
pub(super) fn read_alone(intent: &Intent, origin: Origin) -> Option<NewOrder> {
    let new = (intent.kind == IntentKind::New.code()) & (intent.target == OrderId::NONE);
    let order_type = match intent.order_type {
        LIMIT => OrderType::Limit,
        LIMIT_MAKER => OrderType::LimitMaker,
        _ => return None,
    };
    if !(new & origin.sent(intent)) {
        return None;
    }
    read_of_type(intent, order_type, (true, false))
}

fn read_of_kind(kind: IntentKind, intent: &Intent) -> Option<Request> {
    let id = intent.id;
    match kind {
        IntentKind::New if intent.target == OrderId::NONE => read_new(intent).map(Request::New),
        IntentKind::Replace if intent.target != OrderId::NONE => {
            read_new(intent).map(|order| Request::Replace(order, intent.target))
        }
        IntentKind::OcoAbove if intent.target == id.next() => read_new(intent).map(Request::Leg),
        IntentKind::OcoBelow if intent.target == id.previous() => read_new(intent).map(Request::Leg),
        IntentKind::New | IntentKind::Replace | IntentKind::OcoAbove | IntentKind::OcoBelow => None,
        IntentKind::Cancel | IntentKind::Amend | IntentKind::Sweep => {
            let codes = [intent.side, intent.order_type, intent.time_in_force, intent.self_trade];
            let unpriced = intent.price == Price::NONE && intent.trigger == Price::NONE;
            let bare = codes == [0; 4] && unpriced;
            bare.then(|| read_change(kind, intent)).flatten()
        }
    }
}

/// What an intent would be told from others by (C04), read before anything of it is checked; `None` for what places no order.
#[inline]
pub(super) fn content_of(intent: &Intent) -> Option<Content> {
    let side = Side::try_from(intent.side).ok()?;
    let Intent { instrument, price, trigger, quantity, .. } = *intent;
    Some(Content { instrument, side, price, trigger, quantity })
}

fn read_change(kind: IntentKind, intent: &Intent) -> Option<Request> {
    let Intent { id, target, instrument, quantity, valid_until, .. } = *intent;
    let named = target != OrderId::NONE;
    match kind {
        IntentKind::New | IntentKind::Replace | IntentKind::OcoAbove | IntentKind::OcoBelow => None,
        IntentKind::Cancel => (named && quantity == Quantity::ZERO).then_some(Request::Cancel(Cancel {
            id,
            target,
            instrument,
        })),
        IntentKind::Amend => (named && quantity.0 > 0).then_some(Request::Amend(Amend {
            id,
            target,
            instrument,
            quantity,
            valid_until,
        })),
        IntentKind::Sweep => {
            (!named && quantity == Quantity::ZERO).then_some(Request::Sweep(Sweep { id, valid_until }))
        }
    }
}

fn read_new(intent: &Intent) -> Option<NewOrder> {
    let order_type = OrderType::try_from(intent.order_type).ok()?;
    read_of_type(intent, order_type, (!order_type.is_market(), order_type.is_conditional()))
}

/// Reads a new order of a type that has a limit price and a trigger, or not.
#[inline(always)]
fn read_of_type(
    intent: &Intent,
    order_type: OrderType,
    (priced, triggered): (bool, bool),
) -> Option<NewOrder> {
    let side = Side::try_from(intent.side).ok()?;
    let time_in_force = TimeInForce::try_from(intent.time_in_force).ok()?;
    if intent.self_trade != 0 {
        SelfTrade::try_from(intent.self_trade).ok()?;
    }
    let fits = |price: Price, needed: bool| if needed { price.is_some() } else { price == Price::NONE };
    // A maker that must not rest is a contradiction.
    let timed = order_type != OrderType::LimitMaker || time_in_force == TimeInForce::GoodTillCancel;
    if !fits(intent.price, priced) || !fits(intent.trigger, triggered) || !timed || intent.quantity.0 <= 0 {
        return None;
    }
    Some(NewOrder {
        id: intent.id,
        instrument: intent.instrument,
        side,
        order_type,
        price: intent.price,
        trigger: intent.trigger,
        quantity: intent.quantity,
        valid_until: intent.valid_until,
    })
}
