//! The whole system at a `simulated_exchange` over sockets: at the end the exchange's own books equal ours, to the last
//! unit; so they do after every fault of the connection, and no key was written anywhere.

mod stack;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use stack::books::{Books, rows};
use stack::exchange::Exchange;
use stack::{Home, PATIENCE_WITH_FILLS, get, until, until_within};

const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];

/// The services, in an order in which each stops before those that it needs.
const SERVICES: [(&str, &str); 4] = [
    ("strategy_engine", env!("CARGO_BIN_EXE_strategy_engine")),
    ("risk_management", env!("CARGO_BIN_EXE_risk_management_service")),
    ("order_execution", env!("CARGO_BIN_EXE_order_execution_service")),
    ("market_data", env!("CARGO_BIN_EXE_market_data_service")),
];

/// A process whose log is a file; killed when the test ends, however it ends.
struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    fn start(home: &Home, name: &str, binary: &str, flags: &[String]) -> Self {
        let log = home.path().join(format!("{name}.log"));
        let own = ["--host-agent", "--port", "0", "--log-format", "json", "--param", "warm_up=500ms"];
        let child = Command::new(binary)
            .args(own)
            .args(flags)
            .env_clear()
            .env("HOME", home.path())
            .env("TRADING_IPC_DIR", home.path().join("ipc"))
            .env("TRADING_DATA_DIR", home.path().join("data"))
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).expect("a log"))
            .spawn()
            .expect("the binary starts");
        Self { child, log }
    }

    /// What it has logged.
    fn entries(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.log).expect("the log");
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| json!({ "raw": line })))
            .collect()
    }

    /// Where it answers HTTP, once it is ready.
    fn ready(&mut self) -> std::net::SocketAddr {
        until(&format!("{} is ready", self.log.display()), || {
            assert!(self.child.try_wait().expect("waited").is_none(), "{:?}", self.entries());
            let entries = self.entries();
            let told = entries.iter().rev().find(|entry| entry["fields"]["message"] == json!("ready"))?;
            Some(told["fields"]["http"].as_str().expect("text").parse().expect("an address"))
        })
    }

    fn stop(mut self) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(id, Signal::TERM).expect("it lives");
        let status = until("it ends", || self.child.try_wait().expect("waited"));
        assert_eq!(status.code(), Some(0), "{:?}", self.entries());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An exchange and the services that trade there.
struct System {
    exchange: Exchange,
    services: Vec<Daemon>,
    /// What the services said of themselves over HTTP.
    said: PathBuf,
    home: Home,
}

impl System {
    fn start(secure: bool) -> Self {
        let home = Home::new();
        let exchange = Exchange::start(&home, &["--rate", "300", "--limits", "100"]);
        let flags = exchange.flags(secure);
        let start = |(name, binary): (&str, &str)| Daemon::start(&home, name, binary, &flags);
        let services = SERVICES.map(start).into_iter().collect();
        let said = home.path().join("metrics.txt");
        let mut system = Self { exchange, services, said, home };
        for service in &mut system.services {
            let _ = service.ready();
        }
        system
    }

    fn fills(&self) -> usize {
        rows(&self.home, &["fills", "--limit", "1000000"]).len()
    }

    /// Waits until so many more fills are known here.
    fn trade_on(&self, what: &str, more: usize) {
        let before = self.fills();
        until_within(PATIENCE_WITH_FILLS, what, || (self.fills() >= before + more).then_some(()));
    }

    /// The figure of a metric that is told once.
    fn metric(&mut self, service: &str, line: &str) -> f64 {
        let place = SERVICES.iter().position(|(name, _)| *name == service).expect("a service");
        let (status, text) = get(self.services[place].ready(), "/metrics");
        assert_eq!(status, 200);
        let told = text.lines().find_map(|told| told.strip_prefix(line));
        let value = told.unwrap_or_else(|| panic!("{line}: {text}")).trim().parse().expect("a number");
        let before = fs::read_to_string(&self.said).unwrap_or_default();
        fs::write(&self.said, before + &text).expect("written");
        value
    }

    /// Ends in order: the strategies cancel, and nothing is open any more.
    fn stop(mut self) -> (Home, Exchange) {
        self.services.remove(0).stop();
        until("nothing is open", || {
            let open = self.exchange.signed("/api/v3/openOrders", "");
            open.as_array().expect("a list").is_empty().then_some(())
        });
        until("we know it", || {
            let orders = rows(&self.home, &["orders"]);
            orders.is_empty().then_some(())
        });
        self.services.drain(..).for_each(Daemon::stop);
        (self.home, self.exchange)
    }
}

