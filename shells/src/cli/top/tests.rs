//! The screen, drawn from a recorded snapshot onto a terminal of its own.

use engine::counters::HaltState;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Color;

use crate::cli::top::keys::{Keys, Wish};
use crate::cli::top::screen;
use crate::cli::top::snapshot::Snapshot;

/// What `trading top --json` printed of a running session.
fn recorded() -> Snapshot {
    serde_json::from_str(include_str!("snapshot.json")).expect("a snapshot")
}

fn drawn(snapshot: &Snapshot, keys: &Keys, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    terminal.draw(|frame| screen::draw(frame, snapshot, keys)).expect("drawn");
    terminal.backend().buffer().clone()
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width);
    buffer.content.chunks(width).map(|row| row.iter().map(|cell| cell.symbol()).collect()).collect()
}

/// The colour of the first cell of `text`.
fn colour(buffer: &Buffer, text: &str) -> Option<Color> {
    let width = usize::from(buffer.area.width);
    let (row, line) = lines(buffer).into_iter().enumerate().find(|(_, line)| line.contains(text))?;
    let column = line.find(text).map(|at| line[..at].chars().count())?;
    Some(buffer.content[row * width + column].fg)
}

#[test]
fn everything_of_a_snapshot_is_on_the_screen() {
    let snapshot = recorded();
    let buffer = drawn(&snapshot, &Keys::default(), 140, 40);
    let text = lines(&buffer).join("\n");
    let best = &snapshot.best[0];
    let order = snapshot.orders.last().expect("an open order");
    let whole = |symbol: &str, strategy: &Option<String>| symbol == best.symbol && strategy.is_none();
    let pnl = snapshot.status.pnl.iter().find(|row| whole(&row.symbol, &row.strategy)).expect("a result");
    for expected in [
        "operator-a runs",
        "trading ACTIVE",
        &best.bid[0],
        &best.ask[1],
        &format!("{} {}", pnl.total, pnl.asset),
        &order.order_id,
        order.price.as_deref().expect("a limit price"),
        "tick_to_order",
        "intents momentum/BTCUSDT",
        "route journal",
        "h halt   o reduce-only   r resume   q quit",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    assert_eq!(colour(&buffer, "ACTIVE"), Some(Color::Green));
}

#[test]
fn what_is_wrong_is_red() {
    let mut snapshot = recorded();
    snapshot.status.running = false;
    snapshot.status.risk.state = "HALTED".to_owned();
    snapshot.status.books[0].trusted = false;
    snapshot.status.agents[2].heartbeat_age_ns = Some(2_500_000_000);
    snapshot.status.agents[3].hosted = false;
    snapshot.rings[0].waiting = snapshot.rings[0].capacity;
    let buffer = drawn(&snapshot, &Keys::default(), 140, 40);
    for text in ["DOES NOT RUN", "HALTED", "NOT TRUSTED", "2.500 s", "GONE", "65536/65536"] {
        assert_eq!(colour(&buffer, text), Some(Color::Red), "{text}");
    }
    assert_eq!(colour(&buffer, "ingest"), Some(Color::Green), "the others are not");
}

#[test]
fn a_halt_is_asked_about_on_the_screen() {
    let (snapshot, mut keys) = (recorded(), Keys::default());
    let press = |keys: &mut Keys, key| keys.press(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE));
    press(&mut keys, 'h');
    let buffer = drawn(&snapshot, &keys, 140, 40);
    let foot = lines(&buffer).pop().expect("a last line");
    assert!(foot.starts_with("set everything to HALTED? y = yes"), "{foot}");
    assert_eq!(press(&mut keys, 'y'), Wish::Set(HaltState::Halted));
    keys.tell("everything: HALTED".to_owned());
    assert!(
        lines(&drawn(&snapshot, &keys, 140, 40)).pop().expect("a line").starts_with("everything: HALTED")
    );
}

#[test]
fn no_terminal_is_too_small() {
    for (width, height) in [(1, 1), (20, 5), (80, 24), (300, 100)] {
        let buffer = drawn(&recorded(), &Keys::default(), width, height);
        assert_eq!(buffer.area.width, width);
    }
}
