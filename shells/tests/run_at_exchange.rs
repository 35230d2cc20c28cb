//! `trading run` at a `simulated_exchange` over sockets, the whole system in one process: at the end the exchange's own
//! books equal ours, and the session replays to its own hash; and on paper our fills follow its market data, and it never
//! hears of an order.

mod stack;

use std::path::{Path, PathBuf};

use clap::Parser;
use engine::clock::Stopwatch;
use engine::clock::tsc::LiveClock;
use engine::domain::Nanos;
use engine::journal::{
    EpochStart, InputRecord, InstrumentRow, Journal, JournalReader, JournalWriter, Payload, Record,
    SegmentOptions, Unsent,
};
use engine::message::Answer;
use engine::message::answer::AnswerKind;
use engine::shm::paths::IpcPaths;
use engine::venue::replay::{TapeReader, TapeWriter};
use rustix::process::Signal;
use serde_json::{Value, json};
use shells::cli::args::RunArgs;
use shells::config::{AllFlags, Environment, Secrets, Settings};
use shells::run::live::Live;
use shells::run::{Backing, Plan};
use shells::session::{Session, TAPE};
use shells::trade::Trading;
use shells::venue::Way;
use stack::books::{Books, rows};
use stack::exchange::Exchange;
use stack::{Home, PATIENCE_WITH_FILLS, Process, look, until, until_within};

const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];

fn run(home: &Home, venue: &[String], more: &[&str]) -> Process {
    let own = ["run", "--headless", "--for", "10m", "--param", "warm_up=500ms"];
    let venue: Vec<&str> = venue.iter().map(String::as_str).collect();
    home.start(env!("CARGO_BIN_EXE_trading"), &[&own[..], &venue, more].concat())
}

/// The books of both sides, once nothing moves any more.
fn books(home: &Home, exchange: &Exchange, process: &mut Process) -> (Books, Books) {
    until("six fills", || {
        assert!(process.is_running(), "it ended by itself");
        (rows(home, &["fills"]).len() >= 6).then_some(())
    });
    assert_eq!(look(home, &["halt", "--reason", "the day is over"])["state"], "HALTED");
    until("nothing is open", || {
        let open = exchange.signed("/api/v3/openOrders", "");
        (open == json!([]) && rows(home, &["orders"]).is_empty()).then_some(())
    });
    (Books::of_exchange(exchange, &SYMBOLS), Books::of_journals(home))
}

#[test]
fn the_exchanges_books_equal_ours() {
    for (secure, placement) in [(true, "shared"), (false, "dedicated")] {
        let home = Home::new();
        let exchange = Exchange::start(&home, &["--rate", "300", "--limits", "100"]);
        let mut process = run(&home, &exchange.flags(secure), &["--placement", placement]);
        let (theirs, ours) = books(&home, &exchange, &mut process);
        assert!(ours.fills.len() >= 6 && ours.orders.len() > 6);
        assert_eq!(theirs.differences(&ours), Vec::<String>::new());
        // The check sees a fill that is missing.
        let mut planted = ours;
        planted.fills.pop_last();
        assert_eq!(theirs.differences(&planted).len(), 1);
        process.signal(Signal::INT);
        let (code, said) = process.wait();
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(Books::of_exchange(&exchange, &SYMBOLS), theirs, "its end changes nothing");
    }
}

/// Faults of the connection while it trades: an answer that is lost, a session that breaks in the middle of one, the
/// end of a day, and the end of all sessions, for which REST stands in. With each, how often what happened without a
/// connection has been settled while it lasts, and then.
const FAULTS: [(&str, [u64; 2]); 4] = [
    ("fault=lost-ack&method=order.place&count=1", [1, 1]),
    ("fault=disconnect&method=order.place&bytes=17&count=1", [1, 2]),
    ("fault=day-cut", [2, 3]),
    ("fault=no-websocket-api", [4, 5]),
];

/// A session with fills before, between and after the faults, to its end in order; its directory.
fn session_with_faults(home: &Home, exchange: &Exchange) -> PathBuf {
    let mut process = run(home, &exchange.flags(false), &["--placement", "shared"]);
    let mut fills = 0;
    let mut trade_on = |what: &str| {
        let wanted = fills + 1;
        fills = until_within(PATIENCE_WITH_FILLS, &format!("fills after {what}"), || {
            assert!(process.is_running(), "it ended by itself");
            Some(rows(home, &["fills"]).len()).filter(|&count| count >= wanted)
        });
    };
    trade_on("the start");
    for (fault, [meanwhile, then]) in FAULTS {
        let settled = |what: &str, times: u64| {
            until(&format!("{fault} {what}"), || {
                (look(home, &["counters"])["route"]["reconciled"].as_u64()? >= times).then_some(())
            });
        };
        exchange.admin("POST", &format!("/admin/faults?{fault}"));
        until(&format!("{fault} has happened"), || {
            let told = exchange.admin("GET", "/admin/faults").to_string();
            (!fault.contains("count") || told.contains("\"hits\":1")).then_some(())
        });
        settled("is lived with", meanwhile);
        if look(home, &["counters"])["route"]["stood_in"] == 1 {
            trade_on("orders went over REST");
        }
        exchange.admin("DELETE", "/admin/faults");
        settled("is settled", then);
        trade_on(fault);
    }
    process.signal(Signal::INT);
    let (code, said) = process.wait();
    assert_eq!(code, Some(0), "{said}");
    let sessions = home.path().join("data/default/sessions");
    std::fs::read_dir(&sessions).expect("sessions").flatten().next().expect("one").path()
}

