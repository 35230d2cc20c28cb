//! Commands on their way to an agent, and which client waits for what came of each.

use std::collections::BTreeMap;

use engine::domain::Nanos;
use engine::message::Intent;
use engine::message::command::CommandKind;
use engine::shm::paths::IpcPaths;

use crate::api::ApiError;
use crate::client::commands::{Answer, Commands};
use crate::zmq::desk::{Desk, Outcome, Ticket};
use crate::zmq::looking::not_ready;

/// How long a client waits.
const PATIENCE: Nanos = Nanos::from_secs(2);

/// Rows of a list that are asked for at once.
const WINDOW: u32 = 32;

/// Makes a reply of what an agent said.
type Reply = fn([String; 3]) -> Outcome;

/// Makes a reply of a whole list.
type ListReply = Box<dyn FnOnce(Vec<[String; 3]>) -> Outcome + Send>;

/// A list on its way.
struct Listing {
    ticket: Ticket,
    kind: CommandKind,
    name: String,
    rows: BTreeMap<u32, [String; 3]>,
    /// The first row that was not asked for.
    next: u32,
    pending: u32,
    over: bool,
    end: Nanos,
    reply: ListReply,
}

enum Waiting {
    One(Ticket, Reply, Nanos),
    Row(u64, u32),
    /// Nobody.
    Nobody(Nanos),
}

/// A port's commands to its agent.
pub struct Commanding {
    ipc: IpcPaths,
    agent: &'static str,
    commands: Option<Commands>,
    reason: String,
    waiting: BTreeMap<u64, Waiting>,
    listings: BTreeMap<u64, Listing>,
    lists: u64,
}

impl Commanding {
    /// Commands to `agent` under `ipc`.
    #[must_use]
    pub fn new(agent: &'static str, ipc: &IpcPaths) -> Self {
        Self {
            ipc: ipc.clone(),
            agent,
            commands: None,
            reason: "its rings of commands are not open yet".to_owned(),
            waiting: BTreeMap::new(),
            listings: BTreeMap::new(),
            lists: 0,
        }
    }

    /// Opens the rings for the engine of `epoch`.
    pub fn refresh(&mut self, epoch: u32, now: Nanos) {
        if epoch == 0 || self.commands.as_ref().is_some_and(|commands| commands.epoch() == epoch) {
            return;
        }
        let sender = format!("{}/service", self.agent);
        match Commands::open(&self.ipc, self.agent, &sender, epoch, now) {
            Ok(commands) => self.commands = Some(commands),
            Err(error) => {
                self.commands = None;
                self.reason = error.to_string();
            }
        }
    }

    /// Sends a command; the reply follows its answer. Without a ticket nobody is told.
    ///
    /// # Errors
    /// `NOT_READY` or `BAD_REQUEST`.
    pub fn send(
        &mut self,
        (kind, row): (CommandKind, u32),
        texts: (&str, &str, &str),
        waits: Option<(Ticket, Reply)>,
        now: Nanos,
    ) -> Result<(), ApiError> {
        let commands = self.commands.as_mut().ok_or_else(|| not_ready(&self.reason))?;
        let id = commands.send(kind, row, texts, now)?;
        let end = now.saturating_add(PATIENCE);
        let waiting = waits.map_or(Waiting::Nobody(end), |(ticket, reply)| Waiting::One(ticket, reply, end));
        self.waiting.insert(id, waiting);
        Ok(())
    }

    /// Asks for risk's verdict on `intent`.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn check(
        &mut self,
        intent: Intent,
        ticket: Ticket,
        reply: Reply,
        now: Nanos,
    ) -> Result<(), ApiError> {
        let commands = self.commands.as_mut().ok_or_else(|| not_ready(&self.reason))?;
        let id = commands.check(intent, now)?;
        self.waiting.insert(id, Waiting::One(ticket, reply, now.saturating_add(PATIENCE)));
        Ok(())
    }

    /// Asks for a list; the reply follows its last row.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn list(
        &mut self,
        kind: CommandKind,
        name: &str,
        ticket: Ticket,
        reply: impl FnOnce(Vec<[String; 3]>) -> Outcome + Send + 'static,
        now: Nanos,
    ) -> Result<(), ApiError> {
        if self.commands.is_none() {
            return Err(not_ready(&self.reason));
        }
        self.lists += 1;
        let listing = Listing {
            ticket,
            kind,
            name: name.to_owned(),
            rows: BTreeMap::new(),
            next: 0,
            pending: 0,
            over: false,
            end: now.saturating_add(PATIENCE),
            reply: Box::new(reply),
        };
        self.listings.insert(self.lists, listing);
        Ok(())
    }

    /// Takes answers, goes on with lists, and gives up what has waited too long. Returns how much was done.
    pub fn tend(&mut self, now: Nanos, desk: &mut Desk) -> usize {
        let mut done = 0;
        while let Some(answer) = self.commands.as_mut().and_then(|commands| commands.poll(now)) {
            done += 1;
            match self.waiting.remove(&answer.id) {
                Some(Waiting::One(ticket, reply, _)) => desk.reply(ticket, answer.outcome.and_then(reply)),
                Some(Waiting::Row(list, row)) => self.row(list, row, answer),
                Some(Waiting::Nobody(_)) | None => {}
            }
        }
        self.ask_for_rows(now);
        let over = |listing: &mut Listing| (listing.over && listing.pending == 0) || listing.end <= now;
        for (_, listing) in self.listings.extract_if(.., |_, listing| over(listing)).collect::<Vec<_>>() {
            done += 1;
            let complete = listing.over && listing.pending == 0;
            let outcome = match complete {
                true => (listing.reply)(listing.rows.into_values().collect()),
                false => Err(late(self.agent)),
            };
            desk.reply(listing.ticket, outcome);
        }
        let lists = &self.listings;
        let gone = |waiting: &Waiting| match waiting {
            Waiting::One(_, _, end) | Waiting::Nobody(end) => *end <= now,
            Waiting::Row(list, _) => !lists.contains_key(list),
        };
        for (_, waiting) in self.waiting.extract_if(.., |_, waiting| gone(waiting)) {
            if let Waiting::One(ticket, _, _) = waiting {
                desk.reply(ticket, Err(late(self.agent)));
            }
        }
        done
    }

    fn row(&mut self, list: u64, row: u32, answer: Answer) {
        let Some(listing) = self.listings.get_mut(&list) else { return };
        listing.pending -= 1;
        match answer.outcome {
            Ok(texts) => _ = listing.rows.insert(row, texts),
            // The end, or as good as one.
            Err(_) => listing.over = true,
        }
    }

    fn ask_for_rows(&mut self, now: Nanos) {
        let Some(commands) = &mut self.commands else { return };
        for (list, listing) in &mut self.listings {
            while !listing.over && listing.pending < WINDOW {
                let texts = (listing.name.as_str(), "", "");
                let Ok(id) = commands.send(listing.kind, listing.next, texts, now) else { break };
                self.waiting.insert(id, Waiting::Row(*list, listing.next));
                listing.next += 1;
                listing.pending += 1;
            }
        }
    }
}

fn late(agent: &str) -> ApiError {
    let reason = format!("{agent} did not answer in time: what became of it is not known");
    ApiError::new(crate::api::code::TIMEOUT, reason)
}