/// Whatever the two books differ in; they must hold something.
fn held(home: &Home, exchange: &Exchange) -> (Books, Books) {
    let theirs = Books::of_exchange(exchange, &SYMBOLS);
    let ours = Books::of_journals(home);
    assert!(!ours.fills.is_empty() && ours.orders.len() > ours.fills.len() / 2, "nothing was traded");
    (theirs, ours)
}

/// Files under `directory`, but for those in which keys are kept, that hold one of `secrets`.
fn leaks(directory: &Path, secrets: &[String]) -> Vec<PathBuf> {
    const KEPT: [&str; 2] = ["simulated_exchange.json", "certificate.key"];
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(next) = pending.pop() {
        for entry in fs::read_dir(&next).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                pending.push(path);
            } else if !KEPT.iter().any(|kept| path.ends_with(kept)) {
                let bytes = fs::read(&path).expect("a file");
                let holds =
                    |secret: &String| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
                if secrets.iter().any(holds) {
                    found.push(path);
                }
            }
        }
    }
    found
}

/// Everything of the account's keys that nobody may see.
fn secrets(exchange: &Exchange) -> Vec<String> {
    let keys = exchange.keys();
    let text = |kind: &str, name: &str| keys[kind][name].as_str().expect("a key").to_owned();
    let pem = text("ed25519", "private_key");
    let body = pem.lines().find(|line| !line.starts_with('-')).expect("a key").to_owned();
    vec![text("hmac", "secret"), text("hmac", "api_key"), text("ed25519", "api_key"), body]
}

#[test]
fn the_exchanges_books_equal_ours_and_no_key_is_written() {
    for secure in [false, true] {
        let mut system = System::start(secure);
        system.trade_on(if secure { "fills over TLS" } else { "fills" }, 6);
        assert!(system.metric("order_execution", "trading_rate_limit_used_ratio{limit=\"orders\"}") > 0.0);
        assert_eq!(system.metric("market_data", "trading_feed_reconnects_total"), 0.0);
        assert!(system.metric("order_execution", "trading_venue_clock_offset_seconds").abs() < 60.0);
        let (home, exchange) = system.stop();
        let (theirs, ours) = held(&home, &exchange);
        assert_eq!(theirs.differences(&ours), Vec::<String>::new());

        // The check sees a fill that was dropped, one that is wrong by one unit, and an order that stands twice.
        let mut planted = ours.clone();
        let last = planted.fills.pop_last().expect("a fill");
        assert_eq!(theirs.differences(&planted).len(), 1);
        planted.fills.insert(last.0, (last.1.0, last.1.1, last.1.2, last.1.3, last.1.4 + 1, last.1.5));
        assert_eq!(theirs.differences(&planted).len(), 1);
        let mut planted = theirs.clone();
        planted.doubled.insert("t-1-2-1-1".to_owned());
        assert_eq!(planted.differences(&ours).len(), 1);

        let mut secrets = secrets(&exchange);
        assert_eq!(leaks(home.path(), &secrets), Vec::<PathBuf>::new());
        // It sees what is there.
        secrets.push("\"message\":\"ready\"".to_owned());
        assert_eq!(leaks(home.path(), &secrets).len(), SERVICES.len());
    }
}

#[test]
fn faults_of_the_connection_end_with_equal_books() {
    let mut system = System::start(false);
    system.trade_on("fills", 5);
    for fault in [
        "fault=lost-ack&method=order.place&count=1",
        "fault=disconnect&method=order.place&bytes=17&count=1",
        "fault=disconnect&method=order.cancel&count=1",
        "fault=lost-request&method=order.place&count=1",
        "fault=half-open&method=order.place&count=1",
        "fault=server-shutdown&ms=1000",
        "fault=day-cut",
    ] {
        system.exchange.admin("POST", &format!("/admin/faults?{fault}"));
        if fault.contains("count") {
            until(&format!("{fault} has happened"), || {
                let told = system.exchange.admin("GET", "/admin/faults").to_string();
                told.contains("\"hits\":1").then_some(())
            });
        }
        system.exchange.admin("DELETE", "/admin/faults");
        system.trade_on(&format!("trading goes on after {fault}"), 3);
    }
    // The feed is cut as well, by the last two; orders may go on before it has noticed, and what it counts is shown later.
    until("the feed has connected anew twice", || {
        (system.metric("market_data", "trading_feed_reconnects_total") >= 2.0).then_some(())
    });
    let (home, exchange) = system.stop();
    let (theirs, ours) = held(&home, &exchange);
    assert_eq!(theirs.differences(&ours), Vec::<String>::new());
}
