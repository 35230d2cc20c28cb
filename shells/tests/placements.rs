//! `trading run`, on one thread and on several, and the services, each agent in a process of its own, have the same
//! fills and positions on the same stepped tape.
//!
//! The exchange plays the tape one moment at a time, and the next comes when nobody has anything left to do. The
//! strategy takes: what it trades with comes off the market's best quantities, but is too little to change its mind.
//! So nothing that takes a different time in another placement can lead to another fill.

mod stack;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use engine::book::BookCell;
use engine::counters::{CellReader, CounterReader, HeartbeatReader};
use engine::domain::Nanos;
use engine::venue::generated::GeneratedMarket;
use engine::venue::replay::{TapeSource, TapeWriter};
use rustix::process::Signal;
use serde_json::Value;
use stack::exchange::Exchange;
use stack::hosting::{SERVICES, hosting_as_told, ready};
use stack::{Home, Process, look, until};

const SYMBOL: &str = "BTCUSDT";

/// Times that one side of the book weighs more, and for how long: two moments, because the strategy goes by what held
/// until the present one. Between them both sides weigh the same, and it leaves.
const SWINGS: usize = 12;

/// Moments before them, in which the book must become known: that takes a connection and some changes of it.
const STILL: usize = 3_000;

/// Levels of a side.
const LEVELS: i64 = 10;

/// It enters at three quarters and leaves at a quarter; the tape has 0.8, 0 and -0.8.
const STRATEGY: [&str; 20] = [
    "--strategy",
    "book_imbalance",
    "--param",
    "half_life=1ms",
    "--param",
    "between=1ms",
    "--param",
    "entry=0.75",
    "--param",
    "max_spread_bps=100",
    "--param",
    "stop_bps=10000",
    "--param",
    "max_hold=24h",
    "--param",
    "order_size=5000",
    "--max-position-size",
    "1000000",
    "--max-daily-loss",
    "1000000",
];

/// A parameter with which it trades, and one with which it trades otherwise.
const LEAVES: &str = "exit=0.25";
const STAYS: &str = "exit=-0.5";

/// Who does something, and which of their counters grow when they do.
const AGENTS: [(&str, &[&str]); 4] = [
    ("ingest", &["ticks"]),
    ("strategy", &["intents"]),
    ("risk", &["orders", "cancels", "rejected", "reports", "ticks"]),
    ("route", &["sent", "live_orders", "fills"]),
];

/// An agent's counters are shown at most this late.
const SHOWN: Nanos = Nanos::from_millis(100);

/// The market at a moment: the best bid in hundredths, and hundredths of the best quantities.
#[derive(Clone, Copy)]
struct Moment {
    bid: i64,
    quantities: [i64; 2],
}

/// A walk that leans to one side and the other, with rest between.
fn moments() -> Vec<Moment> {
    let (mut bid, mut draw) = (6_000_000, 7_u64);
    let still = |at: usize| Moment { bid, quantities: [400 + (at % 2) as i64; 2] };
    let mut moments: Vec<_> = (0..STILL).map(still).collect();
    for swing in 0..2 * SWINGS + 2 {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bid += (draw >> 33) as i64 % 2_001 - 1_000;
        let quantities = match (swing % 2, draw >> 62 & 1) {
            (0, _) => [500, 500],
            (_, 0) => [900, 100],
            _ => [100, 900],
        };
        moments.push(Moment { bid, quantities });
        moments.push(Moment { bid, quantities: quantities.map(|quantity| quantity + 1) });
    }
    moments
}

