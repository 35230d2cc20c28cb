//! Which layer each setting's value comes from: flag, environment, TOML, default, in this order.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use engine::error::SetupError;

use crate::config::document::{Document, Items, Parameters, file_key};
use crate::config::environment::Environment;
use crate::config::flags::flag_of;
use crate::config::keys::{CONFIG, KEYS, Key};
use crate::config::secret::{Secret, read_file};

/// Where a value was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// On the command line.
    Flag(String),
    /// In the environment.
    Environment(String),
    /// On a line of the TOML file.
    Toml(PathBuf, usize),
    /// Nowhere: the default stands.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::Toml(path, line) => write!(f, "{} line {line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A setting's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Not set, and there is no default.
    Unset,
    /// A value that may be seen.
    Plain(String),
    /// A secret.
    Secret(Secret),
    /// A secret that this process has no use for: it was not read.
    Withheld,
}

/// Whether a process may hold the keys to the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// It signs.
    Read,
    /// It follows SBE streams: the key to market data alone comes into its memory.
    MarketData,
    /// It does not sign: no key comes into its memory.
    Withhold,
}

/// A setting with its value and where it was found.
#[derive(Clone, Debug)]
pub struct Row {
    /// The setting.
    pub key: &'static Key,
    /// Its value.
    pub value: Value,
    /// Where it was found.
    pub source: Source,
    /// The file that its value was read from, where a file was named.
    pub file: Option<PathBuf>,
}

/// What was found, and where it may still be: a text, or the name of a file with it.
struct Found {
    text: String,
    is_file: bool,
    /// What an error names: flag, variable, or key.
    name: String,
    source: Source,
}

/// Every setting's row, checked. The TOML file itself is not kept: a secret may stand in it.
#[derive(Debug)]
pub struct Layers {
    rows: Vec<Row>,
    file: Option<PathBuf>,
    parameters: Parameters,
    exchange: Items,
}

/// The secret that opens market data.
const MARKET_DATA_KEY: &str = "BINANCE_MARKET_DATA_KEY";

/// What `simulated_exchange` alone is told by the environment: events a second and symbol.
pub const EXCHANGE_RATE: &str = "TRADING_EXCHANGE_RATE";

/// Variables with our prefix that are none of these: those of the compose file and of the checks, and the simulated
/// exchange's own.
const FOREIGN: [&str; 4] = ["TRADING_CI", "TRADING_SUBNET", "TRADING_PULL_POLICY", EXCHANGE_RATE];

/// Before the names of the tests' own.
const TESTS: &str = "TRADING_TEST_";

impl Layers {
    /// Finds and checks every setting.
    ///
    /// # Errors
    /// At an unknown variable or key, a value that does not do, or a file that cannot be read.
    pub fn find(
        flags: &BTreeMap<&'static str, String>,
        environment: &Environment,
        secrets: Secrets,
    ) -> Result<Self, SetupError> {
        refuse_unknown(environment)?;
        let named = flags.get(CONFIG.0).map(String::as_str).or_else(|| environment.get(CONFIG.0));
        let document = named.map(|path| Document::read(Path::new(path))).transpose()?;
        let row = |key: &'static Key| {
            let found = match from_flags(key, flags) {
                Some(found) => Some(found),
                None => match from_environment(key, environment)? {
                    Some(found) => Some(found),
                    None => document.as_ref().map_or(Ok(None), |document| from_document(key, document))?,
                },
            };
            row(key, found, secrets)
        };
        let rows = KEYS.iter().map(row).collect::<Result<_, _>>()?;
        let parameters = document.as_ref().map(Document::parameters).unwrap_or_default();
        let exchange = document.as_ref().map(Document::exchange).unwrap_or_default();
        Ok(Self { rows, file: document.map(|document| document.path().to_owned()), parameters, exchange })
    }

    /// All rows.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The TOML file, if there is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Parameters of strategies from the TOML file.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// What the TOML file tells `simulated_exchange` alone.
    #[must_use]
    pub const fn exchange(&self) -> &Items {
        &self.exchange
    }

    /// The row of a variable.
    ///
    /// # Panics
    /// When there is no such setting: an error in the program.
    #[must_use]
    pub fn row(&self, variable: &str) -> &Row {
        self.rows.iter().find(|row| row.key.variable == variable).expect("a variable of the table of keys")
    }

    /// The text of a setting that is no secret.
    #[must_use]
    pub fn text(&self, variable: &str) -> Option<&str> {
        match &self.row(variable).value {
            Value::Plain(text) => Some(text),
            Value::Unset | Value::Secret(_) | Value::Withheld => None,
        }
    }

    /// The value of a setting, as a `T`.
    ///
    /// # Errors
    /// When it cannot be read as one.
    pub fn optional<T: FromStr>(&self, variable: &str) -> Result<Option<T>, SetupError>
    where
        T::Err: fmt::Display,
    {
        let parse = |text: &str| {
            text.parse().map_err(|error| SetupError::Invalid(format!("{variable}={text}: {error}")))
        };
        self.text(variable).map(parse).transpose()
    }

    /// The value of a setting that has a default.
    ///
    /// # Errors
    /// When it cannot be read as a `T`.
    pub fn value<T: FromStr>(&self, variable: &str) -> Result<T, SetupError>
    where
        T::Err: fmt::Display,
    {
        let missing = || SetupError::Invalid(format!("{variable} is not set"));
        self.optional(variable)?.ok_or_else(missing)
    }
}