/// What `trading replay` comes to: its exit code, its summary and what it complains of.
fn replay(home: &Home, session: &Path) -> (Option<i32>, Value, String) {
    let session = session.to_str().expect("a path");
    let output = home.trading(&["replay", "--json", session]).output().expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default(), said)
}

fn records(log: &Path) -> Vec<Record> {
    JournalReader::open(log).expect("a journal").map(|record| record.expect("a record")).collect()
}

/// Writes the input log in `log` with what `change` makes of its answers, without those it makes nothing of, and behind
/// `planted`.
fn rewrite(
    home: &Home,
    log: &Path,
    was: &[Record],
    planted: Option<Unsent>,
    change: impl Fn(usize, Answer) -> Option<Answer>,
) {
    fn put<P: Payload>(journal: &mut Journal, record: &Record, payload: Option<P>) {
        if let Some(payload) = payload {
            journal.append(record.at, record.elapsed, &payload).expect("room");
        }
    }
    std::fs::remove_dir_all(log).expect("removed");
    let (ring, cursor) = (home.path().join("planted.ring"), home.path().join("planted.cursor"));
    let options = SegmentOptions { sync: false, ..SegmentOptions::new("input") };
    let mut writer = JournalWriter::open(log, &options, &ring, &cursor).expect("a writer");
    let mut journal = Journal::create(&ring, &cursor, 1 << 16, was[0].epoch, 1).expect("a journal");
    writer.attach().expect("attached");
    let mut answers = 0..;
    put(&mut journal, &was[0], planted);
    for record in was {
        put(&mut journal, record, record.read::<EpochStart>());
        put(&mut journal, record, record.read::<InstrumentRow>());
        put(&mut journal, record, record.read::<InputRecord>());
        put(&mut journal, record, record.read::<Unsent>());
        let answer = record.read::<Answer>();
        put(&mut journal, record, answer.and_then(|answer| change(answers.next()?, answer)));
        if journal.free() == 0 {
            while writer.drain().expect("written") > 0 {}
        }
    }
    while writer.drain().expect("written") > 0 {}
    writer.retire().expect("ended");
}

#[test]
fn a_session_at_the_exchange_replays_to_its_own_hash() {
    let home = Home::new();
    let exchange = Exchange::start(&home, &["--rate", "600", "--limits", "100"]);
    let session = session_with_faults(&home, &exchange);
    let text = std::fs::read(session.join("session.json")).expect("a session");
    let file: Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(
        (&file["lost"], &file["placement"], &file["recv_window_ms"]),
        (&json!(0), &json!("shared"), &json!(5_000))
    );
    let (code, again, said) = replay(&home, &session);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(again["state_hash"], file["state_hash"]);
    assert!(again["fills"].as_u64() >= Some(4), "{again}");

    // What no tape tells was recorded, and took part.
    let log = session.join("input");
    let was = records(&log);
    let answers: Vec<Answer> = was.iter().filter_map(Record::read::<Answer>).collect();
    let count = |kind: AnswerKind| answers.iter().filter(|answer| answer.kind == kind.code()).count();
    assert!(count(AnswerKind::Connected) >= 3 && count(AnswerKind::OpenOrdersTold) >= 3);
    assert!(count(AnswerKind::Disconnected) >= 2 && count(AnswerKind::StoodIn) >= 1);

    // The checker can fail: a changed fee comes to another hash; an event that is gone, or a request that should not have
    // left and was not made, is missed.
    let trade = answers.iter().position(|answer| answer.kind == AnswerKind::Trade.code()).expect("a trade");
    let dearer =
        |number, answer: Answer| Some(Answer { fee: answer.fee + i64::from(number == trade), ..answer });
    rewrite(&home, &log, &was, None, dearer);
    let (code, _, said) = replay(&home, &session);
    assert!(code == Some(1) && said.contains("live it came to state hash"), "{code:?} {said}");
    rewrite(&home, &log, &was, None, |number, answer| (number != trade).then_some(answer));
    let (code, _, said) = replay(&home, &session);
    assert!(code == Some(1) && said.contains("answers where"), "{code:?} {said}");
    rewrite(&home, &log, &was, Some(Unsent::new(2)), |_, answer| Some(answer));
    let (code, _, said) = replay(&home, &session);
    assert!(code == Some(1) && said.contains("did not come to request 2"), "{code:?} {said}");
    rewrite(&home, &log, &was, None, |_, answer| Some(answer));
    assert_eq!(replay(&home, &session).0, Some(0), "what was not changed replays");
}

