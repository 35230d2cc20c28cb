//! Signatures of requests (binance.md §5). The key never leaves this type.

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use engine::error::SetupError;
use ring::hmac;
use ring::signature::Ed25519KeyPair;
use zeroize::Zeroizing;

use crate::config::{Credentials, Secret};

/// First line of a private key in PEM.
const PEM: &str = "-----BEGIN PRIVATE KEY-----";

/// Signs for one account.
pub struct Signer {
    key: Secret,
    method: Method,
}

enum Method {
    Hmac(hmac::Key),
    Ed25519(Box<Ed25519KeyPair>),
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let method = if self.logs_on() { "Ed25519" } else { "HMAC" };
        write!(f, "Signer({method})")
    }
}

impl Signer {
    /// Reads the keys: a secret that is a PKCS#8 PEM signs by Ed25519, any other by HMAC-SHA256.
    ///
    /// # Errors
    /// When it looks like a PEM and is no Ed25519 key. The text tells nothing of the key.
    pub fn new(credentials: &Credentials) -> Result<Self, SetupError> {
        let secret = credentials.secret.expose().trim();
        let method = if secret.starts_with("-----BEGIN") {
            Method::Ed25519(Box::new(ed25519(secret)?))
        } else {
            Method::Hmac(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
        };
        Ok(Self { key: credentials.key.clone(), method })
    }

    /// The API key, for the header or parameter that carries it.
    #[must_use]
    pub fn api_key(&self) -> &str {
        self.key.expose()
    }

    /// Whether a session may log on: only Ed25519 keys can (binance.md §5).
    #[must_use]
    pub const fn logs_on(&self) -> bool {
        matches!(self.method, Method::Ed25519(_))
    }

    /// The signature of `payload`: hexadecimal for HMAC, base64 for Ed25519.
    #[must_use]
    pub fn sign(&self, payload: &str) -> String {
        match &self.method {
            Method::Hmac(key) => {
                let tag = hmac::sign(key, payload.as_bytes());
                tag.as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "{byte:02x}");
                    text
                })
            }
            Method::Ed25519(pair) => BASE64.encode(pair.sign(payload.as_bytes())),
        }
    }

    /// A query string with its signature, to be sent as it is: base64 is percent-encoded.
    #[must_use]
    pub fn sign_query(&self, query: &str) -> String {
        let signature = self.sign(query).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        format!("{query}&signature={signature}")
    }
}

fn ed25519(pem: &str) -> Result<Ed25519KeyPair, SetupError> {
    let refuse =
        |why: &str| SetupError::Invalid(format!("BINANCE_API_SECRET: a PEM that is no Ed25519 key: {why}"));
    let body = pem.strip_prefix(PEM).ok_or_else(|| refuse("it does not begin as a PKCS#8 private key"))?;
    let end = body.find("-----END").ok_or_else(|| refuse("it has no end"))?;
    let text: Zeroizing<String> = Zeroizing::new(body[..end].split_whitespace().collect());
    let der = BASE64.decode(text.as_bytes()).map_err(|_| refuse("it is not base64"))?;
    let der = Zeroizing::new(der);
    // OpenSSL writes the first version of PKCS#8, which carries no public key to check against.
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| refuse("it is another kind of key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(secret: &str) -> Result<Signer, SetupError> {
        let secret = Secret::new(secret.to_owned());
        Signer::new(&Credentials { key: Secret::new("api-key".to_owned()), secret })
    }

    /// RFC 8032 §7.1, test 1, as PKCS#8: a published key, nobody's secret.
    const RFC_8032: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

    #[test]
    fn published_vectors_sign_alike() {
        // RFC 4231, test case 2.
        let hmac = signer("Jefe").expect("a secret");
        assert_eq!(
            hmac.sign("what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let ed25519 = signer(RFC_8032).expect("a key");
        assert!(ed25519.logs_on() && !hmac.logs_on());
        let expected =
            "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr0lv18FlbviRlUUFDjnoQCw==";
        assert_eq!(ed25519.sign(""), expected);
        assert!(ed25519.sign_query("a=1").ends_with("%3D%3D"));
    }

    #[test]
    fn the_venues_own_vectors_sign_alike() {
        let Some(data) = std::env::var_os("TRADING_TEST_DATA") else {
            println!("TRADING_TEST_DATA is not set: Binance's vectors are not checked");
            return;
        };
        let path = std::path::Path::new(&data).join("samples/signing_vectors.json");
        let text = std::fs::read_to_string(path).expect("the vectors");
        let vectors: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
        assert!(vectors.len() >= 5);
        for vector in vectors {
            let field = |name: &str| vector.get(name).and_then(serde_json::Value::as_str);
            let secret = field("secret").or_else(|| field("private_key_pem")).expect("a key");
            let signed = signer(secret).expect("readable").sign(field("payload").expect("a payload"));
            assert_eq!(Some(signed.as_str()), field("signature"), "{:?}", field("kind"));
        }
    }

    #[test]
    fn a_bad_key_is_refused_and_not_told() {
        for bad in [
            "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\n???\n-----END PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\nc2VjcmV0",
        ] {
            let error = signer(bad).expect_err("refused").to_string();
            assert!(error.starts_with("BINANCE_API_SECRET: ") && !error.contains("c2VjcmV0"), "{error}");
        }
        assert_eq!(format!("{:?}", signer("hunter2").expect("a secret")), "Signer(HMAC)");
    }
}