/// The levels of a side, best first, as Binance writes them; without quantities where they go.
fn levels(moment: &Moment, side: usize, gone: bool) -> String {
    let mut text = String::new();
    for level in 0..LEVELS {
        let price = if side == 0 { moment.bid - 10 * level } else { moment.bid + 10 * (level + 1) };
        let quantity = if gone { 0 } else { moment.quantities[side] };
        let (comma, dollars, cents) = (if level > 0 { "," } else { "" }, price / 100, price % 100);
        write!(text, r#"{comma}["{dollars}.{cents:02}","{}.{:02}"]"#, quantity / 100, quantity % 100)
            .expect("text");
    }
    text
}

/// A tape of those moments, a second apart.
fn tape(folder: &Path) -> PathBuf {
    let path = folder.join("tape.tsv.gz");
    let start = Nanos::from_secs(1_700_000_000);
    let mut tape = TapeWriter::create(&path).expect("a tape");
    let info = GeneratedMarket::new(&[SYMBOL], 1, start, 1).expect("a market").exchange_info();
    let mut rest = |url: &str, payload: &[u8]| {
        tape.write(start, TapeSource::Rest(&format!("http://test/api/v3/{url}")), payload).expect("written");
    };
    rest("exchangeInfo", &info);
    let moments = moments();
    let [bids, asks] = [0, 1].map(|side| levels(&moments[0], side, false));
    let whole = format!(r#"{{"lastUpdateId":1,"bids":[{bids}],"asks":[{asks}]}}"#);
    rest(&format!("depth?symbol={SYMBOL}&limit=1000"), whole.as_bytes());
    for (id, pair) in (2_i64..).zip(moments.windows(2)) {
        let at = start + Nanos::from_secs(id - 1);
        let change = |side| {
            let new = levels(&pair[1], side, false);
            if pair[0].bid == pair[1].bid { new } else { levels(&pair[0], side, true) + "," + &new }
        };
        let diff = format!(
            concat!(
                r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{},"s":"{}","#,
                r#""U":{},"u":{},"b":[{}],"a":[{}]}}}}"#
            ),
            at.0 / 1_000_000,
            SYMBOL,
            id,
            id,
            change(0),
            change(1)
        );
        tape.write(at, TapeSource::Stream, diff.as_bytes()).expect("written");
    }
    tape.finish().expect("finished");
    path
}

/// A fill as the exchange tells it: which of our filled orders, whether we bought, price and quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fill {
    order: usize,
    buys: bool,
    price: String,
    quantity: String,
}

/// What a session came to: its fills in their order, the account's balances, and the positions by our journals.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    fills: Vec<Fill>,
    balances: Value,
    positions: Vec<(String, String)>,
}

/// An exchange that stands still between the moments of a tape.
struct Stepped {
    exchange: Exchange,
    home: Home,
}

impl Stepped {
    fn new(tape: &Path) -> Self {
        let home = Home::new();
        let path = tape.to_str().expect("text");
        let exchange = Exchange::start(&home, &["--speed", "step", "--limits", "100", "--tape", path]);
        Self { exchange, home }
    }

    /// The exchange's book: the id of its last update.
    fn update_id(&self) -> u64 {
        let depth = self.exchange.public(&format!("/api/v3/depth?symbol={SYMBOL}&limit=5"));
        depth["lastUpdateId"].as_u64().expect("an id")
    }

    fn list(&self, path: &str) -> Vec<Value> {
        let told = self.exchange.signed(path, &format!("symbol={SYMBOL}&limit=1000"));
        told.as_array().expect("a list").clone()
    }

    /// The last update in the engine's own book; nothing before it is trusted.
    fn known(&self) -> Option<u64> {
        let cell = CellReader::<BookCell>::attach(&self.home.ipc().books()).ok()?.read(0)?;
        (cell.trusted == 1).then_some(cell.update_id)
    }

    /// What agents have done, as far as they show it, if it leaves nothing to do for anybody else.
    fn done(&self) -> Option<Vec<u64>> {
        let mut done = vec![self.update_id()];
        for (owner, names) in AGENTS {
            let counters = CounterReader::attach(&self.home.ipc().counters(owner)).ok()?;
            done.extend(names.iter().map(|name| counters.get(name).expect("a counter")));
        }
        let [update, ticks, intents, orders, cancels, rejected, _, seen, sent, live, fills] = done[..] else {
            panic!("{done:?}")
        };
        let (asked, traded) = (self.list("/api/v3/allOrders").len(), self.list("/api/v3/myTrades").len());
        let is_done = self.known() == Some(update)
            && seen == ticks
            && intents == orders + cancels + rejected
            && (sent, live, fills) == (orders, 0, traded as u64)
            && asked as u64 == sent;
        is_done.then_some(done)
    }

    /// Cycles of every agent, and the time of the last.
    fn beats(&self) -> Option<Vec<(u64, Nanos)>> {
        let beat = |(owner, _): &(&str, _)| {
            let heart = HeartbeatReader::attach(&self.home.ipc().heartbeat(owner)).ok()?;
            Some((heart.cycles(), heart.time()))
        };
        AGENTS.iter().map(beat).collect()
    }

