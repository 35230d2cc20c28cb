//! The writer of a tape: what the recorder leaves behind.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::domain::Nanos;
use crate::error::SetupError;
use crate::venue::replay::{TapeSource, hex};

/// Bytes gathered for one write to the file.
const FILE_BLOCK: usize = 1 << 17;

/// zstd's level: its default, far faster than gzip's at a better ratio.
const ZSTD_LEVEL: i32 = 3;

/// The file, packed as its name says.
enum Packed {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
    Zstd(zstd::stream::write::Encoder<'static, BufWriter<File>>),
}

impl Packed {
    fn wrap(like: &Path, file: BufWriter<File>) -> io::Result<Self> {
        Ok(match like.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Self::Gzip(GzEncoder::new(file, Compression::default())),
            Some("zst") => Self::Zstd(zstd::stream::write::Encoder::new(file, ZSTD_LEVEL)?),
            _ => Self::Plain(file),
        })
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.write_all(bytes),
            Self::Gzip(file) => file.write_all(bytes),
            Self::Zstd(file) => file.write_all(bytes),
        }
    }

    /// Ends the gzip member or zstd frame.
    fn close(self) -> io::Result<BufWriter<File>> {
        let mut file = match self {
            Self::Plain(file) => file,
            Self::Gzip(file) => file.finish()?,
            Self::Zstd(file) => file.finish()?,
        };
        file.flush()?;
        Ok(file)
    }
}

/// Writes a tape, packed by the extension of its name: `.gz`, `.zst`, else plain.
///
/// A writer that is dropped without [`finish`](Self::finish) may leave a packed file cut short, which a reader
/// refuses where it ends.
pub struct TapeWriter {
    path: PathBuf,
    /// Absent only after an error: nothing may follow a gap.
    packed: Option<Packed>,
    line: Vec<u8>,
}

impl TapeWriter {
    /// Creates the file, which must not exist: a recording is never overwritten.
    ///
    /// # Errors
    /// When it exists or cannot be created.
    pub fn create(path: &Path) -> Result<Self, SetupError> {
        let file = File::options().write(true).create_new(true).open(path);
        let packed = file.and_then(|file| Packed::wrap(path, BufWriter::with_capacity(FILE_BLOCK, file)));
        match packed {
            Ok(packed) => Ok(Self { path: path.to_path_buf(), packed: Some(packed), line: Vec::new() }),
            Err(error) => Err(SetupError::io(path, "create", error)),
        }
    }

