//! What a session leaves for the next one at a venue with accounts of its own, and how risk's latches are let go.

mod stack;

use engine::counters::{HaltReader, HaltState};
use engine::domain::Nanos;
use rustix::process::Signal;
use serde_json::Value;
use shells::config::Venue;
use shells::operator::log::wall_clock;
use shells::{predecessor, session};
use stack::{Home, endpoint, look, until};

const DAY: Nanos = Nanos::from_secs(86_400);

/// How risk's own page stands.
fn risk_page(home: &Home) -> Option<HaltState> {
    HaltReader::attach(&home.ipc().halts("risk")).ok().map(|page| page.global())
}

/// `trading resume`, told of the port of risk.
fn resume(home: &Home, risk: &str) -> String {
    let mut command = home.trading(&["resume", "--reason", "a test"]);
    let output = command.env("TRADING_RISK_MANAGEMENT_ENDPOINT", risk).output().expect("the binary runs");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_session_that_traded_or_was_halted_is_asked_about_before_the_next_one_trades() {
    let home = Home::new();
    // The first loss of a cent is the day's.
    let engine = home.engine(&["--max-daily-loss", "0.01"]);
    until("the day's loss", || risk_page(&home).filter(|state| *state > HaltState::Active));
    let ports = home.ports();
    let risk = endpoint(&ports, "risk_management");
    until("risk's port", || resume(&home, &risk).contains("risk's latch is cleared").then_some(()));
    // Nobody listens on the first port.
    until("the day's loss again", || risk_page(&home).filter(|state| *state > HaltState::Active));
    let told = resume(&home, "tcp://127.0.0.1:1");
    assert!(told.contains("risk's latch stands: tcp://127.0.0.1:1 does not answer"), "{told}");
    ports.stop();
    let positions = look(&home, &["positions"]);
    engine.signal(Signal::TERM);
    engine.wait();

    let places = home.settings().places;
    let now = wall_clock();
    let left = |venue, epoch, now| predecessor::left(&places, venue, epoch, now).expect("read");
    assert_eq!(left(Venue::Simulated, 2, now), None, "an exchange that forgets");
    assert_eq!(left(Venue::Binance, 1, now), None, "nothing was before");
    let text = left(Venue::Binance, 2, now).expect("something was left");
    assert!(text.starts_with("session 1: ") && text.contains(" by DAY_LOSS"), "{text}");
    assert!(text.contains("traded today"), "{text}");
    let tomorrow = left(Venue::BinanceTestnet, 2, now + DAY).expect("something was left");
    assert!(!tomorrow.contains("today"), "{tomorrow}");
    for position in positions.as_array().expect("rows").iter().filter(|row| row["strategy"] == Value::Null) {
        let held = format!(
            "{} {}",
            position["quantity"].as_str().expect("text"),
            position["symbol"].as_str().expect("text")
        );
        assert_eq!(
            tomorrow.contains(&held),
            !held.trim_matches(['0', '.']).starts_with(' '),
            "{held}: {tomorrow}"
        );
    }

    // What it held cannot be read: nobody knows.
    let directory = session::of_epoch(&places, 1).expect("a session");
    let entries = std::fs::read_dir(directory.join("route")).expect("segments").flatten();
    let mut segments: Vec<_> = entries.map(|entry| entry.path()).collect();
    segments.sort();
    let (segment, mut bytes) = segments
        .iter()
        .map(|path| (path, std::fs::read(path).expect("read")))
        .find(|(_, bytes)| !bytes.is_empty())
        .expect("one with records");
    let middle = bytes.iter().rposition(|byte| *byte != 0).expect("records") / 2;
    bytes[middle] ^= 1;
    std::fs::write(segment, bytes).expect("written");
    assert!(predecessor::left(&places, Venue::Binance, 2, now).is_err());
}
