//! Damaged copies of a tape: real frames whose order or presence is altered, to try recovery with. No recording
//! at hand contains a real gap.

use std::path::Path;
use std::str::FromStr;

use crate::domain::Nanos;
use crate::error::SetupError;
use crate::venue::replay::tape::TapeReader;
use crate::venue::replay::write::TapeWriter;
use crate::venue::replay::{TapeSource, scan};

/// One damage. Depth diffs are counted from 0, over all symbols, in the undamaged tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Leaves out `count` diffs from the `first` on: `drop:FIRST:COUNT`.
    Drop {
        /// The first diff.
        first: usize,
        /// How many.
        count: usize,
    },
    /// Repeats a diff: `dup:N`.
    Duplicate(usize),
    /// Swaps the payloads of a diff and the next: `swap:N`.
    Swap(usize),
    /// Cuts a diff's text in half: `cut:N`.
    Cut(usize),
    /// Delays every REST answer by milliseconds: `late:MS`.
    Late(i64),
}

impl FromStr for Damage {
    type Err = SetupError;

    fn from_str(text: &str) -> Result<Self, SetupError> {
        let unknown = || {
            SetupError::Invalid(format!(
                "damage {text}: drop:FIRST:COUNT, dup:N, swap:N, cut:N or late:MS expected"
            ))
        };
        let (kind, rest) = text.split_once(':').ok_or_else(unknown)?;
        let number = |text: &str| text.parse::<u32>().map_err(|_| unknown());
        if kind == "drop" {
            let (first, count) = rest.split_once(':').ok_or_else(unknown)?;
            return Ok(Self::Drop { first: number(first)? as usize, count: number(count)? as usize });
        }
        let at = number(rest)?;
        match kind {
            "dup" => Ok(Self::Duplicate(at as usize)),
            "swap" => Ok(Self::Swap(at as usize)),
            "cut" => Ok(Self::Cut(at as usize)),
            "late" => Ok(Self::Late(i64::from(at))),
            _ => Err(unknown()),
        }
    }
}

/// A line of a tape, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedLine {
    /// When it was received.
    pub received: Nanos,
    /// The URL of a REST answer; `None` for a stream frame.
    pub url: Option<String>,
    /// Its bytes.
    pub payload: Vec<u8>,
}

impl OwnedLine {
    /// Where it came from.
    #[must_use]
    pub fn source(&self) -> TapeSource<'_> {
        self.url.as_deref().map_or(TapeSource::Stream, TapeSource::Rest)
    }
}

/// Reads a tape of market data into memory.
///
/// # Errors
/// When it is not a tape, or holds SBE, or our own orders: those cannot be damaged meaningfully.
pub fn read_lines(path: &Path) -> Result<Vec<OwnedLine>, SetupError> {
    let mut reader = TapeReader::open(path)?;
    let mut lines = Vec::new();
    while let Some(line) = reader.next()? {
        let url = match line.source {
            TapeSource::Stream => None,
            TapeSource::Rest(url) => Some(url.to_owned()),
            source => {
                return Err(SetupError::file(
                    path,
                    format!("line {}: only market data in JSON is damaged, not {source:?}", line.line),
                ));
            }
        };
        lines.push(OwnedLine { received: line.received, url, payload: line.payload.to_vec() });
    }
    Ok(lines)
}