    /// Writes one line. Line ends inside a text become spaces: in JSON they mean the same, and some error pages
    /// of the venue have them.
    ///
    /// # Errors
    /// When the line could not be read back (time before 1970, unknown source, a URL with a tab or line end, no
    /// payload), or the file cannot be written; after the latter nothing more is.
    pub fn write(
        &mut self,
        received: Nanos,
        source: TapeSource<'_>,
        payload: &[u8],
    ) -> Result<(), SetupError> {
        let (word, url) = match source {
            TapeSource::Stream => ("ws", ""),
            TapeSource::Sbe => ("sbe", ""),
            TapeSource::Rest(url) => ("rest ", url),
            TapeSource::User => ("user", ""),
            TapeSource::Request => ("order", ""),
            TapeSource::Unknown => return Err(self.refused("a source without a name")),
        };
        if received < Nanos::ZERO || payload.is_empty() || url.contains(['\t', '\n', '\r']) {
            return Err(self.refused("a line that could not be read back"));
        }
        self.line.clear();
        let head = write!(self.line, "{}\t{word}{url}\t", received.0);
        debug_assert!(head.is_ok(), "a Vec takes every write");
        if source.is_binary() {
            hex::write(payload, &mut self.line);
        } else {
            let one_line = |&byte: &u8| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte };
            self.line.extend(payload.iter().map(one_line));
        }
        self.line.push(b'\n');
        let Some(packed) = &mut self.packed else { return Err(self.refused("a line after a failed write")) };
        packed.write_all(&self.line).map_err(|error| {
            self.packed = None;
            SetupError::io(&self.path, "write", error)
        })
    }

    /// Ends the gzip member or zstd frame and begins another, so that whatever happens later, all lines so far
    /// unpack. Costs some of the compression.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn seal(&mut self) -> Result<(), SetupError> {
        let Some(packed) = self.packed.take() else {
            return Err(self.refused("a line after a failed write"));
        };
        let reopened = packed.close().and_then(|file| Packed::wrap(&self.path, file));
        self.packed = Some(reopened.map_err(|error| SetupError::io(&self.path, "write", error))?);
        Ok(())
    }

    /// Ends the tape and waits until the disk has it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(mut self) -> Result<(), SetupError> {
        let Some(packed) = self.packed.take() else {
            return Err(self.refused("a line after a failed write"));
        };
        let synced = packed.close().and_then(|file| file.get_ref().sync_data());
        synced.map_err(|error| SetupError::io(&self.path, "write", error))
    }

    fn refused(&self, what: &str) -> SetupError {
        SetupError::file(&self.path, format!("will not hold {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::replay::tape::TapeReader;

    fn read(path: &Path) -> Vec<(i64, String, Vec<u8>)> {
        let mut reader = TapeReader::open(path).expect("opens");
        let mut lines = Vec::new();
        while let Some(line) = reader.next().expect("whole") {
            lines.push((line.received.0, format!("{:?}", line.source), line.payload.to_vec()));
        }
        lines
    }

    #[test]
    fn what_is_written_reads_back_in_every_container() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000";
        let (market, ours) = (
            [TapeSource::Stream, TapeSource::Sbe, TapeSource::Rest(url)],
            [TapeSource::User, TapeSource::Request],
        );
        let sources = [&market[..], &ours].concat();
        for name in ["a.tsv", "a.tsv.gz", "a.tsv.zst"] {
            let path = folder.path().join(name);
            let mut writer = TapeWriter::create(&path).expect("created");
            let mut expected = Vec::new();
            for at in 0..1_000_i64 {
                let source = sources[usize::try_from(at).expect("small") % sources.len()];
                let mut payload = format!("{{\"n\":{at},\"tab\":\"\t\"}}").into_bytes();
                if source == TapeSource::Sbe {
                    payload.extend(b"\n\r\0\xff");
                }
                writer.write(Nanos(at), source, &payload).expect("written");
                expected.push((at, format!("{source:?}"), payload));
                if at == 500 {
                    writer.seal().expect("sealed");
                }
            }
            writer.finish().expect("finished");
            assert_eq!(read(&path), expected, "{name}");
            assert!(TapeWriter::create(&path).is_err(), "a recording is never overwritten");
        }
        let magic = |name: &str| std::fs::read(folder.path().join(name)).expect("there")[..2].to_vec();
        assert_eq!((magic("a.tsv.gz"), magic("a.tsv.zst")), (vec![0x1f, 0x8b], vec![0x28, 0xb5]));
    }

    #[test]
    fn sealed_lines_survive_a_writer_that_dies() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cut.gz");
        let mut writer = TapeWriter::create(&path).expect("created");
        writer.write(Nanos(1), TapeSource::Stream, b"kept").expect("written");
        writer.seal().expect("sealed");
        std::mem::forget(writer);
        let mut reader = TapeReader::open(&path).expect("opens");
        assert_eq!(reader.next().expect("sealed").map(|line| line.payload.to_vec()), Some(b"kept".to_vec()));
    }

    #[test]
    fn lines_that_could_not_be_read_back_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        let mut writer = TapeWriter::create(&path).expect("created");
        for (received, source, payload) in [
            (-1, TapeSource::Stream, &b"{}"[..]),
            (1, TapeSource::Unknown, b"{}"),
            (1, TapeSource::Rest("a\tb"), b"{}"),
            (1, TapeSource::Stream, b""),
        ] {
            assert!(writer.write(Nanos(received), source, payload).is_err(), "{source:?}");
        }
        writer.write(Nanos(1), TapeSource::Stream, b"{\r\n}\n").expect("JSON on several lines");
        writer.finish().expect("finished");
        assert_eq!(read(&path), [(1, "Stream".to_owned(), b"{  } ".to_vec())]);
    }
}
