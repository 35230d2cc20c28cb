//! Two threads at each ring and cell, every word checked: a plain program for `ThreadSanitizer` and Miri, which know
//! races that no assertion sees. Bounded in count, never in time.
//!
//! ```text
//! ring_stress [COUNT] [--planted]
//! ```
//!
//! With `--planted` the producer writes the memory that goes with a message after the message: the tool must report a
//! race, else it proves nothing.

use std::cell::UnsafeCell;
use std::path::Path;
use std::process::ExitCode;
use std::thread;

use engine::counters::{CellReader, CellWriter, CounterReader, Counters};
use engine::ring::broadcast::Polled;
use engine::ring::{Full, broadcast, bytes, spsc};

type Line = [u64; 7];

const CAPACITY: usize = 64;
const COUNT_DEFAULT: u64 = 200_000;
/// Waits in a row after which the other thread counts as stuck.
const WAITS_MAX: u64 = 50_000_000;

fn line(n: u64) -> Line {
    std::array::from_fn(|at| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ at as u64)
}

fn header(n: u64) -> [u64; 3] {
    [n, !n, n << 32]
}

/// Waits for the other thread, but not for ever.
#[derive(Default)]
struct Patience(u64);

impl Patience {
    fn wait(&mut self) {
        self.0 += 1;
        assert!(self.0 < WAITS_MAX, "the other thread does nothing any more");
        thread::yield_now();
    }

    fn renew(&mut self) {
        self.0 = 0;
    }
}

/// Plain memory handed over by the ring: one line for each slot.
struct Board([UnsafeCell<Line>; CAPACITY]);

// SAFETY: a line belongs to the producer until its message is pushed, and to the consumer until it is given back; that
// this is so is what the sanitizer checks.
#[allow(unsafe_code)]
unsafe impl Sync for Board {}

static BOARD: Board = Board([const { UnsafeCell::new([0; 7]) }; CAPACITY]);

impl Board {
    fn write(&self, n: u64) {
        // SAFETY: see the type.
        #[allow(unsafe_code)]
        unsafe {
            *self.0[n as usize % CAPACITY].get() = line(n);
        }
    }

    fn read(&self, n: u64) -> Line {
        // SAFETY: see the type.
        #[allow(unsafe_code)]
        unsafe {
            *self.0[n as usize % CAPACITY].get()
        }
    }
}

fn lossless(folder: &Path, count: u64, planted: bool) {
    let (ring, cursor) = (folder.join("ring"), folder.join("cursor"));
    let mut producer = spsc::Producer::<Line>::create(&ring, &cursor, CAPACITY, 1).expect("made");
    let mut consumer = spsc::Consumer::<Line>::attach(&ring, &cursor).expect("attached");
    let taking = thread::spawn(move || {
        let mut patience = Patience::default();
        while consumer.position() < count {
            let n = consumer.position();
            let Some(found) = consumer.poll_held() else {
                patience.wait();
                continue;
            };
            assert_eq!(found, line(n));
            assert!(BOARD.read(n) == line(n) || planted);
            consumer.commit();
            patience.renew();
        }
    });
    let mut patience = Patience::default();
    for n in 0..count {
        while producer.free() == 0 {
            patience.wait();
        }
        if !planted {
            BOARD.write(n);
        }
        assert_eq!(producer.try_push(&line(n)), Ok(()));
        if planted {
            BOARD.write(n);
        }
        patience.renew();
    }
    taking.join().expect("every word as it was written");
}

fn lossy(folder: &Path, count: u64) {
    let ring = folder.join("broadcast");
    let mut producer = broadcast::Producer::<Line>::create(&ring, CAPACITY, 1).expect("made");
    let mut reader = broadcast::Reader::<Line>::attach(&ring).expect("attached");
    let reading = thread::spawn(move || {
        let (mut seen, mut patience) = (0, Patience::default());
        while reader.position() < count {
            let before = reader.position();
            match reader.poll() {
                Polled::Message(found) => {
                    assert_eq!(found, line(before));
                    seen += 1;
                    patience.renew();
                }
                Polled::Lapped { missed } => seen += missed,
                Polled::Empty => patience.wait(),
            }
        }
        seen
    });
    for n in 0..count {
        producer.publish(&line(n));
    }
    assert_eq!(reading.join().expect("no torn copy"), count);
}

fn payload(n: u64) -> Vec<u8> {
    (0..n * 13 % 100).map(|at| (((n * 7 + at) * 131) >> 3) as u8).collect()
}

fn any_length(folder: &Path, count: u64) {
    let (ring, cursor) = (folder.join("bytes"), folder.join("bytes-cursor"));
    let mut producer = bytes::Producer::create(&ring, &cursor, 1 << 12, 1).expect("made");
    let mut consumer = bytes::Consumer::attach(&ring, &cursor).expect("attached");
    let taking = thread::spawn(move || {
        let (mut n, mut patience) = (0, Patience::default());
        while n < count {
            let any = consumer.poll(&mut |found, bytes| {
                assert_eq!((found, bytes), (header(n), payload(n).as_slice()));
                n += 1;
            });
            if any { patience.renew() } else { patience.wait() }
        }
    });
    let (mut n, mut patience) = (0, Patience::default());
    while n < count {
        match producer.try_push(header(n), &[&payload(n)]) {
            Ok(()) => {
                n += 1;
                patience.renew();
            }
            Err(Full) => patience.wait(),
        }
    }
    taking.join().expect("every byte as it was written");
}

fn latest(folder: &Path, count: u64) {
    let (cells, counters) = (folder.join("cells"), folder.join("counters"));
    let mut writer = CellWriter::<Line>::create(&cells, 1, 1).expect("made");
    let reader = CellReader::<Line>::attach(&cells).expect("attached");
    let mut counted = Counters::create(&counters, &["writes"], 1).expect("made");
    let counts = CounterReader::attach(&counters).expect("attached");
    let reading = thread::spawn(move || {
        let (mut last, mut patience) = (0, Patience::default());
        while last < count {
            let Some(value) = reader.read(0).filter(|value| value[0] > last) else {
                patience.wait();
                continue;
            };
            assert_eq!(value, std::array::from_fn(|at| value[0] + at as u64));
            // Counted before it is written; the copy of the cell is ordered after the counter as after all else.
            assert!(counts.get("writes").is_some_and(|writes| (value[0]..=count).contains(&writes)));
            (last, patience) = (value[0], Patience::default());
        }
    });
    for n in 1..=count {
        counted.add(0, 1);
        writer.write(0, &std::array::from_fn(|at| n + at as u64));
    }
    reading.join().expect("no torn copy");
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let planted = arguments.iter().any(|argument| argument == "--planted");
    let mut counts = arguments.iter().filter(|argument| *argument != "--planted").map(|count| count.parse());
    let Ok(count) = counts.next_back().unwrap_or(Ok(COUNT_DEFAULT)) else {
        eprintln!("usage: ring_stress [COUNT] [--planted]");
        return ExitCode::from(2);
    };
    // Under the checkers names lead to words of this process, and no file is made.
    let made = (!cfg!(any(miri, tsan))).then(|| tempfile::tempdir().expect("a folder"));
    let folder = made.as_ref().map_or(Path::new("stress"), tempfile::TempDir::path);
    lossless(folder, count, planted);
    if planted {
        println!("{count} messages with a race that nobody reported");
        return ExitCode::SUCCESS;
    }
    lossy(folder, count);
    any_length(folder, count);
    latest(folder, count);
    println!("{count} messages through each ring and cell, every word as it was written");
    ExitCode::SUCCESS
}
