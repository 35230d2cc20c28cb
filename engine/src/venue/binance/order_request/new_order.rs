//! `order.place` and `order.cancelReplace`: new orders.
//!
//! Nearly all are at a limit or at any price, and say nothing of self-trade prevention. Their values become text all at once
//! where the processor can do that.

use crate::domain::decimal::Scale;
use crate::domain::{Instrument, Nanos, OrderType, SelfTrade, Side, TimeInForce};
use crate::message::Intent;
use crate::wire::UnknownCode;

use super::{
    ACK_TIMESTAMP, Asked, REQUEST_ROOM, head_behind, id, lifetime, name, number, piece, request, self_trade,
};
use crate::venue::binance::number::Avx2;
#[cfg(target_arch = "x86_64")]
use crate::venue::binance::text::Ready;
use crate::venue::binance::text::{self, IdText, Page, Sink};

/// The parameters of a new order from its symbol to its quantity, put together beforehand.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Opening {
    text: [u8; Self::ROOM],
    /// 0 where a code is none.
    length: usize,
}

/// By the codes of side, type and lifetime.
type Openings = [[[Opening; 1 + TimeInForce::ALL.len()]; 1 + OrderType::ALL.len()]; 1 + Side::ALL.len()];

impl Opening {
    /// Of the longest one and more.
    const ROOM: usize = 80;

    const fn new(parts: &[&str]) -> Self {
        let mut made = Self { text: [0; Self::ROOM], length: 0 };
        let mut part = 0;
        while part < parts.len() {
            let (bytes, mut at) = (parts[part].as_bytes(), 0);
            while at < bytes.len() {
                made.text[made.length] = bytes[at];
                made.length += 1;
                at += 1;
            }
            part += 1;
        }
        made
    }

    /// Codes count from 1, and `ALL` is in their order; a type without a lifetime takes any. The names are Binance's own, with
    /// nothing in them to escape.
    const fn all() -> Openings {
        const SIDE: &str = next!("side");
        const TYPE: &str = next!("type");
        const TIMED: &str = next!("timeInForce");
        const QUANTITY: &str = next!("quantity");
        let none = [[Self::new(&[]); 1 + TimeInForce::ALL.len()]; 1 + OrderType::ALL.len()];
        let mut all = [none; 1 + Side::ALL.len()];
        let mut side = 1;
        while side < all.len() {
            let side_name = Side::ALL[side - 1].as_str();
            let mut code = 1;
            while code < none.len() {
                let order_type = OrderType::ALL[code - 1];
                let mut timed = 0;
                while timed < none[code].len() {
                    let parts: &[&str] = match (order_type.has_time_in_force(), timed) {
                        (false, _) => &[SIDE, side_name, TYPE, order_type.as_str(), QUANTITY],
                        (true, 0) => &[],
                        (true, timed) => {
                            let lifetime = TimeInForce::ALL[timed - 1].as_str();
                            &[SIDE, side_name, TYPE, order_type.as_str(), TIMED, lifetime, QUANTITY]
                        }
                    };
                    all[side][code][timed] = Self::new(parts);
                    timed += 1;
                }
                code += 1;
            }
            side += 1;
        }
        all
    }
}

static OPENINGS: Openings = Opening::all();

/// The texts of an order's values.
trait Values {
    fn request_id(&self, out: &mut impl Sink);
    fn quantity(&self, out: &mut impl Sink);
    fn price(&self, out: &mut impl Sink);
    fn client_id(&self, out: &mut impl Sink);
    /// The time, and the end of the request.
    fn end(&self, out: &mut impl Sink);
}

#[cfg(target_arch = "x86_64")]
impl Values for Ready {
    #[inline(always)]
    fn request_id(&self, out: &mut impl Sink) {
        self.id(out);
    }

    #[inline(always)]
    fn quantity(&self, out: &mut impl Sink) {
        self.amount(0, out);
    }

    #[inline(always)]
    fn price(&self, out: &mut impl Sink) {
        self.amount(1, out);
    }

    #[inline(always)]
    fn client_id(&self, out: &mut impl Sink) {
        self.id(out);
    }

    #[inline(always)]
    fn end(&self, out: &mut impl Sink) {
        self.end(out);
    }
}

/// Values of any length, each made when its turn comes.
struct Any {
    asked: Asked,
    id: IdText,
    amounts: [(i64, Scale); 2],
    timestamp: Nanos,
}

impl Values for Any {
    #[inline(always)]
    fn request_id(&self, out: &mut impl Sink) {
        self.id.write(out, self.asked.letter());
    }

    #[inline(always)]
    fn quantity(&self, out: &mut impl Sink) {
        text::decimal(out, self.amounts[0].0, self.amounts[0].1.digits(), 0);
    }

    #[inline(always)]
    fn price(&self, out: &mut impl Sink) {
        text::decimal(out, self.amounts[1].0, self.amounts[1].1.digits(), 0);
    }

    #[inline(always)]
    fn client_id(&self, out: &mut impl Sink) {
        self.id.write(out, b't');
    }

    #[inline(always)]
    fn end(&self, out: &mut impl Sink) {
        text::end(out, self.timestamp);
    }
}

/// Quantity and price.
#[inline(always)]
const fn amounts(order: &Intent, instrument: &Instrument) -> [(i64, Scale); 2] {
    [(order.quantity.0, instrument.quantity_scale), (order.price.0, instrument.price_scale)]
}

/// What of an order is a name at the venue, or says which parameters it has.
#[derive(Clone, Copy)]
struct Names {
    opening: &'static Opening,
    has_price: bool,
    has_trigger: bool,
    self_trade: Option<SelfTrade>,
}

