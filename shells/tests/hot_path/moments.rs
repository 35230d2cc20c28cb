//! Moments at which market data alone comes and more than market data is due: the parts of duty cycles that a replay by
//! deadlines drives then do what whole cycles do.

use std::path::Path;
use std::sync::mpsc::{Sender, channel};

use engine::domain::{Instrument, InstrumentIndex, Nanos, Price, Quantity, Side};
use engine::error::RejectCode;
use engine::message::report::{OrderState, ReportKind};
use engine::message::tick::TickKind;
use engine::message::{Report, Tick};
use engine::tick_to_trade::strategy::{Outbox, ParameterError, ParameterValue, Refusal, Start, Strategy};

use crate::agree;
use crate::bracket::{Bracket, Event};
use crate::replay::{MONEY, Make, Traders};
use crate::support::generated_at;

/// 15 November 2023, 00:00 UTC.
const MIDNIGHT: Nanos = Nanos(1_700_006_400_000_000_000);

/// Three dollars: more than what is held costs at once.
const LOSS: i128 = 300_000_000;

/// How often `Holding` acts.
const EVERY: Nanos = Nanos::from_secs(5);

/// What may happen to the strategy of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    OnTick,
    OnTimer,
    NextTimer,
}

/// A strategy that works a pair as another does, until it panics in the middle of what it does.
struct Failing {
    inner: Bracket,
    fault: Fault,
    /// Ticks until then.
    left: u32,
}

impl Failing {
    fn is_over(&self, fault: Fault) -> bool {
        self.left == 0 && self.fault == fault
    }
}

impl Strategy for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }
    fn on_start(&mut self, start: &Start<'_>, outbox: &mut Outbox) {
        self.inner.on_start(start, outbox);
    }
    fn on_tick(&mut self, tick: &Tick, now: Nanos, outbox: &mut Outbox) {
        self.left = self.left.saturating_sub(1);
        self.inner.on_tick(tick, now, outbox);
        assert!(!self.is_over(Fault::OnTick), "planted");
    }
    fn on_report(&mut self, report: &Report, now: Nanos, outbox: &mut Outbox) {
        self.inner.on_report(report, now, outbox);
    }
    fn on_refusal(&mut self, refusal: &Refusal, now: Nanos, outbox: &mut Outbox) {
        self.inner.on_refusal(refusal, now, outbox);
    }
    fn on_timer(&mut self, _now: Nanos, _outbox: &mut Outbox) {
        panic!("planted");
    }
    fn next_timer(&self) -> Nanos {
        assert!(!self.is_over(Fault::NextTimer), "planted");
        if self.is_over(Fault::OnTimer) { Nanos::ZERO } else { Nanos::NEVER }
    }
    fn set(&mut self, key: &str, value: &str) -> Result<(), ParameterError> {
        self.inner.set(key, value)
    }
    fn parameters(&self) -> Vec<ParameterValue> {
        self.inner.parameters()
    }
}

/// A strategy that does by a timer, which is due at once, what another does with a tick.
struct ByTimer {
    inner: Bracket,
    last: Option<Tick>,
}

impl Strategy for ByTimer {
    fn name(&self) -> &'static str {
        "by_timer"
    }
    fn on_start(&mut self, start: &Start<'_>, outbox: &mut Outbox) {
        self.inner.on_start(start, outbox);
    }
    fn on_tick(&mut self, tick: &Tick, _now: Nanos, _outbox: &mut Outbox) {
        self.last = Some(*tick);
    }
    fn on_report(&mut self, report: &Report, now: Nanos, outbox: &mut Outbox) {
        self.inner.on_report(report, now, outbox);
    }
    fn on_refusal(&mut self, refusal: &Refusal, now: Nanos, outbox: &mut Outbox) {
        self.inner.on_refusal(refusal, now, outbox);
    }
    fn on_timer(&mut self, now: Nanos, outbox: &mut Outbox) {
        let tick = self.last.take().expect("a tick");
        self.inner.on_tick(&tick, now, outbox);
    }
    fn next_timer(&self) -> Nanos {
        if self.last.is_some() { Nanos::ZERO } else { Nanos::NEVER }
    }
    fn set(&mut self, key: &str, value: &str) -> Result<(), ParameterError> {
        self.inner.set(key, value)
    }
    fn parameters(&self) -> Vec<ParameterValue> {
        self.inner.parameters()
    }
}

/// A strategy that buys once and holds that, and tries a bid far from the market every five seconds.
struct Holding {
    index: InstrumentIndex,
    tick: Price,
    quantity: Quantity,
    bid: Price,
    next: Nanos,
    said: Sender<Event>,
}

impl Strategy for Holding {
    fn name(&self) -> &'static str {
        "holding"
    }
    fn on_start(&mut self, start: &Start<'_>, _outbox: &mut Outbox) {
        self.next = start.now + EVERY;
    }
    fn on_tick(&mut self, tick: &Tick, _now: Nanos, _outbox: &mut Outbox) {
        if tick.kind == TickKind::Top.code() {
            self.bid = tick.top().bid;
        }
    }
    fn on_report(&mut self, report: &Report, _now: Nanos, _outbox: &mut Outbox) {
        let kind = ReportKind::try_from(report.kind).expect("a kind");
        let state = OrderState::try_from(report.state).expect("a state");
        self.said.send(Event::Report(report.id.sequence, kind, state)).expect("the test listens");
    }
    fn on_refusal(&mut self, refusal: &Refusal, _now: Nanos, _outbox: &mut Outbox) {
        self.said.send(Event::Refused(refusal.id.sequence, refusal.code)).expect("the test listens");
    }
    fn on_timer(&mut self, now: Nanos, outbox: &mut Outbox) {
        let price = Price(self.bid.0 / self.tick.0 * 95 / 100 * self.tick.0);
        let sent = match outbox.sequence() {
            0 => outbox.market(self.index, Side::Buy, self.quantity),
            _ => outbox.limit_maker(self.index, Side::Buy, price, self.quantity),
        };
        sent.expect("room");
        self.next = now + EVERY;
    }
    fn next_timer(&self) -> Nanos {
        self.next
    }
    fn set(&mut self, key: &str, _value: &str) -> Result<(), ParameterError> {
        let known = String::new();
        Err(ParameterError::Unknown { strategy: "holding", key: key.to_owned(), known })
    }
    fn parameters(&self) -> Vec<ParameterValue> {
        Vec::new()
    }
}

