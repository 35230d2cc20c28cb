//! The journal ring: lossless towards one consumer, the journal's writer, and open to any number of onlookers.
//!
//! It is the lossless ring: all rings share one slot protocol, whose busy mark lets a [`Reader`] look at a slot that
//! nobody keeps for it. A reader that is lapped reads what it missed from the journal's segments.

pub use crate::ring::broadcast::{Polled, Reader};
pub use crate::ring::spsc::{Consumer, Producer};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::Full;
    use crate::ring::patience::Patience;
    use proptest::prelude::*;
    use std::path::PathBuf;
    use std::thread;
    use tempfile::TempDir;

    type Record = [u64; 15];
    const CAPACITY: u64 = 64;

    fn record(n: u64) -> Record {
        std::array::from_fn(|at| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ at as u64)
    }

    fn ring() -> (TempDir, PathBuf, Producer<Record>, Consumer<Record>) {
        let folder = tempfile::tempdir().expect("a folder");
        let (ring, cursor) = (folder.path().join("ring"), folder.path().join("cursor"));
        let producer = Producer::create_watched(&ring, &cursor, CAPACITY as usize, 1).expect("made");
        let consumer = Consumer::attach(&ring, &cursor).expect("attached");
        (folder, ring, producer, consumer)
    }

    proptest! {
        #[test]
        fn the_writer_gates_it_and_onlookers_do_not(
            steps in prop::collection::vec((0_u64..100, 0_u64..100, 0_u64..100, any::<bool>()), 1..40)
        ) {
            let (_folder, path, mut producer, mut writer) = ring();
            let mut onlooker = Reader::<Record>::attach(&path).expect("attached");
            let mut kept = 0;
            for (push, write, look, commit) in steps {
                for _ in 0..push {
                    producer.prepare();
                    let n = producer.position();
                    let room = n - kept < CAPACITY;
                    prop_assert_eq!(producer.try_push(&record(n)), if room { Ok(()) } else { Err(Full) });
                }
                let head = producer.position();
                for n in writer.position()..head.min(writer.position() + write) {
                    prop_assert_eq!(writer.poll_held(), Some(record(n)));
                }
                if commit {
                    writer.commit();
                    kept = writer.position();
                }
                for _ in 0..look {
                    let (at, behind) = (onlooker.position(), head - onlooker.position());
                    let wanted = match behind {
                        0 => Polled::Empty,
                        1..=CAPACITY => Polled::Message(record(at)),
                        _ => Polled::Lapped { missed: behind - CAPACITY * 7 / 8 },
                    };
                    prop_assert_eq!(onlooker.poll(), wanted);
                }
            }
        }
    }

    #[test]
    fn the_writer_loses_nothing_while_an_onlooker_is_lapped() {
        const RECORDS: u64 = 200_000;
        let (_folder, path, mut producer, mut writer) = ring();
        let mut onlooker = Reader::<Record>::attach(&path).expect("attached");
        thread::scope(|scope| {
            let reading = scope.spawn(move || {
                let (mut missed, mut patience) = (0, Patience::default());
                while writer.position() < RECORDS {
                    let n = writer.position();
                    match writer.poll() {
                        Some(found) => {
                            assert_eq!(found, record(n));
                            patience.renew();
                        }
                        None => patience.wait(),
                    }
                    // The onlooker looks only now and then, so that it is lapped.
                    if n % 256 < 32 {
                        let at = onlooker.position();
                        match onlooker.poll() {
                            Polled::Message(found) => assert_eq!(found, record(at)),
                            Polled::Lapped { missed: more } => missed += more,
                            Polled::Empty => {}
                        }
                    }
                }
                assert!(missed > 0, "an eighth of the looks cannot keep up");
            });
            while producer.position() < RECORDS && !reading.is_finished() {
                if producer.try_push(&record(producer.position())).is_err() {
                    thread::yield_now();
                }
            }
        });
    }
}