/// The tape of a session, line by line.
fn tape(session: &Path) -> Vec<String> {
    let mut reader = TapeReader::open(&session.join(TAPE)).expect("a tape");
    let mut lines = Vec::new();
    while let Some(line) = reader.next().expect("whole") {
        lines.push(format!("{:?} {}", line.source, line.text()));
    }
    lines
}

#[test]
fn a_session_on_market_data_in_sbe_replays_to_its_own_hash() {
    let home = Home::new();
    let exchange = Exchange::start(&home, &["--rate", "600"]);
    let flags = ["--placement", "shared", "--market-data-format", "sbe"];
    let mut process = run(&home, &exchange.flags(false), &flags);
    until_within(PATIENCE_WITH_FILLS, "fills", || {
        assert!(process.is_running(), "it ended by itself");
        (rows(&home, &["fills"]).len() >= 4).then_some(())
    });
    process.signal(Signal::INT);
    let (code, said) = process.wait();
    assert_eq!(code, Some(0), "{said}");
    let sessions = home.path().join("data/default/sessions");
    let session = std::fs::read_dir(&sessions).expect("sessions").flatten().next().expect("one").path();
    let file = std::fs::read(session.join("session.json")).expect("a session");
    let file: Value = serde_json::from_slice(&file).expect("JSON");
    let (code, again, said) = replay(&home, &session);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!((&file["lost"], &again["state_hash"]), (&json!(0), &file["state_hash"]));
    let is = |line: &str, start: &str| line.starts_with(start);
    let lines = tape(&session);
    assert!(lines.iter().filter(|line| is(line, "Sbe ")).count() > 100, "it was not in SBE");
    assert!(!lines.iter().any(|line| is(line, "Stream ") && line.contains("depthUpdate")));
}

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    run: RunArgs,
}

/// `trading run --venue paper`, but that its market data come from the exchange of the test.
fn paper(home: &Home, exchange: &Exchange, format: &str) -> (Live, Plan) {
    let venue = exchange.flags(true);
    let text = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
    let environment: Environment = [
        ("HOME", text(home.path().to_owned())),
        ("TRADING_IPC_DIR", text(home.path().join("ipc"))),
        ("TRADING_DATA_DIR", text(home.path().join("data"))),
        ("TRADING_EXCHANGE_ENDPOINT", venue[1].clone()),
        ("TRADING_EXCHANGE_CA_FILE", venue[3].clone()),
        ("TRADING_MARKET_DATA_FORMAT", format.to_owned()),
    ]
    .into_iter()
    .collect();
    let settings =
        Settings::resolve(&AllFlags::default(), &environment, Secrets::Withhold).expect("settings");
    let args = Flags::parse_from(["run", "--headless", "--param", "warm_up=500ms"]).run;
    let trading = Trading::of(&settings, &args.parameters).expect("what trades");
    let stopwatch = Stopwatch::calibrate();
    let mut clock = LiveClock::new(stopwatch);
    let way = Way::of(&settings).expect("a way");
    let listing = way.ask_listing(&trading.symbols, &mut clock).expect("a listing");
    let ipc = IpcPaths::new(&settings.places.ipc);
    ipc.create().expect("made");
    let (session, epoch) = Session::create(&settings.places, settings.sessions_kept, 0).expect("a session");
    let tape = TapeWriter::create(&session.tape()).expect("a tape");
    let instruments = std::sync::Arc::clone(&listing.instruments);
    let plan = Plan::new(&settings, trading, instruments, ipc, (session, epoch), (stopwatch, clock));
    let live = Live::start(&plan, Backing::Paper(way, listing), (&args, &settings), tape).expect("it starts");
    (live, plan)
}

#[test]
fn paper_fills_by_the_exchanges_market_data_alone() {
    for format in ["json", "sbe"] {
        paper_fills_by(format);
    }
}

fn paper_fills_by(format: &str) {
    let home = Home::new();
    let exchange = Exchange::start(&home, &["--rate", "300"]);
    let (live, plan) = paper(&home, &exchange, format);
    let fills = until("fills", || {
        let fills = rows(&home, &["fills"]);
        (fills.len() >= 4).then_some(fills)
    });
    live.end(&plan.trading, &plan.instruments, &plan.ipc, Nanos::from_secs(1)).expect("it reconciles");
    let in_sbe = tape(plan.session.directory()).iter().any(|line| line.starts_with("Sbe "));
    assert_eq!(in_sbe, format == "sbe");
    for symbol in SYMBOLS {
        assert_eq!(exchange.signed("/api/v3/allOrders", &format!("symbol={symbol}")), json!([]));
        // Every fill was at a price of that market: near where it stands now.
        let told = exchange.public(&format!("/api/v3/ticker/price?symbol={symbol}"));
        let number =
            |value: &Value| value.as_str().and_then(|text| text.parse::<f64>().ok()).expect("a price");
        for fill in fills.iter().filter(|fill| fill["symbol"] == symbol) {
            assert!((number(&fill["price"]) / number(&told["price"]) - 1.0).abs() < 0.02, "{fill}, {told}");
        }
    }
}
