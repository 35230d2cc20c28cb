//! Port 5558: strategies and their signals.

use engine::domain::{Nanos, OrderId, Side};
use engine::error::RejectCode;
use engine::journal::{Decision, InstrumentFacts};
use engine::message::IntentKind;
use engine::message::command::CommandKind;
use engine::shm::paths::IpcPaths;
use serde_json::json;

use crate::api::envelope::Request;
use crate::api::strategies::{Parameter, SetParameter, Signal, Strategy, StrategyName};
use crate::api::{ApiError, code};
use crate::config::Places;
use crate::service::account::Event;
use crate::service::families::{Families, names};
use crate::service::instruments::{price, quantity};
use crate::service::show::{self, Names};
use crate::zmq::commanding::Commanding;
use crate::zmq::desk::{Desk, Outcome, Ticket, result};
use crate::zmq::looking::{Views, unknown};
use crate::zmq::router::{Operations, RouterCounts};

/// The port's operations.
pub struct StrategyEngine {
    views: Views,
    commanding: Commanding,
}

impl StrategyEngine {
    /// Looks at the engine under `ipc`, whose journals lie under `places`.
    #[must_use]
    pub fn new(ipc: &IpcPaths, places: &Places) -> Self {
        let commanding = Commanding::new("strategy", ipc);
        Self { views: Views::new("strategy_engine", "strategy", ipc, places), commanding }
    }

    fn answer(&self, request: &Request, now: Nanos) -> Outcome {
        if let Some(outcome) = self.views.serve(request, now) {
            return outcome;
        }
        match request.op.as_str() {
            "strategies" => {
                let table = self.views.table()?;
                let rows: Vec<Strategy> =
                    self.views.names.rows().map(|row| show::strategy(&row, table)).collect();
                result(&rows)
            }
            _ => Err(unknown(request)),
        }
    }

    /// Sends what the strategy host itself must do; `false` if it is nothing of that kind.
    fn command(&mut self, request: &Request, ticket: &Ticket, now: Nanos) -> Result<bool, ApiError> {
        let ticket = ticket.clone();
        match request.op.as_str() {
            "strategy.get" => {
                let shown = self.get(&request.read()?)?;
                let name = shown.name.clone();
                let reply = move |rows: Vec<[String; 3]>| {
                    let row = |[key, value, doc]: [String; 3]| Parameter { key, value, doc };
                    result(&Strategy { parameters: rows.into_iter().map(row).collect(), ..shown })
                };
                self.commanding.list(CommandKind::Parameter, &name, ticket, reply, now)?;
            }
            "strategy.start" | "strategy.stop" => {
                let StrategyName { name } = request.read()?;
                let start = request.op == "strategy.start";
                let kind = if start { CommandKind::Start } else { CommandKind::Stop };
                let reply = if start {
                    |_: [String; 3]| Ok(json!({"activity": "RUNNING"}))
                } else {
                    |_: [String; 3]| Ok(json!({"activity": "STOPPED"}))
                };
                self.commanding.send((kind, 0), (&name, "", ""), Some((ticket, reply)), now)?;
            }
            "strategy.set" => {
                let SetParameter { name, key, value } = request.read()?;
                let reply = |[key, value, _]: [String; 3]| Ok(json!({"key": key, "value": value}));
                let what = (CommandKind::SetParameter, 0);
                self.commanding.send(what, (&name, &key, &value), Some((ticket, reply)), now)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn get(&self, query: &StrategyName) -> Result<Strategy, ApiError> {
        let table = self.views.table()?;
        let row = self.views.names.rows().find(|row| row.name() == Some(&query.name));
        row.map(|row| show::strategy(&row, table)).ok_or_else(|| {
            ApiError::new(code::UNKNOWN_STRATEGY, format!("{:?}: there is no such strategy", query.name))
        })
    }
}

fn signal(decision: &Decision, facts: &InstrumentFacts, names: &Names) -> Signal {
    let intent = decision.intent();
    let kind = match IntentKind::try_from(intent.kind) {
        Ok(IntentKind::New) => "NEW",
        Ok(IntentKind::Replace) => "REPLACE",
        _ => "CANCEL",
    };
    let verdict = RejectCode::try_from(decision.code()).unwrap_or(RejectCode::BadRequest);
    Signal {
        strategy: names.of(intent.id.source),
        kind: kind.to_owned(),
        id: intent.id.to_string(),
        target: (intent.target != OrderId::NONE).then(|| intent.target.to_string()),
        symbol: facts.symbol.to_string(),
        side: Side::try_from(intent.side).ok().map(|side| side.to_string()),
        price: intent.price.is_some().then(|| price(facts, intent.price)),
        quantity: intent.places_order().then(|| quantity(facts, intent.quantity)),
        verdict: verdict.to_string(),
        time_ns: intent.decided.0,
    }
}

impl Operations for StrategyEngine {
    fn refresh(&mut self, now: Nanos) -> Result<(), String> {
        let ready = self.views.refresh(now);
        self.commanding.refresh(self.views.epoch(), now);
        ready
    }

    fn work(&mut self, now: Nanos, desk: &mut Desk) -> usize {
        let mut decisions = Vec::new();
        let heard = desk.is_heard();
        let done = self.views.poll(now, &mut |event| {
            if heard && let Event::Decision(decision, _, _) = event {
                decisions.push(*decision);
            }
        });
        let done = done + self.commanding.tend(now, desk);
        for decision in decisions {
            let Views { names, .. } = &self.views;
            let facts = self.views.table().ok().and_then(|table| table.get(decision.intent().instrument));
            // What clients and the operator send are orders, not signals.
            if let (Some(facts), true) = (facts, names.row(decision.intent().id.source).is_some()) {
                desk.push("signal", &signal(&decision, facts, names));
            }
        }
        done
    }

    fn serve(&mut self, request: &Request, ticket: Ticket, now: Nanos, desk: &mut Desk) {
        let outcome = match self.command(request, &ticket, now) {
            // The reply follows the host's answer.
            Ok(true) => return,
            Ok(false) => self.answer(request, now),
            Err(error) => Err(error),
        };
        desk.reply(ticket, outcome);
    }

    fn epoch(&self) -> u32 {
        self.views.epoch()
    }

    fn counted(&mut self, counts: RouterCounts) {
        self.views.counted(counts);
    }

    fn families(&mut self, now: Nanos, families: &mut Families) {
        self.views.families(now, families);
        if let Ok(reader) = self.views.counters() {
            let lapped = [("ring", "ticks"), ("reader", "strategy")];
            families.from_counter(names::LAPPED, &lapped, reader, "ticks_missed");
        }
    }
}
