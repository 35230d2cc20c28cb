//! Blocks of text from a file: plain, gzip or zstd, told apart by their first bytes, and cut into lines.
//!
//! Memory is one block, which grows to the longest line and no further than a frame may be, and for a packed file the few
//! blocks by which its unpacking runs ahead.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use crate::limits::FRAME_BYTES_MAX;
use crate::venue::replay::ends::LineEnds;
use crate::venue::replay::unpack::Unpacked;

/// Bytes asked of the file at once.
const FILE_BLOCK: usize = 1 << 17;

/// First size of the block of text.
const TEXT_BLOCK: usize = 1 << 18;

/// Bytes read at once: so many are still near when their lines are looked at.
const READ: usize = 1 << 17;

/// A line is seldom shorter.
const LINE: usize = 64;

/// Longest block: the longest line, its ending, and room to look ahead.
const TEXT_BLOCK_MAX: usize = FRAME_BYTES_MAX + TEXT_BLOCK;

/// First bytes of a gzip member (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// First bytes of a zstd frame (RFC 8878).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    /// Not at all.
    Plain,
    /// gzip, one or more members.
    Gzip,
    /// zstd, one or more frames.
    Zstd,
}

impl Container {
    /// The name users see.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Why there is no line.
#[derive(Debug)]
pub(super) enum BlockError {
    /// The file could not be read, or does not unpack.
    Read(io::Error),
    /// A line is longer than a frame may be.
    TooLong,
}

/// A file's text, a block at a time.
pub(super) struct Blocks {
    input: Box<dyn Read + Send>,
    container: Container,
    buffer: Vec<u8>,
    /// The text not yet taken is `buffer[start..end]`.
    start: usize,
    end: usize,
    /// Where lines end in it, as places in `buffer`.
    ends: LineEnds,
    ended: bool,
    bytes: u64,
}

impl Blocks {
    /// Tells the container by its first bytes.
    pub(super) fn new(mut file: Box<dyn Read + Send>) -> io::Result<Self> {
        let mut head = Vec::new();
        file.by_ref().take(ZSTD_MAGIC.len() as u64).read_to_end(&mut head)?;
        let bytes = head.len() as u64;
        let whole = io::Cursor::new(head.clone()).chain(file);
        let (container, input): (_, Box<dyn Read + Send>) = if head == ZSTD_MAGIC {
            let file = BufReader::with_capacity(FILE_BLOCK, whole);
            (Container::Zstd, Box::new(Unpacked::start(zstd::stream::read::Decoder::with_buffer(file)?)?))
        } else if head.starts_with(&GZIP_MAGIC) {
            let file = BufReader::with_capacity(FILE_BLOCK, whole);
            (Container::Gzip, Box::new(Unpacked::start(MultiGzDecoder::new(file))?))
        } else {
            (Container::Plain, Box::new(whole))
        };
        let (buffer, ends) = (vec![0; TEXT_BLOCK], LineEnds::new(READ / LINE));
        Ok(Self { input, container, buffer, start: 0, end: 0, ends, ended: false, bytes })
    }

    /// How the file is packed.
    pub(super) const fn container(&self) -> Container {
        self.container
    }

    /// Whether the file has no bytes at all.
    pub(super) const fn is_empty_file(&self) -> bool {
        self.bytes == 0
    }

