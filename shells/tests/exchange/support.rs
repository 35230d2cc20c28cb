//! A running exchange, and clients of it that are not its own code.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use engine::domain::Nanos;
use ring::{hmac, signature};
use serde_json::Value;
use shells::exchange::server::{Running, start};
use shells::exchange::settings::Settings;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

/// How long anything may take on a machine that is shared.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The present.
pub fn now() -> Nanos {
    let nanos = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_nanos();
    Nanos(i64::try_from(nanos).expect("before 2262"))
}

/// The time at which patience ends.
pub fn deadline() -> Nanos {
    now().saturating_add(Nanos(i64::try_from(PATIENCE.as_nanos()).expect("short")))
}

/// An exchange in this process, on free ports.
pub struct Exchange {
    _runtime: tokio::runtime::Runtime,
    pub running: Running,
    pub keys: Value,
}

impl Exchange {
    pub fn start(flags: &[&str]) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("threads");
        let directory = tempfile::tempdir().expect("a directory");
        let keys = directory.path().join("keys.json");
        let flags =
            ["simulated_exchange", "--port", "0", "--bind", "127.0.0.1", "--symbols", "BTCUSDT,ETHUSDT"]
                .iter()
                .chain(flags);
        let settings = Settings::try_parse_from(flags).expect("flags");
        let running = runtime.block_on(start(&settings, &keys)).expect("an exchange");
        let keys = std::fs::read(&keys).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self { _runtime: runtime, running, keys: keys.unwrap_or(Value::Null) }
    }

    pub fn now(&self) -> u128 {
        std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_millis()
    }

    fn secret(&self) -> hmac::Key {
        let secret = self.keys["hmac"]["secret"].as_str().expect("a secret");
        hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
    }

    pub fn sign(&self, text: &str) -> String {
        hmac::sign(&self.secret(), text.as_bytes())
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// An Ed25519 signature, by the other key.
    pub fn sign_ed25519(&self, text: &str) -> String {
        let pem = self.keys["ed25519"]["private_key"].as_str().expect("a key");
        let plain: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let bytes = STANDARD.decode(plain).expect("base64");
        let pair = signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(&bytes).expect("a key");
        STANDARD.encode(pair.sign(text.as_bytes()))
    }

    /// One HTTP request on a connection of its own: status, headers and body.
    pub fn http(&self, verb: &str, target: &str, headers: &str, body: &str) -> (u16, String, Value) {
        self.http_at(self.running.address, verb, target, headers, body)
    }

    pub fn operator(&self, verb: &str, target: &str) -> (u16, String, Value) {
        self.http_at(self.running.operator, verb, target, "", "")
    }

    fn http_at(
        &self,
        address: std::net::SocketAddr,
        verb: &str,
        target: &str,
        headers: &str,
        body: &str,
    ) -> (u16, String, Value) {
        use std::io::{Read, Write};
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let request = format!(
            "{verb} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("sent");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("a response");
        let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let body = serde_json::from_str(body).unwrap_or_else(|_| Value::from(body));
        (status, head.to_ascii_lowercase(), body)
    }

    /// A signed REST request, its parameters in the query.
    pub fn signed(&self, verb: &str, path: &str, params: &str) -> (u16, String, Value) {
        let stamped = format!("{params}{}timestamp={}", if params.is_empty() { "" } else { "&" }, self.now());
        let target = format!("{path}?{stamped}&signature={}", self.sign(&stamped));
        self.http(verb, &target, &self.key_header(), "")
    }

    pub fn key_header(&self) -> String {
        format!("X-MBX-APIKEY: {}\r\n", self.keys["hmac"]["api_key"].as_str().expect("a key"))
    }

    /// A WebSocket.
    pub fn socket(&self, path: &str) -> Socket {
        let url = format!("ws://{}{path}", self.running.address);
        let stream = TcpStream::connect(self.running.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let (socket, _) = tungstenite::client(url, MaybeTlsStream::Plain(stream)).expect("an upgrade");
        Socket(socket)
    }

    /// A WebSocket of SBE streams, with the API key of this kind; the status of a refusal.
    pub fn sbe_socket(&self, path: &str, key: &str) -> Result<Socket, u16> {
        use tungstenite::client::IntoClientRequest;
        let mut request =
            format!("ws://{}/sbe{path}", self.running.address).into_client_request().expect("a URL");
        if let Some(key) = self.keys[key]["api_key"].as_str() {
            request.headers_mut().insert("X-MBX-APIKEY", key.parse().expect("a header"));
        }
        let stream = TcpStream::connect(self.running.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        match tungstenite::client(request, MaybeTlsStream::Plain(stream)) {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response))) => {
                Err(response.status().as_u16())
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// A WebSocket over TLS that trusts the exchange's certificate.
    pub fn tls_socket(
        &self,
        path: &str,
    ) -> WebSocket<rustls::StreamOwned<rustls::ClientConnection, TcpStream>> {
        use rustls::pki_types::pem::PemObject;
        let mut roots = rustls::RootCertStore::empty();
        let certificate =
            rustls::pki_types::CertificateDer::from_pem_slice(self.running.certificate.as_bytes());
        roots.add(certificate.expect("a certificate")).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = "localhost".try_into().expect("a name");
        let connection = rustls::ClientConnection::new(Arc::new(config), name).expect("a client");
        let stream = TcpStream::connect(self.running.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let stream = rustls::StreamOwned::new(connection, stream);
        tungstenite::client(format!("wss://localhost{path}"), stream).expect("an upgrade").0
    }

    /// Best published bid and ask.
    pub fn top(&self, symbol: &str) -> (f64, f64) {
        let (_, _, book) = self.http("GET", &format!("/api/v3/ticker/bookTicker?symbol={symbol}"), "", "");
        let number = |key: &str| book[key].as_str().and_then(|text| text.parse().ok()).expect("a price");
        (number("bidPrice"), number("askPrice"))
    }
}

/// A client's WebSocket.
pub struct Socket(pub WebSocket<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub fn send(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).expect("sent");
    }

    /// The next text.
    pub fn next(&mut self) -> Value {
        loop {
            match self.0.read().expect("a message") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next text that `wanted` says yes to; others are passed over.
    pub fn until(&mut self, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        for _ in 0..100_000 {
            let message = self.next();
            if wanted(&message) {
                return message;
            }
        }
        panic!("it never came");
    }

    pub fn ask(&mut self, message: &Value) -> Value {
        self.send(message);
        let id = message["id"].clone();
        self.until(|answer| answer["id"] == id)
    }
}
