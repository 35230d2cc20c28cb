//! The reader of one tape: a line at a time, borrowed from its block.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::domain::Nanos;
use crate::error::SetupError;
use crate::limits::FRAME_BYTES_MAX;
use crate::venue::replay::blocks::{BlockError, Blocks, Container, trim_ending};
use crate::venue::replay::collector::Collector;
use crate::venue::replay::received::{STREAM_PAYLOAD, leading_integer, of_stream};
use crate::venue::replay::{TapeSource, hex, scan};

/// What the recorder of a snapshot's URL adds when it did not store the URL itself.
const INFERRED: &str = " (inferred)";

/// One line of a tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapeLine<'a> {
    /// When it was received, by the recorder's clock; may lie before the line above it.
    pub received: Nanos,
    /// Where it came from.
    pub source: TapeSource<'a>,
    /// Its bytes, without the end of the line; of SBE the binary ones.
    pub payload: &'a [u8],
    /// Its number in the file, from 1.
    pub line: u64,
}

impl TapeLine<'_> {
    /// The payload as it stands on the tape.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        if !self.source.is_binary() {
            return String::from_utf8_lossy(self.payload);
        }
        let mut digits = Vec::new();
        hex::write(self.payload, &mut digits);
        Cow::Owned(String::from_utf8_lossy(&digits).into_owned())
    }
}

/// How the lines of a file are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// `recv_ns TAB source TAB payload`.
    Tape,
    /// `local_ns SPACE payload`: hftbacktest's collector.
    Collector,
}

/// [`TapeSource`] without the URL, which the reader keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Stream,
    Sbe,
    Rest,
    User,
    Request,
    Unknown,
}

/// The line the reader stands on; ranges are offsets into the text not yet taken.
#[derive(Debug, Default)]
struct Current {
    received: i64,
    kind: Kind,
    payload: Range<usize>,
    length: usize,
}

/// Reads a tape in order, in bounded memory; nothing is allocated for a line once the block has grown to it.
pub struct TapeReader {
    name: PathBuf,
    blocks: Blocks,
    format: Option<Format>,
    line: u64,
    frames: u64,
    current: Current,
    url: String,
    /// The line's payload, where it stands in digits.
    binary: Vec<u8>,
    collector: Collector,
}

impl TapeReader {
    /// Opens a file; its container and format are told by its bytes, not by its name.
    ///
    /// # Errors
    /// When it cannot be read or is empty.
    pub fn open(path: &Path) -> Result<Self, SetupError> {
        let file = File::open(path).map_err(|error| SetupError::io(path, "open", error))?;
        Self::from_read(Box::new(file), path.to_path_buf())
    }

    /// Reads from `input`; `name` is what errors call it.
    ///
    /// # Errors
    /// When it cannot be read or is empty.
    pub fn from_read(input: Box<dyn Read + Send>, name: PathBuf) -> Result<Self, SetupError> {
        let blocks = match Blocks::new(input) {
            Ok(blocks) => blocks,
            Err(error) => return Err(SetupError::io(name, "read", error)),
        };
        if blocks.is_empty_file() {
            return Err(SetupError::file(name, "empty file: not a tape"));
        }
        Ok(Self {
            name,
            blocks,
            format: None,
            line: 0,
            frames: 0,
            current: Current::default(),
            url: String::new(),
            binary: Vec::new(),
            collector: Collector::default(),
        })
    }

