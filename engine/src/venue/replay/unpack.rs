//! Unpacking on a thread of its own: whoever reads the text of a packed file finds it ready.

use std::io::{self, Read};

use crate::venue::replay::ahead::Ahead;

/// Bytes of a block.
const BLOCK: u64 = 1 << 18;

/// The text of `input`, which a thread reads ahead by a few blocks.
pub(super) struct Unpacked {
    blocks: Ahead<Vec<u8>, io::Error>,
    block: Vec<u8>,
    taken: usize,
}

impl Unpacked {
    /// Starts the thread.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start(mut input: impl Read + Send + 'static) -> io::Result<Self> {
        let fill = move |block: &mut Vec<u8>| {
            block.clear();
            Ok(input.by_ref().take(BLOCK).read_to_end(block)? > 0)
        };
        let died = io::Error::other("the thread that unpacks it died");
        let blocks = Ahead::start("unpack", died, fill)?;
        Ok(Self { blocks, block: Vec::new(), taken: 0 })
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.block.len() && self.blocks.turn(&mut self.block)? {
            self.taken = 0;
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
}
