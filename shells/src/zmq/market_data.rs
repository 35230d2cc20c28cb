//! Port 5555: books, best prices, trades and bars, from the tick stream and the book cells.

use engine::book::BookCell;
use engine::counters::HistogramReader;
use engine::domain::{InstrumentIndex, Interval, Nanos, Price, Quantity, Side};
use engine::message::{Tick, TickKind};
use engine::shm::paths::IpcPaths;
use serde::Serialize;

use crate::api::market::{self, topic};
use crate::service::bars::{self, Bars};
use crate::service::families::{Families, names};
use crate::service::instruments::{price, quantity};
use crate::service::liveness::Liveness;
use crate::service::market::{BookView, Heard, TickView};
use crate::zmq::port::Shell;
use crate::zmq::publisher::Publisher;

/// Most ticks taken in one turn.
const BATCH: usize = 4_096;

/// How often a book that changed is published, at most.
const BOOK_EVERY: Nanos = Nanos::from_millis(100);

/// How often the status is published.
const STATUS_EVERY: Nanos = Nanos::from_secs(1);

/// The bars that are made here, of trades; those of other intervals are the venue's own.
const OWN_BARS: [(Interval, Nanos); 2] =
    [(Interval::Second, Nanos::from_secs(1)), (Interval::Minute, Nanos::from_secs(60))];

/// How often a bar in the making is published, at most.
const BAR_EVERY: Nanos = Nanos::from_millis(250);

/// What is kept of an instrument.
struct Watched {
    bbo: String,
    book: String,
    trade: String,
    bars: [(Interval, Bars, bool); OWN_BARS.len()],
    /// The first tick of one of the venue's bars, until the second.
    venue_bar: Option<Tick>,
    version: Option<u64>,
    newest: Option<Nanos>,
    /// Ticks by kind, in the order of `TickKind::ALL`.
    ticks: [u64; TickKind::ALL.len()],
    distrusts: u64,
    silent: bool,
}

/// The port's shell.
pub struct MarketData {
    ipc: IpcPaths,
    books: BookView,
    ticks: TickView,
    liveness: Liveness,
    publisher: Publisher,
    watched: Vec<Watched>,
    book_due: Nanos,
    bar_due: Nanos,
    status_due: Nanos,
}

impl MarketData {
    /// Looks at the engine under `ipc`.
    #[must_use]
    pub fn new(ipc: &IpcPaths) -> Self {
        Self {
            ipc: ipc.clone(),
            books: BookView::new(ipc),
            ticks: TickView::new(ipc),
            liveness: Liveness::new("ingest", ipc),
            publisher: Publisher::default(),
            watched: Vec::new(),
            book_due: Nanos::ZERO,
            bar_due: Nanos::ZERO,
            status_due: Nanos::ZERO,
        }
    }

    fn take_ticks(&mut self, now: Nanos, mut socket: Option<&mut zmq::Socket>) -> usize {
        for taken in 0..BATCH {
            match self.ticks.poll() {
                Heard::Nothing => return taken,
                Heard::Hole => self.missed(now),
                Heard::Tick(tick) => self.on_tick(&tick, socket.as_deref_mut()),
            }
        }
        BATCH
    }

    /// Trades are missing: no bar in the making is whole.
    fn missed(&mut self, now: Nanos) {
        for watched in &mut self.watched {
            watched.bars.iter_mut().for_each(|(_, bars, _)| bars.missed(now));
            watched.venue_bar = None;
        }
    }

