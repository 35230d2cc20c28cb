//! Accounts and their keys: who signs, and with what.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::config::secret::mode_in;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use engine::error::SetupError;
use engine::venue::exchange::{AMOUNT_SCALE, AccountIndex, AccountSpec, Amount};
use engine::venue::simulated::FeeRate;
use ring::rand::SecureRandom;
use ring::signature::{self, KeyPair};
use ring::{hmac, rand};
use serde::Deserialize;

/// The only kinds of keys there are.
enum Proof {
    Hmac(hmac::Key),
    Ed25519([u8; 32]),
}

/// A key of an account.
pub struct Key {
    /// Whose it is.
    pub account: AccountIndex,
    proof: Proof,
}

impl Key {
    /// Whether it may log on: only Ed25519 keys may (binance.md §5).
    #[must_use]
    pub const fn may_log_on(&self) -> bool {
        matches!(self.proof, Proof::Ed25519(_))
    }

    /// Whether `signature` is this key's of `text`.
    #[must_use]
    pub fn signed(&self, text: &str, signature: &str) -> bool {
        match &self.proof {
            Proof::Hmac(key) => HEXLOWER_PERMISSIVE
                .decode(signature.as_bytes())
                .is_ok_and(|tag| hmac::verify(key, text.as_bytes(), &tag).is_ok()),
            Proof::Ed25519(public) => STANDARD.decode(signature).is_ok_and(|signature| {
                let key = signature::UnparsedPublicKey::new(&signature::ED25519, public);
                key.verify(text.as_bytes(), &signature).is_ok()
            }),
        }
    }
}

/// All accounts: what they start with, their names and keys.
#[derive(Default)]
pub struct Accounts {
    /// By index.
    pub specs: Vec<AccountSpec>,
    /// By index.
    pub names: Vec<String>,
    keys: BTreeMap<String, Key>,
}

/// One account of an accounts file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    api_key: String,
    hmac_secret: Option<String>,
    /// The 32 bytes as base64, or a SubjectPublicKeyInfo as PEM.
    ed25519_public_key: Option<String>,
    #[serde(default)]
    balances: BTreeMap<String, String>,
    /// Millionths.
    maker_fee: Option<i32>,
    taker_fee: Option<i32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    account: Vec<Written>,
}

/// What precedes the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// What precedes the 32 bytes of a seed in a PKCS#8 file without public key (RFC 8410).
const PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

fn public_key(text: &str) -> Option<[u8; 32]> {
    let plain: String = text.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    let bytes = STANDARD.decode(plain).ok()?;
    let raw = bytes.strip_prefix(&SPKI[..]).unwrap_or(&bytes);
    raw.try_into().ok()
}

/// An amount as text.
///
/// # Errors
/// When it is no decimal of at most eight decimals.
pub fn amount(text: &str) -> Result<Amount, String> {
    let scale = engine::domain::Scale::new(AMOUNT_SCALE).unwrap_or(engine::domain::Scale::ZERO);
    engine::domain::decimal::parse(text.as_bytes(), scale)
        .ok()
        .filter(|value| *value >= 0)
        .map(Amount::from)
        .ok_or_else(|| format!("{text:?} is no amount: a decimal with at most {AMOUNT_SCALE} decimals"))
}

