//! The simulated exchange as an agent: it plays frames, matches our orders against them, and answers.
//!
//! It keeps its own books, on the exchange's side of the latency.

use std::sync::Arc;

use crate::agent::{Agent, Observed};
use crate::domain::{InstrumentIndex, Instruments, Nanos};
use crate::error::SetupError;
use crate::limits::POLL_BATCH;
use crate::message::Answer;
use crate::ring::spsc;
use crate::simulation::exchange_counts::ExchangeCounters;
use crate::simulation::faults::{Faults, FrameFate};
use crate::simulation::source::FrameSource;
use crate::venue::binance::frames::{FrameDecoder, Read};
use crate::venue::link::{Batch, DirectFeed, FeedWriter};
use crate::venue::simulated::{Matching, Request, SimulationConfig};
use crate::venue::{Frame, KeptFrame};

/// The exchange's ends of the link to the engine.
pub struct ExchangePorts {
    /// Frames out.
    pub feed: FeedWriter,
    /// Wishes for snapshots in.
    pub wishes: spsc::Consumer<u64>,
    /// Requests in.
    pub requests: spsc::Consumer<Request>,
    /// Answers out.
    pub answers: spsc::Producer<Answer>,
}

/// The agent.
pub struct SimulatedExchange<S> {
    ports: ExchangePorts,
    source: S,
    decoder: FrameDecoder,
    matching: Matching,
    feed_latency: Nanos,
    /// A frame that found no room in the feed.
    held: Option<KeptFrame>,
    /// Where events go in place of frames, for an engine on the same thread.
    direct: Option<Batch>,
    /// What happens to frames that are handed over, to requests and answers; nothing where there is none.
    faults: Option<Box<Faults>>,
    /// When the source's next frame is due, as last asked.
    frame_due: Nanos,
    failure: Option<SetupError>,
    /// Counts since start.
    pub counters: ExchangeCounters,
}

