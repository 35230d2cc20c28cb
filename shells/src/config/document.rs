//! The TOML file (`TRADING_CONFIG`): settings by dotted key, each with its line, and the parameters of strategies.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use engine::error::SetupError;
use engine::tick_to_trade::strategy::registry;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::keys::{EXCHANGE_KEYS, KEYS};
use crate::trade::OWN_LIMIT;

/// Section of strategies' parameters: `[strategy.NAME]`.
const STRATEGY: &str = "strategy";

/// Section of what `simulated_exchange` alone is told.
pub const EXCHANGE: &str = "simulated_exchange";

/// A key of `[simulated_exchange]`: its values, one unless it is a list, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Their texts.
    pub values: Vec<String>,
    /// Its line, from 1.
    pub line: usize,
}

/// `[simulated_exchange]`, by key.
pub type Items = BTreeMap<String, Item>;

/// Parameters of strategies, by strategy and key.
pub type Parameters = BTreeMap<String, BTreeMap<String, String>>;

/// A value as it stands in the file.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its text, without quotes; lists are joined by commas.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
}

/// A file that was read: only keys that exist, every one of them once.
#[derive(Default)]
pub struct Document {
    path: PathBuf,
    entries: BTreeMap<String, Entry>,
    parameters: Parameters,
    exchange: Items,
}

impl Document {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, is no TOML, or holds a key that does not exist: with the line.
    pub fn read(path: &Path) -> Result<Self, SetupError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| SetupError::io(path, "reading it", error))?;
        Self::parse(path, &text)
    }

    /// Reads `text`, which is the content of `path`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(path: &Path, text: &str) -> Result<Self, SetupError> {
        let root = DeTable::parse(text).map_err(|error| {
            // Only the parser's own words: its long form quotes the line, which may hold a secret.
            let line = error.span().map_or(1, |span| line_of(text, &span));
            let reason = error.message().lines().next().unwrap_or_default();
            SetupError::file(path, format!("line {line}: {reason}"))
        })?;
        let mut document = Self { path: path.to_owned(), ..Self::default() };
        document.take(text, "", root.get_ref())?;
        Ok(document)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The value of a dotted key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Parameters of strategies.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        self.parameters.clone()
    }

    /// What `simulated_exchange` is told; whether the values do, it judges.
    #[must_use]
    pub fn exchange(&self) -> Items {
        self.exchange.clone()
    }

    fn take(&mut self, text: &str, prefix: &str, table: &DeTable<'_>) -> Result<(), SetupError> {
        for (name, value) in table {
            let name_text = name.get_ref();
            let key = if prefix.is_empty() { name_text.to_string() } else { format!("{prefix}.{name_text}") };
            let line = line_of(text, &name.span());
            match value.get_ref() {
                DeValue::Table(strategies) if key == STRATEGY => self.take_strategies(text, strategies)?,
                DeValue::Table(exchange) if key == EXCHANGE => self.take_exchange(text, exchange)?,
                DeValue::Table(section) if is_section(&key) => self.take(text, &key, section)?,
                _ if is_key(&key) => {
                    let text = self.text_of(&key, line, value)?;
                    self.entries.insert(key, Entry { text, line });
                }
                _ => return Err(self.refuse(line, format!("unknown key {key}; {}", known(prefix)))),
            }
        }
        Ok(())
    }

    fn take_strategies(&mut self, text: &str, table: &DeTable<'_>) -> Result<(), SetupError> {
        for (name, value) in table {
            let line = line_of(text, &name.span());
            let name = name.get_ref();
            let entry = registry::TABLE.iter().find(|entry| entry.name == *name).ok_or_else(|| {
                let known: Vec<_> = registry::TABLE.iter().map(|entry| entry.name).collect();
                self.refuse(line, format!("no strategy {name}; there are {}", known.join(", ")))
            })?;
            let DeValue::Table(parameters) = value.get_ref() else {
                return Err(self.refuse(line, format!("strategy.{name} is no table of parameters")));
            };
            let known = entry.parameters();
            let mut taken = BTreeMap::new();
            for (key, value) in parameters {
                let line = line_of(text, &key.span());
                let key = key.get_ref();
                if *key != OWN_LIMIT && !known.iter().any(|parameter| parameter.key == *key) {
                    let own = known.iter().map(|parameter| parameter.key);
                    let known: Vec<_> = own.chain([OWN_LIMIT]).collect();
                    let reason = format!("{name} has no parameter {key}; it has {}", known.join(", "));
                    return Err(self.refuse(line, reason));
                }
                let text = self.text_of(key, line, value)?;
                taken.insert(key.to_string(), text);
            }
            self.parameters.insert(name.to_string(), taken);
        }
        Ok(())
    }

    fn take_exchange(&mut self, text: &str, table: &DeTable<'_>) -> Result<(), SetupError> {
        for (name, value) in table {
            let line = line_of(text, &name.span());
            let name = name.get_ref();
            if !EXCHANGE_KEYS.iter().any(|known| known == name) {
                let reason = format!("unknown key {EXCHANGE}.{name}; there are {}", EXCHANGE_KEYS.join(", "));
                return Err(self.refuse(line, reason));
            }
            let key = format!("{EXCHANGE}.{name}");
            let one = |value: &DeValue<'_>| {
                let unfit = || self.refuse(line, format!("{key}: a {} does not do", value.type_str()));
                scalar(value).ok_or_else(unfit)
            };
            let values: Vec<_> = match value.get_ref() {
                DeValue::Array(values) => {
                    values.iter().map(|value| one(value.get_ref())).collect::<Result<_, _>>()?
                }
                value => vec![one(value)?],
            };
            if values.is_empty() {
                return Err(self.refuse(line, format!("{key} is empty; leave it out instead")));
            }
            self.exchange.insert(name.to_string(), Item { values, line });
        }
        Ok(())
    }

    fn text_of(&self, key: &str, line: usize, value: &Spanned<DeValue<'_>>) -> Result<String, SetupError> {
        let text = match value.get_ref() {
            DeValue::Array(values) => {
                let parts = values.iter().map(|value| scalar(value.get_ref()));
                parts.collect::<Option<Vec<_>>>().map(|parts| parts.join(","))
            }
            DeValue::Table(table) => {
                let pairs = table.iter().map(|(name, value)| {
                    scalar(value.get_ref()).map(|value| format!("{}={value}", name.get_ref()))
                });
                pairs.collect::<Option<Vec<_>>>().map(|pairs| pairs.join(","))
            }
            value => scalar(value),
        };
        match text {
            Some(text) if text.is_empty() => {
                Err(self.refuse(line, format!("{key} is empty; leave it out instead")))
            }
            Some(text) => Ok(text),
            None => Err(self.refuse(line, format!("{key}: a {} does not do", value.get_ref().type_str()))),
        }
    }

    /// An error on a line of the file.
    #[must_use]
    pub fn refuse(&self, line: usize, reason: impl std::fmt::Display) -> SetupError {
        SetupError::file(&self.path, format!("line {line}: {reason}"))
    }
}