    fn on_tick(&mut self, tick: &Tick, socket: Option<&mut zmq::Socket>) {
        let Ok(kind) = TickKind::try_from(tick.kind) else { return };
        if let Some(watched) = self.watched.get_mut(tick.instrument as usize) {
            watched.silent = kind == TickKind::Silence;
            watched.distrusts += u64::from(kind == TickKind::Trust && tick.values[0] == 0);
            if let Some(place) = TickKind::ALL.iter().position(|known| *known == kind) {
                watched.ticks[place] += 1;
            }
        }
        match kind {
            TickKind::Top => self.on_top(tick, socket),
            TickKind::Trade => self.on_trade(tick, socket),
            TickKind::Bar => {
                if let Some(watched) = self.watched.get_mut(tick.instrument as usize) {
                    watched.venue_bar = Some(*tick);
                }
            }
            TickKind::BarVolume => self.on_venue_bar(tick, socket),
            // Trust shows in books and status.
            TickKind::Trust | TickKind::Silence => {}
        }
    }

    /// The second tick of one of the venue's bars.
    fn on_venue_bar(&mut self, tick: &Tick, socket: Option<&mut zmq::Socket>) {
        let Some(watched) = self.watched.get_mut(tick.instrument as usize) else { return };
        let of_both = |first: &Tick| first.received == tick.received && first.interval() == tick.interval();
        let Some(first) = watched.venue_bar.take().filter(of_both) else { return };
        let Some(interval) = tick.interval() else { return };
        let Some(opened) = tick.values[2].checked_mul(1_000_000) else { return };
        if OWN_BARS.iter().any(|(own, _)| *own == interval) {
            return;
        }
        let [open, high, low, close] = first.values.map(Price);
        let bar = bars::Bar {
            opened: Nanos(opened),
            open,
            high,
            low,
            close,
            volume: Quantity(tick.values[0]),
            trades: u64::try_from(tick.values[1]).unwrap_or(0),
            complete: true,
        };
        self.publish_bar(tick.instrument, interval, &bar, tick.values[3] == 1, socket);
    }

    fn on_top(&mut self, tick: &Tick, socket: Option<&mut zmq::Socket>) {
        let Self { books, publisher, watched, .. } = self;
        let Some(watched) = watched.get_mut(tick.instrument as usize) else { return };
        let Some(facts) = books.table().ok().and_then(|table| table.get(tick.instrument)) else { return };
        watched.newest = Some(tick.received);
        let top = tick.top();
        let side = |at: Price| at.is_some().then(|| price(facts, at));
        let message = market::Bbo {
            symbol: facts.symbol.to_string(),
            seq: publisher.next_seq(&watched.bbo),
            time_ns: tick.received.0,
            bid: side(top.bid),
            bid_quantity: quantity(facts, top.bid_quantity),
            ask: side(top.ask),
            ask_quantity: quantity(facts, top.ask_quantity),
            trusted: tick.trusted(),
        };
        publish(publisher, socket, &watched.bbo, &message);
    }

    fn on_trade(&mut self, tick: &Tick, mut socket: Option<&mut zmq::Socket>) {
        let Self { books, publisher, watched, .. } = self;
        let Some(watched) = watched.get_mut(tick.instrument as usize) else { return };
        let Some(facts) = books.table().ok().and_then(|table| table.get(tick.instrument)) else { return };
        let (at, traded, aggressor) = tick.trade();
        let message = market::Trade {
            symbol: facts.symbol.to_string(),
            seq: publisher.next_seq(&watched.trade),
            time_ns: tick.received.0,
            trade_id: tick.values[2],
            price: price(facts, at),
            quantity: quantity(facts, traded),
            aggressor: aggressor.map(|side| side.to_string()),
        };
        publish(publisher, socket.as_deref_mut(), &watched.trade, &message);
        let traded_at = Nanos(tick.received.0 + i64::from(tick.exchange_offset_us) * 1_000);
        let mut closed = Vec::new();
        for (interval, bars, changed) in &mut watched.bars {
            *changed = true;
            closed.extend(bars.add(traded_at, at, traded).map(|bar| (*interval, bar)));
        }
        for (interval, bar) in closed {
            self.publish_bar(tick.instrument, interval, &bar, true, socket.as_deref_mut());
        }
    }

