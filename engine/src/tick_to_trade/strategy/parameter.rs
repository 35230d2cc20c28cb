//! Typed parameters: one table a strategy, from which reading, checking and showing follow.

use crate::domain::{Nanos, Scale, decimal};

/// Why a parameter was refused: one line that names the key, the value and what would do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The strategy has no such parameter.
    #[error("{strategy}: no parameter {key:?}; it has {known}")]
    Unknown {
        /// The strategy.
        strategy: &'static str,
        /// The key given.
        key: String,
        /// Its keys.
        known: String,
    },
    /// The value cannot be read, or is out of range.
    #[error("{strategy}: {key} = {value:?}: {reason}; it takes {range}")]
    Value {
        /// The strategy.
        strategy: &'static str,
        /// The key.
        key: &'static str,
        /// The value given.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
        /// What would do.
        range: String,
    },
    /// The values do not go together.
    #[error("{strategy}: {reason}")]
    Conflict {
        /// The strategy.
        strategy: &'static str,
        /// Which do not.
        reason: &'static str,
    },
}

/// A parameter as users see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterValue {
    /// Its key.
    pub key: &'static str,
    /// Its value; reading it back gives the same value.
    pub value: String,
    /// What it does, with its unit.
    pub doc: &'static str,
    /// The values it takes.
    pub range: String,
}

/// What a parameter holds, and where in `P`.
pub enum Kind<P> {
    /// A number from `min` to `max`.
    Number {
        /// Least.
        min: f64,
        /// Most.
        max: f64,
        /// Where it is.
        slot: fn(&mut P) -> &mut f64,
    },
    /// A whole number from `min` to `max`.
    Count {
        /// Least.
        min: i64,
        /// Most.
        max: i64,
        /// Where it is.
        slot: fn(&mut P) -> &mut i64,
    },
    /// A span of time from `min` to `max`, such as `250ms`, `1.5s`, `2m`, `1h`.
    Duration {
        /// Least.
        min: Nanos,
        /// Most.
        max: Nanos,
        /// Where it is.
        slot: fn(&mut P) -> &mut Nanos,
    },
    /// One of a few words.
    Choice {
        /// The words.
        words: &'static [&'static str],
        /// Takes the index of a word.
        set: fn(&mut P, usize),
        /// Gives the index of the word.
        get: fn(&P) -> usize,
    },
}

/// One row of a table.
pub struct Parameter<P> {
    /// Its key, as users write it.
    pub key: &'static str,
    /// What it does, with its unit.
    pub doc: &'static str,
    /// What it holds.
    pub kind: Kind<P>,
}

/// The parameters of a strategy.
pub struct Table<P: 'static> {
    /// The strategy, named in every refusal.
    pub strategy: &'static str,
    /// Its parameters.
    pub rows: &'static [Parameter<P>],
    /// Which values do not go together, if any.
    pub check: fn(&P) -> Result<(), &'static str>,
}

impl<P: Copy> Table<P> {
    /// Changes one parameter, or leaves all as they were.
    ///
    /// # Errors
    /// When the key is not known, the value cannot be read or is out of range, or does not go with the others.
    pub fn set(&self, parameters: &mut P, key: &str, value: &str) -> Result<(), ParameterError> {
        self.set_all(parameters, [(key, value)])
    }

    /// Changes several parameters at once, or leaves all as they were.
    ///
    /// # Errors
    /// As [`set`](Self::set), for the first that fails.
    pub fn set_all<'a>(
        &self,
        parameters: &mut P,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), ParameterError> {
        let mut changed = *parameters;
        for (key, value) in pairs {
            let row = self.rows.iter().find(|row| row.key == key).ok_or_else(|| {
                let known: Vec<_> = self.rows.iter().map(|row| row.key).collect();
                ParameterError::Unknown {
                    strategy: self.strategy,
                    key: key.to_owned(),
                    known: known.join(", "),
                }
            })?;
            row.kind.read(&mut changed, value).map_err(|reason| ParameterError::Value {
                strategy: self.strategy,
                key: row.key,
                value: value.to_owned(),
                reason,
                range: row.kind.range(),
            })?;
        }
        (self.check)(&changed)
            .map_err(|reason| ParameterError::Conflict { strategy: self.strategy, reason })?;
        *parameters = changed;
        Ok(())
    }

    /// Every parameter with its present value.
    #[must_use]
    pub fn show(&self, parameters: &P) -> Vec<ParameterValue> {
        let row = |row: &Parameter<P>| ParameterValue {
            key: row.key,
            value: row.kind.show(*parameters),
            doc: row.doc,
            range: row.kind.range(),
        };
        self.rows.iter().map(row).collect()
    }
}

impl<P> Kind<P> {
    fn read(&self, parameters: &mut P, text: &str) -> Result<(), &'static str> {
        const RANGE: &str = "out of range";
        match self {
            Self::Number { min, max, slot } => {
                let value: f64 = text.parse().map_err(|_| "not a number")?;
                // Written so that NaN is out of range.
                let inside = (*min..=*max).contains(&value);
                *slot(parameters) = inside.then_some(value).ok_or(RANGE)?;
            }
            Self::Count { min, max, slot } => {
                let value: i64 = text.parse().map_err(|_| "not a whole number")?;
                *slot(parameters) = (*min..=*max).contains(&value).then_some(value).ok_or(RANGE)?;
            }
            Self::Duration { min, max, slot } => {
                let value = read_duration(text).ok_or("not a duration such as 250ms, 1.5s, 2m")?;
                *slot(parameters) = (*min..=*max).contains(&value).then_some(value).ok_or(RANGE)?;
            }
            Self::Choice { words, set, .. } => {
                set(parameters, words.iter().position(|word| *word == text).ok_or("not one of its words")?);
            }
        }
        Ok(())
    }

    fn show(&self, mut parameters: P) -> String {
        match self {
            Self::Number { slot, .. } => slot(&mut parameters).to_string(),
            Self::Count { slot, .. } => slot(&mut parameters).to_string(),
            Self::Duration { slot, .. } => show_duration(*slot(&mut parameters)),
            Self::Choice { words, get, .. } => words[get(&parameters)].to_owned(),
        }
    }

    fn range(&self) -> String {
        match self {
            Self::Number { min, max, .. } => format!("{min} to {max}"),
            Self::Count { min, max, .. } => format!("{min} to {max}"),
            Self::Duration { min, max, .. } => format!("{} to {}", show_duration(*min), show_duration(*max)),
            Self::Choice { words, .. } => words.join("|"),
        }
    }
}