/// Holds the replays of a tape to each other, with strategies made to say what they hear, and gives what that was for each
/// feed latency.
fn told(
    tape: &Path,
    day_loss: i128,
    make: impl Fn(InstrumentIndex, &Instrument, Sender<Event>) -> Box<dyn Strategy>,
) -> Vec<Vec<Event>> {
    let (say, heard) = channel();
    let make: Make<'_> = &|index, instrument| make(index, instrument, say.clone());
    let latencies = [Nanos::ZERO, Nanos::from_millis(7)];
    let told = latencies.map(|latency| {
        let replays = agree(tape, latency, Traders { make, day_loss });
        let events: Vec<Event> = heard.try_iter().collect();
        let mut each = events.chunks((events.len() / replays).max(1));
        let first = each.next().expect("something is said");
        assert!(each.all(|other| other == first), "feed latency {latency:?}");
        first.to_vec()
    });
    told.into()
}

fn holding(index: InstrumentIndex, instrument: &Instrument, said: Sender<Event>) -> Box<dyn Strategy> {
    let quantity = Quantity(instrument.quantity_scale.unit() / 20);
    let tick = instrument.filters.tick;
    Box::new(Holding { index, tick, quantity, bid: Price::NONE, next: Nanos::NEVER, said })
}

/// What `holding` is told of so many seconds from `start` on, where the loss of a day is bounded.
fn held(start: Nanos, seconds: i64) -> Vec<Vec<Event>> {
    let home = tempfile::tempdir().expect("a folder");
    let tape = generated_at(home.path(), &["BTCUSDT"], (start, seconds), |received| received);
    told(&tape, LOSS, holding)
}

/// Where among `events` an order was refused first for the loss.
fn refused(events: &[Event]) -> Option<usize> {
    events.iter().position(|event| matches!(event, Event::Refused(_, RejectCode::Halted)))
}

#[test]
fn a_tick_alone_may_bring_the_loss_of_a_day() {
    for events in held(MIDNIGHT - Nanos::from_secs(3_600), 200) {
        let at = |wanted| events.iter().position(|event| *event == wanted).expect("told");
        let rested = at(Event::Report(2, ReportKind::Accepted, OrderState::Open));
        let cancelled = at(Event::Report(2, ReportKind::Canceled, OrderState::Canceled));
        let refused = refused(&events).expect("the loss is reached");
        assert!(rested < refused, "it comes while there are orders: {events:?}");
        // A little more, and what rests is cancelled, long before the end.
        assert!(matches!(events.last(), Some(Event::Refused(..))) && rested < cancelled, "{events:?}");
    }
}

#[test]
fn a_day_that_ends_takes_its_loss_with_it() {
    let [whole, parted] = [3_600, 20].map(|before| held(MIDNIGHT - Nanos::from_secs(before), 200));
    for (whole, parted) in whole.iter().zip(&parted) {
        let latest = |events| refused(events).unwrap_or(usize::MAX);
        assert!(latest(whole) < latest(parted), "{parted:?}");
    }
    // Wherever it falls between the moments at which there is more to do anyway.
    for before in (7_000..7_400).step_by(23) {
        held(MIDNIGHT - Nanos::from_millis(before), 8);
    }
}

#[test]
fn a_strategy_that_panics_leaves_the_others_what_they_are() {
    let home = tempfile::tempdir().expect("a folder");
    let tape = generated_at(home.path(), &["BTCUSDT", "ETHUSDT"], (MIDNIGHT, 30), |received| received);
    let pairs = |fault: Option<Fault>| {
        let make = |index, instrument: &Instrument, said: Sender<Event>| -> Box<dyn Strategy> {
            let inner = Bracket::new(index, instrument, said);
            match fault.filter(|_| index == 0) {
                Some(fault) => Box::new(Failing { inner, fault, left: 500 }),
                None => Box::new(inner),
            }
        };
        told(&tape, MONEY, make).iter().map(|events| events.len()).collect::<Vec<_>>()
    };
    let sound = pairs(None);
    for fault in [Fault::OnTick, Fault::OnTimer, Fault::NextTimer] {
        let failed = pairs(Some(fault));
        assert!(sound.iter().zip(&failed).all(|(sound, failed)| failed < sound && *failed > 0), "{fault:?}");
    }
}

#[test]
fn more_may_come_at_once_than_one_cycle_takes() {
    let home = tempfile::tempdir().expect("a folder");
    let at_once = |received: Nanos| Nanos(received.0 - received.0 % 500_000_000);
    let symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT"];
    let tape = generated_at(home.path(), &symbols, (MIDNIGHT, 30), at_once);
    told(&tape, MONEY, |index, instrument, said| {
        let inner = Bracket::new(index, instrument, said);
        if index % 2 == 0 { Box::new(ByTimer { inner, last: None }) } else { Box::new(inner) }
    });
}
