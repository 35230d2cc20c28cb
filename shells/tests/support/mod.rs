//! What the tests of the command line share: the binary, recorded or generated tapes, and scratch directories.

#![allow(dead_code)] // Each test binary uses its own part.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use engine::domain::Nanos;
use engine::venue::generated::GeneratedMarket;
use engine::venue::replay::{TapeSource, TapeWriter};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Runs `trading` with `arguments`, with no setting of the outer environment and its files under `home`.
pub fn trading(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trading"))
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .env("TRADING_IPC_DIR", home.join("ipc"))
        .env("TRADING_DATA_DIR", home.join("data"))
        .output()
        .expect("the binary runs")
}

/// Its standard output, which must tell of success.
pub fn success(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "exit {:?}: {error}", output.status.code());
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// Runs `trading … --json` and reads what it prints.
pub fn json(home: &Path, arguments: &[&str]) -> Value {
    let text = success(&trading(home, &[arguments, &["--json"]].concat()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// The folder of recorded data, or `None` with a word about it.
pub fn recorded() -> Option<PathBuf> {
    let data = std::env::var_os("TRADING_TEST_DATA").map(PathBuf::from);
    if data.is_none() {
        println!("TRADING_TEST_DATA is not set: this test runs on generated captures");
    }
    data
}

/// Every recorded tape, or one generated one under `scratch`.
pub fn tapes(scratch: &Path) -> Vec<PathBuf> {
    let Some(data) = recorded() else { return vec![generated(scratch, 60)] };
    let mut tapes: Vec<PathBuf> =
        fs::read_dir(data.join("tape")).expect("tapes").flatten().map(|entry| entry.path()).collect();
    tapes.sort();
    assert!(tapes.len() >= 11, "{tapes:?}");
    tapes
}

/// The recorded tape called `name`, or a generated one.
pub fn tape(scratch: &Path, name: &str) -> PathBuf {
    recorded().map_or_else(|| generated(scratch, 60), |data| data.join(format!("tape/{name}.tsv.gz")))
}

/// A generated capture of `seconds`.
pub fn generated(scratch: &Path, seconds: i64) -> PathBuf {
    generated_of(scratch, &["BTCUSDT", "ETHUSDT"], seconds)
}

/// A generated capture of `symbols`.
pub fn generated_of(scratch: &Path, symbols: &[&str], seconds: i64) -> PathBuf {
    generated_at(scratch, symbols, (Nanos(1_700_000_000_000_000_000), seconds), |received| received)
}

/// The same from `start` on, each frame `received` when that says of its time.
pub fn generated_at(
    scratch: &Path,
    symbols: &[&str],
    (start, seconds): (Nanos, i64),
    received: impl Fn(Nanos) -> Nanos,
) -> PathBuf {
    let path = scratch.join("generated.tsv.gz");
    let mut market = GeneratedMarket::new(symbols, 7, start, 100).expect("a market");
    let mut tape = TapeWriter::create(&path).expect("a tape");
    let info = market.exchange_info();
    tape.write(start, TapeSource::Rest("http://generated/api/v3/exchangeInfo"), &info).expect("written");
    while market.next_time() < start + Nanos::from_secs(seconds) {
        market.next_frame(&mut |at, source, payload| {
            tape.write(received(at), (*source).into(), payload).expect("written");
        });
    }
    tape.finish().expect("finished");
    path
}

/// Waits until `is_so`, for as long as a slow machine may need.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..1_200 {
        if is_so() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("no {what} within a minute");
}

/// A session that trades until it is ended, with its files under `home`.
pub struct Engine(Child);

impl Engine {
    /// Starts it.
    pub fn start(home: &Path) -> Self {
        Self::start_with(home, &[])
    }

    /// Starts it with further arguments.
    pub fn start_with(home: &Path, arguments: &[&str]) -> Self {
        Self::start_by(home, &[], arguments)
    }

    /// Starts it by another program and its arguments, such as `nohup`.
    pub fn start_by(home: &Path, starter: &[&str], arguments: &[&str]) -> Self {
        let mut words = starter.iter().copied().chain([env!("CARGO_BIN_EXE_trading")]);
        let child = Command::new(words.next().expect("a program"))
            .args(words)
            .args([
                "run",
                "--for",
                "300s",
                "--rate",
                "500",
                "--param",
                "warm_up=500ms",
                "--json",
                "--headless",
            ])
            .args(arguments)
            .env_clear()
            .env("HOME", home)
            .env("TRADING_IPC_DIR", home.join("ipc"))
            .env("TRADING_DATA_DIR", home.join("data"))
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary runs");
        Self(child)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("it is ours");
    }

    /// Ends it in good order.
    pub fn end(self) {
        self.signal(Signal::INT);
        self.wait();
    }

    /// Waits for its end in good order.
    pub fn wait(mut self) {
        assert!(self.0.wait().expect("it ends").success());
    }
}

impl Engine {
    /// Kills it, and waits until it is gone.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
