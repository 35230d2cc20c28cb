//! Order identity: known where the intent is made, emitted to a venue once ever.

use std::fmt;
use std::str::FromStr;

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Who makes intents: a strategy, the clients of port 5556, or the operator. Dense, below `SOURCES_MAX`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, FromBytes, IntoBytes, Immutable)]
#[repr(transparent)]
pub struct SourceId(pub u16);

impl SourceId {
    /// The clients of port 5556, together.
    pub const CLIENT: Self = Self(0);
    /// The operator's command line.
    pub const OPERATOR: Self = Self(1);
    /// Risk itself, when it cancels what nobody else may or can. It has no ring and no limits.
    pub const RISK: Self = Self(63);
    /// The first strategy; the others follow.
    pub const FIRST_STRATEGY: Self = Self(2);
    /// Sources that are not strategies: their rings come and go while the engine runs.
    pub const EXTERNAL: [Self; 2] = [Self::CLIENT, Self::OPERATOR];

    /// Whether it is a strategy.
    #[must_use]
    pub const fn is_strategy(self) -> bool {
        self.0 >= Self::FIRST_STRATEGY.0 && self.0 < Self::RISK.0
    }

    /// The strategy number `n`, from 0.
    #[must_use]
    pub const fn strategy(n: u16) -> Self {
        Self(Self::FIRST_STRATEGY.0 + n)
    }
}

/// Identity of an order: (engine epoch, source, source epoch, sequence).
///
/// Only epochs are reserved durably; the sequence restarts with its epoch, so no id repeats even when the tail of
/// a journal is lost. `NONE` (all zero) is no order.
#[derive(Clone, Copy, Debug, Default, Eq, PartialOrd, Ord, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct OrderId {
    /// Counts starts of the engine on this data directory, from 1.
    pub epoch: u32,
    /// The maker of the intent.
    pub source: SourceId,
    /// Counts starts of that source within the engine epoch, from 1.
    pub source_epoch: u16,
    /// Counts the source's intents, from 1.
    pub sequence: u64,
}

/// Two words, compared at once: asked of every order, and of every order that is looked for.
impl PartialEq for OrderId {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let [own, its]: [[u64; 2]; 2] = [zerocopy::transmute!(*self), zerocopy::transmute!(*other)];
        (own[0] ^ its[0]) | (own[1] ^ its[1]) == 0
    }
}

impl OrderId {
    /// The id that its source gives next.
    #[must_use]
    pub const fn next(self) -> Self {
        Self { sequence: self.sequence.wrapping_add(1), ..self }
    }

    /// The id that its source gave before.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self { sequence: self.sequence.wrapping_sub(1), ..self }
    }

    /// No order.
    pub const NONE: Self = Self { epoch: 0, source: SourceId(0), source_epoch: 0, sequence: 0 };

    /// All of it but the sequence, in one word: from the lowest bits on, the epoch, the source and its epoch. Whoever asks for
    /// these one by one has them moved one by one too, and waits where they are read together.
    #[inline]
    #[must_use]
    pub const fn owner(self) -> u64 {
        let [owner, _]: [u64; 2] = zerocopy::transmute!(self);
        u64::from_le(owner)
    }

    /// What stands for an intent of `source` that named itself after somebody else.
    #[must_use]
    pub const fn nameless(epoch: u32, source: SourceId) -> Self {
        Self { epoch, source, source_epoch: 0, sequence: 0 }
    }

    /// Whether it names no order: epochs and sequences count from 1.
    #[must_use]
    pub const fn is_nameless(self) -> bool {
        self.source_epoch == 0 || self.sequence == 0
    }
}

/// Shown as the venue's client order id: `t-EPOCH-SOURCE-SOURCEEPOCH-SEQUENCE` in lower-case hexadecimal, at most
/// 36 characters of `[a-zA-Z0-9-_]` as Binance asks.
impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t-{:x}-{:x}-{:x}-{:x}", self.epoch, self.source.0, self.source_epoch, self.sequence)
    }
}

/// The text is not an order id of this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an order id of this system")]
pub struct NotOurs;

impl FromStr for OrderId {
    type Err = NotOurs;

    fn from_str(text: &str) -> Result<Self, NotOurs> {
        let mut parts = text.strip_prefix("t-").ok_or(NotOurs)?.split('-');
        let mut next = |digits: usize| {
            let part = parts.next().ok_or(NotOurs)?;
            let plain = part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            if !plain || part.len() > digits {
                return Err(NotOurs);
            }
            u64::from_str_radix(part, 16).map_err(|_| NotOurs)
        };
        let id = Self {
            epoch: u32::try_from(next(8)?).map_err(|_| NotOurs)?,
            source: SourceId(u16::try_from(next(4)?).map_err(|_| NotOurs)?),
            source_epoch: u16::try_from(next(4)?).map_err(|_| NotOurs)?,
            sequence: next(16)?,
        };
        if parts.next().is_some() { Err(NotOurs) } else { Ok(id) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_same_if_every_part_is() {
        let id = OrderId { epoch: 3, source: SourceId(7), source_epoch: 5, sequence: 9 };
        assert_eq!(id, OrderId { ..id });
        for other in [
            OrderId { epoch: 2, ..id },
            OrderId { source: SourceId(6), ..id },
            OrderId { source_epoch: 4, ..id },
            OrderId { sequence: 8, ..id },
        ] {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn fits_the_venue_and_reads_back() {
        let id = OrderId { epoch: u32::MAX, source: SourceId(7), source_epoch: 65_535, sequence: u64::MAX };
        let text = id.to_string();
        assert!(text.len() <= 36, "{text}");
        assert_eq!(text.parse(), Ok(id));
        for foreign in
            ["", "t-", "web_123", "t-1-2-3", "t-1-2-3-4-5", "t-1-2-3-zz", "t-1-2-3-+4", "t-1-10000-3-4"]
        {
            assert_eq!(foreign.parse::<OrderId>(), Err(NotOurs), "{foreign}");
        }
    }
}
