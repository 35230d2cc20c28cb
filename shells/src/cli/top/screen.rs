//! The screen of `trading top`: drawn from a snapshot alone.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table};

use crate::cli::table::{clock_time, micros};
use crate::cli::top::keys::{Keys, Mode};
use crate::cli::top::snapshot::Snapshot;

/// A heartbeat older than this, in nanoseconds, is a hung agent's.
const ALIVE_NS: i64 = 1_000_000_000;

const GOOD: Style = Style::new().fg(Color::Green);
const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
const HEAD: Style = Style::new().add_modifier(Modifier::BOLD);

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, snapshot: &Snapshot, keys: &Keys) {
    let books = u16::try_from(snapshot.best.len()).unwrap_or(u16::MAX).saturating_add(3);
    let [head, upper, orders, lower, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(books.clamp(7, 14)),
        Constraint::Min(4),
        Constraint::Length(11),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let [left, right] = Layout::horizontal([Constraint::Min(60), Constraint::Length(34)]).areas(upper);
    let [stages, rings] = Layout::horizontal([Constraint::Min(60), Constraint::Length(46)]).areas(lower);
    draw_head(frame, head, snapshot);
    draw_books(frame, left, snapshot);
    draw_agents(frame, right, snapshot);
    draw_orders(frame, orders, snapshot);
    draw_stages(frame, stages, snapshot);
    draw_rings(frame, rings, snapshot);
    draw_foot(frame, foot, keys);
}

fn block(title: &str) -> Block<'_> {
    Block::bordered().title(title)
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, snapshot: &Snapshot) {
    let status = &snapshot.status;
    let (running, style) = if status.running { ("runs", GOOD) } else { ("DOES NOT RUN", BAD) };
    let halt = if status.risk.state == "ACTIVE" { GOOD } else { BAD };
    let rejected: u64 = status.risk.rejected.values().sum();
    frame.render_widget(
        Line::from(vec![
            Span::raw(format!("{} ", status.instance)),
            Span::styled(running, style),
            Span::raw("  trading "),
            Span::styled(status.risk.state.clone(), halt),
            Span::raw(format!(
                "  epoch {}  approved {}  rejected {rejected}  open {}  unknown {}  {}",
                status.epoch,
                status.risk.approved,
                status.risk.open_orders,
                status.risk.unknown_orders,
                clock_time(snapshot.time_ns),
            )),
        ]),
        area,
    );
}

/// A table with a head, numbers to the right.
fn table<'a>(head: &[&'a str], widths: &[u16], rows: Vec<Row<'a>>, title: &'a str) -> Table<'a> {
    let widths = widths.iter().map(|&width| Constraint::Length(width));
    Table::new(rows, widths).header(Row::new(head.to_vec()).style(HEAD)).block(block(title))
}

fn number(text: impl Into<String>) -> Cell<'static> {
    Cell::from(Line::from(text.into()).right_aligned())
}

fn draw_books(frame: &mut Frame<'_>, area: Rect, snapshot: &Snapshot) {
    let status = &snapshot.status;
    let row = |best: &crate::cli::top::snapshot::Best| {
        let trusted = status.books.iter().any(|book| book.symbol == best.symbol && book.trusted);
        let whole = |symbol: &str, strategy: &Option<String>| symbol == best.symbol && strategy.is_none();
        let position = status.positions.iter().find(|row| whole(&row.symbol, &row.strategy));
        let pnl = status.pnl.iter().find(|row| whole(&row.symbol, &row.strategy));
        Row::new(vec![
            Cell::from(best.symbol.clone()),
            number(best.bid[1].clone()),
            number(best.bid[0].clone()),
            number(best.ask[0].clone()),
            number(best.ask[1].clone()),
            if trusted { Cell::from("trusted").style(GOOD) } else { Cell::from("NOT TRUSTED").style(BAD) },
            number(position.map_or("0", |row| row.quantity.as_str())),
            number(pnl.map_or_else(|| "0".to_owned(), |row| format!("{} {}", row.total, row.asset))),
        ])
    };
    let rows = snapshot.best.iter().map(row).collect();
    let head = ["symbol", "bid size", "bid", "ask", "ask size", "book", "position", "PnL"];
    frame.render_widget(table(&head, &[12, 10, 11, 11, 10, 11, 12, 20], rows, "books, positions, PnL"), area);
}

