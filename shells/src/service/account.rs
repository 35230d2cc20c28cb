//! The account: orders, fills, positions and PnL, rebuilt from the journals of risk and route and kept up to date from
//! their tails.

use engine::domain::{InstrumentIndex, Instruments, Nanos};
use engine::error::SetupError;
use engine::journal::{Decision, EpochStart, Halt, InstrumentRow, Record, RecordKind, Tail};
use engine::ledger::Ledger;
use engine::limits::SOURCES_MAX;
use engine::message::{Report, ReportKind};
use engine::ring::broadcast::Polled;
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::assembly::journal_directory;

use crate::config::Places;
use crate::service::instruments::Table;
use crate::service::orders::{OrderRow, Orders};
use crate::session;

/// Most records taken in one poll, so that nothing else waits long.
const BATCH: usize = 4_096;

/// How often a journal that could not be attached is tried again, and a restarted owner is looked for.
const LOOK_EVERY: Nanos = Nanos::from_millis(100);

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// Risk decided. The row is there for a new order.
    Decision(Decision, Option<OrderRow>, Nanos),
    /// Route reported.
    Report(Report, OrderRow),
    /// Route reported what came of a request that the venue cancel all on an instrument.
    Swept(Report),
    /// Risk or route raised or lowered a halt.
    Halt(Halt, Nanos),
}

/// A journal followed from its first record.
struct Followed {
    name: &'static str,
    tail: Option<Tail>,
    /// Whether its agent had made no ring when it was last looked for.
    never_begun: bool,
    /// Indices of the journal's present epoch, mapped to the table.
    map: Vec<Option<InstrumentIndex>>,
}

/// The account of the running engine.
pub struct Account {
    ipc: IpcPaths,
    places: Places,
    risk: Followed,
    route: Followed,
    due: Nanos,
    reason: String,
    known: Option<Known>,
}

/// What is known once the instrument table is.
struct Known {
    table: Table,
    ledger: Ledger,
    orders: Orders,
    /// Records that could not be read or applied: figures may be wrong.
    lost: u64,
}

impl Followed {
    const fn new(name: &'static str) -> Self {
        Self { name, tail: None, never_begun: false, map: Vec::new() }
    }

    fn attach(&mut self, ipc: &IpcPaths, places: &Places) -> Result<(), SetupError> {
        if self.tail.is_none() {
            // Before it is attached: a ring that comes in between is attached and known.
            self.never_begun = !ipc.journal(self.name).exists();
            let segments = journal_directory(&session::latest(places)?, self.name);
            self.tail = Some(Tail::attach_from(&ipc.journal(self.name), Some(&segments), 1)?);
            self.never_begun = false;
            self.map.clear();
        }
        Ok(())
    }

    /// The index in the table of what the journal calls `instrument`.
    fn index(&self, instrument: InstrumentIndex) -> Option<InstrumentIndex> {
        *self.map.get(instrument as usize)?
    }

    /// Takes note of an epoch's start and its instrument table; `true` if the record was one of these.
    fn note(&mut self, record: &Record, table: &Table) -> bool {
        if record.read::<EpochStart>().is_some() {
            self.map.clear();
            return true;
        }
        let Some(row) = record.read::<InstrumentRow>() else { return false };
        if let Some(facts) = row.facts() {
            let at = facts.index as usize;
            if at >= self.map.len() && at < engine::limits::INSTRUMENTS_MAX {
                self.map.resize(at + 1, None);
            }
            let known = table.find(&facts.symbol).ok().filter(|known| {
                known.market == facts.market
                    && known.price_scale == facts.price_scale
                    && known.quantity_scale == facts.quantity_scale
            });
            if let Some(slot) = self.map.get_mut(at) {
                *slot = known.map(|known| known.index);
            }
        }
        true
    }

    fn poll(&mut self, lost: &mut u64) -> Option<Record> {
        loop {
            match self.tail.as_mut()?.poll() {
                Polled::Message(record) => return Some(record),
                Polled::Empty => return None,
                Polled::Lapped { missed } => *lost += missed,
            }
        }
    }
}

impl Account {
    /// Looks at the engine under `ipc`, whose journals lie under `places`.
    #[must_use]
    pub fn new(ipc: &IpcPaths, places: &Places) -> Self {
        Self {
            ipc: ipc.clone(),
            places: places.clone(),
            risk: Followed::new("risk"),
            route: Followed::new("route"),
            due: Nanos(i64::MIN),
            reason: "no instrument table yet".to_owned(),
            known: None,
        }
    }

