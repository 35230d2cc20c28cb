//! Several tapes as one: lines in receive order, each with the market of its file.

use std::path::{Path, PathBuf};

use crate::domain::{Market, Nanos};
use crate::error::SetupError;
use crate::venue::replay::bytes::TapeBytes;
use crate::venue::replay::tape::{TapeLine, TapeReader};
use crate::venue::replay::{TapeSource, scan};

/// One line of a set of tapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergedLine<'a> {
    /// When it was received; never earlier than the line before it.
    pub received: Nanos,
    /// The market of its file.
    pub market: Market,
    /// Where it came from.
    pub source: TapeSource<'a>,
    /// Its bytes.
    pub payload: &'a [u8],
    /// Which file of the set, from 0.
    pub tape: usize,
    /// Its number in that file, from 1.
    pub line: u64,
}

/// One file of the set, standing on its next line.
struct Head {
    reader: TapeReader,
    market: Market,
    /// Receive time of its next line, not earlier than the line before; `NEVER` after the last.
    next: Nanos,
    back: u64,
}

impl Head {
    fn open(path: &Path, bytes: &mut TapeBytes) -> Result<Self, SetupError> {
        let market = market_of_tape(path)?;
        let mut head = Self { reader: bytes.open(path)?, market, next: Nanos(i64::MIN), back: 0 };
        head.step()?;
        Ok(head)
    }

    /// Moves to the next line. A receive time that goes back is held where it was, and counted.
    fn step(&mut self) -> Result<(), SetupError> {
        if !self.reader.advance()? {
            self.next = Nanos::NEVER;
            return Ok(());
        }
        let received = self.reader.received();
        self.back += u64::from(received < self.next);
        self.next = self.next.max(received);
        if self.next == Nanos::NEVER {
            return Err(self.reader.line_error("bad receive time: at the end of the range"));
        }
        self.check_market()
    }

    /// Refuses a line that was answered by another market than the file's.
    fn check_market(&self) -> Result<(), SetupError> {
        let Some(url) = self.reader.url() else { return Ok(()) };
        match scan::market_of_url(url).filter(|&market| market != self.market) {
            None => Ok(()),
            Some(market) => Err(self.reader.line_error(&format!(
                "an answer of {market} in a tape of {}: symbols repeat across markets, so each needs its own tape",
                self.market
            ))),
        }
    }
}

/// Tapes merged by receive time; lines of the same time come in the order of the files.
pub struct TapeSet {
    heads: Vec<Head>,
    /// The head whose line was handed out, and has to step before the next is chosen.
    taken: Option<usize>,
    bytes: TapeBytes,
}

impl TapeSet {
    /// Opens the tapes and infers the market of each: from the first REST URL or diff that tells, else spot.
    ///
    /// # Errors
    /// When there is none, or one of them is not a tape.
    pub fn open(paths: &[PathBuf]) -> Result<Self, SetupError> {
        if paths.is_empty() {
            return Err(SetupError::Invalid("no tape given".to_owned()));
        }
        let mut bytes = TapeBytes::default();
        let heads = paths.iter().map(|path| Head::open(path, &mut bytes)).collect::<Result<_, _>>()?;
        Ok(Self { heads, taken: None, bytes })
    }

    /// How far the files have been read, now and later.
    #[must_use]
    pub fn bytes(&self) -> TapeBytes {
        self.bytes.clone()
    }

    /// Market of each tape, in the order of the files.
    pub fn markets(&self) -> impl Iterator<Item = Market> {
        self.heads.iter().map(|head| head.market)
    }

    /// Receive times so far that lay before the line above them in their file, and were held there.
    #[must_use]
    pub fn times_back(&self) -> u64 {
        self.heads.iter().map(|head| head.back).sum()
    }

    /// The next line, or `None` after the last of all tapes.
    ///
    /// # Errors
    /// When a tape is damaged, or mixes markets; see [`TapeReader::next`].
    #[inline]
    #[allow(clippy::should_implement_trait)] // It lends the line: no `Iterator` can.
    pub fn next(&mut self) -> Result<Option<MergedLine<'_>>, SetupError> {
        let Some(tape) = self.choose()? else { return Ok(None) };
        self.taken = Some(tape);
        let head = &self.heads[tape];
        let TapeLine { source, payload, line, .. } = head.reader.current();
        Ok(Some(MergedLine { received: head.next, market: head.market, source, payload, tape, line }))
    }

    /// Receive time of the next line; `NEVER` after the last.
    ///
    /// # Errors
    /// See [`next`](Self::next).
    #[inline]
    pub fn next_time(&mut self) -> Result<Nanos, SetupError> {
        Ok(self.choose()?.map_or(Nanos::NEVER, |tape| self.heads[tape].next))
    }

    /// The head with the earliest next line, once the one handed out has stepped.
    #[inline]
    fn choose(&mut self) -> Result<Option<usize>, SetupError> {
        if let Some(taken) = self.taken.take() {
            self.heads[taken].step()?;
        }
        let earliest = match self.heads[..] {
            // Mostly there is one.
            [_] => Some(0),
            ref heads => (0..heads.len()).min_by_key(|&tape| (heads[tape].next, tape)),
        };
        Ok(earliest.filter(|&tape| self.heads[tape].next != Nanos::NEVER))
    }
}