    /// Waits until nobody has anything left to do. It was so at the first of two looks that see the same, and that
    /// nothing is open, when between them every agent ran through whole cycles, and for so long that the second look
    /// shows all that it had done by the first, or would have done since with what then lay before it.
    fn rests(&self, beyond: u64) {
        until(&format!("it rests beyond update {beyond}"), || {
            let first = self.done().filter(|done| done[0] > beyond)?;
            let before = self.beats()?;
            until("every agent beats", || {
                let later = self.beats()?;
                let mut both = before.iter().zip(&later);
                both.all(|(old, new)| new.0 >= old.0 + 2 && new.1 >= old.1 + SHOWN + SHOWN).then_some(())
            });
            (self.done()? == first).then_some(())
        });
    }

    fn step(&self, moments: usize) {
        self.exchange.admin("POST", &format!("/admin/step?by={moments}s"));
    }

    /// Plays the still moments, one by one until the book is known.
    fn begin(&self) {
        let mut left = STILL - 1;
        until("the book is known", || {
            if self.known().is_some() {
                return Some(());
            }
            assert!(left > 1, "the tape is too short");
            self.step(1);
            left -= 1;
            None
        });
        let before = self.update_id();
        self.step(left);
        self.rests(before);
    }

    /// Plays the tape to its end.
    fn trade(&self) -> Outcome {
        self.begin();
        for _ in STILL..moments().len() {
            let before = self.update_id();
            self.step(1);
            self.rests(before);
        }
        let text = |row: &Value, key: &str| row[key].as_str().expect("text").to_owned();
        let positions = look(&self.home, &["positions"]);
        let positions = positions.as_array().expect("rows").iter();
        Outcome {
            fills: self.fills(),
            balances: self.exchange.signed("/api/v3/account", "")["balances"].clone(),
            positions: positions.map(|row| (text(row, "symbol"), text(row, "quantity"))).collect(),
        }
    }

    fn fills(&self) -> Vec<Fill> {
        let mut orders: Vec<u64> = Vec::new();
        let fill = |trade: &Value| {
            let id = trade["orderId"].as_u64().expect("an id");
            let order = orders.iter().position(|&order| order == id).unwrap_or_else(|| {
                orders.push(id);
                orders.len() - 1
            });
            let text = |key: &str| trade[key].as_str().expect("text").to_owned();
            Fill { order, buys: trade["isBuyer"] == true, price: text("price"), quantity: text("qty") }
        };
        self.list("/api/v3/myTrades").iter().map(fill).collect()
    }
}

/// Everything in one process, with one more parameter.
fn in_one_process(tape: &Path, placement: &str, exit: &str) -> Outcome {
    let stepped = Stepped::new(tape);
    let venue = stepped.exchange.flags(false);
    let venue: Vec<&str> = venue.iter().map(String::as_str).collect();
    let own = ["run", "--headless", "--for", "1h", "--symbols", SYMBOL, "--placement", placement];
    let arguments = [&own[..], &STRATEGY, &["--param", exit], &venue].concat();
    let process = stepped.home.start(env!("CARGO_BIN_EXE_trading"), &arguments);
    let outcome = stepped.trade();
    end(process);
    outcome
}

/// One process to an agent.
fn in_services(tape: &Path) -> Outcome {
    let stepped = Stepped::new(tape);
    let more = [&["--symbols", SYMBOL, "--param", LEAVES][..], &STRATEGY].concat();
    let start = |binary| hosting_as_told(&stepped.home, &stepped.exchange, binary, &more);
    let mut services = SERVICES.map(start);
    services.iter_mut().for_each(|service| _ = ready(service));
    let outcome = stepped.trade();
    services.into_iter().for_each(end);
    outcome
}

fn end(process: Process) {
    process.signal(Signal::TERM);
    let (code, error) = process.wait();
    assert_eq!(code, Some(0), "{error}");
}

#[test]
fn every_placement_has_the_same_fills() {
    let folder = tempfile::tempdir().expect("a folder");
    let tape = tape(folder.path());
    let shared = in_one_process(&tape, "shared", LEAVES);
    let Outcome { fills, positions, .. } = &shared;
    assert!(fills.len() > 10, "so few fills prove nothing: {fills:?}");
    assert!(fills.iter().any(|fill| fill.buys) && fills.iter().any(|fill| !fill.buys), "one side: {fills:?}");
    assert!(positions.iter().any(|(symbol, _)| symbol == SYMBOL), "{positions:?}");
    assert_eq!(shared, in_one_process(&tape, "dedicated", LEAVES));
    assert_eq!(shared, in_services(&tape));
    assert_ne!(shared, in_one_process(&tape, "shared", STAYS), "nothing would be seen");
}
