//! What `simulated_exchange` can be told: as flags, and in `[simulated_exchange]` of the TOML file; what it shares with the
//! services, and its rate, by the environment too.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Parser};
use engine::error::SetupError;

use crate::config::Environment;
use crate::config::document::{EXCHANGE, Item};
use crate::config::duration::Span;
use crate::config::keys::CONFIG;
use crate::config::layers::{EXCHANGE_RATE, Layers, Secrets, Source};
use crate::config::values::Symbols;

/// What it shares with the services: key, and variable. Where the environment and its own section say nothing, the
/// services' place in the file counts (`service.bind`, `service.port`, `symbols`).
const SHARED: [(&str, &str); 3] =
    [("bind", "TRADING_BIND"), ("port", "TRADING_PORT"), ("symbols", "TRADING_SYMBOLS")];

/// The generated market's symbols unless others are named.
const SYMBOLS: &str = "BTCUSDT,ETHUSDT";

/// An exchange that speaks Binance Spot's REST, stream and WebSocket-API protocols, to test against.
#[derive(Clone, Debug, Parser)]
#[command(name = "simulated_exchange", version)]
pub struct Settings {
    /// TOML file of settings, of which those in `[simulated_exchange]` are named as these flags; or TRADING_CONFIG.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address to listen on; or TRADING_BIND.
    #[arg(long, default_value = "127.0.0.1")]
    pub bind: IpAddr,
    /// Port of REST, streams and the WebSocket API, plain and TLS. Health, metrics and the operator's requests are at
    /// the port 10000 above. 0 takes free ports. Or TRADING_PORT.
    #[arg(long, default_value_t = 5560)]
    pub port: u16,
    /// Symbols of the generated market; or TRADING_SYMBOLS.
    #[arg(long, default_value = SYMBOLS)]
    pub symbols: Symbols,
    /// Seed of the generated market and of faults.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Events a second and symbol of the generated market; or TRADING_EXCHANGE_RATE.
    #[arg(long, default_value_t = 50)]
    pub rate: u32,
    /// How long the generated market has been going on at the start.
    #[arg(long, default_value = "10m")]
    pub past: Span,
    /// Plays these tapes instead of a generated market.
    #[arg(long, value_name = "FILE")]
    pub tape: Vec<PathBuf>,
    /// How fast the market goes: a factor such as 1 or 2.5, or `step` for when the operator says so.
    #[arg(long, default_value = "1", value_parser = speed)]
    pub speed: super::market::Pace,
    /// TOML file of accounts: `[[account]]` with name, api_key, hmac_secret or ed25519_public_key, balances, maker_fee
    /// and taker_fee. Without it there is one account, whose keys are made now.
    #[arg(long, value_name = "FILE")]
    pub accounts: Option<PathBuf>,
    /// Where the keys of the account that is made are told; only its owner may read it. Without it:
    /// `simulated_exchange.json` in the data directory.
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// What the account that is made holds.
    #[arg(long, value_delimiter = ',', default_value = "USDT=1000000,BTC=100,ETH=1000,BNB=1000")]
    pub balances: Vec<String>,
    /// Fee of makers, in millionths of what they receive.
    #[arg(long, default_value_t = 1_000)]
    pub maker_fee: i32,
    /// Fee of takers.
    #[arg(long, default_value_t = 1_000)]
    pub taker_fee: i32,
    /// Rate limits, as a multiple of Binance's.
    #[arg(long, default_value_t = 1)]
    pub limits: u64,
    /// Certificate chain for TLS, as PEM. Without it one is made, signed by itself.
    #[arg(long, value_name = "FILE")]
    pub cert: Option<PathBuf>,
    /// Its private key, as PEM.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Between pings of a WebSocket.
    #[arg(long, default_value = "20s")]
    pub ping: Span,
    /// How long a WebSocket may leave them unanswered.
    #[arg(long, default_value = "60s")]
    pub pong: Span,
    /// How long a WebSocket lives.
    #[arg(long, default_value = "24h")]
    pub life: Span,
    /// Lets this go wrong: a fault's name, then `name=value` of method, stream, count, skip, chance (millionths), ms,
    /// bytes, status and executed, with commas between.
    #[arg(id = "fault", long, value_name = "FAULT", value_parser = super::faults::Fault::read_flag)]
    pub faults: Vec<super::faults::Fault>,
    /// Writes the ledger here at the end.
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
}

/// A factor with up to three decimals, or `step`.
fn speed(text: &str) -> Result<super::market::Pace, String> {
    if text == "step" {
        return Ok(super::market::Pace::Stepped);
    }
    let scale = engine::domain::Scale::new(3).ok_or("no such scale")?;
    match engine::domain::decimal::parse(text.as_bytes(), scale) {
        Ok(thousandths) if thousandths > 0 => Ok(super::market::Pace::Times(thousandths)),
        _ => Err(format!("{text:?}: a factor above 0 with at most three decimals, or step")),
    }
}