/// Damages lines, one damage after the other, and sorts them by receive time again.
///
/// # Errors
/// When a damage names a diff that the tape does not have, or that one before it left out.
pub fn damage(lines: Vec<OwnedLine>, damages: &[Damage]) -> Result<Vec<OwnedLine>, SetupError> {
    // Each line of the tape as the copies that remain of it.
    let mut copies: Vec<Vec<OwnedLine>> = lines.into_iter().map(|line| vec![line]).collect();
    let is_diff = |line: &OwnedLine| line.url.is_none() && scan::is_depth_diff(&line.payload);
    let diffs: Vec<usize> = (0..copies.len()).filter(|&at| is_diff(&copies[at][0])).collect();
    for &one in damages {
        let missing = |nth: usize| SetupError::Invalid(format!("{one:?}: the tape has no diff {nth} (left)"));
        let diff = |nth: usize| diffs.get(nth).copied().ok_or_else(|| missing(nth));
        match one {
            Damage::Drop { first, count } => {
                let dropped = diffs.get(first..first + count).ok_or_else(|| missing(first + count))?;
                dropped.iter().for_each(|&at| copies[at].clear());
            }
            Damage::Duplicate(nth) => {
                let line = copies[diff(nth)?].first().cloned().ok_or_else(|| missing(nth))?;
                copies[diff(nth)?].push(line);
            }
            Damage::Swap(nth) => {
                let (at, next) = (diff(nth)?, diff(nth + 1)?);
                let (before, after) = copies.split_at_mut(next);
                match (before[at].first_mut(), after[0].first_mut()) {
                    (Some(one), Some(other)) => std::mem::swap(&mut one.payload, &mut other.payload),
                    _ => return Err(missing(nth)),
                }
            }
            Damage::Cut(nth) => {
                let line = copies[diff(nth)?].first_mut().ok_or_else(|| missing(nth))?;
                line.payload.truncate(line.payload.len() / 2);
            }
            Damage::Late(millis) => {
                for line in copies.iter_mut().flatten().filter(|line| line.url.is_some()) {
                    line.received = line.received.saturating_add(Nanos::from_millis(millis));
                }
            }
        }
    }
    let mut lines: Vec<OwnedLine> = copies.into_iter().flatten().collect();
    lines.sort_by_key(|line| line.received);
    Ok(lines)
}

/// Writes a damaged copy of the tape `from` to the new file `to`.
///
/// # Errors
/// See [`read_lines`], [`damage`] and [`TapeWriter`].
pub fn damage_file(from: &Path, to: &Path, damages: &[Damage]) -> Result<(), SetupError> {
    let lines = damage(read_lines(from)?, damages)?;
    let mut writer = TapeWriter::create(to)?;
    for line in &lines {
        writer.write(line.received, line.source(), &line.payload)?;
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tape() -> Vec<OwnedLine> {
        let diff = |n: i64| OwnedLine {
            received: Nanos::from_millis(n),
            url: None,
            payload: format!(r#"{{"e":"depthUpdate","s":"A{n}"}}"#).into_bytes(),
        };
        let rest = OwnedLine {
            received: Nanos::from_millis(2),
            url: Some("u".into()),
            payload: b"snapshot".to_vec(),
        };
        let trade =
            OwnedLine { received: Nanos::from_millis(2), url: None, payload: br#"{"e":"trade"}"#.to_vec() };
        vec![diff(1), rest, trade, diff(3), diff(4), diff(5)]
    }

    fn after(damages: &[&str]) -> Vec<String> {
        let damages: Vec<Damage> = damages.iter().map(|text| text.parse().expect("a damage")).collect();
        let lines = damage(tape(), &damages).expect("possible");
        lines.iter().map(|line| String::from_utf8_lossy(&line.payload).into_owned()).collect()
    }

    #[test]
    fn each_damage_does_what_it_says() {
        let diff = |n: i64| format!(r#"{{"e":"depthUpdate","s":"A{n}"}}"#);
        let (rest, trade) = (String::from("snapshot"), String::from(r#"{"e":"trade"}"#));
        let whole = vec![diff(1), rest.clone(), trade.clone(), diff(3), diff(4), diff(5)];
        assert_eq!(after(&[]), whole);
        assert_eq!(after(&["drop:1:2"]), [diff(1), rest.clone(), trade.clone(), diff(5)]);
        assert_eq!(after(&["dup:0"])[..3], [diff(1), diff(1), rest.clone()]);
        assert_eq!(after(&["swap:0"])[..4], [diff(3), rest.clone(), trade.clone(), diff(1)]);
        let half = diff(4)[..diff(4).len() / 2].to_owned();
        assert_eq!(after(&["cut:2"])[3..], [diff(3), half, diff(5)]);
        assert_eq!(after(&["late:2"]), [diff(1), trade, diff(3), rest, diff(4), diff(5)]);
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for text in ["drop:1", "drop", "cut:x", "melt:1", "late:-1", "dup:", "swap:1:2"] {
            assert!(text.parse::<Damage>().is_err(), "{text}");
        }
        for damages in [&[Damage::Drop { first: 3, count: 2 }][..], &[Damage::Swap(3)], &[Damage::Cut(9)]] {
            assert!(damage(tape(), damages).is_err(), "{damages:?}");
        }
        let gone = [Damage::Drop { first: 0, count: 1 }, Damage::Duplicate(0)];
        assert!(damage(tape(), &gone).is_err());
    }
}