    fn publish_bar(
        &mut self,
        instrument: InstrumentIndex,
        interval: Interval,
        bar: &bars::Bar,
        closed: bool,
        socket: Option<&mut zmq::Socket>,
    ) {
        let Self { books, publisher, .. } = self;
        let Some(facts) = books.table().ok().and_then(|table| table.get(instrument)) else { return };
        let name = topic::bar(interval.as_str(), &facts.symbol);
        let message = market::Bar {
            symbol: facts.symbol.to_string(),
            seq: publisher.next_seq(&name),
            interval: interval.to_string(),
            open_time_ns: bar.opened.0,
            open: price(facts, bar.open),
            high: price(facts, bar.high),
            low: price(facts, bar.low),
            close: price(facts, bar.close),
            volume: quantity(facts, bar.volume),
            trades: bar.trades,
            complete: bar.complete,
            closed,
        };
        publish(publisher, socket, &name, &message);
    }

    /// Closes bars whose time is over, and shows those that changed.
    fn tend_bars(&mut self, now: Nanos, mut socket: Option<&mut zmq::Socket>) -> usize {
        if now < self.bar_due {
            return 0;
        }
        self.bar_due = now.saturating_add(BAR_EVERY);
        let mut shown = Vec::new();
        for (instrument, watched) in (0..).zip(&mut self.watched) {
            for (interval, bars, changed) in &mut watched.bars {
                if let Some(bar) = bars.close(now) {
                    shown.push((instrument, *interval, bar, true));
                    *changed = false;
                } else if std::mem::take(changed)
                    && let Some(bar) = bars.present()
                {
                    shown.push((instrument, *interval, *bar, false));
                }
            }
        }
        let done = shown.len();
        for (instrument, interval, bar, closed) in shown {
            self.publish_bar(instrument, interval, &bar, closed, socket.as_deref_mut());
        }
        done
    }

    fn publish_books(&mut self, now: Nanos, mut socket: Option<&mut zmq::Socket>) -> usize {
        if now < self.book_due {
            return 0;
        }
        self.book_due = now.saturating_add(BOOK_EVERY);
        let Self { books, publisher, watched, .. } = self;
        let Ok(table) = books.table() else { return 0 };
        let mut done = 0;
        for (facts, watched) in table.iter().zip(watched) {
            let Some(cell) = books.book(facts.index) else { continue };
            if watched.version == Some(cell.version) {
                continue;
            }
            watched.version = Some(cell.version);
            let message = show_book(&cell, facts, publisher.next_seq(&watched.book));
            publish(publisher, socket.as_deref_mut(), &watched.book, &message);
            done += 1;
        }
        done
    }

    fn publish_status(&mut self, now: Nanos, socket: Option<&mut zmq::Socket>) -> usize {
        if now < self.status_due {
            return 0;
        }
        self.status_due = now.saturating_add(STATUS_EVERY);
        let Self { books, publisher, watched, ticks, .. } = self;
        let Ok(table) = books.table() else { return 0 };
        let symbols = table.iter().zip(watched.iter()).map(|(facts, watched)| market::SymbolStatus {
            symbol: facts.symbol.to_string(),
            trusted: books.book(facts.index).is_some_and(|cell| cell.is_trusted()),
            age_ns: watched.newest.map(|newest| (now - newest).0.max(0)),
        });
        let message = market::MarketStatus {
            seq: publisher.next_seq(topic::STATUS),
            time_ns: now.0,
            missed_ticks: ticks.missed(),
            dropped: publisher.dropped(),
            symbols: symbols.collect(),
        };
        publish(publisher, socket, topic::STATUS, &message);
        1
    }
}

/// A book cell as a message.
pub fn show_book(cell: &BookCell, facts: &engine::journal::InstrumentFacts, seq: u64) -> market::Book {
    let side = |side| -> Vec<market::PriceLevel> {
        let show = |level: engine::book::Level| [price(facts, level.price), show_size(facts, level.quantity)];
        cell.levels(side).map(show).collect()
    };
    market::Book {
        symbol: facts.symbol.to_string(),
        seq,
        time_ns: cell.time.0,
        update_id: cell.update_id,
        trusted: cell.is_trusted(),
        bids: side(Side::Buy),
        asks: side(Side::Sell),
    }
}