impl Settings {
    /// What the command line `arguments`, whose flags are `flags`, the environment and the TOML file say, in this order.
    ///
    /// # Errors
    /// With the name of what does not do: a setting, or a key of the file with its line.
    pub fn read(
        arguments: impl IntoIterator<Item = OsString>,
        flags: &ArgMatches,
        environment: &Environment,
    ) -> Result<(Self, Layers), SetupError> {
        let named = flags.get_one::<PathBuf>("config").map(|path| (CONFIG.0, path.display().to_string()));
        let layers =
            Layers::find(&named.into_iter().collect::<BTreeMap<_, _>>(), environment, Secrets::Withhold)?;
        let mut told = layers.exchange().clone();
        for (key, item) in &told {
            check(layers.file().unwrap_or(Path::new("")), key, item)?;
        }
        for (key, variable) in SHARED {
            let row = layers.row(variable);
            let counts = match &row.source {
                Source::Environment(_) => true,
                Source::Toml(..) => !told.contains_key(key),
                Source::Flag(_) | Source::Default => false,
            };
            if let Some(text) = layers.text(variable).filter(|_| counts) {
                told.insert(key.to_owned(), Item { values: vec![text.to_owned()], line: 0 });
            }
        }
        if let Some(text) = environment.get(EXCHANGE_RATE) {
            let rate = Item { values: vec![text.to_owned()], line: 0 };
            // Here, for the parser's reason names a flag that nobody gave.
            let given = std::iter::once(EXCHANGE.to_owned()).chain(flags_of("rate", &rate));
            Self::try_parse_from(given)
                .map_err(|error| SetupError::Invalid(format!("{EXCHANGE_RATE}: {}", reason(&error))))?;
            told.insert("rate".to_owned(), rate);
        }
        told.retain(|key, _| flags.value_source(key) != Some(ValueSource::CommandLine));
        let told = told.iter().flat_map(|(key, item)| flags_of(key, item)).map(OsString::from);
        let settings = Self::try_parse_from(arguments.into_iter().chain(told))
            .map_err(|error| SetupError::Invalid(reason(&error)))?;
        if settings.cert.is_some() != settings.key.is_some() {
            return Err(SetupError::Invalid("cert and key: one is of no use without the other".to_owned()));
        }
        Ok((settings, layers))
    }
}

/// A key of the file as flags: one a value, but symbols are one list.
fn flags_of(key: &str, item: &Item) -> Vec<String> {
    let name = key.replace('_', "-");
    if key == "symbols" {
        return vec![format!("--{name}={}", item.values.join(","))];
    }
    item.values.iter().map(|value| format!("--{name}={value}")).collect()
}

