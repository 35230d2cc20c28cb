//! `trading trace ORDER`: one order's life, from the venue's frame to the last report, out of the journals and the tape.

use std::path::Path;

use engine::domain::{Nanos, OrderId, SourceId};
use engine::error::SetupError;
use engine::journal::{Decision, Describer, Record};
use engine::message::{IntentKind, Report, ReportKind};
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::assembly::journal_directory;
use engine::venue::replay::{TapeReader, TapeSource, scan};
use serde::Serialize;
use serde_json::Value;

use crate::cli::args::TraceArgs;
use crate::cli::output::say;
use crate::cli::records;
use crate::cli::table::Table;
use crate::config::{Environment, Secrets, Settings};
use crate::{session, tapes};

/// Most characters of a frame that a table shows.
const FRAME_SHOWN: usize = 100;

/// One moment of an order's life.
#[derive(Clone, Debug, Serialize)]
struct Step {
    /// When, on the engine's timeline: of all but the frame and the tick, the start of the duty cycle.
    at_ns: i64,
    /// Since the frame was taken up, by the monotonic clock; since the first step where no tick caused the order.
    since_ns: i64,
    /// Who tells of it.
    by: &'static str,
    /// What happened.
    event: String,
    /// The record or frame itself.
    detail: Value,
    /// Whether it is a decision to send something: its moment is known on the timeline only.
    #[serde(skip)]
    decides: bool,
}

/// What the journals hold of one order.
#[derive(Default)]
struct Life {
    /// Steps; `since_ns` holds the monotonic clock's reading until all are known.
    steps: Vec<Step>,
    /// When the tick that caused it was taken up, by the monotonic clock.
    taken: Option<i64>,
    symbol: Option<String>,
    /// The monotonic clock minus the timeline: the least of all records, each of which reads the clock after its duty
    /// cycle's time was read.
    offset: Option<i64>,
}

/// Runs the command.
///
/// # Errors
/// When the id is none of ours, its journals cannot be read, or they do not tell of it.
pub fn run(args: &TraceArgs, environment: &Environment) -> Result<(), SetupError> {
    let places = Settings::resolve(&args.places, environment, Secrets::Withhold)?.places;
    let id: OrderId = args
        .order
        .parse()
        .map_err(|error| SetupError::Invalid(format!("{}: {error}; it looks like t-1-2-1-7f", args.order)))?;
    let session = match &args.directory {
        Some(directory) => directory.clone(),
        None => session::of_epoch(&places, id.epoch)?,
    };
    let ipc = IpcPaths::new(&places.ipc);
    let mut life = Life::default();
    for name in ["risk", "route"] {
        let mut describer = Describer::new();
        records::every(&ipc, name, &journal_directory(&session, name), &mut |record| {
            let detail = describer.json(record);
            life.take(id, record, detail);
        })?;
    }
    if life.steps.is_empty() {
        return Err(SetupError::file(session, format!("its journals do not tell of {id}")));
    }
    // A session of its own process has its tape beside its journals; a hosted ingest keeps those of all sessions.
    let own = session.join(session::TAPE);
    let frame = life.taken_at().and_then(|at| {
        let kept = || tapes::covering(&tapes::directory(&places), at);
        life.frame(at, &if own.exists() { own } else { kept()? })
    });
    let steps = life.finish(frame);
    print(&steps, args.json);
    Ok(())
}

impl Life {
    fn take(&mut self, id: OrderId, record: &Record, detail: Value) {
        let offset = record.elapsed - record.at.0;
        self.offset = Some(self.offset.map_or(offset, |least| least.min(offset)));
        if let Some(decision) = record.read::<Decision>() {
            let intent = decision.intent();
            if intent.id == id && intent.places_order() {
                self.caused(record, &decision);
                self.symbol = detail["symbol"].as_str().map(str::to_owned);
                self.decided(record, &decision, "decided on it", &detail);
                self.step(record, "risk", format!("answered {}", words(&detail, "code")), detail);
            } else if intent.target == id && !intent.is_of_pair() {
                let what = match IntentKind::try_from(intent.kind) {
                    Ok(IntentKind::Amend) => "amend",
                    Ok(IntentKind::Replace) => "replace",
                    _ => "cancel",
                };
                self.decided(record, &decision, &format!("decided to {what} it"), &detail);
                self.step(record, "risk", format!("answered the {what}: {}", words(&detail, "code")), detail);
            }
        } else if let Some(report) = record.read::<Report>().filter(|report| report.id == id) {
            let event = match report.kind == ReportKind::Fill.code() {
                true => format!(
                    "{} {} at {}",
                    words(&detail, "kind"),
                    words(&detail, "quantity"),
                    words(&detail, "price")
                ),
                false => words(&detail, "kind").to_owned(),
            };
            self.step(record, "route", event, detail);
        }
    }