/// A typo in a variable's name must not leave the default in force.
fn refuse_unknown(environment: &Environment) -> Result<(), SetupError> {
    let known = |name: &str| {
        let plain = name.strip_suffix("_FILE").unwrap_or(name);
        name == CONFIG.0 || KEYS.iter().any(|key| key.variable == name || key.variable == plain)
    };
    // Kubernetes injects these for a service whose name begins with ours.
    let injected = |name: &str| {
        name.ends_with("_SERVICE_HOST")
            || name.contains("_SERVICE_PORT")
            || name.ends_with("_PORT")
            || ["_TCP", "_UDP"].iter().any(|protocol| name.contains(protocol) && name.contains("_PORT_"))
    };
    let ours = environment.names().filter(|name| name.starts_with("TRADING_"));
    let foreign = |name: &str| name.starts_with(TESTS) || FOREIGN.contains(&name);
    match ours.into_iter().find(|name| !known(name) && !foreign(name) && !injected(name)) {
        None => Ok(()),
        Some(name) => {
            Err(SetupError::Invalid(format!("{name}: no such setting; `trading config show` lists them all")))
        }
    }
}

fn from_flags(key: &'static Key, flags: &BTreeMap<&'static str, String>) -> Option<Found> {
    let (variable, is_file) = match key.secret_file {
        Some((variable, _)) => (variable, true),
        None => (key.variable, false),
    };
    flags.get(variable).map(|text| {
        let flag = flag_of(variable);
        Found { text: text.clone(), is_file, name: flag.clone(), source: Source::Flag(flag) }
    })
}

fn from_environment(key: &'static Key, environment: &Environment) -> Result<Option<Found>, SetupError> {
    let file = format!("{}_FILE", key.variable);
    let (name, text, is_file) = match (environment.get(key.variable), environment.get(&file)) {
        (Some(_), Some(_)) => {
            return Err(SetupError::Invalid(format!("{} and {file} are both set: keep one", key.variable)));
        }
        (Some(text), None) => (key.variable.to_owned(), text, false),
        (None, Some(path)) => (file, path, true),
        (None, None) => return Ok(None),
    };
    let source = Source::Environment(name.clone());
    Ok(Some(Found { text: text.to_owned(), is_file, name, source }))
}

fn from_document(key: &'static Key, document: &Document) -> Result<Option<Found>, SetupError> {
    let file = file_key(key.toml);
    let found = |name: &str, is_file| {
        document.get(name).map(|entry| Found {
            text: entry.text.clone(),
            is_file,
            name: format!("{} line {}: {name}", document.path().display(), entry.line),
            source: Source::Toml(document.path().to_owned(), entry.line),
        })
    };
    match (found(key.toml, false), key.secret_file.and_then(|_| found(&file, true))) {
        (Some(_), Some(both)) => {
            Err(SetupError::Invalid(format!("{}: {} is set as well: keep one", both.name, key.toml)))
        }
        (plain, file) => Ok(plain.or(file)),
    }
}

