//! Which template a frame is compared with: each market and kind has a set of them.
//!
//! The one whose head was right last is asked first, and nothing waits for the frame's bytes to know which. Where its head is not
//! right, those are asked that have quotes and points where the frame has them. So a handful does for many instruments,
//! as far as their frames lie alike; those beyond are read as if there were none, and are seldom learned from.

use crate::domain::InstrumentIndex;
use crate::venue::binance::MarketEvent;
use crate::venue::binance::number::{Avx2, LANE};

use super::super::MARKETS;
use super::super::documented::DepthHead;
use super::super::symbols::SymbolTable;
use super::{Kind, Lesson, Template};

/// Frames that may pass without fitting before a template is given up.
pub(super) const CREDIT: u32 = 32;

/// Most slots of a market and kind.
pub(super) const SLOTS: usize = 32;

/// Bytes of a frame whose marks tell which templates are asked.
const MARKED: usize = 2 * LANE;

/// Marks by which it is told whether two frames lie alike of which nothing is known. Behind these may be a quantity.
const ALIKE: u64 = (1 << 48) - 1;

/// A template, and whether it is worth keeping.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) template: Template,
    /// Frames that may yet pass without fitting.
    pub(super) credit: u32,
    /// Marks of the last frame that did not fit here. Only what comes twice running takes the place of another: where
    /// many lie otherwise, learning would cost more than it brings.
    missed: Option<u64>,
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
    /// What the frames of each slot have for marks, and which of these count.
    pub(super) marks: [u64; SLOTS],
    counting: [u64; SLOTS],
    /// Where its slots start.
    pub(super) first: usize,
    /// One an instrument, but no more than [`SLOTS`].
    pub(super) count: usize,
    /// Which one is asked next when a frame found none.
    hand: usize,
}

/// The templates of a decoder.
#[derive(Debug)]
pub(super) struct Slots {
    /// Of all sets.
    pub(super) slots: Box<[Slot]>,
    /// By market and kind.
    pub(super) sets: Box<[[Set; Kind::ALL]; MARKETS.len()]>,
    /// Which slot was found last, by market and kind. Apart from the sets, and near the slots' address: a frame that lies
    /// as the one before touches no line but these and the template's.
    last: [[u16; Kind::ALL]; MARKETS.len()],
}

/// No slot.
const NOWHERE: u16 = u16::MAX;

/// Where the first bytes of a frame have quotes and points. `None` of what is too short for any template.
#[inline(always)]
fn marks(by: Avx2, frame: &[u8]) -> Option<u64> {
    let [low, high] = frame.first_chunk::<MARKED>()?.as_chunks().0 else { return None };
    Some(u64::from(by.marks(low)) | u64::from(by.marks(high)) << LANE)
}

impl Set {
    /// The slots, a bit each, of the templates that a frame with these marks may have the head of.
    #[inline(always)]
    fn candidates(&self, marks: u64) -> u32 {
        let all = self.marks.iter().zip(&self.counting).zip(0..);
        all.fold(0, |found, ((known, count), place)| found | u32::from((marks ^ known) & count == 0) << place)
    }

    /// The slot that a frame fits in, as far as its head tells, and whose it is. Not inlined: what is common needs the registers.
    #[inline(never)]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
    #[allow(clippy::cast_possible_truncation)]
    fn find(
        &self,
        by: Avx2,
        frame: &[u8],
        slots: &[Slot],
        symbols: &SymbolTable,
    ) -> Option<(u16, InstrumentIndex)> {
        let mut candidates = self.candidates(marks(by, frame)?);
        while candidates != 0 {
            let place = self.first + candidates.trailing_zeros() as usize;
            if let Some(instrument) = slots.get(place)?.template.whose(by, frame, symbols) {
                // A few hundred slots at most.
                return Some((place as u16, instrument));
            }
            candidates &= candidates - 1;
        }
        None
    }
}