/// Units of a duration: name, digits of nanoseconds, and how many of that make one.
const UNITS: [(&str, u8, i64); 6] =
    [("ns", 0, 1), ("us", 3, 1), ("ms", 6, 1), ("s", 9, 1), ("m", 9, 60), ("h", 9, 3_600)];

fn read_duration(text: &str) -> Option<Nanos> {
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(split);
    let &(_, digits, times) = UNITS.iter().find(|(name, ..)| *name == unit)?;
    let value = decimal::parse(number.as_bytes(), Scale::new(digits)?).ok()?;
    value.checked_mul(times).map(Nanos)
}

fn show_duration(span: Nanos) -> String {
    let nanos = |&(_, digits, times): &(&str, u8, i64)| 10_i64.pow(digits.into()) * times;
    let largest = UNITS.iter().rev().find(|unit| span.0 != 0 && span.0 % nanos(unit) == 0);
    let unit = largest.unwrap_or(&UNITS[3]);
    format!("{}{}", span.0 / nanos(unit), unit.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Sample {
        gain: f64,
        count: i64,
        every: Nanos,
        word: usize,
    }

    const START: Sample = Sample { gain: 0.5, count: 3, every: Nanos::from_millis(250), word: 0 };

    static TABLE: Table<Sample> = Table {
        strategy: "sample",
        rows: &[
            Parameter {
                key: "gain",
                doc: "a gain",
                kind: Kind::Number { min: 0.1, max: 2.0, slot: |p| &mut p.gain },
            },
            Parameter {
                key: "count",
                doc: "a count",
                kind: Kind::Count { min: 1, max: 9, slot: |p| &mut p.count },
            },
            Parameter {
                key: "every",
                doc: "a span",
                kind: Kind::Duration {
                    min: Nanos::ZERO,
                    max: Nanos::from_secs(3_600),
                    slot: |p| &mut p.every,
                },
            },
            Parameter {
                key: "word",
                doc: "a word",
                kind: Kind::Choice { words: &["one", "two"], set: |p, i| p.word = i, get: |p| p.word },
            },
        ],
        check: |p| if p.count == 9 && p.word == 1 { Err("count 9 does not go with two") } else { Ok(()) },
    };

    #[test]
    fn sets_and_shows_every_kind() {
        let mut sample = START;
        let pairs = [("gain", "1.25"), ("count", "7"), ("every", "1.5s"), ("word", "two")];
        TABLE.set_all(&mut sample, pairs).expect("valid values");
        assert_eq!(sample, Sample { gain: 1.25, count: 7, every: Nanos::from_millis(1_500), word: 1 });
        let mut again = START;
        for parameter in TABLE.show(&sample) {
            TABLE.set(&mut again, parameter.key, &parameter.value).expect("what is shown can be read");
        }
        assert_eq!(again, sample);
        assert_eq!(TABLE.show(&sample)[2].value, "1500ms");
        assert_eq!(TABLE.show(&sample)[2].range, "0s to 1h");
    }

    #[test]
    fn a_refusal_names_key_value_and_range_and_changes_nothing() {
        for (key, value, line) in [
            ("gain", "2.5", r#"sample: gain = "2.5": out of range; it takes 0.1 to 2"#),
            ("gain", "NaN", r#"sample: gain = "NaN": out of range; it takes 0.1 to 2"#),
            ("gain", "inf", r#"sample: gain = "inf": out of range; it takes 0.1 to 2"#),
            ("gain", "much", r#"sample: gain = "much": not a number; it takes 0.1 to 2"#),
            ("count", "1.5", r#"sample: count = "1.5": not a whole number; it takes 1 to 9"#),
            (
                "every",
                "5",
                r#"sample: every = "5": not a duration such as 250ms, 1.5s, 2m; it takes 0s to 1h"#,
            ),
            ("every", "-1s", r#"sample: every = "-1s": out of range; it takes 0s to 1h"#),
            ("word", "six\n", r#"sample: word = "six\n": not one of its words; it takes one|two"#),
            ("gian", "1", r#"sample: no parameter "gian"; it has gain, count, every, word"#),
        ] {
            let mut sample = START;
            // The first pair is valid, and must not stick when the second is refused.
            let error =
                TABLE.set_all(&mut sample, [("count", "4"), (key, value)]).expect_err("an invalid value");
            assert_eq!(error.to_string(), line);
            assert_eq!(sample, START, "{key} = {value}");
        }
    }

    #[test]
    fn values_that_do_not_go_together_are_refused_whatever_their_order() {
        for pairs in [[("count", "9"), ("word", "two")], [("word", "two"), ("count", "9")]] {
            let mut sample = START;
            let error = TABLE.set_all(&mut sample, pairs).expect_err("a conflict");
            assert_eq!(error.to_string(), "sample: count 9 does not go with two");
            assert_eq!(sample, START);
        }
    }
}