fn draw_agents(frame: &mut Frame<'_>, area: Rect, snapshot: &Snapshot) {
    let rows = snapshot.status.agents.iter().map(|agent| {
        let alive = agent.hosted && agent.heartbeat_age_ns.is_some_and(|age| age < ALIVE_NS);
        let age = agent.heartbeat_age_ns.map_or_else(
            || "never".to_owned(),
            |age| format!("{}.{:03} s", age / 1_000_000_000, age / 1_000_000 % 1_000),
        );
        let hosted = if agent.hosted { "" } else { "GONE" };
        Row::new(vec![Cell::from(agent.agent.clone()), number(age), Cell::from(hosted)]).style(if alive {
            GOOD
        } else {
            BAD
        })
    });
    frame.render_widget(table(&["agent", "heartbeat", ""], &[10, 12, 6], rows.collect(), "agents"), area);
}

fn draw_orders(frame: &mut Frame<'_>, area: Rect, snapshot: &Snapshot) {
    let newest = snapshot.orders.iter().rev().map(|order| {
        let side = if order.side == "BUY" { Color::Green } else { Color::Red };
        Row::new(vec![
            Cell::from(clock_time(order.created_ns)),
            Cell::from(order.order_id.clone()),
            Cell::from(order.symbol.clone()),
            Cell::from(order.strategy.clone()),
            Cell::from(order.side.clone()).style(Style::new().fg(side)),
            number(order.price.clone().unwrap_or_default()),
            number(order.quantity.clone()),
            number(order.filled.clone()),
            Cell::from(order.state.clone()),
        ])
    });
    let head = ["created", "order", "symbol", "strategy", "side", "price", "quantity", "filled", "state"];
    let widths = [15, 16, 10, 24, 4, 11, 11, 11, 14];
    frame.render_widget(table(&head, &widths, newest.collect(), "open orders"), area);
}

fn draw_stages(frame: &mut Frame<'_>, area: Rect, snapshot: &Snapshot) {
    let rows = snapshot.latency.stages.iter().map(|(name, stage)| {
        let cells = [stage.p50_ns, stage.p90_ns, stage.p99_ns, stage.p999_ns, stage.max_ns];
        let first = [Cell::from(name.clone()), number(stage.count.to_string())];
        Row::new(first.into_iter().chain(cells.map(|nanos| number(micros(nanos)))))
    });
    let head = ["stage", "count", "p50", "p90", "p99", "p99.9", "max"];
    let widths = [14, 10, 11, 11, 11, 11, 11];
    frame.render_widget(table(&head, &widths, rows.collect(), "latency, us"), area);
}

fn draw_rings(frame: &mut Frame<'_>, area: Rect, snapshot: &Snapshot) {
    let rows = snapshot.rings.iter().map(|ring| {
        let full = ring.waiting * 2 >= ring.capacity;
        let waiting = format!("{}/{}", ring.waiting, ring.capacity);
        Row::new(vec![Cell::from(ring.name.clone()), number(waiting)]).style(if full {
            BAD
        } else {
            Style::new()
        })
    });
    frame.render_widget(table(&["ring", "waiting"], &[30, 13], rows.collect(), "rings"), area);
}

fn draw_foot(frame: &mut Frame<'_>, area: Rect, keys: &Keys) {
    let line = match (keys.mode(), keys.message()) {
        (Mode::Confirm(state), _) => {
            Line::styled(format!("set everything to {state}? y = yes, any other key = no"), BAD)
        }
        (Mode::Looking, Some(message)) => Line::styled(message.to_owned(), HEAD),
        (Mode::Looking, None) => Line::raw("h halt   o reduce-only   r resume   q quit"),
    };
    frame.render_widget(Paragraph::new(line), area);
}
