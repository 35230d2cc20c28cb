//! What risk looks after between cycles: files that come, go or lie, and peers that die (C24).

use crate::clock::Moment;
use crate::counters::halt::HaltState;
use crate::counters::heartbeat::Pulse;
use crate::domain::{InstrumentIndex, Nanos, OrderId, SourceId};
use crate::error::RejectCode;
use crate::journal::{Decision, JournalState};
use crate::message::{Intent, IntentKind, SealedOrder};
use crate::ring::broadcast::Reader;
use crate::ring::spsc::Consumer;
use crate::room;
use crate::shm::late::LOOK_EVERY;
use crate::shm::paths::IpcPaths;
use crate::tick_to_trade::risk::agent::Risk;
use crate::tick_to_trade::risk::controls::JOURNAL_RESERVE;

/// How long risk waits before it cancels again what is still open.
pub(super) const SWEEP: Nanos = Nanos::from_secs(1);

/// The agents whose death risk acts upon. None of them, where all share a thread.
#[derive(Default)]
pub struct Peers {
    /// Without them nothing new may be sent.
    links: Vec<Pulse>,
    /// The strategies' host: what it leaves open is cancelled.
    strategies: Option<Pulse>,
    links_up: bool,
}

impl Peers {
    /// Watches ingest, route and the strategies by their heartbeats.
    #[must_use]
    pub fn watch(ipc: &IpcPaths) -> Self {
        let pulse = |owner| Pulse::new(&ipc.heartbeat(owner));
        Self {
            links: vec![pulse("ingest"), pulse("route")],
            strategies: Some(pulse("strategy")),
            links_up: false,
        }
    }

    /// Whether ingest and route are alive, or nobody watches them.
    #[inline]
    pub(super) const fn link_up(&self) -> bool {
        self.links_up || self.links.is_empty()
    }

    const fn is_empty(&self) -> bool {
        self.links.is_empty() && self.strategies.is_none()
    }

    fn look(&mut self, now: Nanos) {
        self.links.iter_mut().chain(&mut self.strategies).for_each(|pulse| pulse.look(now));
        self.links_up = self.links.iter().all(Pulse::is_alive);
    }

    /// Whether the strategies were alive once, in our life or before it, and are not now; who left on purpose and keeps
    /// what is open is not lost.
    fn strategies_lost(&self) -> bool {
        self.strategies.as_ref().is_some_and(|pulse| !pulse.is_alive() && !pulse.rests())
    }
}

/// How long whoever placed orders has to cancel them, before risk does at its end.
const GRACE: Nanos = Nanos::from_millis(200);

/// Risk's own cancels.
#[derive(Debug)]
pub(super) struct Watch {
    /// When everything is cancelled next; `NEVER` unless risk is closing.
    pub(super) closing_due: Nanos,
    /// When what a dead strategy has open is cancelled next.
    sweep_due: Nanos,
    /// When what a latch halts is looked for next; `NEVER` while none does.
    pub(super) halted_due: Nanos,
    /// What a latch halts and is still to be cancelled. Never grows after it is made.
    pub(super) halted: Vec<(OrderId, InstrumentIndex)>,
    /// Cancels sent in this life.
    sequence: u64,
    began: Option<Nanos>,
    /// What route's ring holds is not believed any more: only a restart of risk, which reads the segments, knows better.
    reports_lie: bool,
    /// Whether the latch of a failed journal is set.
    journal_failed: bool,
}

impl Watch {
    /// With room for `orders` open orders.
    pub(super) fn new(orders: usize) -> Self {
        Self {
            // A page that outlived its owner may halt somebody already.
            halted_due: Nanos::ZERO,
            halted: room::vector(orders, (OrderId::NONE, 0)),
            closing_due: Nanos::NEVER,
            sweep_due: Nanos::ZERO,
            sequence: 0,
            began: None,
            reports_lie: false,
            journal_failed: false,
        }
    }
}

impl Risk {
    /// Looks for route's end of the order ring and for the journal's writer, before the first order has to.
    pub fn meet(&mut self) {
        self.ports.orders.meet();
        self.ports.journal.meet();
    }

    /// Looks for files that came, went, were replaced or lie, and for peers that died. What files say is taken up as
    /// usual.
    #[cold]
    pub(super) fn look(&mut self, now: Nanos) {
        self.meet();
        self.look_at_journal(now);
        self.look_at_intents(now);
        self.look_at_others(now);
        let ports = &mut self.ports;
        if ports.ticks.refresh(now) && ports.ticks.attached() > 1 {
            // Another life of ingest: its books are not those that we know.
            self.state.on_tick_gap();
        }
        if ports.ticks.due() != Nanos::NEVER {
            // A missing ring is found again with a later look; records are read by position from it or its segments.
            let _ = ports.reports.refresh();
        }
        ports.peers.look(now);
        self.cancel_lost(now);
        let files = self.ports.intents.iter().map(|(_, ring)| ring.due()).min().unwrap_or(Nanos::NEVER);
        let files = files.min(self.ports.ticks.due());
        let pulses = if self.ports.peers.is_empty() { Nanos::NEVER } else { now.saturating_add(LOOK_EVERY) };
        // Rings that nobody replaces may lie all the same.
        self.look_due = files.min(pulses).min(now.saturating_add(LOOK_EVERY));
    }

    /// Records that fit risk's journal (C25); no more than what is kept for rejects and cancels, while what is appended
    /// does not reach a disk.
    #[inline]
    pub(super) fn journal_room(&mut self) -> usize {
        let free = self.ports.journal.free();
        self.room_of(free)
    }

    /// The same where as many as `free` are known to fit.
    #[inline(always)]
    pub(super) fn room_of(&mut self, free: usize) -> usize {
        if self.ports.journal.health().is_sound() { free } else { self.reserve_of(free) }
    }