    /// The file.
    #[must_use]
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// The next line, or `None` at the end.
    ///
    /// # Errors
    /// When the file does not unpack, a line is not of the format or too long, or there was no frame at all. The
    /// error names the file and the line.
    #[allow(clippy::should_implement_trait)] // It lends the line: no `Iterator` can.
    pub fn next(&mut self) -> Result<Option<TapeLine<'_>>, SetupError> {
        Ok(if self.advance()? { Some(self.current()) } else { None })
    }

    /// Steps to the next line; `false` at the end.
    ///
    /// # Errors
    /// See [`next`](Self::next).
    pub(super) fn advance(&mut self) -> Result<bool, SetupError> {
        self.blocks.consume(self.current.length);
        self.current.length = 0;
        loop {
            self.line += 1;
            if self.format.is_none() {
                self.check_text()?;
            }
            let Some(length) = self.blocks.line_at(0).map_err(|error| self.block_error(&error))? else {
                return if self.frames > 0 {
                    Ok(false)
                } else {
                    Err(self.file_error("no frames: not a tape"))
                };
            };
            let text = trim_ending(self.blocks.text(0, length));
            if text.is_empty() {
                self.blocks.consume(length);
                continue;
            }
            let end = text.len();
            match of_stream(text).filter(|_| self.format == Some(Format::Tape) && end > STREAM_PAYLOAD) {
                Some(received) => {
                    let payload = STREAM_PAYLOAD..end;
                    self.current = Current { received, kind: Kind::Stream, payload, length };
                }
                None => {
                    self.parse_line(end)?;
                    self.current.length = length;
                }
            }
            self.frames += 1;
            if self.format == Some(Format::Collector) {
                self.place_collected()?;
            }
            return Ok(true);
        }
    }

    /// When the line the reader stands on was received.
    pub(super) const fn received(&self) -> Nanos {
        Nanos(self.current.received)
    }

    /// The URL that the line the reader stands on answers, if it is an answer.
    pub(super) fn url(&self) -> Option<&str> {
        (self.current.kind == Kind::Rest).then_some(&self.url)
    }

    /// The line the reader stands on, after [`advance`](Self::advance) said that there is one.
    #[inline]
    pub(super) fn current(&self) -> TapeLine<'_> {
        let source = match self.current.kind {
            Kind::Stream => TapeSource::Stream,
            Kind::Sbe => TapeSource::Sbe,
            Kind::Rest => TapeSource::Rest(&self.url),
            Kind::User => TapeSource::User,
            Kind::Request => TapeSource::Request,
            Kind::Unknown => TapeSource::Unknown,
        };
        TapeLine {
            received: Nanos(self.current.received),
            source,
            payload: if source.is_binary() {
                &self.binary
            } else {
                self.blocks.text(self.current.payload.start, self.current.payload.end)
            },
            line: self.line,
        }
    }

    /// Refuses what is no text at its first byte, however long its first line is.
    fn check_text(&mut self) -> Result<(), SetupError> {
        match self.blocks.peek() {
            Ok(text) if text.first().is_none_or(|byte| byte.is_ascii_digit() || b"\r\n".contains(byte)) => {
                Ok(())
            }
            Ok(_) => {
                Err(self
                    .line_error("neither gzip, zstd, nor a line that begins with a receive time: not a tape"))
            }
            Err(error) => Err(self.block_error(&error)),
        }
    }

    /// Cuts the line `..end` into receive time, source and payload.
    #[inline(never)]
    fn parse_line(&mut self, end: usize) -> Result<(), SetupError> {
        let text = self.blocks.text(0, end);
        let Some((received, digits)) = leading_integer(text) else {
            return Err(self.line_error("bad receive time: nanoseconds since 1970 are expected"));
        };
        let separator = text.get(digits).copied();
        let format = match (self.format, separator) {
            (None | Some(Format::Tape), Some(b'\t')) => Format::Tape,
            (None | Some(Format::Collector), Some(b' ')) => Format::Collector,
            (_, Some(b'\t' | b' ') | None) => {
                return Err(self.line_error("missing tab: `recv_ns TAB source TAB payload` is expected"));
            }
            (_, Some(_)) => {
                return Err(self.line_error("bad receive time: nanoseconds since 1970 are expected"));
            }
        };
        let body = digits + 1;
        let (kind, payload) = match format {
            Format::Tape => {
                let Some(tab) = memchr::memchr(b'\t', &text[body..]) else {
                    return Err(self.line_error("missing tab: no payload follows the source"));
                };
                let Some((kind, url)) = source(&text[body..body + tab]) else {
                    return Err(self.line_error("the URL of the source is not text"));
                };
                if let Some(url) = url {
                    self.url.clear();
                    self.url.push_str(url);
                }
                (kind, body + tab + 1)
            }
            // Recorders before 2024 wrote milli- or microseconds here: as nanoseconds they would be in 1970.
            Format::Collector if digits == 13 || digits == 16 => {
                return Err(self.line_error("bad receive time: not in nanoseconds"));
            }
            Format::Collector => (Kind::Stream, body),
        };
        if payload == end {
            return Err(self.line_error("no payload"));
        }
        if kind == Kind::Sbe && !hex::read(&text[payload..end], &mut self.binary) {
            return Err(self.line_error("the payload of `sbe` is not hexadecimal"));
        }
        self.format = Some(format);
        self.current.received = received;
        self.current.kind = kind;
        self.current.payload = payload..end;
        Ok(())
    }

    /// Tells a collector's snapshots from its stream frames, and names the request that they answer.
    fn place_collected(&mut self) -> Result<(), SetupError> {
        let Range { start, end } = self.current.payload;
        let payload = self.blocks.text(start, end);
        if !scan::is_snapshot(payload) {
            let followed = self.collector.stream(payload, self.line);
            return followed.map_err(|reason| self.file_error(reason));
        }
        if !self.collector.can_place(payload) {
            let found = self.collector.look_ahead(&mut self.blocks, self.current.length);
            if !found.map_err(|error| self.block_error(&error))? {
                return Err(self.line_error("the snapshot names no symbol, and no stream frame near it does"));
            }
        }
        self.current.kind = Kind::Rest;
        let placed = self.collector.place(self.blocks.text(start, end), self.line, &mut self.url);
        placed.map_err(|reason| self.file_error(reason))
    }

    fn file_error(&self, reason: impl Into<String>) -> SetupError {
        SetupError::file(&self.name, reason)
    }

    /// The current line is not what it should be.
    pub(super) fn line_error(&self, reason: &str) -> SetupError {
        self.file_error(format!("line {}: {reason}", self.line))
    }

    fn block_error(&self, error: &BlockError) -> SetupError {
        let container = self.blocks.container();
        match error {
            BlockError::TooLong => self.line_error(&format!("longer than {FRAME_BYTES_MAX} bytes")),
            BlockError::Read(error) if container == Container::Plain => {
                self.line_error(&format!("cannot be read: {error}"))
            }
            BlockError::Read(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                self.line_error(&format!("the {} stream is cut short", container.as_str()))
            }
            BlockError::Read(error) => {
                self.line_error(&format!("the {} stream is damaged: {error}", container.as_str()))
            }
        }
    }
}