/// The parser's reason, in one line.
fn reason(error: &clap::Error) -> String {
    let whole = error.to_string();
    let line = whole.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// Whether the values of a key of the file do.
fn check(file: &Path, key: &str, item: &Item) -> Result<(), SetupError> {
    let arguments = std::iter::once(EXCHANGE.to_owned()).chain(flags_of(key, item));
    match Settings::try_parse_from(arguments) {
        Err(error) if error.kind() != ErrorKind::MissingRequiredArgument => {
            let line = item.line;
            Err(SetupError::file(file, format!("line {line}: {EXCHANGE}.{key}: {}", reason(&error))))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document::Document;
    use crate::config::keys::EXCHANGE_KEYS;
    use clap::CommandFactory;

    /// The settings of a command line, an environment and the text of a TOML file.
    fn read(flags: &[&str], environment: &[(&str, &str)], toml: &str) -> Result<Settings, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.toml");
        std::fs::write(&file, toml).expect("written");
        let config = ("TRADING_CONFIG", file.to_str().expect("a path"));
        let environment: Environment = environment.iter().copied().chain([config]).collect();
        let arguments = || ["simulated_exchange"].iter().chain(flags).map(OsString::from);
        let matches = Settings::command().get_matches_from(arguments());
        let found = Settings::read(arguments(), &matches, &environment);
        found.map(|(settings, _)| settings).map_err(|error| error.to_string())
    }

    #[test]
    fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
        let toml = "symbols = [\"ETHUSDT\"]\n[service]\nbind = \"0.0.0.0\"\n[simulated_exchange]\nport = 1\nseed = 7\nrate = 9\nfault = [\"lost-ack,count=2\", \"F09\"]\n";
        let plain = read(&[], &[], toml).expect("good");
        assert_eq!((plain.port, plain.seed, plain.rate, plain.limits), (1, 7, 9, 1));
        assert_eq!((plain.bind.to_string(), plain.symbols.0.join(",")), ("0.0.0.0".into(), "ETHUSDT".into()));
        assert_eq!(plain.faults.len(), 2);
        let variables = [("TRADING_PORT", "2"), ("TRADING_SYMBOLS", "BTCUSDT"), ("TRADING_BIND", "")];
        let varied = read(&[], &variables, toml).expect("good");
        assert_eq!((varied.port, varied.symbols.0.join(",")), (2, "BTCUSDT".into()));
        assert_eq!(varied.bind.to_string(), "0.0.0.0", "an empty variable is unset");
        let flagged = read(&["--port", "3", "--seed=4"], &variables, toml).expect("good");
        assert_eq!((flagged.port, flagged.seed, flagged.rate), (3, 4, 9));
        let rate = |flags: &[&str], text| read(flags, &[(EXCHANGE_RATE, text)], toml).expect("good").rate;
        assert_eq!((rate(&[], "11"), rate(&[], ""), rate(&["--rate=12"], "11")), (11, 9, 12));
        let own = format!("{toml}symbols = [\"LTCUSDT\", \"BNBUSDT\"]\n");
        assert_eq!(read(&[], &[], &own).expect("good").symbols.0.join(","), "LTCUSDT,BNBUSDT");
        let default = read(&[], &[], "").expect("good");
        assert_eq!((default.port, default.symbols.0.join(",")), (5560, SYMBOLS.into()));
    }

    #[test]
    fn refusals_name_what_does_not_do() {
        for (toml, environment, expected) in [
            (
                "[simulated_exchange]\nsed = 1\n",
                [("A", "b")],
                "line 2: unknown key simulated_exchange.sed; there are",
            ),
            (
                "\n[simulated_exchange]\nrate = -1\n",
                [("A", "b")],
                "line 3: simulated_exchange.rate: invalid value '-1'",
            ),
            (
                "[simulated_exchange]\nseed = [1, 2]\n",
                [("A", "b")],
                "line 2: simulated_exchange.seed: the argument",
            ),
            (
                "[simulated_exchange]\nbalances = []\n",
                [("A", "b")],
                "line 2: simulated_exchange.balances is empty; leave it out",
            ),
            ("[simulated_exchange]\ncert = \"a.pem\"\n", [("A", "b")], "cert and key: one is of no use"),
            ("", [("TRADING_PORT", "x")], "TRADING_PORT=x: "),
            ("", [("TRADING_PROT", "1")], "TRADING_PROT: no such setting"),
            ("", [(EXCHANGE_RATE, "-1")], "TRADING_EXCHANGE_RATE: invalid value '-1'"),
        ] {
            let error = read(&[], &environment, toml).expect_err("refused");
            assert!(error.contains(expected) && error.lines().count() == 1, "{error}");
        }
    }

    #[test]
    fn every_flag_is_a_key_and_the_example_shows_its_default() {
        let command = Settings::command();
        let mut flags: Vec<String> = command
            .get_arguments()
            .filter_map(|argument| Some(argument.get_long()?.replace('-', "_")))
            .filter(|flag| !["config", "help", "version"].contains(&flag.as_str()))
            .collect();
        let mut keys = EXCHANGE_KEYS.map(str::to_owned);
        flags.sort_unstable();
        keys.sort_unstable();
        assert_eq!(flags, keys);
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/trading.toml"));
        let text = std::fs::read_to_string(path).expect("the example");
        let example = Document::parse(path, &text).expect("it can be read").exchange();
        for argument in command.get_arguments() {
            let Some(key) = argument.get_long().map(|long| long.replace('-', "_")) else { continue };
            let stands =
                text.lines().any(|line| line.trim_start_matches("#: ").starts_with(&format!("{key} = ")));
            assert!(stands || ["config", "help", "version"].contains(&key.as_str()), "{key} is not shown");
            if SHARED.iter().any(|(shared, _)| *shared == key) {
                continue; // What it is without its own section is shown there.
            }
            let shown = example.get(&key).map(|item| item.values.join(","));
            let default =
                argument.get_default_values().first().map(|value| value.to_string_lossy().into_owned());
            assert!(
                shown == default || key == "help" || key == "version",
                "{key}: {shown:?}, not {default:?}"
            );
        }
        // What stands there as a comment does too.
        let (head, own) = text.split_once("\n[simulated_exchange]\n").expect("its section");
        let whole = format!("{head}\n[simulated_exchange]\n{}", own.replace("#: ", ""));
        let whole = Document::parse(path, &whole).expect("it can be read").exchange();
        assert_eq!(whole.len(), keys.len());
        for (key, item) in &whole {
            check(path, key, item).expect("it does");
        }
    }
}
