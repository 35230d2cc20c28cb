//! The floor: words on cache lines, without any ring around them.

use std::path::Path;

use engine::error::SetupError;
use engine::primitive::{AtomicU64, Ordering};
use engine::shm::{Expected, Readable, SegmentKind, SegmentSpec, Writable};

use crate::peers::{Line, Openers, Receiver, Sender, Shared, Transport, open_shared};

/// Marks a file of raw words; nothing else of ours has this layout.
const LAYOUT: u64 = 0x7261_7720_776f_7264;

/// Bytes of a raw file: one page.
const BYTES: usize = 4_096;

fn create(place: &Path, channel: &str) -> Result<Writable, SetupError> {
    let spec = SegmentSpec {
        kind: SegmentKind::Cells,
        layout: LAYOUT,
        element_size: 8,
        capacity: (BYTES / 8) as u64,
        epoch: 1,
        body_bytes: BYTES,
        parent: 0,
    };
    Writable::create(&place.join(format!("{channel}.raw")), &spec)
}

fn attach(place: &Path, channel: &str) -> Result<Readable, SetupError> {
    let expected = Expected { kind: SegmentKind::Cells, layout: LAYOUT, element_size: 8 };
    Readable::attach(&place.join(format!("{channel}.raw")), &expected)
}

/// One word each way: the ping-pong that every ratio "to raw" refers to. It carries the first word only, and a new
/// message overwrites the last.
pub struct Word;

/// The word's writer.
pub struct WordSender(Writable);

/// The word's reader, and what it last saw.
pub struct WordReceiver(Readable, u64);

impl Sender for WordSender {
    #[inline]
    fn try_send(&mut self, line: &Line) -> bool {
        // Release: partner is the load in `try_receive`.
        self.0.body()[0].store(line[0], Ordering::Release);
        true
    }
}

impl Receiver for WordReceiver {
    #[inline]
    fn try_receive(&mut self) -> Option<Line> {
        // Relaxed, as memory mapped read-only asks; nothing else is read that this could order.
        let word = self.0.body()[0].load(Ordering::Relaxed);
        if word == self.1 {
            return None;
        }
        self.1 = word;
        Some([word, 0, 0, 0, 0, 0, 0])
    }
}

impl Transport for Word {
    const NAME: &'static str = "raw: one word each way";
    type Sender = WordSender;
    type Receiver = WordReceiver;

    fn open(place: &Path, channel: &str) -> Result<Openers<Self>, SetupError> {
        Ok(open_shared::<Self>(place, channel))
    }
}

impl Shared for Word {
    fn sender(place: &Path, channel: &str) -> Result<Self::Sender, SetupError> {
        create(place, channel).map(WordSender)
    }

    fn receiver(place: &Path, channel: &str) -> Result<Self::Receiver, SetupError> {
        attach(place, channel).map(|page| WordReceiver(page, 0))
    }
}

/// One line each way: a stamp and 56 bytes.
pub struct WholeLine;

/// The line's writer and its stamp.
pub struct LineSender(Writable, u64);

/// The line's reader and the stamp it last saw.
pub struct LineReceiver(Readable, u64);

impl Sender for LineSender {
    #[inline]
    fn try_send(&mut self, line: &Line) -> bool {
        let words = &self.0.body()[..8];
        // In falling order, as `engine::shm::words` does it: the stamp's store is beside the last.
        for (word, value) in words[1..].iter().zip(line).rev() {
            word.store(*value, Ordering::Relaxed);
        }
        self.1 += 1;
        // Release: partner is the acquire in `try_receive`.
        words[0].store(self.1, Ordering::Release);
        true
    }
}

impl Receiver for LineReceiver {
    #[inline]
    fn try_receive(&mut self) -> Option<Line> {
        let words = &self.0.body()[..8];
        // Acquire: partner is the stamp's release in `try_send`.
        let stamp = words[0].load(Ordering::Acquire);
        if stamp == self.1 {
            return None;
        }
        self.1 = stamp;
        Some(std::array::from_fn(|at| words[at + 1].load(Ordering::Relaxed)))
    }
}