impl Names {
    #[inline(always)]
    fn read(order: &Intent) -> Result<Self, UnknownCode> {
        // Each by itself: gathered byte by byte and then read at once they would be waited for.
        let order_type = OrderType::try_from(order.order_type)?;
        let side = Side::try_from(order.side)?;
        let self_trade = self_trade(order)?;
        let lifetime = lifetime(order, order_type)?.map_or(0, TimeInForce::code);
        let by_type = &OPENINGS[usize::from(side.code())][usize::from(order_type.code())];
        Ok(Self {
            opening: &by_type[usize::from(lifetime)],
            has_price: !order_type.is_market(),
            has_trigger: order_type.is_conditional(),
            self_trade,
        })
    }

    /// Those of an order that says no more than nearly all do.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn of_plain(order: &Intent) -> Option<Self> {
        const LAST: u8 = OrderType::LimitMaker.code();
        let by_type = OPENINGS.get(usize::from(order.side))?;
        let opening = by_type.get(usize::from(order.order_type))?.get(usize::from(order.time_in_force))?;
        let is_plain = order.order_type <= LAST && order.self_trade == 0 && opening.length > 0;
        let has_price = order.order_type != OrderType::Market.code();
        is_plain.then_some(Self { opening, has_price, has_trigger: false, self_trade: None })
    }
}

/// Writes a request for a new order; `middle` writes the parameters before its own, and leaves the last one's text open.
#[inline(always)]
fn write(
    out: &mut Page<'_, REQUEST_ROOM>,
    method: &str,
    values: &impl Values,
    (order, instrument): (&Intent, &Instrument),
    names: Names,
    middle: impl FnOnce(&mut Page<'_, REQUEST_ROOM>),
) {
    let Names { opening, has_price, has_trigger, self_trade } = names;
    piece(out, super::HEAD);
    values.request_id(out);
    head_behind(out, method, instrument);
    middle(out);
    out.put(&opening.text, opening.length);
    values.quantity(out);
    if has_price {
        piece(out, next!("price"));
        values.price(out);
    }
    if has_trigger {
        number(out, next!("stopPrice"), order.trigger.0, instrument.price_scale);
    }
    if let Some(mode) = self_trade {
        name(out, next!("selfTradePreventionMode"), mode.as_str());
    }
    piece(out, next!("newClientOrderId"));
    values.client_id(out);
    piece(out, ACK_TIMESTAMP);
    values.end(out);
}

/// Appends a request for any new order.
#[inline(always)]
fn append(
    out: &mut Vec<u8>,
    (asked, method): (Asked, &str),
    (order, instrument): (&Intent, &Instrument),
    timestamp: Nanos,
    middle: impl FnOnce(&mut Page<'_, REQUEST_ROOM>),
) -> Result<(), UnknownCode> {
    let names = Names::read(order)?;
    request(out, |out| {
        let values = Any { asked, id: IdText::of(order.id), amounts: amounts(order, instrument), timestamp };
        write(out, method, &values, (order, instrument), names, middle);
    });
    Ok(())
}

const PLACE: (Asked, &str) = (Asked::Place, method!("order.place"));

/// Appends the `order.place` request of an intent for a new order. `timestamp` is the wall time at the venue.
///
/// # Errors
/// When the intent's side, type, time in force or self-trade prevention has an unknown code: nothing is appended then.
#[allow(unsafe_code)]
pub fn encode_place(
    order: &Intent,
    instrument: &Instrument,
    timestamp: Nanos,
    out: &mut Vec<u8>,
) -> Result<(), UnknownCode> {
    match Avx2::detect() {
        // SAFETY: the processor has what it was compiled for.
        #[cfg(target_arch = "x86_64")]
        Some(avx2) => unsafe { place_avx2(avx2, order, instrument, timestamp, out) },
        _ => place_any(order, instrument, timestamp, out),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
fn place_avx2(
    avx2: Avx2,
    order: &Intent,
    instrument: &Instrument,
    timestamp: Nanos,
    out: &mut Vec<u8>,
) -> Result<(), UnknownCode> {
    let plain = Names::of_plain(order)
        .and_then(|names| Some((names, Ready::new(avx2, order.id, amounts(order, instrument), timestamp)?)));
    let Some((names, values)) = plain else { return place_any(order, instrument, timestamp, out) };
    request(out, |out| write(out, PLACE.1, &values, (order, instrument), names, |_| ()));
    Ok(())
}

/// Appends the request of any order.
#[inline(never)]
pub(super) fn place_any(
    order: &Intent,
    instrument: &Instrument,
    timestamp: Nanos,
    out: &mut Vec<u8>,
) -> Result<(), UnknownCode> {
    append(out, PLACE, (order, instrument), timestamp, |_| ())
}

/// Appends the `order.cancelReplace` request of an intent for a new order in the place of its target. Where the target
/// cannot be cancelled, or has begun to fill, nothing is placed: what was filled would come on top of the new order.
///
/// # Errors
/// As [`encode_place`].
pub fn encode_replace(
    order: &Intent,
    instrument: &Instrument,
    timestamp: Nanos,
    out: &mut Vec<u8>,
) -> Result<(), UnknownCode> {
    let asked = (Asked::Replace, method!("order.cancelReplace"));
    append(out, asked, (order, instrument), timestamp, |out| {
        piece(out, concat!(next!("cancelReplaceMode"), "STOP_ON_FAILURE"));
        id(out, next!("cancelOrigClientOrderId"), &IdText::of(order.target));
        piece(out, concat!(next!("cancelRestrictions"), "ONLY_NEW"));
    })
}
