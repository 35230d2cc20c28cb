//! Which template a frame is compared with: each market and kind has a set of them, found by eight bytes of the frame.
//!
//! Those bytes are the start of its symbol, or of its stream's name. What is found by them is a guess, and the
//! template's head says whether it is right: two symbols that start alike share a slot, and one of them fits.
//!
//! With more instruments than slots most frames find none. They pay for one comparison of thirty-two tags, touch no
//! template, and are seldom learned from.

use crate::domain::InstrumentIndex;
use crate::venue::Frame;
use crate::venue::binance::MarketEvent;
use crate::venue::binance::number::{Avx2, TAGS, Tags, window};

use super::super::MARKETS;
use super::super::documented::DepthHead;
use super::super::levels::Shapes;
use super::{Kind, Template};

/// Frames that may pass without fitting before a template is given up.
pub(super) const CREDIT: u32 = 32;

/// Where a combined stream's frame names its stream: `{"stream":"`.
pub(super) const STREAM: usize = 11;

/// From where a raw frame is searched for its first comma. A number of any length may stand before it, so that what
/// follows is counted from there.
const COMMA: usize = 5;

/// A template, and whether it is worth keeping.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) template: Template,
    /// Frames that may yet pass without fitting.
    pub(super) credit: u32,
    /// Whose the last frame was that did not fit here. Only one that comes twice running takes the place of another:
    /// among many instruments, learning would cost more than it brings.
    missed: Option<InstrumentIndex>,
}

impl Slot {
    /// Notes a frame that fitted.
    #[inline(always)]
    pub(super) const fn fitted(&mut self) {
        self.credit = CREDIT;
    }
}

/// Which slots a market and kind has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Set {
    /// By slot.
    tags: Tags,
    /// Where its slots start.
    pub(super) first: usize,
    /// One an instrument, but no more than there are tags.
    pub(super) count: usize,
    /// Which one is asked next when a frame found none.
    hand: usize,
    /// Where raw frames name their symbol, counted from their first comma; 0 before anything was learned.
    symbol: usize,
}

/// The templates of a decoder.
#[derive(Debug)]
pub(super) struct Slots {
    /// Of all sets.
    pub(super) slots: Box<[Slot]>,
    /// By market and kind.
    pub(super) sets: Box<[[Set; Kind::ALL]; MARKETS.len()]>,
    /// Which slot was found last, by market and kind. Apart from the sets, and near the slots' address: a frame of the
    /// same instrument touches no line but these and the template's.
    last: [[u16; Kind::ALL]; MARKETS.len()],
}

/// No slot.
const NOWHERE: u16 = u16::MAX;

/// What a key is found by: the high bits are the best spread.
#[inline(always)]
pub(super) const fn tag(key: u64) -> u16 {
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u16
}

impl Set {
    /// The slot that a frame may fit in. Not inlined: what is common needs the registers.
    #[inline(never)]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    #[allow(clippy::cast_possible_truncation)]
    fn find(&self, by: Avx2, frame: &[u8], wrapped: bool) -> u16 {
        let Some((key, _)) = self.key(by, frame, wrapped) else { return NOWHERE };
        let place = by.place(&self.tags, tag(key));
        // A few hundred slots at most.
        if place < self.count { (self.first + place) as u16 } else { NOWHERE }
    }

    /// The bytes by which a frame's template is found, and where they are.
    #[inline(always)]
    fn key(&self, by: Avx2, frame: &[u8], wrapped: bool) -> Option<(u64, usize)> {
        let at = if wrapped { STREAM } else { comma(by, frame)? + self.symbol };
        Some((u64::from_le_bytes(*window(frame, at)?), at))
    }

