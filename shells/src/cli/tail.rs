//! `trading journal tail`: the last records of a running engine's journals, and each new one as it comes.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use engine::clock::Clock;
use engine::clock::tsc::LiveClock;
use engine::domain::Nanos;
use engine::error::SetupError;
use engine::journal::{Describer, JournalReader, Record, RecordKind, Tail};
use engine::ring::broadcast::Polled;
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::assembly::journal_directory;

use crate::cli::args::TailArgs;
use crate::cli::looking::find_running;
use crate::cli::output::say;
use crate::config::{Environment, Secrets, Settings};
use crate::operator;
use crate::session;

/// The journals that tell what happened to orders.
const NAMES: [&str; 2] = ["risk", "route"];

/// How long nothing must come before the rings are looked at again.
const NAP: Duration = Duration::from_millis(20);

/// Records taken from one journal before the other is looked at.
const BATCH: usize = 256;

/// A journal that is followed.
struct Followed {
    name: &'static str,
    tail: Tail,
    describer: Describer,
}

/// Runs the command.
///
/// # Errors
/// When no engine runs, or a journal cannot be read.
pub fn run(args: &TailArgs, environment: &Environment) -> Result<(), SetupError> {
    let places = Settings::resolve(&args.places, environment, Secrets::Withhold)?.places;
    let ipc = find_running(&places)?;
    let session = session::latest(&places)?;
    let names = NAMES.into_iter().filter(|name| args.name.as_deref().is_none_or(|wanted| wanted == *name));
    let mut followed = Vec::new();
    for name in names {
        followed.push(begin(&ipc, name, &journal_directory(&session, name), args)?);
    }
    let mut clock = LiveClock::new(engine::clock::Stopwatch::calibrate());
    let end = args.duration.map_or(Nanos::NEVER, |span| clock.now().saturating_add(span.0));
    loop {
        // Looked at before the rings: what an engine wrote before it ended is still shown.
        let ended = clock.now() >= end || !operator::is_running(&ipc);
        let shown: usize = followed.iter_mut().map(|journal| journal.show(args.json)).sum();
        if shown == 0 && ended {
            return Ok(());
        }
        if shown == 0 {
            std::thread::sleep(NAP);
        }
    }
}

/// Shows the last records that are on the disk, and goes on behind them.
fn begin(
    ipc: &IpcPaths,
    name: &'static str,
    directory: &Path,
    args: &TailArgs,
) -> Result<Followed, SetupError> {
    let mut describer = Describer::new();
    let mut last: VecDeque<Record> = VecDeque::new();
    let mut next = 1;
    for record in JournalReader::open(directory)? {
        let record = record?;
        next = record.sequence + 1;
        if [RecordKind::Epoch.code(), RecordKind::Instrument.code()].contains(&record.kind) {
            let _ = describer.line(&record);
        }
        last.push_back(record);
        if last.len() > args.lines {
            last.pop_front();
        }
    }
    let tail = Tail::attach_from(&ipc.journal(name), Some(directory), next)?;
    let mut followed = Followed { name, tail, describer };
    last.iter().for_each(|record| followed.print(record, args.json));
    Ok(followed)
}

impl Followed {
    fn show(&mut self, as_json: bool) -> usize {
        for shown in 0..BATCH {
            match self.tail.poll() {
                Polled::Message(record) => self.print(&record, as_json),
                Polled::Lapped { missed } => {
                    eprintln!("trading: {}: {missed} records were missed", self.name);
                }
                Polled::Empty => return shown,
            }
        }
        BATCH
    }

    fn print(&mut self, record: &Record, as_json: bool) {
        if as_json {
            let mut object = self.describer.json(record);
            object["journal"] = self.name.into();
            say!("{object}");
        } else {
            say!("{:<5} {}", self.name, self.describer.line(record));
        }
    }
}