    /// Begins anew with another instrument table, or with none.
    ///
    /// # Errors
    /// When the table lists a symbol twice.
    pub fn restart(&mut self, table: Option<&Table>) -> Result<(), SetupError> {
        self.risk = Followed::new("risk");
        self.route = Followed::new("route");
        self.due = Nanos(i64::MIN);
        self.known = None;
        if let Some(table) = table {
            let instruments: Instruments = table.instruments()?;
            let ledger = Ledger::new(&instruments, SOURCES_MAX)?;
            self.known = Some(Known { table: table.clone(), ledger, orders: Orders::default(), lost: 0 });
        }
        Ok(())
    }

    /// Takes what the journals tell, and hands it on; returns how many records.
    pub fn poll(&mut self, now: Nanos, on_event: &mut dyn FnMut(&Event)) -> usize {
        self.refresh(now);
        let Self { risk, route, known: Some(known), .. } = self else { return 0 };
        let mut taken = known.take_decisions(risk, on_event);
        for _ in 0..BATCH {
            let Some(record) = route.poll(&mut known.lost) else { break };
            taken += 1;
            if route.note(&record, &known.table) {
                continue;
            }
            if let Some(halt) = record.read::<Halt>() {
                on_event(&Event::Halt(halt, record.at));
            } else if record.kind == RecordKind::Report.code() {
                let mapped = record.read::<Report>().and_then(|report| {
                    Some(Report { instrument: route.index(report.instrument)?, ..report })
                });
                let Some(report) = mapped else {
                    known.lost += 1;
                    continue;
                };
                if known.orders.is_unknown(report.id) {
                    // Risk journalled its approval before route could know of the order.
                    taken += known.take_decisions(risk, on_event);
                }
                if ReportKind::try_from(report.kind).is_ok_and(|kind| !kind.is_of_order()) {
                    on_event(&Event::Swept(report));
                    continue;
                }
                if known.ledger.apply(&report).is_err() {
                    known.lost += 1;
                }
                let row = known.orders.report(&report);
                on_event(&Event::Report(report, row));
            }
        }
        taken
    }

    fn refresh(&mut self, now: Nanos) {
        if now < self.due || self.known.is_none() {
            return;
        }
        self.due = now.saturating_add(LOOK_EVERY);
        let Self { risk, route, ipc, places, .. } = self;
        // Each for itself: one that is not there yet does not keep us from the other.
        let (decisions, reports) = (risk.attach(ipc, places), route.attach(ipc, places));
        let attached = decisions.and(reports);
        let refreshed = attached.and_then(|()| {
            for followed in [risk, route] {
                if let Some(tail) = &mut followed.tail {
                    tail.refresh()?;
                }
            }
            Ok(())
        });
        self.reason = refreshed.err().map_or_else(String::new, |error| error.to_string());
    }

    /// Orders and fills.
    ///
    /// # Errors
    /// Why nothing is known.
    pub fn orders(&self) -> Result<&Orders, &str> {
        self.known().map(|known| &known.orders)
    }

    /// Positions and PnL.
    ///
    /// # Errors
    /// Why nothing is known.
    pub fn ledger(&self) -> Result<&Ledger, &str> {
        self.known().map(|known| &known.ledger)
    }

    /// Records that were lost or could not be applied: above zero, figures may be wrong.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.known.as_ref().map_or(0, |known| known.lost)
    }

    /// Whether `agent` has its journal and nothing is known for one reason alone: that the other has never begun one.
    #[must_use]
    pub fn waits_for_other_than(&self, agent: &str) -> bool {
        let (own, other) =
            if agent == "risk" { (&self.risk, &self.route) } else { (&self.route, &self.risk) };
        own.name == agent && self.known.is_some() && own.tail.is_some() && other.never_begun
    }

    fn known(&self) -> Result<&Known, &str> {
        match &self.known {
            Some(known) if self.risk.tail.is_some() && self.route.tail.is_some() => Ok(known),
            _ => Err(&self.reason),
        }
    }
}

impl Known {
    fn take_decisions(&mut self, risk: &mut Followed, on_event: &mut dyn FnMut(&Event)) -> usize {
        let mut taken = 0;
        while taken < BATCH {
            let Some(record) = risk.poll(&mut self.lost) else { break };
            taken += 1;
            if risk.note(&record, &self.table) {
                continue;
            }
            if let Some(halt) = record.read::<Halt>() {
                on_event(&Event::Halt(halt, record.at));
            } else if let Some(mut decision) = record.read::<Decision>() {
                // An intent that names no instrument of the table was refused: it has no order.
                let index = risk.index(decision.intent().instrument);
                let row = index.and_then(|index| {
                    decision = decision.at_index(index);
                    self.orders.decide(&decision, index, record.at)
                });
                on_event(&Event::Decision(decision, row, record.at));
            }
        }
        taken
    }
}
