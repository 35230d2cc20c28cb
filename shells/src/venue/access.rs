//! The key to the account at the venue: only who sends orders reads it.

use std::path::Path;
use std::time::Duration;

use engine::clock::Clock;
use engine::domain::Nanos;
use engine::error::SetupError;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::binance::Signer;
use crate::config::flags::Flags;
use crate::config::secret::read_file;
use crate::config::{Credentials, Environment, Secret, Secrets, Settings, Venue};

/// How long an exchange that starts may take to tell its keys.
const PATIENCE: Nanos = Nanos::from_secs(60);

/// Until it looks again.
const AGAIN: Duration = Duration::from_millis(50);

/// The settings of a process, with the secrets that it `reads`, by what they say: nobody else reads any.
///
/// # Errors
/// When a setting is no good.
pub fn settings<const GROUPS: u8>(
    flags: &Flags<GROUPS>,
    environment: &Environment,
    reads: impl Fn(&Settings) -> Secrets,
) -> Result<Settings, SetupError> {
    let settings = Settings::resolve(flags, environment, Secrets::Withhold)?;
    match reads(&settings) {
        Secrets::Withhold => Ok(settings),
        secrets => Settings::resolve(flags, environment, secrets),
    }
}

/// The key that the settings name, or else the one that a `simulated_exchange` has made and told.
///
/// # Errors
/// When there is none, or it is no key.
pub fn signer(settings: &Settings, clock: &mut impl Clock) -> Result<Signer, SetupError> {
    match settings.credentials() {
        Ok(credentials) => Signer::new(credentials),
        Err(_) if settings.venue == Venue::Simulated => {
            crate::config::secret::shield()?;
            Signer::new(&told(&settings.exchange.keys_file, clock)?)
        }
        Err(error) => Err(error),
    }
}

/// The key that opens SBE streams: that of the settings, or else the one that a `simulated_exchange` has told.
///
/// # Errors
/// When there is none.
pub fn market_data_key(settings: &Settings, clock: &mut impl Clock) -> Result<Secret, SetupError> {
    match &settings.market_data_key {
        Some(key) => Ok(key.clone()),
        None if settings.venue == Venue::Simulated => {
            crate::config::secret::shield()?;
            Ok(told(&settings.exchange.keys_file, clock)?.key)
        }
        None => Err(SetupError::Invalid(
            "TRADING_MARKET_DATA_FORMAT=sbe: its streams are opened by a key; set BINANCE_MARKET_DATA_KEY or \
             BINANCE_MARKET_DATA_KEY_FILE"
                .to_owned(),
        )),
    }
}

fn told(path: &Path, clock: &mut impl Clock) -> Result<Credentials, SetupError> {
    let end = clock.now().saturating_add(PATIENCE);
    loop {
        match read(path) {
            Ok(credentials) => return Ok(credentials),
            Err(error) if clock.now() >= end => return Err(error),
            Err(_) => std::thread::sleep(AGAIN),
        }
    }
}

fn read(path: &Path) -> Result<Credentials, SetupError> {
    let text = Zeroizing::new(read_file("TRADING_EXCHANGE_KEYS_FILE", path)?);
    // The error would quote the file.
    let refuse = || SetupError::file(path, "is not the file that simulated_exchange tells its keys in");
    let told: Value = serde_json::from_str(&text).map_err(|_| refuse())?;
    let field = |name: &str| told["ed25519"][name].as_str().map(|text| Secret::new(text.to_owned()));
    match (field("api_key"), field("private_key")) {
        (Some(key), Some(secret)) => Ok(Credentials { key, secret }),
        _ => Err(refuse()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_an_exchange_told_are_read_and_never_quoted() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys.json");
        crate::exchange::keys::Accounts::demo(
            &path,
            Vec::new(),
            engine::venue::simulated::FeeRate(0),
            engine::venue::simulated::FeeRate(0),
        )
        .expect("an account");
        let credentials = read(&path).expect("keys");
        assert!(Signer::new(&credentials).expect("a key").logs_on());
        for bad in ["canary", "{\"ed25519\":{\"api_key\":\"canary\"}}", "[\"canary\"]"] {
            std::fs::write(&path, bad).expect("written");
            let error = read(&path).expect_err("refused").to_string();
            assert!(error.contains("keys.json") && !error.contains("canary"), "{error}");
        }
        std::fs::remove_file(&path).expect("removed");
        assert!(read(&path).expect_err("gone").to_string().starts_with("TRADING_EXCHANGE_KEYS_FILE="));
    }
}