fn show_size(facts: &engine::journal::InstrumentFacts, size: Quantity) -> String {
    quantity(facts, size)
}

fn publish(
    publisher: &mut Publisher,
    socket: Option<&mut zmq::Socket>,
    topic: &str,
    message: &impl Serialize,
) {
    if let Ok(text) = serde_json::to_vec(message) {
        publisher.publish(socket, topic, text);
    }
}

impl Shell for MarketData {
    fn socket_type(&self) -> zmq::SocketType {
        zmq::XPUB
    }

    fn prepare(&mut self, socket: &mut zmq::Socket) -> Result<(), zmq::Error> {
        self.publisher.prepare(socket)
    }

    fn refresh(&mut self, now: Nanos) -> Result<(), String> {
        if self.books.refresh(now) {
            self.publisher.forget();
            let watch = |facts: &engine::journal::InstrumentFacts| {
                let symbol = &facts.symbol;
                Watched {
                    bbo: topic::bbo(symbol),
                    book: topic::book(symbol),
                    trade: topic::trade(symbol),
                    bars: OWN_BARS.map(|(interval, length)| (interval, Bars::new(length, now), false)),
                    venue_bar: None,
                    version: None,
                    newest: None,
                    ticks: [0; TickKind::ALL.len()],
                    distrusts: 0,
                    silent: false,
                }
            };
            self.watched =
                self.books.table().map_or_else(|_| Vec::new(), |table| table.iter().map(watch).collect());
        }
        if self.ticks.refresh(now) {
            self.missed(now);
        }
        self.liveness.check(now)?;
        self.books.check().map_err(str::to_owned)?;
        self.ticks.epoch().map(|_| ()).map_err(str::to_owned)
    }

    fn work(&mut self, now: Nanos, mut socket: Option<&mut zmq::Socket>) -> usize {
        let mut done = self.take_ticks(now, socket.as_deref_mut());
        done += self.publish_books(now, socket.as_deref_mut());
        done += self.tend_bars(now, socket.as_deref_mut());
        done += self.publish_status(now, socket.as_deref_mut());
        if let Some(socket) = socket {
            done += self.publisher.serve(socket, now);
        }
        done
    }

    fn epoch(&self) -> u32 {
        self.liveness.epoch()
    }

    fn families(&mut self, now: Nanos, families: &mut Families) {
        self.liveness.families(families);
        if let Ok(reader) = HistogramReader::attach(&self.ipc.histograms("ingest")) {
            families.stages(&reader);
        }
        families.counter(names::DROPPED, &[], self.publisher.dropped());
        let lapped = [("ring", "ticks"), ("reader", "market_data_service")];
        families.counter(names::LAPPED, &lapped, self.ticks.missed());
        let reconnects = self.liveness.counters().ok().and_then(|reader| reader.get("reconnects"));
        families.counter(names::RECONNECTS, &[], reconnects.unwrap_or(0));
        let Ok(table) = self.books.table() else { return };
        for (facts, watched) in table.iter().zip(&self.watched) {
            let symbol = &*facts.symbol;
            for (kind, count) in TickKind::ALL.iter().zip(watched.ticks) {
                families.counter(names::TICKS, &[("symbol", symbol), ("kind", kind.as_str())], count);
            }
            let labels = [("symbol", symbol)];
            let trusted = self.books.book(facts.index).is_some_and(|cell| cell.is_trusted());
            families.gauge(names::TRUSTED, &labels, f64::from(u8::from(trusted)));
            families.counter(names::GAPS, &labels, watched.distrusts);
            families.gauge(names::SILENT, &[("stream", symbol)], f64::from(u8::from(watched.silent)));
            if let Some(newest) = watched.newest {
                families.gauge(names::BOOK_AGE, &labels, (now - newest).0.max(0) as f64 / 1e9);
            }
        }
    }
}
