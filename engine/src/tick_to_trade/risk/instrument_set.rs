//! Which of all instruments are concerned, so that whoever looks after those few walks no table of all.

use crate::domain::InstrumentIndex;
use crate::room;

/// A set of instruments: members in a list, their places beside it. Never grows after it is made.
#[derive(Debug)]
pub(super) struct InstrumentSet {
    members: Vec<InstrumentIndex>,
    places: Vec<Option<u32>>,
}

impl InstrumentSet {
    pub(super) fn new(instruments: usize) -> Self {
        Self { members: room::vector(instruments, 0), places: vec![None; instruments] }
    }

    pub(super) fn members(&self) -> &[InstrumentIndex] {
        &self.members
    }

    #[inline]
    pub(super) fn set(&mut self, instrument: InstrumentIndex, is_member: bool) {
        match self.places[instrument as usize] {
            None if is_member => {
                self.places[instrument as usize] = u32::try_from(self.members.len()).ok();
                self.members.push(instrument);
            }
            Some(place) if !is_member => {
                self.places[instrument as usize] = None;
                self.members.swap_remove(place as usize);
                if let Some(&moved) = self.members.get(place as usize) {
                    self.places[moved as usize] = Some(place);
                }
            }
            _ => {}
        }
    }
}
