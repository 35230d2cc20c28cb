//! Unpacking on a thread of its own: whoever reads the text of a packed file finds it ready.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// Bytes of a block.
const BLOCK: u64 = 1 << 18;

/// Blocks that may wait to be read: enough that neither side waits for the other as long as both are about as fast.
const WAITING: usize = 4;

/// The text of `input`, which a thread reads ahead by a few blocks. The thread ends with the text, with the first error,
/// or with the next block after this end is dropped.
pub(super) struct Unpacked {
    filled: Receiver<io::Result<Vec<u8>>>,
    /// Blocks that were read, to be filled again.
    emptied: Sender<Vec<u8>>,
    block: Vec<u8>,
    taken: usize,
    ended: bool,
}

impl Unpacked {
    /// Starts the thread.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start(input: impl Read + Send + 'static) -> io::Result<Self> {
        let (filler, filled) = sync_channel(WAITING);
        let (emptied, empty) = channel();
        thread::Builder::new().name("unpack".to_owned()).spawn(move || unpack(input, &filler, &empty))?;
        Ok(Self { filled, emptied, block: Vec::new(), taken: 0, ended: false })
    }
}

/// Sends blocks until there is no more, which an empty one says, or until the input fails: what came before is sent first.
fn unpack(mut input: impl Read, filler: &SyncSender<io::Result<Vec<u8>>>, empty: &Receiver<Vec<u8>>) {
    loop {
        let mut block = empty.try_recv().unwrap_or_default();
        block.clear();
        let outcome = input.by_ref().take(BLOCK).read_to_end(&mut block);
        let text = !block.is_empty();
        if (text || outcome.is_ok()) && filler.send(Ok(block)).is_err() {
            return;
        }
        match outcome {
            Ok(_) if text => {}
            Ok(_) => return,
            // Nobody may be there to hear it.
            Err(error) => return drop(filler.send(Err(error))),
        }
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.block.len() && !self.ended {
            // What dies without a last word has not reached the end of the text.
            let next =
                self.filled.recv().map_err(|_| io::Error::other("the thread that unpacks it died"))??;
            self.ended = next.is_empty();
            self.taken = 0;
            // Nobody refills it when the text has ended.
            let _ = self.emptied.send(std::mem::replace(&mut self.block, next));
        }
        let read = (&self.block[self.taken..]).read(buffer)?;
        self.taken += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = BLOCK as usize;

    /// Some text, then an end of a kind.
    struct Text {
        left: usize,
        then: fn() -> io::Result<usize>,
    }

    impl Read for Text {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.left == 0 {
                return (self.then)();
            }
            let read = buffer.len().min(self.left).min(1_000);
            for (at, byte) in buffer[..read].iter_mut().enumerate() {
                *byte = ((self.left - at) % 251) as u8;
            }
            self.left -= read;
            Ok(read)
        }
    }

    #[test]
    fn all_the_text_arrives_in_order() {
        for length in [0, 1, SIZE, 3 * SIZE + 7] {
            let text = || Text { left: length, then: || Ok(0) };
            let (mut whole, mut unpacked) = (Vec::new(), Vec::new());
            text().read_to_end(&mut whole).expect("memory");
            Unpacked::start(text()).expect("a thread").read_to_end(&mut unpacked).expect("memory");
            assert!(whole == unpacked && whole.len() == length, "{length} bytes");
        }
    }

    #[test]
    fn an_error_and_a_dead_thread_are_no_end_of_the_text() {
        let cut = Text { left: SIZE + 5, then: || Err(io::Error::other("cut")) };
        let mut out = Vec::new();
        let error = Unpacked::start(cut).expect("a thread").read_to_end(&mut out).expect_err("not the end");
        assert_eq!(
            (error.to_string().as_str(), out.len()),
            ("cut", SIZE + 5),
            "the text before it comes first"
        );

        let dead = Text { left: 10, then: || panic!("planted") };
        let error = Unpacked::start(dead).expect("a thread").read_to_end(&mut out).expect_err("not the end");
        assert!(error.to_string().contains("died"), "{error}");
    }

    /// Text without an end, and word of its own.
    struct Endless(Sender<()>);

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            Ok(buffer.len())
        }
    }

    impl Drop for Endless {
        fn drop(&mut self) {
            self.0.send(()).expect("the test waits for it");
        }
    }

    #[test]
    fn whoever_stops_reading_stops_the_thread() {
        let (alive, gone) = channel();
        let mut unpacked = Unpacked::start(Endless(alive)).expect("a thread");
        unpacked.read_exact(&mut [1]).expect("text");
        drop(unpacked);
        assert_eq!(gone.recv_timeout(std::time::Duration::from_secs(60)), Ok(()));
    }
}
