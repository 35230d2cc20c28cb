//! What the session before left at a venue whose accounts outlive this engine.
//!
//! A session counts positions and the day's loss from its own fills. At a venue with accounts of its own that would forget
//! what an earlier session bought, lost, or was halted for. So a new one begins CANCEL_ONLY where the last one left any
//! of these, and a person lets go.

use std::collections::BTreeMap;
use std::path::Path;

use engine::counters::HaltState;
use engine::domain::{Decimal, InstrumentIndex, Nanos, Side};
use engine::error::{RejectCode, SetupError};
use engine::journal::{Halt, HaltScope, InstrumentFacts, InstrumentRow, JournalReader};
use engine::ledger::Fill;
use engine::message::Report;
use engine::tick_to_trade::assembly::journal_directory;

use crate::config::{Places, Venue};
use crate::session;

/// A day of UTC.
const DAY: i64 = 86_400_000_000_000;

/// Why a session of `epoch` that begins `now` is to begin halted; none if there is nothing to be asked about.
///
/// # Errors
/// When the journals of the session before cannot be read: then nobody knows what it left.
pub fn left(places: &Places, venue: Venue, epoch: u32, now: Nanos) -> Result<Option<String>, SetupError> {
    if !venue.needs_credentials() {
        return Ok(None);
    }
    let Some((before, directory)) = session::before(places, epoch) else { return Ok(None) };
    let reasons = reasons(&directory, &session::Session::risk_journal(places, before), now)?;
    Ok((!reasons.is_empty()).then(|| format!("session {before}: {}", reasons.join(", "))))
}

/// Says that everything begins halted, and why.
pub fn tell(reason: &str) {
    tracing::warn!(reason, "the session before left something: everything begins halted");
}

/// Whether risk's journal in `directory` tells of a halt of everything, or of its end: then it has begun halted before.
///
/// # Errors
/// When it cannot be read.
pub fn is_told(directory: &Path) -> Result<bool, SetupError> {
    Ok(halts(&journal_directory(directory, "risk"))?
        .keys()
        .any(|(scope, ..)| *scope == HaltScope::Global.code()))
}

/// What a session left, as its directory and risk's journal tell.
fn reasons(directory: &Path, risk: &Path, now: Nanos) -> Result<Vec<String>, SetupError> {
    let mut reasons = Vec::new();
    let mut halted: Vec<Halt> = halts(&journal_directory(directory, "route"))?.into_values().collect();
    halted.extend(halts(risk)?.into_values());
    // The strictest says most.
    if let Some(halt) =
        halted.iter().max_by_key(|halt| halt.state).filter(|halt| halt.state != HaltState::Active.code())
    {
        let state = HaltState::try_from(halt.state).unwrap_or(HaltState::Halted);
        let cause = RejectCode::try_from(halt.cause).unwrap_or(RejectCode::Halted);
        reasons.push(format!("{state} by {cause}"));
    }
    let traded = Traded::read(&journal_directory(directory, "route"))?;
    reasons.extend(traded.held.values().filter(|held| held.quantity != 0).map(Held::show));
    if traded.last.0.div_euclid(DAY) == now.0.div_euclid(DAY) {
        reasons.push("traded today".to_owned());
    }
    Ok(reasons)
}

/// The last halt of each scope in a journal; nothing where there is none.
fn halts(journal: &Path) -> Result<BTreeMap<(u8, u16, InstrumentIndex), Halt>, SetupError> {
    let mut halts = BTreeMap::new();
    for record in records(journal)? {
        if let Some(halt) = record?.read::<Halt>() {
            halts.insert((halt.scope, halt.source.0, halt.instrument), halt);
        }
    }
    Ok(halts)
}

/// A journal's records; none where there is no journal.
fn records(
    journal: &Path,
) -> Result<impl Iterator<Item = Result<engine::journal::Record, SetupError>>, SetupError> {
    let reader = journal.exists().then(|| JournalReader::open(journal)).transpose()?;
    Ok(reader.into_iter().flatten())
}

/// What was bought less what was sold of an instrument.
struct Held {
    facts: InstrumentFacts,
    quantity: i128,
}

impl Held {
    fn show(&self) -> String {
        let Self { facts, quantity } = self;
        format!("{} {}", Decimal::new(*quantity, facts.quantity_scale), facts.symbol)
    }
}

/// What a session traded.
#[derive(Default)]
struct Traded {
    held: BTreeMap<InstrumentIndex, Held>,
    /// When the last fill was.
    last: Nanos,
}

impl Traded {
    fn read(journal: &Path) -> Result<Self, SetupError> {
        let mut traded = Self::default();
        for record in records(journal)? {
            let record = record?;
            if let Some(facts) = record.read::<InstrumentRow>().and_then(|row| row.facts()) {
                traded.held.entry(facts.index).or_insert(Held { facts, quantity: 0 });
            }
            let Some(report) = record.read::<Report>() else { continue };
            let unreadable =
                |reason: String| SetupError::file(journal, format!("record {}: {reason}", record.sequence));
            let Some(fill) = Fill::read(&report).map_err(|error| unreadable(error.to_string()))? else {
                continue;
            };
            let held = traded.held.get_mut(&fill.instrument);
            let held = held
                .ok_or_else(|| unreadable("a fill of an instrument that is not in the table".to_owned()))?;
            let quantity = i128::from(fill.quantity.0);
            held.quantity += if fill.side == Side::Buy { quantity } else { -quantity };
            traded.last = traded.last.max(report.at);
        }
        Ok(traded)
    }
}