impl Slots {
    /// For so many instruments of each market.
    pub(super) fn new(instruments: [usize; MARKETS.len()]) -> Self {
        let mut slots = 0;
        let sets = instruments.map(|count| {
            [(); Kind::ALL].map(|()| {
                let (first, count) = (slots, count.min(SLOTS));
                slots += count;
                // No frame has marks everywhere.
                Set { marks: [u64::MAX; SLOTS], counting: [u64::MAX; SLOTS], first, count, hand: 0 }
            })
        });
        let slot = Slot { template: Template::NOTHING, credit: 0, missed: None };
        let last = [[NOWHERE; Kind::ALL]; MARKETS.len()];
        Self { slots: vec![slot; slots].into(), sets: Box::new(sets), last }
    }

    /// The slot that a frame may fit in, and whose it is.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(super) fn find(
        &mut self,
        by: Avx2,
        frame: &[u8],
        (market, kind): (usize, Kind),
        symbols: &SymbolTable,
    ) -> Option<(&mut Slot, InstrumentIndex)> {
        let last = &mut self.last[market][kind as usize];
        // The same again is the common case, and a guess by which nothing waits for the frame's bytes. No closure: it would not
        // be compiled for the processor.
        let again = match self.slots.get(usize::from(*last)) {
            Some(slot) => slot.template.whose(by, frame, symbols),
            None => None,
        };
        let instrument = match again {
            Some(instrument) => instrument,
            None => {
                let set = &self.sets[market][kind as usize];
                // SAFETY: the processor has what it was compiled for, for there is an `Avx2`.
                let found = unsafe { set.find(by, frame, &self.slots, symbols) };
                let (place, instrument) = found.unwrap_or((NOWHERE, 0));
                *last = place;
                instrument
            }
        };
        self.slots.get_mut(usize::from(*last)).map(|slot| (slot, instrument))
    }

    /// Notes that the last frame of a market and kind did not fit. The slot that is to be learned in, if one is.
    #[inline(always)]
    pub(super) fn missed(&mut self, by: Avx2, frame: &[u8], (market, kind): (usize, Kind)) -> Option<usize> {
        let set = &mut self.sets[market][kind as usize];
        let hand = set.first + set.hand;
        let place = match self.last[market][kind as usize] {
            NOWHERE => hand,
            last => usize::from(last),
        };
        let Slot { template, credit, missed } = self.slots.get_mut(place)?;
        *credit = credit.saturating_sub(1);
        let marks = marks(by, frame)? & ALIKE;
        let again = missed.replace(marks) == Some(marks);
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
    pub(super) fn learn(&mut self, by: Avx2, (market, place): (usize, usize), lesson: &Lesson<'_>) {
        let set = &mut self.sets[market][lesson.kind as usize];
        let (Some(learned), Some(marks)) = (proven(by, lesson), marks(by, lesson.frame.payload)) else {
            return;
        };
        let at = place - set.first;
        set.marks[at] = marks;
        // What is behind the head may lie otherwise.
        set.counting[at] =
            if learned.head_length < MARKED { (1 << learned.head_length) - 1 } else { u64::MAX };
        self.slots[place].template = learned;
    }
}

/// A template of a frame, proven on it.
fn proven(by: Avx2, lesson: &Lesson<'_>) -> Option<Template> {
    let Lesson { frame, kind, event, symbols, .. } = *lesson;
    let learned = Template::learn(lesson)?;
    let instrument = learned.whose(by, frame.payload, symbols)?;
    let told = match kind {
        Kind::BookTicker => learned.book_ticker(by, frame.payload, instrument),
        Kind::Trade => learned.trade(by, frame.payload, instrument),
        Kind::Depth => learned.depth(by, frame.payload, (frame.market, instrument)).map(|head| {
            let DepthHead { instrument, ids, event_time, .. } = head;
            MarketEvent::Depth { instrument, ids, event_time, bids: &[], asks: &[] }
        }),
    };
    (told == Some(*event)).then_some(learned)
}