    /// A template of a frame, proven on it.
    fn learn(
        &mut self,
        by: Avx2,
        frame: &Frame<'_>,
        (kind, instrument): (Kind, InstrumentIndex),
        event: &MarketEvent<'_>,
        shapes: &Shapes,
    ) -> Option<Template> {
        let Frame { payload: frame, market, .. } = *frame;
        let (mut learned, symbol_at) = Template::learn(frame, kind, instrument, shapes)?;
        if self.symbol == 0 && !learned.wrapped {
            self.symbol = symbol_at.checked_sub(comma(by, frame)?)?;
        }
        (learned.key, learned.key_at) = self.key(by, frame, learned.wrapped)?;
        let told = match kind {
            Kind::BookTicker => learned.book_ticker(by, frame),
            Kind::Trade => learned.trade(by, frame),
            Kind::Depth => learned.depth(by, frame, market).map(|head| {
                let DepthHead { instrument, ids, event_time, .. } = head;
                MarketEvent::Depth { instrument, ids, event_time, bids: &[], asks: &[] }
            }),
        };
        (told == Some(*event)).then_some(learned)
    }
}

impl Slots {
    /// For so many instruments of each market.
    pub(super) fn new(instruments: [usize; MARKETS.len()]) -> Self {
        let mut slots = 0;
        let sets = instruments.map(|count| {
            [(); Kind::ALL].map(|()| {
                let (first, count) = (slots, count.min(TAGS));
                slots += count;
                Set { tags: Tags([0; TAGS]), first, count, hand: 0, symbol: 0 }
            })
        });
        let slot = Slot { template: Template::NOTHING, credit: 0, missed: None };
        let last = [[NOWHERE; Kind::ALL]; MARKETS.len()];
        Self { slots: vec![slot; slots].into(), sets: Box::new(sets), last }
    }

    /// The slot that a frame may fit in.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(super) fn find(
        &mut self,
        by: Avx2,
        frame: &[u8],
        (market, kind): (usize, Kind),
        wrapped: bool,
    ) -> Option<&mut Slot> {
        let last = &mut self.last[market][kind as usize];
        let place = usize::from(*last);
        // The same again is the common case, and a guess by which nothing waits for the frame's bytes.
        if self.slots.get(place).is_some_and(|slot| slot.template.may_be_of(frame)) {
            return self.slots.get_mut(place);
        }
        let set = &self.sets[market][kind as usize];
        // SAFETY: the processor has what it was compiled for, for there is an `Avx2`.
        *last = unsafe { set.find(by, frame, wrapped) };
        self.slots.get_mut(usize::from(*last))
    }

    /// Notes that the last frame of a market and kind did not fit. The slot that is to be learned in, if one is.
    #[inline(always)]
    pub(super) fn missed(
        &mut self,
        (market, kind): (usize, Kind),
        instrument: InstrumentIndex,
    ) -> Option<usize> {
        let set = &mut self.sets[market][kind as usize];
        let hand = set.first + set.hand;
        let place = match self.last[market][kind as usize] {
            NOWHERE => hand,
            last => usize::from(last),
        };
        let Slot { template, credit, missed } = self.slots.get_mut(place)?;
        *credit = credit.saturating_sub(1);
        let again = missed.replace(instrument) == Some(instrument);
        let given_up = *credit == 0 && (again || template.is_nothing());
        if given_up {
            *credit = CREDIT;
        }
        // The hand stays at a slot without credit until somebody has it.
        if place == hand && *credit != 0 {
            set.hand = if set.hand + 1 < set.count { set.hand + 1 } else { 0 };
        }
        given_up.then_some(place)
    }

    /// Learns of a frame, in the slot at `place`.
    #[cold]
    #[inline(never)]
    pub(super) fn learn(
        &mut self,
        by: Avx2,
        frame: &Frame<'_>,
        (market, place): (usize, usize),
        (kind, instrument): (Kind, InstrumentIndex),
        event: &MarketEvent<'_>,
        shapes: &Shapes,
    ) {
        let set = &mut self.sets[market][kind as usize];
        if let Some(learned) = set.learn(by, frame, (kind, instrument), event, shapes) {
            set.tags.0[place - set.first] = tag(learned.key);
            self.slots[place].template = learned;
        }
    }
}

/// Where a raw frame's first comma is; beyond it, if nowhere near its start.
#[inline(always)]
fn comma(by: Avx2, frame: &[u8]) -> Option<usize> {
    Some(COMMA + by.first(window(frame, COMMA)?, b','))
}
