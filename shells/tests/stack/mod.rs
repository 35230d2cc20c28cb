//! A running engine in a process of its own, the ports beside it in this one, and clients of both.

#![allow(dead_code)] // Each test binary uses its own part.

pub mod books;
pub mod desk;
pub mod exchange;
pub mod hosting;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use engine::clock::tsc::LiveClock;
use engine::clock::{Clock, Stopwatch};
use engine::domain::Nanos;
use engine::shm::paths::IpcPaths;
use serde_json::{Value, json};
use shells::config::{AllFlags, Environment, Secrets, Settings};
use shells::ports::{Ground, Ports, SERVICES};

/// How long anything may take on a machine that is busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long strategies may take to be filled: whether a quote is hit is the market's chance, and the market slow on a busy
/// machine.
pub const PATIENCE_WITH_FILLS: Duration = Duration::from_secs(240);

/// Waits until `done` gives something; fails with `what` when it never does.
pub fn until<T>(what: &str, done: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, done)
}

/// The same within `patience`.
pub fn until_within<T>(patience: Duration, what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let mut clock = LiveClock::new(Stopwatch::calibrate());
    let end = clock.now() + Nanos::from_secs(patience.as_secs() as i64);
    loop {
        if let Some(found) = done() {
            return found;
        }
        assert!(clock.now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What a looking command says; null where it says nothing.
pub fn look(home: &Home, command: &[&str]) -> Value {
    let output = home.trading(command).arg("--json").output().expect("the binary runs");
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// Where a test keeps everything.
pub struct Home(tempfile::TempDir);

impl Home {
    /// An empty one.
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn ipc(&self) -> IpcPaths {
        IpcPaths::new(self.path().join("ipc"))
    }

    fn variables(&self) -> [(&'static str, PathBuf); 4] {
        [
            // The engine is a process of its own, unless a test says otherwise.
            ("TRADING_HOST_AGENT", PathBuf::from("false")),
            ("HOME", self.path().to_owned()),
            ("TRADING_IPC_DIR", self.path().join("ipc")),
            ("TRADING_DATA_DIR", self.path().join("data")),
        ]
    }

    /// Settings of a process that looks at this home.
    pub fn settings(&self) -> Settings {
        let text = |(key, value): (&'static str, PathBuf)| (key, value.to_string_lossy().into_owned());
        let environment: Environment = self.variables().into_iter().map(text).collect();
        Settings::resolve(&AllFlags::default(), &environment, Secrets::Withhold).expect("defaults")
    }

    /// `trading` with `arguments`, which knows no setting of the outer environment.
    pub fn trading(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trading"));
        command.args(arguments).env_clear().envs(self.variables());
        command
    }

    /// Starts `binary` with `arguments`.
    pub fn start(&self, binary: &str, arguments: &[&str]) -> Process {
        let mut child = Command::new(binary)
            .args(arguments)
            .env_clear()
            .envs(self.variables())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let error = child.stderr.take().expect("piped");
        Process(child, BufReader::new(error))
    }

    /// Starts an engine that trades a generated market, and looks at nothing.
    pub fn engine(&self, more: &[&str]) -> Process {
        let arguments = ["run", "--headless", "--for", "10m", "--rate", "500", "--param", "warm_up=500ms"];
        self.start(env!("CARGO_BIN_EXE_trading"), &[&arguments, more].concat())
    }

    /// Starts a service's process on ports that the system chooses; it logs JSON.
    pub fn service(&self, binary: &str) -> Process {
        self.start(binary, &["--port", "0", "--log-format", "json", "--log-filter", "info"])
    }

    /// Opens the four ports, on numbers that the system chooses.
    pub fn ports(&self) -> Ports {
        let stopwatch = Stopwatch::calibrate();
        let clock = LiveClock::new(stopwatch);
        Ports::start(0, Ground { settings: &self.settings(), ipc: &self.ipc(), clock, stopwatch })
            .expect("threads")
    }
}

/// A child that is killed when the test ends, however it ends.
pub struct Process(Child, BufReader<ChildStderr>);

impl Process {
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process");
        rustix::process::kill_process(id, signal).expect("it lives");
    }

    /// Waits for its end; gives its exit code and what it said on standard error.
    pub fn wait(mut self) -> (Option<i32>, String) {
        let status = until("the process ends", || self.0.try_wait().expect("waited"));
        let mut text = String::new();
        self.1.read_to_string(&mut text).expect("text");
        (status.code(), text)
    }

    /// Reads its log, JSON lines on standard error, up to the one that `wanted` likes.
    pub fn log(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut text = String::new();
        while self.1.read_line(&mut text).expect("read") > 0 {
            let entry: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{what}: {text}"));
            if wanted(&entry) {
                return entry;
            }
            text.clear();
        }
        panic!("never logged: {what}");
    }

    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().expect("waited").is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where `service` listens, once it is ready.
pub fn endpoint(ports: &Ports, service: &str) -> String {
    let told = ports.told().iter().find(|told| told.service == service).expect("a service");
    until(&format!("{service} is ready: {:?}", told.readiness.borrow().state), || {
        let readiness = told.readiness.borrow();
        readiness.state.is_ok().then(|| readiness.endpoint.clone()).flatten()
    })
}

/// Where `service` answers HTTP.
pub fn http(ports: &Ports, service: &str) -> SocketAddr {
    let place = SERVICES.iter().position(|name| *name == service).expect("a service");
    ports.http().expect("it listens").addresses()[place]
}

/// A GET; status and body.
pub fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
    (status, body)
}

/// A client of a request port.
pub struct Client {
    socket: zmq::Socket,
    next: u64,
    /// Pushes that came while a reply was waited for.
    pub pushes: Vec<Value>,
}

impl Client {
    pub fn connect(context: &zmq::Context, endpoint: &str) -> Self {
        let socket = context.socket(zmq::DEALER).expect("a socket");
        socket.set_linger(0).expect("set");
        socket.set_rcvtimeo(i32::try_from(PATIENCE.as_millis()).expect("fits")).expect("set");
        socket.connect(endpoint).expect("connected");
        Self { socket, next: 0, pushes: Vec::new() }
    }

    pub fn send(&self, frames: &[&[u8]]) {
        self.socket.send_multipart(frames, 0).expect("sent");
    }

    pub fn receive(&self) -> Value {
        let bytes = self.socket.recv_bytes(0).expect("a message in time");
        serde_json::from_slice(&bytes).expect("json")
    }

    /// Asks, and waits for the reply to this request.
    pub fn ask(&mut self, op: &str, mut fields: Value) -> Value {
        self.next += 1;
        let id = self.next.to_string();
        fields["id"] = json!(id);
        fields["op"] = json!(op);
        self.send(&[fields.to_string().as_bytes()]);
        loop {
            let message = self.receive();
            if message["push"].is_string() {
                self.pushes.push(message);
            } else if message["id"] == json!(id) {
                return message;
            }
        }
    }

    /// Asks for something that must be done; gives the result.
    pub fn done(&mut self, op: &str, fields: Value) -> Value {
        let reply = self.ask(op, fields);
        assert_eq!(reply["ok"], json!(true), "{op}: {reply}");
        reply["result"].clone()
    }

    /// Asks for something that must be refused; gives the code.
    pub fn refused(&mut self, op: &str, fields: Value) -> String {
        let reply = self.ask(op, fields);
        assert_eq!(reply["ok"], json!(false), "{op}: {reply}");
        reply["error"]["code"].as_str().expect("a code").to_owned()
    }

    /// The next push that `wanted` likes.
    pub fn push(&mut self, what: &str, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        for _ in 0..1_000_000 {
            let push = if self.pushes.is_empty() { self.receive() } else { self.pushes.remove(0) };
            if push["push"].is_string() && wanted(&push) {
                return push;
            }
        }
        panic!("never pushed: {what}");
    }
}

/// A subscriber of market data.
pub struct Subscriber(zmq::Socket);

impl Subscriber {
    pub fn connect(context: &zmq::Context, endpoint: &str, topic: &str) -> Self {
        let socket = context.socket(zmq::SUB).expect("a socket");
        socket.set_linger(0).expect("set");
        socket.set_rcvtimeo(i32::try_from(PATIENCE.as_millis()).expect("fits")).expect("set");
        socket.connect(endpoint).expect("connected");
        socket.set_subscribe(topic.as_bytes()).expect("subscribed");
        Self(socket)
    }

    pub fn receive(&self) -> (String, Value) {
        let frames = self.0.recv_multipart(0).expect("a message in time");
        assert_eq!(frames.len(), 2);
        let topic = String::from_utf8(frames[0].clone()).expect("text");
        (topic, serde_json::from_slice(&frames[1]).expect("json"))
    }
}