impl<S: FrameSource> SimulatedExchange<S> {
    /// Plays `source` to the engine behind `ports`; a frame arrives `feed_latency` after it happened.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn new(
        ports: ExchangePorts,
        mut source: S,
        instruments: Arc<Instruments>,
        config: SimulationConfig,
        feed_latency: Nanos,
    ) -> Result<Self, SetupError> {
        let frame_due = source.next_time()?;
        Ok(Self {
            ports,
            source,
            decoder: FrameDecoder::new(Arc::clone(&instruments)),
            matching: Matching::new(instruments, config),
            feed_latency,
            held: None,
            direct: None,
            faults: None,
            frame_due,
            failure: None,
            counters: ExchangeCounters::default(),
        })
    }

    /// What went wrong with the source, if anything did. The exchange then plays no more frames.
    #[inline]
    pub const fn take_failure(&mut self) -> Option<SetupError> {
        // Asked after every cycle, and hardly ever there: then nothing is moved.
        if self.failure.is_some() { self.failure.take() } else { None }
    }

    /// Whether every frame was played.
    pub fn is_exhausted(&self) -> bool {
        self.frame_due == Nanos::NEVER && self.held.is_none()
    }

    /// Hands over decoded events from now on, in place of frames: see [`hand_over`](Self::hand_over).
    pub fn hand_over_events(&mut self) {
        self.direct = Some(Batch::default());
    }

    /// Lets faults happen from now on. Only frames whose events are handed over meet them.
    pub fn inject(&mut self, faults: Faults) {
        self.faults = Some(Box::new(faults));
    }

    /// The faults, to look at what happened.
    pub fn faults(&self) -> Option<&Faults> {
        self.faults.as_deref()
    }

    /// Hands over to the engine what was played.
    #[inline(always)]
    pub fn hand_over(&mut self, feed: &mut DirectFeed) {
        while let Some(batch) = self.source.begun() {
            feed.follow(batch, self.feed_latency);
        }
        feed.allow(self.counters.frames);
        if let Some(outbox) = &mut self.direct {
            feed.refill(outbox);
        }
    }

    /// Whether it holds events that are still to be handed over.
    #[inline]
    pub fn holds_events(&self) -> bool {
        self.direct.as_ref().is_some_and(|outbox| !outbox.is_empty())
    }

    /// The matching engine, to look at its ledger.
    pub const fn matching(&self) -> &Matching {
        &self.matching
    }

    /// A duty cycle for which neither a request nor a wish can have come: frames, and what is due at the exchange.
    #[inline]
    pub fn do_market(&mut self, now: Nanos) -> usize {
        if let Some(due) = self.source.look(now) {
            self.frame_due = due;
        }
        let work = self.play_frames(now);
        self.matching.advance(now);
        work + self.give_answers(now)
    }

    fn play_frames(&mut self, now: Nanos) -> usize {
        let mut played = 0;
        while played < POLL_BATCH && self.release_held() && self.frame_due <= now {
            let due = self.frame_due;
            self.matching.advance(due);
            let outcome = self.play_one().and_then(|()| self.source.next_time());
            self.frame_due = outcome.unwrap_or_else(|error| {
                self.failure = Some(error);
                Nanos::NEVER
            });
            played += 1;
            self.counters.frames += 1;
        }
        played
    }

    fn play_one(&mut self) -> Result<(), SetupError> {
        match self.play_read() {
            Some(outcome) => outcome,
            None => self.play_frame(),
        }
    }

    /// Plays what a source says that has decoded its frames before. The engine's side reads it in the same place.
    #[inline]
    fn play_read(&mut self) -> Option<Result<(), SetupError>> {
        let Self { source, matching, direct, faults, counters, .. } = self;
        if direct.is_none() || faults.is_some() {
            let unfit = "a source that reads ahead has no frames, for a link or for faults";
            return source.next_read(&mut |_, _| {}).map(|_| Err(SetupError::Invalid(unfit.to_owned())));
        }
        source.next_read(&mut |received, read| hear(received, read, matching, counters))
    }

    fn play_frame(&mut self) -> Result<(), SetupError> {
        let Self { source, decoder, matching, ports, held, direct, faults, feed_latency, counters, .. } =
            self;
        source.next(&mut |frame| {
            let (mut arrival, mut fate) = (frame.received + *feed_latency, FrameFate::Whole);
            if let (Some(_), Some(faults)) = (&direct, &mut *faults) {
                (arrival, fate) = faults.of_frame(arrival);
            }
            if let (Some(outbox), FrameFate::Whole | FrameFate::Twice) = (&mut *direct, fate) {
                outbox.frame(arrival);
            }
            decoder.decode(frame, |read| {
                hear(frame.received, read, matching, counters);
                if let (Some(outbox), FrameFate::Whole | FrameFate::Twice) = (&mut *direct, fate) {
                    outbox.tell(read);
                }
            });
            let payload = match fate {
                FrameFate::Half => &frame.payload[..frame.payload.len() / 2],
                _ => frame.payload,
            };
            let arriving = || Frame { received: arrival, payload, ..*frame };
            match (&mut *direct, fate) {
                (None, _) if ports.feed.write(&arriving()).is_err() => {
                    counters.held += 1;
                    *held = Some(KeptFrame::of(&arriving(), Vec::new()));
                }
                (Some(outbox), FrameFate::Twice | FrameFate::Half) => push_all(outbox, decoder, &arriving()),
                _ => {}
            }
        })
    }

    /// Retries the frame that found no room. Returns whether the feed is free for the next.
    fn release_held(&mut self) -> bool {
        let Some(held) = &self.held else { return true };
        if self.ports.feed.write(&held.frame()).is_ok() {
            self.held = None;
        }
        self.held.is_none()
    }

    fn take_requests(&mut self) -> usize {
        let mut taken = 0;
        while taken < POLL_BATCH
            && let Some(request) = self.ports.requests.poll_unless(Request::opens_pair)
        {
            taken += 1;
            let pairs = |second: &Request| request.pairs_with(second);
            let other = if request.opens_pair() { self.ports.requests.poll_if(pairs) } else { None };
            // A pair is one request, and lost as one.
            if self.faults.as_mut().is_some_and(|faults| faults.loses_request()) {
                continue;
            }
            for request in std::iter::once(request).chain(other) {
                self.matching.submit(&request, request.sent);
            }
        }
        self.counters.requests += taken as u64;
        taken
    }

    #[inline]
    fn give_answers(&mut self, now: Nanos) -> usize {
        let mut given = 0;
        // A fault may make two of one.
        while given < POLL_BATCH
            && self.matching.next_arrival() <= now
            && self.ports.answers.free() > usize::from(self.faults.is_some())
            && let Some(event) = self.matching.next_event(now)
        {
            let fate = match &mut self.faults {
                Some(faults) => faults.of_answer(event),
                None => [Some(event), None],
            };
            for event in fate.into_iter().flatten() {
                // There is room: it was looked for above, and nobody else writes.
                let _ = self.ports.answers.try_push(&Answer::from(&event));
            }
            given += 1;
        }
        self.counters.answers += given as u64;
        given
    }
}

/// Adds all that `frame` says.
fn push_all(outbox: &mut Batch, decoder: &mut FrameDecoder, frame: &Frame<'_>) {
    outbox.frame(frame.received);
    decoder.decode(frame, |read| outbox.tell(read));
}

/// Lets the exchange itself know what was said at `received`.
#[inline]
fn hear(received: Nanos, read: &Read<'_>, matching: &mut Matching, counters: &mut ExchangeCounters) {
    match read {
        Ok(event) => matching.on_market(received, event),
        Err(_) => counters.unreadable += 1,
    }
}

impl<S: FrameSource> Agent for SimulatedExchange<S> {
    fn name(&self) -> &'static str {
        "venue"
    }

    fn do_work(&mut self, now: Nanos) -> usize {
        let mut work = self.take_requests();
        while let Some(wish) = self.ports.wishes.poll() {
            self.source
                .request_snapshot(InstrumentIndex::try_from(wish).unwrap_or(InstrumentIndex::MAX), now);
            // A snapshot may be due before what was thought to be next.
            self.frame_due = self.source.next_time().unwrap_or(self.frame_due);
            work += 1;
        }
        work + self.do_market(now)
    }

    fn next_deadline(&self) -> Nanos {
        // While a frame is held the engine must move first.
        let frames = if self.held.is_some() { Nanos::NEVER } else { self.frame_due };
        frames.min(self.matching.next_deadline())
    }
}

impl<S: FrameSource> Observed for SimulatedExchange<S> {
    fn names(&self) -> Vec<String> {
        ExchangeCounters::NAMES.iter().map(|&name| name.to_owned()).collect()
    }

    fn values(&self, set: &mut dyn FnMut(usize, u64)) {
        self.counters.to_array().into_iter().enumerate().for_each(|(i, value)| set(i, value));
    }
}