/// Kind of a source, and its URL; `None` if that is not text.
fn source(text: &[u8]) -> Option<(Kind, Option<&str>)> {
    Some(match text {
        b"ws" => (Kind::Stream, None),
        b"sbe" => (Kind::Sbe, None),
        b"user" => (Kind::User, None),
        b"order" => (Kind::Request, None),
        _ => match text.strip_prefix(b"rest ") {
            Some(url) => {
                let url = std::str::from_utf8(url).ok()?;
                (Kind::Rest, Some(url.strip_suffix(INFERRED).unwrap_or(url)))
            }
            None => (Kind::Unknown, None),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};

    type Owned = (i64, String, String, u64);

    fn reader(bytes: &[u8]) -> Result<TapeReader, SetupError> {
        TapeReader::from_read(Box::new(Cursor::new(bytes.to_vec())), PathBuf::from("some.tape"))
    }

    fn lines(bytes: &[u8]) -> Result<Vec<Owned>, SetupError> {
        let mut reader = reader(bytes)?;
        let mut lines = Vec::new();
        while let Some(line) = reader.next()? {
            let source = format!("{:?}", line.source);
            let payload = line.text().into_owned();
            lines.push((line.received.0, source, payload, line.line));
        }
        Ok(lines)
    }

    fn error(bytes: &[u8]) -> String {
        lines(bytes).expect_err("refused").to_string()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(bytes).expect("memory");
        gzip.finish().expect("memory")
    }

    #[test]
    fn every_source_is_told_and_carriage_returns_do_not_matter() {
        let unix = "7\tws\t{}\n6\trest https://x/api/v3/depth?symbol=A (inferred)\t{\"a\":\t1}\n\n\
                    8\tuser\t{}\n9\torder\tq\n10\tfix\tz\n11\tsbe\t0a7A";
        let read = lines(unix.as_bytes()).expect("a tape");
        let line = |at, source: &str, payload: &str, line| (at, source.to_owned(), payload.to_owned(), line);
        assert_eq!(
            read,
            [
                line(7, "Stream", "{}", 1),
                line(6, "Rest(\"https://x/api/v3/depth?symbol=A\")", "{\"a\":\t1}", 2),
                line(8, "User", "{}", 4),
                line(9, "Request", "q", 5),
                line(10, "Unknown", "z", 6),
                line(11, "Sbe", "0a7a", 7),
            ]
        );
        assert_eq!(lines(unix.replace('\n', "\r\n").as_bytes()).expect("a tape"), read);
    }

    #[test]
    fn a_collectors_snapshot_finds_its_symbol_on_either_side() {
        let trade = r#"{"stream":"austd@trade","data":{"e":"trade","s":"AUSDT"}}"#;
        let file =
            format!("1 {{\"lastUpdateId\":1}}\n2 {{\"result\":null}}\n3 {trade}\n4 {{\"lastUpdateId\":2}}\n");
        let read = lines(file.as_bytes()).expect("a collector's file");
        let url = "Rest(\"https://api.binance.com/api/v3/depth?symbol=AUSDT\")";
        assert_eq!(
            read.iter().map(|line| line.1.as_str()).collect::<Vec<_>>(),
            [url, "Stream", "Stream", url]
        );

        let second = format!("{file}5 {}\n", trade.replace("AUSDT", "BUSDT"));
        assert!(error(second.as_bytes()).starts_with("some.tape: line 1: the snapshot names no symbol"));
        let error = error(b"1 {\"lastUpdateId\":1}\n2 {\"result\":null}\n");
        assert!(error.starts_with("some.tape: line 1: the snapshot names no symbol"), "{error}");
    }

    #[test]
    fn what_is_no_tape_is_refused_with_its_line() {
        let tape = b"1\tws\t{}\n2\tws\t{}\n";
        let zstd = zstd::encode_all(&tape[..], 1).expect("memory");
        let gzip = gzip(tape);
        let mut flipped = gzip.clone();
        let crc = flipped.len() - 8;
        flipped[crc] ^= 1;
        let late = [&tape[..], b"3\tws"].concat();
        for (bytes, reason) in [
            (&b""[..], "some.tape: empty file"),
            (b"\n\n", "some.tape: no frames"),
            (&super::tests::gzip(b""), "some.tape: no frames"),
            (&gzip[..gzip.len() - 9], "line 3: the gzip stream is cut short"),
            (&gzip[..5], "line 1: the gzip stream is cut short"),
            (&flipped, "line 3: the gzip stream is damaged"),
            (&[&gzip[..], b"junk"].concat(), "line 3: the gzip stream is"),
            (&zstd[..zstd.len() - 3], "the zstd stream is cut short"),
            (b"\x00\x01\x02\xff", "line 1: neither gzip, zstd, nor"),
            (b"PK\x03\x04 1\tws\t{}", "line 1: neither gzip, zstd, nor"),
            (&late, "line 3: missing tab: no payload"),
            (b"1\tws\t{}\n2 {}\n", "line 2: missing tab"),
            (b"1 {}\n2\tws\t{}\n", "line 2: missing tab"),
            (b"1\tws\t{}\nx\tws\t{}\n", "line 2: bad receive time"),
            (b"1\tws\t{}\n-2\tws\t{}\n", "line 2: bad receive time"),
            (b"9223372036854775808\tws\t{}\n", "line 1: bad receive time"),
            (b"1.5\tws\t{}\n", "line 1: bad receive time"),
            (b"1723161253937085 {}\n", "line 1: bad receive time: not in nanoseconds"),
            (b"1\tws\t\n", "line 1: no payload"),
            (b"1\tsbe\t0\n", "line 1: the payload of `sbe` is not hexadecimal"),
            (b"1\tws\t{}\n2\tsbe\t{}\n", "line 2: the payload of `sbe` is not hexadecimal"),
            (b"1\trest \xff\t{}\n", "line 1: the URL"),
        ] {
            let error = error(bytes);
            assert!(error.contains(reason), "{error:?} should say {reason:?}");
            assert!(error.starts_with("some.tape: ") && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn lines_before_the_damage_are_read() {
        let tape = b"1\tws\t{}\n".repeat(100_000);
        let gzip = gzip(&tape);
        let mut reader = reader(&gzip[..gzip.len() - 9]).expect("opens");
        let mut read = 0;
        let error = loop {
            match reader.next() {
                Ok(Some(_)) => read += 1,
                Ok(None) => panic!("a cut file must not look whole"),
                Err(error) => break error.to_string(),
            }
        };
        assert!(read > 1_000 && error.contains(&format!("line {}: ", read + 1)), "{read} {error}");
    }

    #[test]
    fn files_that_cannot_be_read_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("missing.gz");
        let error = TapeReader::open(&missing).err().expect("refused").to_string();
        assert!(error.contains("missing.gz: open: "), "{error}");
        let error = TapeReader::open(folder.path()).err().expect("a folder is no tape").to_string();
        assert!(error.contains("read: "), "{error}");
    }
}
