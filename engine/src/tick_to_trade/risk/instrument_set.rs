//! Which of all instruments are concerned, so that whoever looks after those few walks no table of all.

use crate::domain::InstrumentIndex;
use crate::room;

/// No place.
const NONE: u32 = u32::MAX;

/// A set of instruments: members in a list, their places beside it. Never grows after it is made.
#[derive(Debug)]
pub(super) struct InstrumentSet {
    members: Vec<InstrumentIndex>,
    places: Box<[u32]>,
}

impl InstrumentSet {
    pub(super) fn new(instruments: usize) -> Self {
        Self { members: room::vector(instruments, 0), places: room::slice(instruments, NONE) }
    }

    pub(super) fn members(&self) -> &[InstrumentIndex] {
        &self.members
    }

    #[inline]
    pub(super) fn set(&mut self, instrument: InstrumentIndex, is_member: bool) {
        let place = &mut self.places[instrument as usize];
        let found = *place;
        if (found != NONE) == is_member {
            return;
        }
        if is_member {
            // There are no more members than indices.
            *place = self.members.len() as u32;
            self.members.push(instrument);
        } else {
            *place = NONE;
            self.members.swap_remove(found as usize);
            if let Some(&moved) = self.members.get(found as usize) {
                self.places[moved as usize] = found;
            }
        }
    }
}