fn row(key: &'static Key, found: Option<Found>, secrets: Secrets) -> Result<Row, SetupError> {
    let Some(Found { text, is_file, name, source }) = found else {
        let value = key.default.map_or(Value::Unset, |default| Value::Plain(default.to_owned()));
        return Ok(Row { key, value, source: Source::Default, file: None });
    };
    let is_secret = key.secret_file.is_some();
    let reads = match secrets {
        Secrets::Read => true,
        Secrets::MarketData => key.variable == MARKET_DATA_KEY,
        Secrets::Withhold => false,
    };
    if is_secret && !reads {
        return Ok(Row { key, value: Value::Withheld, source, file: None });
    }
    let file = is_file.then(|| PathBuf::from(&text));
    let text = if is_file { read_file(&name, Path::new(&text))? } else { text };
    (key.check)(&text).map_err(|error| {
        let shown = if is_secret || is_file { String::new() } else { format!("={text}") };
        SetupError::Invalid(format!("{name}{shown}: {error}"))
    })?;
    let value = if is_secret { Value::Secret(Secret::new(text)) } else { Value::Plain(text) };
    Ok(Row { key, value, source, file })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(
        flags: &[(&'static str, &str)],
        environment: &[(&str, &str)],
        secrets: Secrets,
    ) -> Result<Layers, String> {
        let flags = flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let environment: Environment = environment.iter().copied().collect();
        Layers::find(&flags, &environment, secrets).map_err(|error| error.to_string())
    }

    #[test]
    fn each_layer_beats_those_behind_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.toml");
        std::fs::write(&file, "[service]\nport = 1\nbind = \"0.0.0.0\"\n[zmq]\nlinger = 5\n")
            .expect("written");
        let config = ("TRADING_CONFIG", file.to_str().expect("a path"));
        let environment = [config, ("TRADING_PORT", "2"), ("TRADING_ZMQ_LINGER", "6"), ("TRADING_IDLE", "")];
        let found = layers(&[("TRADING_PORT", "3")], &environment, Secrets::Read).expect("good");
        let show = |variable| {
            let row = found.row(variable);
            (found.text(variable).map(str::to_owned), row.source.to_string())
        };
        let toml = format!("{} line 3", file.display());
        assert_eq!(show("TRADING_PORT"), (Some("3".into()), "flag --port".into()));
        assert_eq!(show("TRADING_ZMQ_LINGER"), (Some("6".into()), "environment TRADING_ZMQ_LINGER".into()));
        assert_eq!(show("TRADING_BIND"), (Some("0.0.0.0".into()), toml));
        assert_eq!(show("TRADING_IDLE"), (Some("backoff".into()), "default".into()), "empty is unset");
        assert_eq!(show("TRADING_CORES"), (None, "default".into()));
    }

    #[test]
    fn refusals_name_where_the_value_stood() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.toml");
        std::fs::write(&file, "\n[service]\nport = 70000\n").expect("written");
        let file = file.to_str().expect("a path");
        let refused =
            |environment: &[(&str, &str)]| layers(&[], environment, Secrets::Read).expect_err("refused");
        let cases: [(&[(&str, &str)], &str); 8] = [
            (&[("TRADING_PORT", "x")], "TRADING_PORT=x: "),
            (&[("TRADING_CONFIG", file)], "a.toml line 3: service.port=70000: "),
            (&[("TRADING_CONFIG", "/none.toml")], "/none.toml: reading it: "),
            (&[("TRADING_SYMBOL", "A")], "TRADING_SYMBOL: no such setting"),
            (&[("BINANCE_API_KEY", "your_api_key_here")], "BINANCE_API_KEY: is the guide's placeholder"),
            (&[("BINANCE_API_KEY_FILE", "/none")], "BINANCE_API_KEY_FILE=/none: reading it: "),
            (&[("BINANCE_API_KEY", "a"), ("BINANCE_API_KEY_FILE", "b")], "are both set: keep one"),
            (&[("TRADING_VENUE", "ftx")], "TRADING_VENUE=ftx: \"ftx\" is no venue: simulated, paper,"),
        ];
        for (environment, expected) in cases {
            let error = refused(environment);
            assert!(error.contains(expected) && error.lines().count() == 1, "{error}");
        }
        // A secret is never repeated in an error.
        assert!(!refused(&[("BINANCE_API_SECRET", "hunter 2")]).contains("hunter"));
    }

    #[test]
    fn variables_of_kubernetes_compose_and_tests_are_let_be() {
        let environment = [
            ("TRADING_MARKET_DATA_SERVICE_HOST", "10.0.0.1"),
            ("TRADING_MARKET_DATA_SERVICE_PORT_ZMQ", "5555"),
            ("TRADING_MARKET_DATA_PORT_5555_TCP_ADDR", "10.0.0.1"),
            ("TRADING_MARKET_DATA_PORT", "tcp://10.0.0.1:5555"),
            ("TRADING_TEST_DATA", "/data"),
            ("TRADING_SUBNET", "172.25.0.0/16"),
            (EXCHANGE_RATE, "20"),
        ];
        assert!(layers(&[], &environment, Secrets::Read).is_ok());
        for typo in ["TRADING_EXCHANGE_RATES", "TRADING_EXCHANGE_RATE_FILE", "TRADING_SUBNETS"] {
            let refused = layers(&[], &[(typo, "20")], Secrets::Read).expect_err("refused");
            assert!(refused.starts_with(&format!("{typo}: no such setting")), "{refused}");
        }
    }

    #[test]
    fn a_process_that_does_not_sign_never_reads_a_key() {
        let environment = [("BINANCE_API_KEY", "k"), ("BINANCE_API_SECRET_FILE", "/does/not/exist")];
        let found = layers(&[], &environment, Secrets::Withhold).expect("not read");
        assert_eq!(found.row("BINANCE_API_KEY").value, Value::Withheld);
        assert_eq!(found.row("BINANCE_API_SECRET").value, Value::Withheld);
        assert!(layers(&[], &environment, Secrets::Read).is_err());
        // Who follows market data in SBE reads the key to those, and no other.
        let environment = [("BINANCE_API_KEY", "k"), (MARKET_DATA_KEY, "m")];
        let found = layers(&[], &environment, Secrets::MarketData).expect("one is read");
        assert_eq!(found.row("BINANCE_API_KEY").value, Value::Withheld);
        assert_eq!(found.row(MARKET_DATA_KEY).value, Value::Secret(Secret::new("m".to_owned())));
    }
}
