//! Tests of the whole: from an environment to settings, and of the annotated example.

use std::path::Path;

use engine::domain::Nanos;

use crate::config::document::{Document, file_key};
use crate::config::keys::KEYS;
use crate::config::values::RecvWindow;
use crate::config::{AllFlags, Environment, Secret, Secrets, Settings, Venue};

fn settings(environment: &[(&str, &str)]) -> Result<Settings, String> {
    let environment: Environment = environment.iter().copied().chain([("HOME", "/nowhere")]).collect();
    Settings::resolve(&AllFlags::default(), &environment, Secrets::Read).map_err(|error| error.to_string())
}

#[test]
fn an_instance_has_directories_of_its_own() {
    let places = settings(&[("TRADING_INSTANCE", "a1")]).expect("resolvable").places;
    assert!(places.ipc.to_string_lossy().ends_with("-a1"));
    assert_eq!(places.data, Path::new("/nowhere/.local/share/trading/a1"));
    assert!(settings(&[("TRADING_INSTANCE", "../x")]).is_err());
    let nowhere = Settings::resolve(&AllFlags::default(), &Environment::default(), Secrets::Read);
    assert!(nowhere.expect_err("no data directory").to_string().contains("TRADING_DATA_DIR"));
}

#[test]
fn real_money_must_be_asked_for() {
    let error = settings(&[("TRADING_VENUE", "binance")]).expect_err("not asked for");
    assert!(error.contains("--live or TRADING_LIVE=yes"), "{error}");
    let live = settings(&[("TRADING_VENUE", "binance"), ("TRADING_LIVE", "yes")]).expect("asked for");
    assert_eq!(live.venue, Venue::Binance);
    let error = live.credentials().expect_err("no key").to_string();
    assert!(error.contains("BINANCE_API_KEY_FILE"), "{error}");
    // The other venues need no such word, and it does them no harm.
    assert!(settings(&[("TRADING_VENUE", "binance-testnet")]).is_ok());
    assert!(settings(&[("TRADING_LIVE", "yes")]).is_ok());
}

#[test]
fn half_a_key_is_refused_and_a_whole_one_is_kept_out_of_sight() {
    assert!(settings(&[("BINANCE_API_KEY", "k1")]).expect_err("half").contains("without BINANCE_API_SECRET"));
    assert!(settings(&[("BINANCE_API_SECRET", "s1")]).expect_err("half").contains("without BINANCE_API_KEY"));
    let both = settings(&[("BINANCE_API_KEY", "k1"), ("BINANCE_API_SECRET", "s1")]).expect("whole");
    assert_eq!(both.credentials().expect("whole").secret.expose(), "s1");
}

#[test]
fn strategies_trade_symbols_that_are_traded() {
    let error = settings(&[("TRADING_SYMBOLS", "A"), ("TRADING_STRATEGIES", "momentum@B")]).expect_err("B");
    assert!(error.contains("names B"), "{error}");
}

#[test]
fn a_window_is_binances_own_unless_it_is_set() {
    assert_eq!(settings(&[]).expect("defaults").recv_window, RecvWindow(5_000));
    let set = settings(&[("TRADING_RECV_WINDOW", "250")]).expect("it is short");
    assert_eq!(set.recv_window.span(), Nanos::from_millis(250));
    let error = settings(&[("TRADING_RECV_WINDOW", "60001")]).expect_err("too long");
    assert!(error.contains("TRADING_RECV_WINDOW") && error.contains("from 1 to 60000"), "{error}");
}

#[test]
fn market_data_in_sbe_need_their_key_and_no_other() {
    let sbe = ("TRADING_MARKET_DATA_FORMAT", "sbe");
    for venue in ["paper", "binance-testnet"] {
        let found = settings(&[sbe, ("TRADING_VENUE", venue), ("BINANCE_MARKET_DATA_KEY", "m")]);
        let found = found.expect("it has SBE");
        assert_eq!(found.market_data_key.as_ref().map(Secret::expose), Some("m"));
        assert_eq!(found.market_data_secrets(), Secrets::MarketData);
    }
    assert_eq!(settings(&[]).expect("JSON").market_data_secrets(), Secrets::Withhold);
}

/// Every line of the example that sets something, commented out or not.
fn example_lines(text: &str) -> Vec<String> {
    let uncommented = text.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line));
    uncommented.map(str::to_owned).collect()
}

#[test]
fn the_annotated_example_is_complete_and_equals_the_defaults() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/trading.toml"));
    let text = std::fs::read_to_string(path).expect("the example");
    let document = Document::parse(path, &text).expect("it can be read");
    for key in &KEYS {
        let found = document.get(key.toml).map(|entry| entry.text.as_str());
        assert_eq!(found, key.default, "{}", key.toml);
    }
    // What has no default stands there as well, commented out with `#: `, and can be read once it is uncommented.
    let whole = example_lines(&text).join("\n");
    let whole = Document::parse(path, &whole).expect("it can be read uncommented");
    for key in &KEYS {
        let name = if key.secret_file.is_some() { file_key(key.toml) } else { key.toml.to_owned() };
        let entry = whole.get(&name).unwrap_or_else(|| panic!("{name} is not in the example"));
        if key.secret_file.is_none() {
            assert_eq!((key.check)(&entry.text), Ok(()), "{name}");
        }
    }
    assert!(!whole.parameters().is_empty(), "the example shows how to set a strategy's parameters");
    // As a process reads it.
    let read = settings(&[("TRADING_CONFIG", path.to_str().expect("a path"))]).expect("the example does");
    let defaults = settings(&[]).expect("defaults do");
    for (one, other) in read.layers().rows().iter().zip(defaults.layers().rows()) {
        assert_eq!(one.value, other.value, "{}", one.key.variable);
    }
}
