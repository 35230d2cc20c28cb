//! What the host shows of each strategy: one cell a source, for people and shells.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::domain::{InstrumentIndex, SourceId};
use crate::tick_to_trade::strategy::hosted::{Activity, Hosted};

/// Longest name that a row holds whole, in bytes; a longer one is cut.
pub const STRATEGY_NAME_MAX: usize = 64;

/// Most instruments that a row lists.
pub const STRATEGY_INSTRUMENTS_SHOWN: usize = 16;

/// One strategy at one moment. Any bit pattern is a valid value. Written by the strategy host alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct StrategyRow {
    /// Intents that it has made.
    pub intents: u64,
    /// Its working orders.
    pub working: u32,
    /// How many instruments it follows.
    pub instruments: u32,
    /// Its source number.
    pub source: SourceId,
    /// Code of an [`Activity`].
    pub activity: u8,
    /// Bytes of `name`.
    pub name_length: u8,
    /// Spare, zero.
    pub reserved: u32,
    /// The first of its instruments.
    pub followed: [InstrumentIndex; STRATEGY_INSTRUMENTS_SHOWN],
    /// What users call it.
    pub name: [u8; STRATEGY_NAME_MAX],
}

const _: () = assert!(size_of::<StrategyRow>() == 152);

impl StrategyRow {
    /// The row of `hosted`.
    #[must_use]
    pub fn of(hosted: &Hosted) -> Self {
        let kept = hosted.name().floor_char_boundary(STRATEGY_NAME_MAX.min(hosted.name().len()));
        let mut name = [0; STRATEGY_NAME_MAX];
        name[..kept].copy_from_slice(&hosted.name().as_bytes()[..kept]);
        let mut followed = [0; STRATEGY_INSTRUMENTS_SHOWN];
        followed.iter_mut().zip(hosted.instruments()).for_each(|(slot, &index)| *slot = index);
        Self {
            intents: hosted.outbox().sequence(),
            working: u32::try_from(hosted.outbox().working().orders().len()).unwrap_or(u32::MAX),
            instruments: u32::try_from(hosted.instruments().len()).unwrap_or(u32::MAX),
            source: hosted.outbox().identity().source,
            activity: hosted.activity().code(),
            name_length: u8::try_from(kept).unwrap_or(0),
            reserved: 0,
            followed,
            name,
        }
    }

    /// Its name; `None` when it is no text.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        std::str::from_utf8(self.name.get(..usize::from(self.name_length))?).ok()
    }

    /// Whether it acts; `None` when the code names nothing.
    #[must_use]
    pub fn activity(&self) -> Option<Activity> {
        Activity::try_from(self.activity).ok()
    }

    /// The instruments that it lists.
    pub fn followed(&self) -> impl Iterator<Item = InstrumentIndex> {
        self.followed.into_iter().take(self.instruments as usize)
    }
}
