//! Small servers on loopback for tests: each serves the connections that a closure says, on a thread of its own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use engine::domain::Nanos;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{Reactor, TlsTrust, Url};

/// Longest wait of a test for a condition.
pub(super) const DEADLINE: Nanos = Nanos::from_secs(60);

/// Something that bytes go to and come from.
pub(super) trait Line: Read + Write + Send {}
impl<T: Read + Write + Send> Line for T {}

/// A server that gives each connection to `serve`, at most `connections` of them.
pub(super) struct Server {
    pub(super) port: u16,
    pub(super) trust: TlsTrust,
    _folder: tempfile::TempDir,
}

impl Server {
    pub(super) fn start(
        secure: bool,
        connections: usize,
        serve: impl Fn(usize, Box<dyn Line>) + Send + 'static,
    ) -> Self {
        let certified =
            rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]);
        let certified = certified.expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cert.pem");
        std::fs::write(&path, certified.cert.pem()).expect("written");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .expect("a key that fits");
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            for number in 0..connections {
                let Ok((socket, _)) = listener.accept() else { return };
                socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a time-out");
                serve(number, line(socket, secure.then(|| Arc::clone(&config))));
            }
        });
        Self { port, trust: TlsTrust::file(&path).expect("trusted"), _folder: folder }
    }

    pub(super) fn url(&self, scheme: &str, path: &str) -> Url {
        format!("{scheme}://127.0.0.1:{}{path}", self.port).parse().expect("a URL")
    }
}

fn line(socket: TcpStream, secure: Option<Arc<ServerConfig>>) -> Box<dyn Line> {
    match secure {
        None => Box::new(socket),
        Some(config) => Box::new(StreamOwned::new(ServerConnection::new(config).expect("a session"), socket)),
    }
}

/// A clock for tests: real time since its making.
pub(super) struct Ticking(std::time::Instant);

impl Ticking {
    #[allow(clippy::disallowed_methods)] // The test's own clock.
    pub(super) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(super) fn now(&self) -> Nanos {
        Nanos(i64::try_from(self.0.elapsed().as_nanos()).expect("a short test"))
    }
}

/// Turns the reactor and calls `step` until it gives something.
pub(super) fn drive<T>(
    reactor: &mut Reactor,
    what: &str,
    mut step: impl FnMut(&mut Reactor, Nanos) -> Option<T>,
) -> T {
    let clock = Ticking::start();
    loop {
        reactor.wait(Duration::from_millis(2));
        let now = clock.now();
        if let Some(found) = step(reactor, now) {
            return found;
        }
        assert!(now < DEADLINE, "{what}: not in time");
    }
}
