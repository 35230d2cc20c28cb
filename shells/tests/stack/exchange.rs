//! A `simulated_exchange` in a process of its own, and what its own books say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use ring::hmac;
use serde_json::Value;

use super::{Home, PATIENCE};

/// An exchange that is killed when the test ends, however it ends.
pub struct Exchange {
    child: Child,
    pub address: SocketAddr,
    pub operator: SocketAddr,
    keys: PathBuf,
    certificate: PathBuf,
}

impl Exchange {
    /// One on free ports, whose keys lie where this home's processes look for them.
    pub fn start(home: &Home, more: &[&str]) -> Self {
        let at = |name: &str| home.path().join(name);
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        std::fs::write(at("certificate.pem"), made.cert.pem()).expect("written");
        std::fs::write(at("certificate.key"), made.signing_key.serialize_pem()).expect("written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_simulated_exchange"))
            .args(["--port", "0"])
            .args([&"--cert".into(), &at("certificate.pem"), &"--key".into(), &at("certificate.key")])
            .args(more)
            .env_clear()
            .env("HOME", home.path())
            .env("TRADING_DATA_DIR", at("data"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = || {
            let mut text = String::new();
            out.read_line(&mut text).expect("read");
            text
        };
        let first = line();
        let addresses = first.strip_prefix("listening on ").and_then(|rest| rest.trim().split_once(','));
        let (address, operator) = addresses.unwrap_or_else(|| panic!("{first}"));
        let operator = operator.rsplit(' ').next().expect("an address");
        let keys = line();
        let keys = keys.trim().rsplit_once(": ").expect("keys").1.into();
        Self {
            child,
            address: address.parse().expect("an address"),
            operator: operator.parse().expect("an address"),
            keys,
            certificate: at("certificate.pem"),
        }
    }

    /// The flags with which a process trades there.
    pub fn flags(&self, secure: bool) -> Vec<String> {
        let port = self.address.port();
        if !secure {
            return vec!["--exchange-endpoint".to_owned(), format!("ws://127.0.0.1:{port}")];
        }
        let certificate = self.certificate.to_string_lossy().into_owned();
        let endpoint = format!("wss://localhost:{port}");
        ["--exchange-endpoint", &endpoint, "--exchange-ca-file", &certificate].map(str::to_owned).to_vec()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).expect("ours");
    }

    /// Asks the operator's port.
    pub fn admin(&self, verb: &str, target: &str) -> Value {
        let (status, body) = http(self.operator, verb, target, "");
        assert_eq!(status, 200, "{verb} {target}: {body}");
        body
    }

    /// Asks for something that everybody may know, over REST.
    pub fn public(&self, path: &str) -> Value {
        let (status, body) = http(self.address, "GET", path, "");
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Waits until its last price is between two: a pair of orders must stand around it.
    pub fn until_last_between(&self, low: f64, high: f64) {
        super::until("the last price is there", || {
            let trades = self.public("/api/v3/trades?symbol=BTCUSDT&limit=1");
            let last: f64 = trades[0]["price"].as_str()?.parse().ok()?;
            (low < last && last < high).then_some(())
        });
    }

    /// Asks for something of the account, over REST, signed.
    pub fn signed(&self, path: &str, params: &str) -> Value {
        self.act("GET", path, params)
    }

    /// Does something with the account, over REST, signed.
    pub fn act(&self, verb: &str, path: &str, params: &str) -> Value {
        let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_millis();
        let keys = self.keys();
        let text = |name: &str| keys["hmac"][name].as_str().expect("a key").to_owned();
        let query = format!("{params}{}timestamp={now}", if params.is_empty() { "" } else { "&" });
        let key = hmac::Key::new(hmac::HMAC_SHA256, text("secret").as_bytes());
        let tag = hmac::sign(&key, query.as_bytes());
        let signature: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let header = format!("X-MBX-APIKEY: {}\r\n", text("api_key"));
        let (status, body) =
            http(self.address, verb, &format!("{path}?{query}&signature={signature}"), &header);
        assert_eq!(status, 200, "{verb} {path}: {body}");
        body
    }

    /// The keys of its account.
    pub fn keys(&self) -> Value {
        serde_json::from_slice(&std::fs::read(&self.keys).expect("the keys")).expect("JSON")
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn http(address: SocketAddr, verb: &str, target: &str, headers: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    write!(
        stream,
        "{verb} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n"
    )
    .expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or_else(|_| Value::from(body)))
}
