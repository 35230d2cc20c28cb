//! `trading journal verify|dump`.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use engine::error::SetupError;
use engine::journal::{Describer, JournalReader, verify};
use serde_json::json;

use crate::cli::args::{JournalArgs, JournalCommand};
use crate::cli::output::say;
use crate::cli::table::Table;
use crate::cli::tail;
use crate::config::{Environment, Secrets, Settings};
use crate::session;

/// The journals of a session, as directories beside each other.
const NAMES: [&str; 3] = ["risk", "route", "input"];

/// Runs a journal command.
///
/// # Errors
/// When there is no journal, or a record of one is damaged.
pub fn run(command: &JournalCommand, environment: &Environment) -> Result<(), SetupError> {
    match command {
        JournalCommand::Verify(args) => verify_all(&find(args, environment)?, args.json),
        JournalCommand::Tail(args) => tail::run(args, environment),
        JournalCommand::Dump(args) => dump_all(&find(args, environment)?, args.json),
    }
}

/// The journal directories that the arguments mean.
fn find(args: &JournalArgs, environment: &Environment) -> Result<Vec<PathBuf>, SetupError> {
    let given = match &args.directory {
        Some(directory) => directory.clone(),
        None => {
            let settings = Settings::resolve(&args.places, environment, Secrets::Withhold)?;
            session::latest(&settings.places)?
        }
    };
    if !given.is_dir() {
        return Err(SetupError::file(given, "is no directory"));
    }
    let is_journal = |directory: &Path| {
        std::fs::read_dir(directory).is_ok_and(|entries| {
            entries.flatten().any(|entry| entry.path().extension().is_some_and(|ending| ending == "journal"))
        })
    };
    if is_journal(&given) {
        return Ok(vec![given]);
    }
    let inside: Vec<PathBuf> =
        NAMES.iter().map(|name| given.join(name)).filter(|path| is_journal(path)).collect();
    if inside.is_empty() {
        return Err(SetupError::file(given, "holds no journal"));
    }
    Ok(inside)
}

fn verify_all(journals: &[PathBuf], as_json: bool) -> Result<(), SetupError> {
    let mut table = Table::new(&["journal", "records", "segments", "epochs", "torn", "state hash"]);
    let mut rows = Vec::new();
    for directory in journals {
        let summary = verify(directory)?;
        let torn = summary.torn.as_ref().map_or(0, |torn| torn.bytes);
        rows.push(json!({
            "journal": directory, "records": summary.records, "segments": summary.segments,
            "epochs": summary.epochs.len(), "torn_bytes": torn, "state_hash": summary.digest.to_string(),
        }));
        table.row(vec![
            directory.display().to_string(),
            summary.records.to_string(),
            summary.segments.to_string(),
            summary.epochs.len().to_string(),
            torn.to_string(),
            summary.digest.to_string(),
        ]);
    }
    if as_json {
        say!("{}", json!(rows));
    } else {
        say!("{table}");
    }
    Ok(())
}

fn dump_all(journals: &[PathBuf], as_json: bool) -> Result<(), SetupError> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    for directory in journals {
        let mut describer = Describer::new();
        for record in JournalReader::open(directory)? {
            let record = record?;
            let line = if as_json { describer.json(&record).to_string() } else { describer.line(&record) };
            if writeln!(out, "{line}").is_err() {
                // Whoever read our output has seen enough.
                return Ok(());
            }
        }
    }
    out.flush().or(Ok(()))
}