    #[cold]
    fn reserve_of(&mut self, free: usize) -> usize {
        if self.ports.journal.health().state() == JournalState::Failed && !self.watch.journal_failed {
            // The next cycle latches it.
            self.look_due = Nanos(i64::MIN);
        }
        free.min(JOURNAL_RESERVE)
    }

    /// Latches HALTED when a journal has failed (C25): what the disk lacks is for an operator to look into.
    fn look_at_journal(&mut self, now: Nanos) {
        if self.watch.journal_failed || self.ports.journal.health().state() != JournalState::Failed {
            return;
        }
        self.watch.journal_failed = true;
        self.raise(None, HaltState::Halted, (RejectCode::Journal, "a journal cannot be written"), now);
    }

    fn look_at_intents(&mut self, now: Nanos) {
        for at in 0..self.ports.intents.len() {
            let (source, ring) = &mut self.ports.intents[at];
            let source = *source;
            ring.refresh(now);
            if let Some(defect) = ring.get().and_then(Consumer::defect) {
                let reason = format!("{} {defect}", ring.name());
                ring.quarantine(defect.to_string());
                self.raise(Some(source), HaltState::Halted, (RejectCode::BadRequest, &reason), now);
            }
        }
    }

    /// Without ticks nothing new is approved, without reports nothing is known: what lies here halts everybody.
    fn look_at_others(&mut self, now: Nanos) {
        let ticks = &mut self.ports.ticks;
        if let Some(defect) = ticks.get().and_then(Reader::defect) {
            let reason = format!("{} {defect}", ticks.name());
            ticks.quarantine(defect.to_string());
            self.state.on_tick_gap();
            self.raise(None, HaltState::CancelOnly, (RejectCode::StaleMarketData, &reason), now);
        }
        if !self.watch.reports_lie
            && let Some(defect) = self.ports.reports.defect()
        {
            self.watch.reports_lie = true;
            self.state.exposure_lost = true;
            let reason = format!("route's journal.ring {defect}");
            self.raise(None, HaltState::Halted, (RejectCode::Journal, &reason), now);
        }
    }

    /// Cancels what dead strategies left open, unless they asked to keep it, and what is of strategies that this engine
    /// does not run; again every second until it is gone.
    fn cancel_lost(&mut self, now: Nanos) {
        let began = *self.watch.began.get_or_insert(now);
        // A strategy that is only late at a common start has nothing open, or its time to come.
        let grace = now < began.saturating_add(SWEEP);
        if grace || now < self.watch.sweep_due {
            return;
        }
        let all_lost = self.ports.peers.strategies_lost();
        let sources = &self.state.limits.sources;
        let lost = |source: SourceId| {
            let own = sources.get(usize::from(source.0));
            source.is_strategy() && own.is_none_or(|limits| all_lost && !limits.keep_on_loss)
        };
        for (target, instrument) in self.state.orders.open_of(lost) {
            self.watch.sweep_due = now.saturating_add(SWEEP);
            if !self.cancel_own(target, instrument, now) {
                // Too many for now: the rest with the next look.
                self.watch.sweep_due = now;
                return;
            }
        }
    }

    /// Begins risk's end: nothing new is approved any more, and what is still open shortly after, whoever placed it, is
    /// cancelled; again every second until it is gone.
    pub fn close(&mut self, now: Nanos) {
        self.watch.closing_due = now.saturating_add(GRACE);
        // What the journals met is latched even when no further look would be due before the end.
        self.look_due = Nanos(i64::MIN);
    }

    /// Cancels that it sent of its own accord.
    #[must_use]
    pub const fn own_cancels(&self) -> u64 {
        self.watch.sequence
    }

    /// Whether its end has begun.
    pub(super) fn is_closing(&self) -> bool {
        self.watch.closing_due != Nanos::NEVER
    }

    /// Cancels what is open at the end, if that is due; returns how many were.
    pub(super) fn cancel_all(&mut self, now: Nanos, moment: &mut Moment) -> usize {
        if now < self.watch.closing_due {
            return 0;
        }
        moment.forget();
        self.watch.closing_due = now.saturating_add(SWEEP);
        let mut sent = 0;
        for (target, instrument) in self.state.orders.open_of(|_| true) {
            if !self.cancel_own(target, instrument, now) {
                // Too many for now: the rest with the next cycle.
                self.watch.closing_due = now;
                return sent;
            }
            sent += 1;
        }
        sent
    }

    /// Whether there is room for a cancel of risk's own.
    pub(super) fn can_cancel(&mut self) -> bool {
        self.ports.journal.free() > 2 && self.ports.orders.free() > 0
    }

    /// Sends a cancel that no source asked for. False when there is no room for it now.
    pub(super) fn cancel_own(&mut self, target: OrderId, instrument: InstrumentIndex, now: Nanos) -> bool {
        if !self.can_cancel() {
            return false;
        }
        self.watch.sequence += 1;
        let id = OrderId {
            epoch: self.state.epoch,
            source: SourceId::RISK,
            source_epoch: u16::try_from(self.ports.orders.life() + 1).unwrap_or(u16::MAX),
            sequence: self.watch.sequence,
        };
        let intent = Intent {
            id,
            target,
            instrument,
            kind: IntentKind::Cancel.code(),
            valid_until: Nanos::NEVER,
            decided: now,
            ..Intent::default()
        };
        self.flush(now);
        let elapsed = self.elapsed();
        let decision = Decision::new(intent, RejectCode::None, 0);
        let Ok(approval) = self.ports.journal.append(now, elapsed, &decision) else { return false };
        self.counts.cancels += 1;
        self.ports.orders.try_push(&SealedOrder::approve(&intent, approval)).is_ok()
    }
}
