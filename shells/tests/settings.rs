//! Settings as a process gets them: precedence, refusals by name, and secrets that are never shown.

mod support;

use std::fs;
use std::process::Command;

use serde_json::Value;

/// `trading config show --json` with this environment and these arguments.
fn show(environment: &[(&str, &str)], arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_trading"))
        .args(["config", "show", "--json"])
        .args(arguments)
        .env_clear()
        .env("HOME", "/nowhere")
        .envs(environment.iter().copied())
        .output()
        .expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

#[test]
fn every_value_is_shown_with_its_source_and_secrets_are_masked() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("trading.toml");
    let secret = folder.path().join("secret");
    fs::write(&secret, "hunter2\n").expect("written");
    let text = format!(
        "venue = \"binance-testnet\"\n[limits]\nmax_daily_loss = 7.5\n[binance]\napi_key = \"hunter1\"\napi_secret_file = \"{}\"\n",
        secret.display()
    );
    fs::write(&file, text).expect("written");
    let environment = [("TRADING_CONFIG", file.to_str().expect("a path")), ("MAX_POSITION_SIZE", "5")];
    let (code, out, error) = show(&environment, &["--max-position-size", "6"]);
    assert_eq!(code, 0, "{error}");
    assert!(!out.contains("hunter"), "{out}");
    let shown: Value = serde_json::from_str(&out).expect("JSON");
    let pair = |name: &str| {
        let entry = &shown["settings"][name];
        (entry["value"].as_str().unwrap_or("").to_owned(), entry["source"].as_str().unwrap_or("").to_owned())
    };
    assert_eq!(pair("MAX_POSITION_SIZE"), ("6".into(), "flag --max-position-size".into()));
    assert_eq!(pair("MAX_DAILY_LOSS"), ("7.5".into(), format!("{} line 3", file.display())));
    assert_eq!(pair("BINANCE_API_SECRET"), ("********".into(), format!("{} line 6", file.display())));
    assert_eq!(pair("TRADING_IDLE"), ("backoff".into(), "default".into()));
}

#[test]
fn a_bad_setting_stops_the_start_with_one_line_that_names_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("trading.toml");
    fs::write(&file, "instance = \"a\"\nsymbls = [\"BTCUSDT\"]\n").expect("written");
    let config = ("TRADING_CONFIG", file.to_str().expect("a path"));
    for (environment, expected) in [
        (config, "trading.toml: line 2: unknown key symbls"),
        (("TRADING_SYMBLS", "BTCUSDT"), "TRADING_SYMBLS: no such setting"),
        (("MAX_DAILY_LOSS", "-1"), "MAX_DAILY_LOSS=-1: "),
        (("BINANCE_API_KEY", "your_api_key_here"), "BINANCE_API_KEY: is the guide's placeholder"),
        (("TRADING_VENUE", "binance"), "TRADING_LIVE=yes"),
        (("TRADING_CONFIG", "/does/not/exist.toml"), "/does/not/exist.toml: reading it: "),
    ] {
        let (code, out, error) = show(&[environment], &[]);
        assert_eq!((code, out.as_str(), error.lines().count()), (1, "", 1), "{environment:?}: {error}");
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_missing_key_stops_who_would_sign_and_nobody_who_looks() {
    let home = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_trading"))
            .args(arguments)
            .env_clear()
            .env("HOME", home.path())
            .env("TRADING_IPC_DIR", home.path().join("ipc"))
            .env("TRADING_DATA_DIR", home.path().join("data"))
            .env("TRADING_VENUE", "binance-demo")
            .output()
            .expect("the binary runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, out, error) = run(&["config", "check"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains("no key here: whoever sends orders to binance-demo needs one"), "{out}");
    let (code, _, error) = run(&["run", "--for", "1s", "--headless"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("set BINANCE_API_KEY and BINANCE_API_SECRET"), "{error}");
}

#[test]
fn doctor_fails_what_cannot_work_and_says_what_to_do() {
    let home = tempfile::tempdir().expect("a folder");
    let doctor = |environment: &[(&str, &str)]| {
        let output = Command::new(env!("CARGO_BIN_EXE_trading"))
            .args(["doctor", "--json"])
            .env_clear()
            .env("HOME", home.path())
            .envs(environment.iter().copied())
            .output()
            .expect("the binary runs");
        let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let checks = found["checks"].as_array().expect("checks").clone();
        let of = |name: &str| checks.iter().find(|check| check["check"] == name).cloned().unwrap_or_default();
        (output.status.code(), of("limits"), of("settings"))
    };
    let (code, limits, _) = doctor(&[("MAX_POSITION_SIZE", "0")]);
    assert_eq!((code, &limits["level"]), (Some(1), &"FAIL".into()));
    assert!(limits["advice"].as_str().is_some_and(|advice| advice.contains("MAX_POSITION_SIZE")));
    let (code, _, settings) = doctor(&[("TRADING_VENUE", "ftx")]);
    assert_eq!((code, &settings["level"]), (Some(1), &"FAIL".into()));
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = Command::new(env!("CARGO_BIN_EXE_trading")).args(["completions", shell]).output();
        let script = String::from_utf8(output.expect("the binary runs").stdout).expect("text");
        assert!(script.contains("reduce-only") && script.contains("max-position-size"), "{shell}");
    }
}