    /// The first bytes of the text not yet taken, at least one unless the text has ended.
    pub(super) fn peek(&mut self) -> Result<&[u8], BlockError> {
        while self.start == self.end && !self.ended {
            self.fill()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// Length of the line that begins `from` bytes into the text not yet taken, with its ending; `None` at the end
    /// of the text. The last line needs no ending.
    #[inline]
    pub(super) fn line_at(&mut self, from: usize) -> Result<Option<usize>, BlockError> {
        let first = self.start + from;
        match self.ends.next_at(first) {
            Some(end) if end - first < FRAME_BYTES_MAX => Ok(Some(end + 1 - first)),
            Some(_) => Err(BlockError::TooLong),
            None => self.read_line(from),
        }
    }

    /// The same of a line whose end has not been read.
    #[inline(never)]
    fn read_line(&mut self, from: usize) -> Result<Option<usize>, BlockError> {
        loop {
            let left = (self.end - self.start).saturating_sub(from);
            if left > FRAME_BYTES_MAX {
                return Err(BlockError::TooLong);
            }
            if self.ended {
                return Ok(Some(left).filter(|&length| length > 0));
            }
            self.fill()?;
            if self.ends.next_at(self.start + from).is_some() {
                return self.line_at(from);
            }
        }
    }

    /// Bytes `from..to` of the text not yet taken, which `line_at` has found.
    #[inline]
    pub(super) fn text(&self, from: usize, to: usize) -> &[u8] {
        &self.buffer[self.start + from..self.start + to]
    }

    /// Takes `length` bytes that `line_at` has found.
    #[inline]
    pub(super) fn consume(&mut self, length: usize) {
        self.start += length;
        self.ends.pass(self.start);
        debug_assert!(self.start <= self.end, "only found text is taken");
    }

    /// Reads more: moves what is left to the front, and grows only if that alone fills the block.
    fn fill(&mut self) -> Result<(), BlockError> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.ends.shift(self.start);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            if self.end >= TEXT_BLOCK_MAX {
                return Err(BlockError::TooLong);
            }
            self.buffer.resize((self.end * 2).min(TEXT_BLOCK_MAX), 0);
        }
        let most = self.buffer.len().min(self.end + READ);
        loop {
            match self.input.read(&mut self.buffer[self.end..most]) {
                Ok(read) => {
                    self.ended = read == 0;
                    self.ends.note(&self.buffer[self.end..self.end + read], self.end);
                    self.end += read;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(BlockError::Read(error)),
            }
        }
    }
}

/// A line without its ending, `\n` or `\r\n`.
#[inline]
pub(super) fn trim_ending(line: &[u8]) -> &[u8] {
    match line {
        [text @ .., b'\r', b'\n'] | [text @ .., b'\n' | b'\r'] => text,
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// Hands out one byte at a time: every boundary falls inside a line.
    struct Drip(io::Cursor<Vec<u8>>);

    impl Read for Drip {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(1);
            self.0.read(&mut buffer[..most])
        }
    }

    fn lines(file: Box<dyn Read + Send>) -> Vec<Vec<u8>> {
        let mut blocks = Blocks::new(file).expect("readable");
        let mut lines = Vec::new();
        while let Some(length) = blocks.line_at(0).expect("a line") {
            lines.push(blocks.text(0, length).to_vec());
            blocks.consume(length);
        }
        lines
    }

    #[test]
    fn lines_do_not_depend_on_where_reads_end() {
        let text = b"one\n\ntwo two\nlast".to_vec();
        let whole = lines(Box::new(io::Cursor::new(text.clone())));
        assert_eq!(whole, [&b"one\n"[..], b"\n", b"two two\n", b"last"]);
        assert_eq!(lines(Box::new(Drip(io::Cursor::new(text)))), whole);
    }

    #[test]
    fn containers_are_told_by_their_bytes() {
        let text = b"1\tws\t{}\n2\tws\t{}\n";
        let mut gzip = Vec::new();
        for half in text.chunks(7) {
            let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            member.write_all(half).expect("memory");
            gzip.extend(member.finish().expect("memory"));
        }
        let zstd = zstd::encode_all(&text[..], 1).expect("memory");
        let plain = lines(Box::new(io::Cursor::new(text.to_vec())));
        assert_eq!(lines(Box::new(Drip(io::Cursor::new(gzip)))), plain);
        assert_eq!(lines(Box::new(Drip(io::Cursor::new(zstd)))), plain);
    }

    #[test]
    fn a_line_longer_than_a_frame_is_refused_in_bounded_memory() {
        let mut blocks = Blocks::new(Box::new(io::repeat(b'x'))).expect("readable");
        assert!(matches!(blocks.line_at(0), Err(BlockError::TooLong)));
        assert!(blocks.buffer.len() <= TEXT_BLOCK_MAX);

        let mut longest = vec![b'x'; FRAME_BYTES_MAX - 1];
        longest.extend_from_slice(b"\nnext\n");
        let mut blocks = Blocks::new(Box::new(io::Cursor::new(longest))).expect("readable");
        assert_eq!(blocks.line_at(0).expect("fits"), Some(FRAME_BYTES_MAX));
        assert_eq!(blocks.line_at(FRAME_BYTES_MAX).expect("fits"), Some(5));
    }
}