    /// Takes note of when the tick behind `decision` was taken up: its stamp holds the clock's low 32 bits.
    fn caused(&mut self, record: &Record, decision: &Decision) {
        if decision.intent().stamp == 0 {
            return;
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The low bits are meant.
        let since = (record.elapsed as u32).wrapping_sub(decision.intent().stamp);
        self.taken = Some(record.elapsed - i64::from(since));
    }

    /// The moment is known on the timeline only: intents carry no reading of the monotonic clock.
    fn decided(&mut self, record: &Record, decision: &Decision, event: &str, detail: &Value) {
        let (at, elapsed) = (decision.intent().decided.0, record.elapsed);
        let by = match decision.intent().id.source {
            SourceId::CLIENT => "client",
            SourceId::OPERATOR => "operator",
            _ => "strategy",
        };
        let detail = serde_json::json!({"source": decision.intent().id.source.0, "intent": detail["id"]});
        self.steps.push(Step {
            at_ns: at,
            since_ns: elapsed,
            by,
            event: event.to_owned(),
            detail,
            decides: true,
        });
    }

    fn step(&mut self, record: &Record, by: &'static str, event: String, detail: Value) {
        self.steps.push(Step {
            at_ns: record.at.0,
            since_ns: record.elapsed,
            by,
            event,
            detail,
            decides: false,
        });
    }

    /// When the tick that caused it was taken up, on the timeline.
    fn taken_at(&self) -> Option<Nanos> {
        Some(Nanos(self.taken? - self.offset?))
    }

    /// The last frame of the symbol that the tape holds from before the tick was taken up, at `at`.
    fn frame(&self, at: Nanos, tape: &Path) -> Option<Step> {
        let taken = self.taken?;
        let symbol = self.symbol.as_deref()?;
        let mut reader = TapeReader::open(tape).ok()?;
        let mut found = None;
        // A tape that is still being written may end in half a line: what stands before it is whole.
        while let Ok(Some(line)) = reader.next() {
            if line.received > at {
                break;
            }
            let is_of_symbol = match line.source {
                TapeSource::Stream => mentions(line.payload, symbol),
                TapeSource::Sbe => scan::symbol_of_sbe(line.payload) == Some(symbol),
                _ => false,
            };
            if is_of_symbol {
                found = Some((line.received, line.text().into_owned()));
            }
        }
        let (received, payload) = found?;
        Some(Step {
            at_ns: received.0,
            since_ns: taken,
            by: "venue",
            event: format!("sent a frame: {}", clip(&payload)),
            detail: Value::String(payload),
            decides: false,
        })
    }

    /// The steps in order, each with its time since the frame was taken up.
    fn finish(self, frame: Option<Step>) -> Vec<Step> {
        let Self { mut steps, taken, offset, .. } = self;
        let offset = offset.unwrap_or(0);
        for step in steps.iter_mut().filter(|step| step.decides) {
            // It holds the reading of risk's answer, which came later.
            let latest = step.since_ns;
            step.since_ns = (step.at_ns + offset).max(taken.unwrap_or(i64::MIN)).min(latest);
        }
        steps.sort_by_key(|step| (step.since_ns, !step.decides));
        if let Some(taken) = taken {
            let event = "took the tick up".to_owned();
            let at_ns = taken - offset;
            steps.insert(
                0,
                Step { at_ns, since_ns: taken, by: "ingest", event, detail: Value::Null, decides: false },
            );
        }
        let first = steps.first().map_or(0, |step| step.since_ns);
        steps.splice(0..0, frame);
        for step in &mut steps {
            step.since_ns -= first;
        }
        steps
    }
}

fn words<'a>(detail: &'a Value, key: &str) -> &'a str {
    detail[key].as_str().unwrap_or("?")
}

/// Whether a frame is of `symbol`: as a quoted value, or in the lower case of a stream's name.
fn mentions(payload: &[u8], symbol: &str) -> bool {
    let Ok(text) = std::str::from_utf8(payload) else { return false };
    text.contains(&format!("\"{symbol}\"")) || text.contains(&format!("\"{}@", symbol.to_lowercase()))
}

fn clip(payload: &str) -> String {
    match payload.char_indices().nth(FRAME_SHOWN) {
        Some((end, _)) => format!("{}…", &payload[..end]),
        None => payload.to_owned(),
    }
}

fn print(steps: &[Step], as_json: bool) {
    if as_json {
        say!("{}", serde_json::json!(steps));
        return;
    }
    let mut table = Table::new(&["time ns", "since ns", "by", "event"]);
    for step in steps {
        table.row(vec![
            step.at_ns.to_string(),
            step.since_ns.to_string(),
            step.by.to_owned(),
            step.event.clone(),
        ]);
    }
    say!("{table}");
}