impl Transport for WholeLine {
    const NAME: &'static str = "raw: one 64-byte line each way";
    type Sender = LineSender;
    type Receiver = LineReceiver;

    fn open(place: &Path, channel: &str) -> Result<Openers<Self>, SetupError> {
        Ok(open_shared::<Self>(place, channel))
    }
}

impl Shared for WholeLine {
    fn sender(place: &Path, channel: &str) -> Result<Self::Sender, SetupError> {
        create(place, channel).map(|page| LineSender(page, 0))
    }

    fn receiver(place: &Path, channel: &str) -> Result<Self::Receiver, SetupError> {
        attach(place, channel).map(|page| LineReceiver(page, 0))
    }
}

/// Lines of a block.
pub const BLOCK_LINES: usize = 256;

/// Blocks in turn: as much memory as the rings have.
const BLOCKS: usize = 4;

/// Words of a line.
const WORDS: usize = 8;

/// A counter alone on its pair of lines.
#[repr(align(128))]
#[derive(Default)]
struct Lonely(AtomicU64);

/// The floor of a stream: whole blocks of lines change hands, so that nothing but the lines themselves moves.
pub struct Blocks {
    words: Vec<AtomicU64>,
    filled: Lonely,
    emptied: Lonely,
    /// The filler's own; nobody else reads it.
    sent: Lonely,
}

impl Default for Blocks {
    fn default() -> Self {
        let count = (BLOCKS * BLOCK_LINES + 1) * WORDS;
        let words = (0..count).map(|_| AtomicU64::new(0)).collect();
        Self { words, filled: Lonely::default(), emptied: Lonely::default(), sent: Lonely::default() }
    }
}

impl Blocks {
    fn block(&self, number: u64) -> &[AtomicU64] {
        // The first line's remainder is left out, so that blocks begin on a line.
        let skew = self.words.as_ptr().align_offset(64).min(WORDS);
        let place = usize::try_from(number).unwrap_or(0) % BLOCKS;
        &self.words[skew + place * BLOCK_LINES * WORDS..][..BLOCK_LINES * WORDS]
    }

    /// Fills block `number` once it is empty; `line_of` gives the words of the line that is the so-manieth of all. With
    /// `counted` the filler notes after each line how many there are, as a ring's producer does.
    pub fn fill(&self, number: u64, wait: crate::rig::Wait, counted: bool, line_of: &impl Fn(u64) -> Line) {
        // Acquire: partner is the release in `empty`.
        while self.emptied.0.load(Ordering::Acquire) + (BLOCKS as u64) <= number {
            wait.relax();
        }
        let first = number * BLOCK_LINES as u64;
        for (index, line) in (first..).zip(self.block(number).chunks_exact(WORDS)) {
            let values = line_of(index);
            line[0].store(index + 1, Ordering::Relaxed);
            line[1..].iter().zip(values).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
            if counted {
                self.sent.0.store(index + 1, Ordering::Relaxed);
            }
        }
        // Release: partner is the acquire in `empty`.
        self.filled.0.store(number + 1, Ordering::Release);
    }

    /// Empties block `number` once it is full; `on_line` gets every line.
    pub fn empty(&self, number: u64, wait: crate::rig::Wait, on_line: &mut impl FnMut(Line)) {
        // Acquire: partner is the release in `fill`.
        while self.filled.0.load(Ordering::Acquire) <= number {
            wait.relax();
        }
        for line in self.block(number).chunks_exact(WORDS) {
            on_line(std::array::from_fn(|at| line[at + 1].load(Ordering::Relaxed)));
        }
        // Release: partner is the acquire in `fill`.
        self.emptied.0.store(number + 1, Ordering::Release);
    }
}
