//! The best bid and ask as far as a strategy may believe them.

use crate::domain::{InstrumentIndex, Nanos};
use crate::message::tick::{Tick, TickKind, Top};

/// What a tick meant for the best bid and ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// They are known, and as this tick says.
    Known(Top),
    /// They are not known from now on: the book is not trusted, is crossed or empty, or a stream is silent.
    Lost,
    /// The tick was of something else.
    Unchanged,
}

/// The best bid and ask of one instrument: known only from a sound top of a trusted book, until anything says
/// otherwise. After a loss only the next such top restores them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Touch {
    top: Option<Top>,
}

impl Touch {
    /// Takes a tick of the instrument.
    pub fn observe(&mut self, tick: &Tick) -> Touched {
        match TickKind::try_from(tick.kind) {
            Ok(TickKind::Top) => {
                let top = tick.top();
                self.top = (tick.trusted() && top.is_sound()).then_some(top);
                self.top.map_or(Touched::Lost, Touched::Known)
            }
            Ok(TickKind::Silence) => self.lose(),
            Ok(TickKind::Trust) if tick.values[0] == 0 || !tick.trusted() => self.lose(),
            _ => Touched::Unchanged,
        }
    }

    fn lose(&mut self) -> Touched {
        self.top = None;
        Touched::Lost
    }

    /// The best bid and ask, where they are known.
    #[must_use]
    pub const fn top(&self) -> Option<Top> {
        self.top
    }
}

/// The tick that says that the book of `instrument` is not trusted: what a reader that missed ticks must assume.
#[must_use]
pub fn untrusted(instrument: InstrumentIndex, now: Nanos) -> Tick {
    Tick { instrument, kind: TickKind::Trust.code(), received: now, ..Tick::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tick_to_trade::strategy::testing::top_tick;

    #[test]
    fn only_a_sound_top_of_a_trusted_book_is_believed() {
        let mut touch = Touch::default();
        let good = top_tick(10_000, 10_010);
        let silent = Tick { kind: TickKind::Silence.code(), ..good };
        let crossed = top_tick(10_010, 10_010);
        let one_sided = top_tick(0, 10_010);
        let unflagged = Tick { flags: 0, ..good };
        for bad in [untrusted(0, Nanos(5)), silent, crossed, one_sided, unflagged] {
            assert_eq!(touch.observe(&good), Touched::Known(good.top()));
            assert_eq!(touch.observe(&bad), Touched::Lost, "{bad:?}");
            assert_eq!(touch.top(), None);
            let trust = Tick { kind: TickKind::Trust.code(), values: [1, 0, 0, 0], ..good };
            assert_eq!(touch.observe(&trust), Touched::Unchanged, "trust alone tells no prices");
            assert_eq!(touch.top(), None);
        }
        touch.observe(&good);
        for other in [TickKind::Trade, TickKind::Bar, TickKind::BarVolume] {
            assert_eq!(touch.observe(&Tick { kind: other.code(), ..good }), Touched::Unchanged);
        }
        assert_eq!(touch.observe(&Tick { kind: 99, ..good }), Touched::Unchanged);
        assert_eq!(touch.top(), Some(good.top()));
    }
}
