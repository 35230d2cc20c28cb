//! Faults between the simulated exchange and the engine, drawn from a seed: what the network and the venue do to
//! everybody, sooner or later.
//!
//! The exchange itself is told everything: its books and its account are what the engine's are held against.

use crate::counters::counter_set;
use crate::domain::Nanos;
use crate::venue::generated::random::Random;
use crate::venue::{VenueEvent, VenueEventKind};

/// Longest delay of a late frame, and of all behind it.
const LATE: Nanos = Nanos::from_secs(2);

/// Longest time for which no frame arrives at all.
const OUTAGE: Nanos = Nanos::from_secs(5);

/// How far the trade ids of fills that never were lie from those of the others.
const PHANTOM: u64 = 1 << 40;

/// How often what happens: once in so many on average; never where it is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultRates {
    /// Frames that are lost.
    pub lost_frames: i64,
    /// Frames of which half arrives.
    pub cut_frames: i64,
    /// Frames that arrive twice.
    pub repeated_frames: i64,
    /// Frames that are late, and hold up those behind them.
    pub late_frames: i64,
    /// Frames at which a time of silence begins.
    pub outages: i64,
    /// Requests that never reach the exchange.
    pub lost_requests: i64,
    /// Answers that never reach the engine. Trades always do: the link of a replay has no way to ask for them.
    pub lost_answers: i64,
    /// Answers that arrive twice.
    pub repeated_answers: i64,
    /// Fills that are told of and never happened. A planted lie: whoever holds the ledgers against each other must see.
    pub phantom_fills: i64,
}

impl FaultRates {
    /// Each kind of fault many times in an hour of a generated market.
    pub const USUAL: Self = Self {
        lost_frames: 2_000,
        cut_frames: 5_000,
        repeated_frames: 2_000,
        late_frames: 1_000,
        outages: 20_000,
        lost_requests: 200,
        lost_answers: 200,
        repeated_answers: 100,
        phantom_fills: 0,
    };
}

counter_set! {
    /// Faults that happened.
    FaultCounts {
        /// Frames that were lost, one by one or in an outage.
        lost_frames,
        /// Frames of which half arrived.
        cut_frames,
        /// Frames that arrived twice.
        repeated_frames,
        /// Frames that were late.
        late_frames,
        /// Times of silence.
        outages,
        /// Requests that never reached the exchange.
        lost_requests,
        /// Answers that never reached the engine.
        lost_answers,
        /// Answers that arrived twice.
        repeated_answers,
        /// Fills that never happened.
        phantom_fills,
    }
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameFate {
    /// It arrives.
    Whole,
    /// Half of it does.
    Half,
    /// It arrives twice.
    Twice,
    /// It does not arrive.
    Lost,
}

/// What becomes of an answer: what arrives, in this order.
pub(super) type AnswerFate = [Option<VenueEvent>; 2];

/// Draws faults.
pub struct Faults {
    random: Random,
    rates: FaultRates,
    silent_until: Nanos,
    last_arrival: Nanos,
    /// What happened so far.
    pub counts: FaultCounts,
}

impl Faults {
    /// The faults of `seed`.
    #[must_use]
    pub fn new(seed: u64, rates: FaultRates) -> Self {
        // Not the market's own draws.
        let random = Random::new(seed.rotate_left(32) ^ 0x5eed_fa17);
        let never = Nanos(i64::MIN);
        Self { random, rates, silent_until: never, last_arrival: never, counts: FaultCounts::default() }
    }

    /// A span of less than `most`.
    pub fn span(&mut self, most: Nanos) -> Nanos {
        Nanos(self.random.below(most.0))
    }

    fn happens(&mut self, one_in: i64) -> bool {
        one_in > 0 && self.random.one_in(one_in)
    }

    /// What becomes of a frame that would arrive at `arrival`, and when it does.
    pub(super) fn of_frame(&mut self, arrival: Nanos) -> (Nanos, FrameFate) {
        let rates = self.rates;
        if self.happens(rates.outages) {
            self.counts.outages += 1;
            self.silent_until = arrival.saturating_add(self.span(OUTAGE));
        }
        let mut arrival = arrival;
        if self.happens(rates.late_frames) {
            self.counts.late_frames += 1;
            arrival = arrival.saturating_add(self.span(LATE));
        }
        // One connection keeps its order.
        arrival = arrival.max(self.last_arrival);
        self.last_arrival = arrival;
        let fate = if arrival < self.silent_until || self.happens(rates.lost_frames) {
            self.counts.lost_frames += 1;
            FrameFate::Lost
        } else if self.happens(rates.cut_frames) {
            self.counts.cut_frames += 1;
            FrameFate::Half
        } else if self.happens(rates.repeated_frames) {
            self.counts.repeated_frames += 1;
            FrameFate::Twice
        } else {
            FrameFate::Whole
        };
        (arrival, fate)
    }

    /// Whether a request is lost.
    pub(super) fn loses_request(&mut self) -> bool {
        let lost = self.happens(self.rates.lost_requests);
        self.counts.lost_requests += u64::from(lost);
        lost
    }

    /// What becomes of an answer.
    pub(super) fn of_answer(&mut self, event: VenueEvent) -> AnswerFate {
        let VenueEventKind::Trade { price, quantity, trade_id, fee, fee_asset, liquidity } = event.kind
        else {
            if self.happens(self.rates.lost_answers) {
                self.counts.lost_answers += 1;
                return [None, None];
            }
            return self.repeated(event);
        };
        if self.happens(self.rates.phantom_fills) {
            self.counts.phantom_fills += 1;
            let trade_id = trade_id + PHANTOM;
            let kind = VenueEventKind::Trade { price, quantity, trade_id, fee, fee_asset, liquidity };
            return [Some(event), Some(VenueEvent { kind, ..event })];
        }
        self.repeated(event)
    }

    fn repeated(&mut self, event: VenueEvent) -> AnswerFate {
        let twice = self.happens(self.rates.repeated_answers);
        self.counts.repeated_answers += u64::from(twice);
        [Some(event), twice.then_some(event)]
    }
}
