//! Refusals, with the codes and messages of Binance (binance.md §9).

use std::borrow::Cow;

/// Why a request changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The venue's code.
    pub code: i32,
    /// The venue's words.
    pub message: Cow<'static, str>,
}

impl Reject {
    /// A refusal.
    #[must_use]
    pub const fn new(code: i32, message: &'static str) -> Self {
        Self { code, message: Cow::Borrowed(message) }
    }

    /// A filter's.
    #[must_use]
    pub fn filter(name: &str) -> Self {
        Self { code: -1013, message: Cow::Owned(format!("Filter failure: {name}")) }
    }
}

/// No such symbol.
pub const SYMBOL: Reject = Reject::new(-1121, "Invalid symbol.");
/// The account cannot pay.
pub const BALANCE: Reject = Reject::new(-2010, "Account has insufficient balance for requested action.");
/// A maker-only order would take.
pub const WOULD_TAKE: Reject = Reject::new(-2010, "Order would immediately match and take.");
/// A conditional order's condition holds already.
pub const WOULD_TRIGGER: Reject = Reject::new(-2010, "Stop price would trigger immediately.");
/// An open order of the account has this client id.
pub const DUPLICATE: Reject = Reject::new(-2010, "Duplicate order sent.");
/// The instrument does not trade.
pub const CLOSED: Reject = Reject::new(-2010, "Market is closed.");
/// Nothing is known of the order to cancel.
pub const UNKNOWN_ORDER: Reject = Reject::new(-2011, "Unknown order sent.");
/// `cancelRestrictions` do not hold.
pub const RESTRICTED: Reject = Reject::new(-2011, "Order was not canceled due to cancel restrictions.");
/// Nothing is known of the list to cancel.
pub const UNKNOWN_LIST: Reject = Reject::new(-2011, "Unknown order list sent.");
/// Nothing is known of the list asked for.
pub const NO_SUCH_LIST: Reject = Reject::new(-2013, "Order list does not exist.");
/// The prices of a list are on the wrong sides of the last price.
pub const RELATIONSHIP: Reject =
    Reject::new(-2010, "The relationship of the prices for the orders is not correct.");
/// Nothing is known of the order asked for.
pub const NO_SUCH_ORDER: Reject = Reject::new(-2013, "Order does not exist.");
/// `orderId` and `origClientOrderId` name different orders.
pub const ID_MISMATCH: Reject = Reject::new(-2039, "Client order ID is not correct for this order ID.");
