//! The audit of a session: what its journals say, held against itself and against risk's ledger.
//!
//! Every intent has exactly one decision, every approved order was taken up by route and is terminal or open, and the
//! positions are the sum of the fills, to the last unit. What an earlier epoch left at the venue was approved there.

use std::collections::BTreeMap;
use std::path::Path;

use crate::domain::OrderId;
use crate::error::{RejectCode, SetupError};
use crate::journal::{Decision, JournalReader};
use crate::ledger::Ledger;
use crate::message::report::OrderState;
use crate::message::{IntentKind, Report, ReportKind};
use crate::tick_to_trade::assembly::journal_directory;

/// What the journals of a session tell.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// Intents decided.
    pub intents: u64,
    /// New orders approved.
    pub orders: u64,
    /// Cancels approved, of one order or of all.
    pub cancels: u64,
    /// Amendments approved.
    pub amends: u64,
    /// Refusals, by code.
    pub rejects: BTreeMap<&'static str, u64>,
    /// Orders sent to the venue, or found there.
    pub sent: u64,
    /// Fills.
    pub fills: u64,
    /// Orders by the state in which they ended.
    pub states: BTreeMap<&'static str, u64>,
}

/// An order on its way through the journals.
#[derive(Default)]
struct Life {
    state: Option<OrderState>,
}

impl Audit {
    /// Reads the journals under `journals` and holds them against `ledger`, which `intents` intents led to.
    ///
    /// # Errors
    /// When a journal cannot be read, or something does not reconcile: the first thing that does not.
    pub fn of(journals: &Path, ledger: &Ledger, intents: u64) -> Result<Self, SetupError> {
        let mut audit = Self::default();
        let mut lives = audit.read_decisions(journals, intents)?;
        let reports = audit.read_reports(journals, &mut lives)?;
        ledger.reconcile(&reports).map_err(|error| broken(journals, &error.to_string()))?;
        for (id, life) in &lives {
            let Some(state) = life.state else {
                return Err(broken(journals, &format!("order {id} was approved and never reported")));
            };
            *audit.states.entry(state.as_str()).or_default() += 1;
        }
        Ok(audit)
    }

    /// Orders that are not terminal.
    #[must_use]
    pub fn open(&self) -> u64 {
        let open = OrderState::ALL.iter().filter(|state| !state.is_terminal());
        open.filter_map(|state| self.states.get(state.as_str())).sum()
    }

    fn read_decisions(
        &mut self,
        journals: &Path,
        intents: u64,
    ) -> Result<BTreeMap<OrderId, Life>, SetupError> {
        let mut lives = BTreeMap::new();
        let mut decided = BTreeMap::new();
        for record in JournalReader::open(&journal_directory(journals, "risk"))? {
            let Some(decision) = record?.read::<Decision>() else { continue };
            let intent = decision.intent();
            let code = RejectCode::try_from(decision.code())
                .map_err(|error| broken(journals, &error.to_string()))?;
            if code == RejectCode::Expired && lives.remove(&intent.id).is_some() {
                // A restarted risk withdrew what its last life had approved and not let go.
                continue;
            }
            // A coalesced record stands for its intent and for as many before it as it counts.
            let count = 1 + u64::from(decision.repeats());
            self.intents += count;
            if decided.insert(intent.id, code).is_some() && !intent.id.is_nameless() {
                return Err(broken(journals, &format!("intent {} was decided twice", intent.id)));
            }
            match code {
                RejectCode::None if intent.places_order() => {
                    self.orders += 1;
                    lives.insert(intent.id, Life::default());
                }
                RejectCode::None if intent.kind == IntentKind::Amend.code() => self.amends += 1,
                RejectCode::None => self.cancels += 1,
                code => *self.rejects.entry(code.as_str()).or_default() += count,
            }
        }
        if self.intents == intents {
            return Ok(lives);
        }
        Err(broken(journals, &format!("{} intents were made and {} decided", intents, self.intents)))
    }

    fn read_reports(
        &mut self,
        journals: &Path,
        lives: &mut BTreeMap<OrderId, Life>,
    ) -> Result<Vec<Report>, SetupError> {
        let mut reports = Vec::new();
        for record in JournalReader::open(&journal_directory(journals, "route"))? {
            let record = record?;
            let (Some(report), epoch) = (record.read::<Report>(), record.epoch) else { continue };
            let (Ok(kind), Ok(state)) =
                (ReportKind::try_from(report.kind), OrderState::try_from(report.state))
            else {
                return Err(broken(journals, &format!("a report of order {} has unknown codes", report.id)));
            };
            if !kind.is_of_order() {
                continue;
            }
            match kind {
                ReportKind::Sent => self.sent += 1,
                ReportKind::Fill => {
                    self.fills += 1;
                    reports.push(report);
                }
                _ => {}
            }
            if kind == ReportKind::Sent && report.id.epoch < epoch {
                lives.entry(report.id).or_default();
            }
            let Some(life) = lives.get_mut(&report.id) else {
                return Err(broken(
                    journals,
                    &format!("order {} was reported and never approved", report.id),
                ));
            };
            life.state = Some(state);
        }
        Ok(reports)
    }
}

fn broken(journals: &Path, reason: &str) -> SetupError {
    SetupError::file(journals, format!("the session does not reconcile: {reason}"))
}
