//! The ids of our requests: the order's id, and in its first letter what was asked.
//!
//! An answer names nothing but this id (binance.md §7), and an error means one thing for an order and another for its
//! cancel; so the id tells them apart.

use std::str;

use crate::domain::OrderId;

use super::text;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// `order.place`.
    Place,
    /// `order.cancel`.
    Cancel,
    /// `order.status`.
    Query,
    /// `myTrades`, of one order.
    Trades,
    /// `order.amend.keepPriority`.
    Amend,
    /// `order.cancelReplace`: the id is the new order's.
    Replace,
    /// `openOrders.cancelAll`: the id is the request's own.
    Sweep,
    /// `orderList.place.oco`: the id is the upper order's.
    Oco,
}

impl Asked {
    /// First letter of the request's id; an order's own id starts with `t`.
    #[must_use]
    pub const fn letter(self) -> u8 {
        match self {
            Self::Place => b't',
            Self::Cancel => b'c',
            Self::Query => b'q',
            Self::Trades => b'm',
            Self::Amend => b'a',
            Self::Sweep => b's',
            Self::Replace => b'r',
            Self::Oco => b'o',
        }
    }
}

/// Longest id: `x-EEEEEEEE-SSSS-EEEE-` and sixteen digits.
const BYTES_MAX: usize = 37;

/// Writes the id of a request about `order`, or of a request of that id.
#[inline(always)]
pub(super) fn write(out: &mut impl text::Sink, asked: Asked, order: OrderId) {
    text::IdText::of(order).write(out, asked.letter());
}

/// What a request asked and about which order; `None` for ids that are not ours.
pub(super) fn read(id: &str) -> Option<(Asked, OrderId)> {
    let asked = match id.as_bytes().first()? {
        b't' => Asked::Place,
        b'c' => Asked::Cancel,
        b'q' => Asked::Query,
        b'm' => Asked::Trades,
        b'a' => Asked::Amend,
        b's' => Asked::Sweep,
        b'r' => Asked::Replace,
        b'o' => Asked::Oco,
        _ => return None,
    };
    let mut buffer = [0; BYTES_MAX];
    let own = buffer.get_mut(..id.len())?;
    own.copy_from_slice(id.as_bytes());
    own[0] = b't';
    Some((asked, str::from_utf8(own).ok()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SourceId;

    #[test]
    fn ids_read_back() {
        let id = OrderId {
            epoch: u32::MAX,
            source: SourceId(u16::MAX),
            source_epoch: u16::MAX,
            sequence: u64::MAX,
        };
        let all = [
            Asked::Place,
            Asked::Cancel,
            Asked::Query,
            Asked::Trades,
            Asked::Amend,
            Asked::Replace,
            Asked::Sweep,
            Asked::Oco,
        ];
        for asked in all {
            for id in [id, OrderId { sequence: 7, ..OrderId::NONE }] {
                let mut out = Vec::new();
                write(&mut out, asked, id);
                assert_eq!(read(str::from_utf8(&out).expect("text")), Some((asked, id)));
            }
        }
        for foreign in ["", "t", "x-1-2-3-4", "web_123", "t-1-2-3-4-5", "c-1-2-3-zz", "é-1-2-3-4"] {
            assert_eq!(read(foreign), None, "{foreign}");
        }
    }
}
