//! What must hold whoever died: judged from what left for the venue and from the journals alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use engine::domain::OrderId;
use engine::error::{RejectCode, SetupError};
use engine::journal::{Decision, JournalReader, JournalWriter, Record, SegmentOptions};
use engine::message::IntentKind;
use engine::message::report::{Report, ReportKind};
use engine::ring::broadcast::{Polled, Reader};
use engine::shm::paths::IpcPaths;
use engine::venue::simulated::Request;

/// Watches the way to the venue.
pub struct Judge {
    requests: Reader<Request>,
    /// How often each new order left.
    left: BTreeMap<OrderId, u32>,
    missed: u64,
}

impl Judge {
    pub fn attach(folder: &Path) -> Result<Self, SetupError> {
        let ipc = IpcPaths::new(folder.join("ipc"));
        let requests = Reader::attach_at(&ipc.link("requests").0, 0)?;
        Ok(Self { requests, left: BTreeMap::new(), missed: 0 })
    }

    pub fn orders(&self) -> usize {
        self.left.len()
    }

    pub fn look(&mut self) {
        loop {
            match self.requests.poll() {
                // A request without a target places an order.
                Polled::Message(request) if request.target == OrderId::NONE => {
                    *self.left.entry(request.id).or_default() += 1;
                }
                Polled::Message(_) => {}
                Polled::Lapped { missed } => self.missed += missed,
                Polled::Empty => return,
            }
        }
    }

    /// R3, R4, C27: every order that left was approved once and journalled as sent before it left, and left once.
    pub fn verdict(&self, folder: &Path) -> Result<(), String> {
        if self.missed > 0 {
            return Err(format!("the judge missed {} requests", self.missed));
        }
        let (mut sent, mut approved) = (BTreeMap::new(), BTreeMap::new());
        for record in records(folder, "route")? {
            if let Some(report) =
                record.read::<Report>().filter(|report| report.kind == ReportKind::Sent.code())
            {
                *sent.entry(report.id).or_insert(0) += 1;
            }
        }
        let mut decided = BTreeSet::new();
        for record in records(folder, "risk")? {
            let Some(decision) = record.read::<Decision>() else { continue };
            let intent = decision.intent();
            let withdrawn =
                decision.code() == RejectCode::Expired.code() && approved.remove(&intent.id).is_some();
            if !decided.insert(intent.id) && !withdrawn {
                return Err(format!("{} was decided twice", intent.id));
            }
            if decision.code() == RejectCode::None.code() && intent.kind == IntentKind::New.code() {
                *approved.entry(intent.id).or_insert(0) += 1;
            }
        }
        for (id, times) in &self.left {
            if *times != 1 {
                return Err(format!("{id} left twice"));
            }
            if sent.get(id) != Some(&1) {
                return Err(format!("{id} left without being journalled once: {:?}", sent.get(id)));
            }
            if approved.get(id) != Some(&1) {
                return Err(format!("{id} left without being approved once: {:?}", approved.get(id)));
            }
        }
        if let Some((id, times)) = sent.iter().find(|(id, times)| **times != 1 || !approved.contains_key(id))
        {
            return Err(format!(
                "{id} was journalled as sent {times} times, approved: {:?}",
                approved.get(id)
            ));
        }
        Ok(())
    }
}

/// Every record of a journal, with what its ring still holds: all processes are dead.
fn records(folder: &Path, name: &str) -> Result<Vec<Record>, String> {
    let ipc = IpcPaths::new(folder.join("ipc"));
    let directory = folder.join("data").join(name);
    let options = SegmentOptions { sync: false, ..SegmentOptions::new(name) };
    JournalWriter::open(&directory, &options, &ipc.journal(name), &ipc.journal_cursor(name))
        .map_err(|error| error.to_string())?;
    let reader = JournalReader::open(&directory).map_err(|error| error.to_string())?;
    reader.collect::<Result<_, _>>().map_err(|error: SetupError| error.to_string())
}