/// The market of a tape, by the first line that tells; spot if none does.
///
/// # Errors
/// When it is not a tape.
pub fn market_of_tape(path: &Path) -> Result<Market, SetupError> {
    let mut reader = TapeReader::open(path)?;
    while let Some(line) = reader.next()? {
        let market = match line.source {
            TapeSource::Rest(url) => scan::market_of_url(url),
            TapeSource::Stream => scan::market_of_frame(line.payload),
            // Futures have none.
            TapeSource::Sbe => Some(Market::Spot),
            TapeSource::User | TapeSource::Request | TapeSource::Unknown => None,
        };
        if let Some(market) = market {
            return Ok(market);
        }
    }
    Ok(Market::Spot)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a temporary file");
        path
    }

    type Lines = Vec<(i64, Market, String)>;

    /// All lines, and how many receive times went back.
    fn merged(paths: &[PathBuf]) -> Result<(Lines, u64), SetupError> {
        let mut set = TapeSet::open(paths)?;
        let mut lines = Vec::new();
        loop {
            let time = set.next_time()?;
            let Some(line) = set.next()? else { break };
            assert_eq!(line.received, time);
            lines.push((line.received.0, line.market, String::from_utf8_lossy(line.payload).into_owned()));
        }
        assert_eq!(set.next_time()?, Nanos::NEVER);
        Ok((lines, set.times_back()))
    }

    #[test]
    fn lines_come_in_receive_order_and_ties_in_the_order_of_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = file(&folder, "a", "2\tws\ta2\n5\tws\ta5\n4\tws\ta4\n9\tws\ta9\n");
        let second = file(
            &folder,
            "b",
            "1\tws\tb1\n2\tws\tb2\n5\tws\tb5\n8\trest https://fapi.binance.com/fapi/v1/depth?symbol=X\tb8\n",
        );
        let (lines, back) = merged(&[first.clone(), second.clone()]).expect("two tapes");
        let texts = |lines: &Lines| lines.iter().map(|line| line.2.clone()).collect::<Vec<_>>();
        assert_eq!(texts(&lines), ["b1", "a2", "b2", "a5", "a4", "b5", "b8", "a9"]);
        assert_eq!(lines.iter().map(|line| line.0).collect::<Vec<_>>(), [1, 2, 2, 5, 5, 5, 8, 9]);
        assert_eq!(back, 1, "a4 was received before a5");
        assert!(
            lines.iter().all(|(_, market, text)| (*market == Market::UsdMargined) == text.starts_with('b'))
        );

        let (lines, _) = merged(&[second, first]).expect("two tapes");
        assert_eq!(texts(&lines), ["b1", "b2", "a2", "b5", "a5", "a4", "b8", "a9"]);
    }

    #[test]
    fn the_bytes_of_the_files_are_counted_as_they_lie_packed() {
        let folder = tempfile::tempdir().expect("a folder");
        let packed = folder.path().join("a.tsv.gz");
        let mut tape = crate::venue::replay::TapeWriter::create(&packed).expect("a tape");
        for time in 1..=3 {
            tape.write(Nanos(time), TapeSource::Stream, br#"{"e":"trade","s":"X"}"#).expect("written");
        }
        tape.finish().expect("finished");
        let paths = [packed, file(&folder, "b.tsv", "5\tws\t{\"e\":\"trade\",\"s\":\"X\"}\n")];
        let size: u64 = paths.iter().map(|path| std::fs::metadata(path).expect("there").len()).sum();
        let mut set = TapeSet::open(&paths).expect("tapes");
        let bytes = set.bytes();
        assert_eq!(bytes.total(), size);
        while set.next().expect("good").is_some() {}
        assert_eq!(bytes.read(), size);
    }

    #[test]
    fn a_tape_of_two_markets_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "1\trest https://api.binance.com/api/v3/depth?symbol=X\t{}\n\
                    2\trest https://fapi.binance.com/fapi/v1/depth?symbol=X\t{}\n";
        let error = merged(&[file(&folder, "mixed", text)]).expect_err("two markets").to_string();
        assert!(error.contains("mixed: line 2: an answer of usdm in a tape of spot"), "{error}");
    }

    #[test]
    fn markets_are_inferred_without_rest_lines() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, frame, market) in [
            (
                "coinm",
                r#"{"e":"depthUpdate","s":"BTCUSD_PERP","ps":"BTCUSD","U":1,"u":2,"pu":0}"#,
                Market::CoinMargined,
            ),
            ("usdm", r#"{"e":"depthUpdate","s":"BTCUSDT","U":1,"u":2,"pu":0}"#, Market::UsdMargined),
            ("spot", r#"{"e":"depthUpdate","s":"BTCUSDT","U":1,"u":2}"#, Market::Spot),
            ("nothing tells", r#"{"e":"trade","s":"BTCUSDT"}"#, Market::Spot),
        ] {
            let path = file(&folder, name, &format!("1\tws\t{{}}\n2\tws\t{frame}\n"));
            let set = TapeSet::open(&[path]).expect("a tape");
            assert_eq!(set.markets().collect::<Vec<_>>(), [market], "{name}");
        }
        assert!(TapeSet::open(&[]).is_err());
    }
}