impl Accounts {
    /// Reads an accounts file: TOML with one `[[account]]` each.
    ///
    /// # Errors
    /// When it cannot be read, or an account of it is not sound.
    pub fn read(path: &Path, maker: FeeRate, taker: FeeRate) -> Result<Self, SetupError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| SetupError::io(path, "reading it", error))?;
        // A TOML error quotes the file, which holds secrets: only its place is told.
        let file: WrittenFile = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(0, |span| text[..span.start].lines().count());
            SetupError::file(path, format!("line {line}: not as an accounts file: {}", error.message()))
        })?;
        let mut accounts = Self::default();
        for written in file.account {
            let name = written.name.clone();
            accounts
                .add(written, maker, taker)
                .map_err(|reason| SetupError::file(path, format!("account {name:?}: {reason}")))?;
        }
        if accounts.specs.is_empty() {
            return Err(SetupError::file(path, "no accounts"));
        }
        Ok(accounts)
    }

    fn add(&mut self, written: Written, maker: FeeRate, taker: FeeRate) -> Result<(), String> {
        let proof = match (written.hmac_secret, written.ed25519_public_key) {
            (Some(secret), None) if !secret.is_empty() => {
                Proof::Hmac(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
            }
            (None, Some(text)) => {
                Proof::Ed25519(public_key(&text).ok_or("ed25519_public_key is no such key")?)
            }
            _ => return Err("one of hmac_secret and ed25519_public_key expected".to_owned()),
        };
        if written.api_key.is_empty() || self.keys.contains_key(&written.api_key) {
            return Err("api_key is empty or not its own".to_owned());
        }
        let deposits =
            written.balances.iter().map(|(asset, text)| Ok((asset.as_str().into(), amount(text)?)));
        let deposits = deposits.collect::<Result<Vec<_>, String>>()?;
        // Keys of one name belong to one account; the first says what it starts with.
        let account = match self.names.iter().position(|name| *name == written.name) {
            Some(at) if deposits.is_empty() => at,
            Some(_) => return Err("balances belong to the first key of the account".to_owned()),
            None => {
                let maker = written.maker_fee.map_or(maker, FeeRate);
                let taker = written.taker_fee.map_or(taker, FeeRate);
                self.specs.push(AccountSpec { maker, taker, deposits });
                self.names.push(written.name);
                self.specs.len() - 1
            }
        };
        let account = AccountIndex::try_from(account).map_err(|_| "too many accounts")?;
        self.keys.insert(written.api_key, Key { account, proof });
        Ok(())
    }

    /// One account with a key of each kind, made now, and told to `path` alone, which only its owner may read.
    ///
    /// # Errors
    /// When the file cannot be written or the system has no randomness.
    pub fn demo(
        path: &Path,
        deposits: Vec<(Box<str>, Amount)>,
        maker: FeeRate,
        taker: FeeRate,
    ) -> Result<Self, SetupError> {
        let random = rand::SystemRandom::new();
        let lost = || SetupError::Invalid("the system has no randomness".to_owned());
        let fresh = || {
            let mut bytes = [0; 32];
            random.fill(&mut bytes).map(|()| bytes).map_err(|_| lost())
        };
        let (seed, secret) = (fresh()?, HEXLOWER.encode(&fresh()?));
        let (hmac_key, ed25519_key) = (HEXLOWER.encode(&fresh()?), HEXLOWER.encode(&fresh()?));
        let pair = signature::Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| lost())?;
        let public: [u8; 32] = pair.public_key().as_ref().try_into().map_err(|_| lost())?;
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode([&PKCS8[..], &seed].concat())
        );
        let json = serde_json::json!({
            "account": "demo", "hmac": { "api_key": hmac_key, "secret": secret },
            "ed25519": { "api_key": ed25519_key, "private_key": pem },
        });
        let io = |error| SetupError::io(path, "writing the demo account's keys", error);
        let _ = std::fs::remove_file(path);
        let mode = mode_in(path.parent().unwrap_or_else(|| Path::new(".")));
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(io)?;
        file.write_all(format!("{json:#}\n").as_bytes()).map_err(io)?;
        let proofs = [
            (hmac_key, Proof::Hmac(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))),
            (ed25519_key, Proof::Ed25519(public)),
        ];
        Ok(Self {
            specs: vec![AccountSpec { maker, taker, deposits }],
            names: vec!["demo".to_owned()],
            keys: proofs.into_iter().map(|(name, proof)| (name, Key { account: 0, proof })).collect(),
        })
    }

    /// A key by its name.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&Key> {
        self.keys.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hmac_key(secret: &str) -> Key {
        Key { account: 0, proof: Proof::Hmac(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())) }
    }

    #[test]
    fn signatures_are_told_from_others() {
        // The example of Binance's documentation.
        let key = hmac_key("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j");
        let text = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";
        let signature = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71";
        assert!(key.signed(text, signature) && key.signed(text, &signature.to_uppercase()));
        assert!(!key.signed(text, &signature.replace('c', "d")) && !key.signed("x", signature));
        assert!(!key.signed(text, "zz") && !key.signed(text, "") && !key.signed(text, "é"));
    }

    #[test]
    fn the_vectors_pass() {
        let Some(data) = std::env::var_os("TRADING_TEST_DATA") else {
            println!("no recorded data: Binance's vectors are not checked");
            return;
        };
        let path = Path::new(&data).join("samples/signing_vectors.json");
        let vectors: Vec<serde_json::Value> =
            serde_json::from_slice(&std::fs::read(path).expect("the vectors")).expect("JSON");
        let mut checked = 0;
        for vector in &vectors {
            let text = |key: &str| vector[key].as_str().unwrap_or_default();
            let key = match vector["secret"].as_str() {
                Some(secret) => hmac_key(secret),
                None => {
                    let pem = text("private_key_pem");
                    let plain: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
                    let pair = signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(
                        &STANDARD.decode(plain).expect("base64"),
                    );
                    let public = pair.expect("a key").public_key().as_ref().try_into().expect("32 bytes");
                    Key { account: 0, proof: Proof::Ed25519(public) }
                }
            };
            assert!(key.signed(text("payload"), text("signature")), "{}", text("kind"));
            checked += 1;
        }
        assert!(checked >= 5);
    }

    #[test]
    fn an_accounts_file_is_read_or_refused_without_telling_its_secrets() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("accounts.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).expect("written");
            Accounts::read(&path, FeeRate(1_000), FeeRate(1_000))
        };
        let accounts = read(
            "[[account]]\nname = \"a\"\napi_key = \"k\"\nhmac_secret = \"s\"\nbalances = { USDT = \"5.5\" }\n\
             [[account]]\nname = \"a\"\napi_key = \"l\"\ned25519_public_key = \"KtB1p3y6GDlfDOSzKLzfPyq1OQW1tMPyfVBrgKZ3fpM=\"\n",
        )
        .expect("two keys of one account");
        assert_eq!((accounts.specs.len(), accounts.key("l").map(|key| key.account)), (1, Some(0)));
        assert_eq!(accounts.specs[0].deposits, [("USDT".into(), 550_000_000)]);
        for bad in [
            "[[account]]\nname = \"a\"\napi_key = \"k\"\n",
            "[[account]]\nname = \"a\"\napi_key = \"k\"\nhmac_secret = \"canary\"\nbalances = { USDT = \"x\" }\n",
            "[[account]]\nname = \"a\"\nsecret = \"canary\"\n",
            "account = []",
        ] {
            let error = read(bad).err().expect("refused").to_string();
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn the_demo_account_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("demo.json");
        let accounts = Accounts::demo(&path, Vec::new(), FeeRate(0), FeeRate(0)).expect("made");
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let told: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).expect("read")).expect("JSON");
        let pem = told["ed25519"]["private_key"].as_str().expect("a key");
        let plain: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let pair =
            signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(&STANDARD.decode(plain).expect("base64"))
                .expect("a key");
        let signature = STANDARD.encode(pair.sign(b"x"));
        let key = accounts.key(told["ed25519"]["api_key"].as_str().expect("a name")).expect("known");
        assert!(key.signed("x", &signature) && key.may_log_on());
    }
}
