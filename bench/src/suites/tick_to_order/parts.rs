//! What no arrangement of the way can leave out, one after the other without agents between: decoding, the book, every
//! control, a record in each journal, the clock readings and histograms of each stage, and the order's text; then the same with
//! the messages by which agents tell each other.

use std::hint::black_box;
use std::sync::Arc;

use engine::book::{Book, SyncRule};
use engine::clock::Stopwatch;
use engine::counters::Histograms;
use engine::domain::{Nanos, SourceId};
use engine::error::{RejectCode, SetupError};
use engine::journal::{Decision, Record};
use engine::message::report::{OrderState, ReportKind};
use engine::message::{Intent, Report};
use engine::ring::spsc::{Consumer, Producer};
use engine::venue::binance::MarketEvent;
use engine::venue::binance::frames::FrameDecoder;
use engine::venue::binance::order_request::{REQUEST_ROOM, encode_place};
use engine::venue::{Frame, Source};

use crate::desk::Desk;
use crate::desk::feed::Given;
use crate::suites::Bench;
use crate::suites::tick_to_order::messages::Messages;

/// Stages of the way, each with a histogram, and a reading of the clock where it ends; the last ends with the one before.
const STAGES: [&str; 6] = ["decode", "book", "strategy", "risk", "route", "tick_to_order"];

/// Records that a journal holds: one is taken out for each that is put in.
const RECORDS: usize = 64;

/// A journal's ring.
struct Written {
    ring: Producer<Record>,
    drained: Consumer<Record>,
}

/// The parts.
pub struct Parts {
    decoder: FrameDecoder,
    book: Book,
    histograms: Histograms,
    journals: [Written; 2],
    intents: Consumer<Intent>,
    messages: Messages,
    out: Vec<u8>,
}

impl Parts {
    /// The parts of `desk`, which has not seen a frame yet.
    ///
    /// # Errors
    /// When a file cannot be made.
    pub fn new(desk: &Desk) -> Result<Self, SetupError> {
        let instruments = desk.instruments();
        let instrument = instruments.get(0).ok_or_else(|| SetupError::Invalid("no instrument".to_owned()))?;
        let rule = SyncRule::of(instrument.market);
        let ring = desk.ipc.intents(SourceId::strategy(0));
        let journal = |name: &str| {
            let (ring, cursor) = (ring.with_extension(name), ring.with_extension(format!("{name}.cursor")));
            let written = Producer::create_watched(&ring, &cursor, RECORDS, 1)?;
            Ok::<_, SetupError>(Written { ring: written, drained: Consumer::attach(&ring, &cursor)? })
        };
        Ok(Self {
            decoder: FrameDecoder::new(Arc::clone(instruments)),
            book: Book::new(rule, instrument.filters.tick),
            histograms: Histograms::create(&ring.with_extension("histograms"), &STAGES, 1)?,
            journals: [journal("first")?, journal("second")?],
            intents: Consumer::attach(&ring, &ring.with_extension("copy"))?,
            messages: Messages::new(&ring.with_extension("parts"))?,
            out: Vec::with_capacity(REQUEST_ROOM),
        })
    }

    /// Passes over what the strategy asked for so far.
    pub fn skip(&mut self) {
        while self.intents.poll().is_some() {}
    }

    /// Decodes a frame and applies it to a book, which follows the desk's.
    pub fn read(&mut self, given: &Given) {
        let source = given.url.as_deref().map_or(Source::Stream, Source::Rest);
        let frame = Frame { received: Nanos::ZERO, market: given.market, source, payload: &given.payload };
        let Self { decoder, book, .. } = self;
        decoder.decode(black_box(&frame), |event| match event {
            Ok(MarketEvent::Depth { ids, bids, asks, .. }) => {
                black_box(book.on_diff(*ids, bids, asks));
            }
            Ok(MarketEvent::Snapshot { last_update_id, bids, asks, .. }) => {
                black_box(book.on_snapshot(*last_update_id, bids, asks));
            }
            event => {
                black_box(event);
            }
        });
    }

    /// How long the parts take for `given`, the frame that has just led to an order of `desk` which risk has not judged yet;
    /// `told` says whether messages are among them.
    ///
    /// # Errors
    /// When there is no order, or a part refuses it.
    pub fn time(
        &mut self,
        bench: &Bench<'_>,
        desk: &mut Desk,
        given: &Given,
        told: bool,
    ) -> Result<Nanos, SetupError> {
        let intent = self.intents.poll();
        let intent = intent.ok_or_else(|| SetupError::Invalid("the parts: no order".to_owned()))?;
        let stopwatch = bench.rig.stopwatch;
        let (done, time) = bench.rig.time(|| {
            let done = self.run(desk, given, &intent, stopwatch);
            done && (!told || self.messages.pass(&intent))
        });
        for journal in &mut self.journals {
            journal.drained.poll();
        }
        if done { Ok(time) } else { Err(SetupError::Invalid("the parts: one refused an order".to_owned())) }
    }

    #[inline(never)]
    fn run(&mut self, desk: &mut Desk, given: &Given, intent: &Intent, stopwatch: Stopwatch) -> bool {
        let now = desk.now();
        self.read(given);
        let approved = desk.agents.risk.agent_mut().check(intent, now).is_ok();
        let decision = Decision::new(*intent, RejectCode::None, 0);
        let report = Report {
            id: intent.id,
            price: intent.price,
            quantity: intent.quantity,
            leaves: intent.quantity,
            instrument: intent.instrument,
            kind: ReportKind::Sent.code(),
            state: OrderState::Sent.code(),
            side: intent.side,
            at: now,
            ..Report::default()
        };
        let taken = stopwatch.elapsed();
        let elapsed = taken.0;
        let [first, second] = &mut self.journals;
        let number = first.ring.position() + 1;
        let both = first.ring.try_push(&Record::new(number, 1, now, elapsed, &decision)).is_ok()
            && second.ring.try_push(&Record::new(number, 1, now, elapsed, &report)).is_ok();
        let (mut before, last) = (taken, STAGES.len() - 1);
        for stage in 0..last {
            let after = stopwatch.elapsed();
            self.histograms.record(stage, (after - before).0.unsigned_abs());
            before = after;
        }
        self.histograms.record(last, (before - taken).0.unsigned_abs());
        self.out.clear();
        let instrument = desk.instruments().get(intent.instrument);
        let encoded =
            instrument.is_some_and(|instrument| encode_place(intent, instrument, now, &mut self.out).is_ok());
        black_box(self.out.as_slice());
        approved && both && encoded
    }
}