/// The key of a secret's file.
#[must_use]
pub fn file_key(toml: &str) -> String {
    format!("{toml}_file")
}

fn is_key(key: &str) -> bool {
    KEYS.iter().any(|known| known.toml == key || (known.secret_file.is_some() && file_key(known.toml) == key))
}

fn is_section(key: &str) -> bool {
    KEYS.iter().any(|known| known.toml.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
}

/// What may stand where an unknown key stood.
fn known(prefix: &str) -> String {
    let inside = |key: &'static str| match key.split_once('.') {
        None => prefix.is_empty().then_some(key),
        Some((section, name)) => (section == prefix).then_some(name),
    };
    let mut names: Vec<&str> = KEYS.iter().filter_map(|key| inside(key.toml)).collect();
    if prefix.is_empty() {
        names.extend(["[limits]", "[binance]", "[engine]", "[service]", "[endpoints]"]);
        names.extend(["[zmq]", "[gateway]", "[log]", "[simulated_exchange]", "[strategy.NAME]"]);
    }
    format!("there are {}", names.join(", "))
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        // Numbers as they are written: nothing is rounded on the way.
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(value) => Some(value.to_string()),
        _ => None,
    }
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    let before = text.as_bytes().get(..span.start).unwrap_or(text.as_bytes());
    before.iter().filter(|&&byte| byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Document::parse(Path::new("a.toml"), text).err().expect("refused").to_string()
    }

    #[test]
    fn values_keep_their_text_and_their_line() {
        let text = "symbols = [\"A\", \"B\"]\n[limits]\nmax_daily_loss = 1000.50\n\n[engine]\ncores = { ingest = 2, risk = 3 }\n[strategy.market_making]\ngamma = 0.1\n";
        let document = Document::parse(Path::new("a.toml"), text).expect("good");
        let get = |key: &str| document.get(key).map(|entry| (entry.text.as_str(), entry.line));
        assert_eq!(get("symbols"), Some(("A,B", 1)));
        assert_eq!(get("limits.max_daily_loss"), Some(("1000.50", 3)));
        assert_eq!(get("engine.cores"), Some(("ingest=2,risk=3", 6)));
        assert_eq!(get("venue"), None);
        assert_eq!(document.parameters()["market_making"]["gamma"], "0.1");
    }

    #[test]
    fn refusals_name_the_line_and_the_key() {
        for (text, expected) in [
            ("venue = \"simulated\"\nsymbol = \"A\"\n", "a.toml: line 2: unknown key symbol; there are"),
            (
                "[limits]\n\nmax_loss = 3\n",
                "line 3: unknown key limits.max_loss; there are max_position_size,",
            ),
            ("[limit]\nx = 3\n", "line 1: unknown key limit;"),
            ("limits = 3\n", "line 1: unknown key limits;"),
            ("live = 2026-01-01\n", "line 1: live: a datetime does not do"),
            ("live = 0x10\n", "line 1: live: a integer does not do"),
            ("symbols = []\n", "line 1: symbols is empty"),
            ("venue = \"\"\n", "line 1: venue is empty"),
            ("\nvenue = \"a\"\nvenue = \"b\"\n", "line 3: "),
            ("a = \"se cret\n", "line 1: "),
            (
                "[simulated_exchange]\n\nsed = 1\n",
                "line 3: unknown key simulated_exchange.sed; there are bind, port,",
            ),
            ("[simulated_exchange]\ntape = [[1]]\n", "line 2: simulated_exchange.tape: a array does not do"),
            ("[strategy.hodl]\nx = 1\n", "line 1: no strategy hodl; there are market_making"),
            ("[strategy.momentum]\ngamma = 1\n", "line 2: momentum has no parameter gamma; it has fast"),
            ("[strategy]\nmomentum = 1\n", "line 2: strategy.momentum is no table"),
        ] {
            let error = refusal(text);
            assert!(error.contains(expected) && error.lines().count() == 1, "{error}");
            assert!(!error.contains("se cret"), "{error}");
        }
    }
}
