//! `trading run` at a `simulated_exchange` over sockets, the whole system in one process: at the end the exchange's own
//! books equal ours; and on paper our fills follow its market data, and it never hears of an order.

mod stack;

use clap::Parser;
use engine::clock::Stopwatch;
use engine::clock::tsc::LiveClock;
use engine::domain::Nanos;
use engine::shm::paths::IpcPaths;
use engine::venue::replay::TapeWriter;
use rustix::process::Signal;
use serde_json::{Value, json};
use shells::cli::args::RunArgs;
use shells::config::{AllFlags, Environment, Secrets, Settings};
use shells::run::live::Live;
use shells::run::{Backing, Plan};
use shells::session::Session;
use shells::trade::Trading;
use shells::venue::Way;
use stack::books::{Books, rows};
use stack::exchange::Exchange;
use stack::{Home, Process, look, until};

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

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    run: RunArgs,
}

/// `trading run --venue paper`, but that its market data come from the exchange of the test.
fn paper(home: &Home, exchange: &Exchange) -> (Live, Plan) {
    let venue = exchange.flags(true);
    let text = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
    let environment: Environment = [
        ("HOME", text(home.path().to_owned())),
        ("TRADING_IPC_DIR", text(home.path().join("ipc"))),
        ("TRADING_DATA_DIR", text(home.path().join("data"))),
        ("TRADING_EXCHANGE_ENDPOINT", venue[1].clone()),
        ("TRADING_EXCHANGE_CA_FILE", venue[3].clone()),
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
    let home = Home::new();
    let exchange = Exchange::start(&home, &["--rate", "300"]);
    let (live, plan) = paper(&home, &exchange);
    let fills = until("fills", || {
        let fills = rows(&home, &["fills"]);
        (fills.len() >= 4).then_some(fills)
    });
    live.end(&plan.trading, &plan.instruments, &plan.ipc, Nanos::from_secs(1)).expect("it reconciles");
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
