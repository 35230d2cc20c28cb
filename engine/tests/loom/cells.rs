//! Seqlock cells, and files that are attached to while they are being made.

use engine::counters::{CellReader, CellWriter, CounterReader, Counters};
use engine::shm::process_local;
use loom::thread;

use crate::{Line, check, line, path, saw};

const WRITES: u64 = 3;

/// One writer, one reader: every copy is whole, and none is older than the one before.
pub fn cells_are_untorn() {
    check(&["kept changing", "newest", "oldest"], || {
        let file = path("cells");
        let mut writer = CellWriter::<Line>::create(&file, 1, 1).expect("made");
        let reader = CellReader::<Line>::attach(&file).expect("attached");
        // Written once before: a reader that finds the cell empty does not meet the writer at all.
        writer.write(0, &line(0));
        let writing = thread::spawn(move || (1..WRITES).for_each(|n| writer.write(0, &line(n))));
        let mut newest = 0;
        for _ in 0..2 {
            let Some(found) = reader.read(0) else {
                saw("kept changing");
                continue;
            };
            let n = found[0] - 100;
            assert_eq!(found, line(n), "torn");
            assert!(n >= newest, "ran backwards");
            newest = n;
            match n {
                0 => saw("oldest"),
                n if n == WRITES - 1 => saw("newest"),
                _ => {}
            }
        }
        writing.join().expect("written");
        assert_eq!(reader.read(0), Some(line(WRITES - 1)));
    });
}

/// A file that is found while its maker is at work: it is refused as unfinished, or it is whole, its names included.
pub fn files_are_whole() {
    check(&["empty", "half written", "whole"], || {
        let file = path("counters");
        process_local::lay_ready(&file, 17 * 8);
        let making = thread::spawn({
            let file = file.clone();
            move || Counters::create(&file, &["orders"], 1).expect("made")
        });
        match CounterReader::attach(&file) {
            Ok(reader) => {
                assert_eq!(reader.iter().collect::<Vec<_>>(), [("orders", 0)]);
                saw("whole");
            }
            Err(refusal) if refusal.to_string().contains("is no shared-memory file") => saw("empty"),
            Err(refusal) if refusal.to_string().contains("is half-initialised") => saw("half written"),
            Err(refusal) => panic!("{refusal}"),
        }
        making.join().expect("made");
        assert!(CounterReader::attach(&file).is_ok());
    });
}
