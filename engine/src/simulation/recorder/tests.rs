//! What the recorder leaves on a tape, and what the input log hears of it.

use super::*;
use crate::domain::Quantity;

/// Takes no question of an odd number, holds what it takes, and always has something to say.
struct Moody(u64);

impl OrderEntry for Moody {
    fn send(&mut self, _: &Order, _: Nanos) -> Result<(), NotSent> {
        Ok(())
    }

    fn query(&mut self, _: InstrumentIndex, _: OrderId, _: Nanos) -> Result<(), NotSent> {
        self.0 += 1;
        if self.0.is_multiple_of(2) { Ok(()) } else { Err(NotSent) }
    }

    fn holds(&self) -> bool {
        true
    }

    fn flush(&mut self) {
        self.0 = 0;
    }

    fn poll(&mut self, now: Nanos) -> Option<VenueEvent> {
        Some(VenueEvent {
            kind: VenueEventKind::Connected,
            id: OrderId::NONE,
            venue_order_id: 0,
            cumulative: Quantity::ZERO,
            instrument: 0,
            received: now,
        })
    }

    fn next_deadline(&self) -> Nanos {
        Nanos::NEVER
    }
}

fn recorded(folder: &tempfile::TempDir) -> RecordedEntry<Moody> {
    let path = |name: &str| folder.path().join(name);
    RecordedEntry::new(
        Moody(0),
        spsc::Producer::create(&path("departures"), &path("departures.cursor"), 64, 1).expect("made"),
        spsc::Producer::create(&path("answers"), &path("answers.cursor"), 64, 1).expect("made"),
    )
}

#[test]
fn what_does_not_leave_is_noted_by_its_number_and_what_does_not_fit_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut entry = recorded(&folder).noting(Notes::new(true));
    let outcomes: Vec<bool> = (0..4).map(|_| entry.query(0, OrderId::NONE, Nanos::ZERO).is_ok()).collect();
    assert_eq!(outcomes, [false, true, false, true]);
    let event = entry.poll(Nanos(7)).expect("an event");
    let notes = entry.notes_mut().expect("notes");
    assert_eq!(notes.unsent, [1, 3].map(Unsent::new));
    assert_eq!(notes.answers, [Answer::from(&event)]);
    let room = notes.answers.capacity();
    for _ in 0..room {
        assert!(entry.poll(Nanos(8)).is_some());
    }
    assert_eq!(entry.lost(), 1);
}

#[test]
fn what_the_entry_holds_leaves_through_the_recorder() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut entry = recorded(&folder);
    assert!(entry.holds() && entry.query(0, OrderId::NONE, Nanos::ZERO).is_err());
    entry.flush();
    assert_eq!(entry.inner.0, 0);
}

#[test]
fn answers_of_a_venue_in_the_process_are_left_to_the_tape() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut entry = recorded(&folder).noting(Notes::new(false));
    assert!(entry.poll(Nanos(7)).is_some());
    assert!(entry.notes_mut().expect("notes").answers.is_empty());
}
