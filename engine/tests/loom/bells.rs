//! The bell: who goes to sleep is woken by whoever gave it something to do.

use engine::domain::Nanos;
use engine::ring::spsc;
use engine::shm::Bell;
use loom::thread;

use crate::{Line, check, line, path, saw};

/// A thread that publishes a message and rings; one that looks, says that it sleeps, looks again, and sleeps until the
/// message is there. Time does not pass in a model: a wake-up that is lost is a deadlock, which loom reports.
pub fn bells_wake() {
    check(&["found at the last look", "found awake", "woken"], || {
        let (ring, cursor) = (path("ring"), path("ring cursor"));
        let mut producer = spsc::Producer::<Line>::create(&ring, &cursor, 2, 1).expect("made");
        let mut consumer = spsc::Consumer::<Line>::attach(&ring, &cursor).expect("attached");
        let mut ringer = Bell::between(&path("ringer"), &[path("sleeper")], 1).expect("made");
        let mut sleeper = Bell::between(&path("sleeper"), &[path("ringer")], 1).expect("made");
        ringer.look(Nanos::ZERO);
        sleeper.look(Nanos::ZERO);
        let ringing = thread::spawn(move || {
            producer.try_push(&line(0)).expect("room");
            ringer.ring();
        });
        let mut found = consumer.peek();
        if found.is_some() {
            saw("found awake");
        }
        let mut times = 0;
        while found.is_none() {
            // A sleep ends at once when the peer has rung since: then the message is there.
            assert!(times < 2, "rung for nothing");
            times += 1;
            sleeper.listen();
            found = consumer.peek();
            if found.is_some() {
                sleeper.rise();
                saw("found at the last look");
            } else {
                sleeper.sleep(std::time::Duration::MAX);
                found = consumer.peek();
                if found.is_some() {
                    saw("woken");
                }
            }
        }
        assert_eq!(found, Some(line(0)));
        ringing.join().expect("rung");
    });
}
