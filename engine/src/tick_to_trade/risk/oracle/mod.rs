//! An independent, slow judge of the pass: it keeps every event in plain lists, recomputes each limit from scratch by its
//! definition, and compares. Random traces must agree both ways; planted bugs must be caught.

mod judge;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::counters::halt::HaltState;
use crate::domain::{Nanos, Price, Quantity, Side, SourceId};
use crate::error::RejectCode;
use crate::message::report::OrderState;
use crate::message::{Intent, Report, ReportKind};
use crate::tick_to_trade::risk::controls::Gates;
use crate::tick_to_trade::risk::fixture::{
    EPOCH, OPEN, cancel, fill, id, instruments, limit, limits, market, report,
};
use crate::tick_to_trade::risk::limits::Rate;
use crate::tick_to_trade::risk::market::tests::top;
use crate::tick_to_trade::risk::open_orders::OpenOrders;
use crate::tick_to_trade::risk::request::Request;
use crate::tick_to_trade::risk::state::State;
use crate::tick_to_trade::risk::window::Recent;

use judge::{Book, Judge, Placed, narrow};

/// A bug to plant in the state before every check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    /// C11 as reliability.md found it in the systems it read: position without open orders.
    IgnoreOpenOrders,
    /// C10 without age.
    BelieveOldBooks,
    /// C04 without memory.
    ForgetContent,
    /// C16 without the account's bucket.
    IgnoreAccountRate,
    /// C18 without its latch.
    IgnoreLatches,
    /// C23 without the account's count.
    IgnoreUnknown,
    /// An amendment frees what it asked for when it is sent.
    BelieveAmendSent,
}

/// What a trace showed.
#[derive(Debug, Default)]
struct Outcome {
    approved: u32,
    refused: Vec<RejectCode>,
    /// Approvals that break a limit.
    unsafe_approvals: Vec<RejectCode>,
    /// Rejects without a reason.
    baseless: Vec<RejectCode>,
}

struct Trace {
    random: Xoshiro256PlusPlus,
    state: State,
    judge: Judge,
    now: Nanos,
    sequence: u64,
    trade: u64,
    halt: HaltState,
    bug: Bug,
    latest: Option<Intent>,
    outcome: Outcome,
}

impl Trace {
    fn new(seed: u64, bug: Bug) -> Self {
        let state = State::new(&instruments(), narrow(), EPOCH).expect("valid limits");
        Self {
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            state,
            judge: Judge::new(),
            now: Nanos::from_secs(1_000),
            sequence: 0,
            trade: 0,
            halt: HaltState::Active,
            bug,
            latest: None,
            outcome: Outcome::default(),
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.next_u64() % bound
    }

    fn tick(&mut self) {
        let instrument = self.below(4) as usize;
        let mid = if instrument == 3 { 8 } else { 1_000 };
        let bid = mid - 3 + self.below(6) as i64;
        let ask = bid + self.below(8) as i64;
        let mut tick = top(instrument as u32, bid, ask, self.now);
        if self.below(30) == 0 {
            tick.flags = 0;
        }
        self.judge.books[instrument] = Book { bid, ask, at: self.now, trusted: tick.trusted() };
        self.state.on_tick(&tick);
    }

    /// Mostly sensible orders, now and then an extreme one.
    fn intent(&mut self) -> Intent {
        self.sequence += 1;
        let instrument = self.below(4) as u32;
        let side = if self.below(2) == 0 { Side::Buy } else { Side::Sell };
        let id = id(self.below(2) as u16, self.sequence);
        let mid = if instrument == 3 { 8 } else { 1_000 };
        let price = mid + (self.below(13) as i64 - 6) * if instrument == 3 { 1 } else { 5 };
        let quantity = match instrument {
            0 => 2 + 2 * self.below(10) as i64,
            1 => 1 + self.below(5) as i64,
            2 => 1 + self.below(40) as i64,
            _ => 1 + self.below(6) as i64,
        };
        let mut intent = limit(id, instrument, side, price, quantity);
        match self.below(29) {
            0 => intent = market(id, instrument, side, quantity),
            1 => intent.quantity = Quantity(i64::MAX - self.below(5) as i64),
            2 => intent.price = Price(i64::MAX - self.below(5) as i64),
            3 => intent.price = Price(1 + self.below(2_000) as i64),
            4 => intent.quantity = Quantity(1 + self.below(200) as i64),
            5 => intent.id.sequence -= self.below(3).min(self.sequence - 1),
            6 => intent.valid_until = self.now - Nanos(1),
            // The same again.
            7..=12 => intent = Intent { id, ..self.latest.unwrap_or(intent) },
            // One that waits, near the market or anywhere.
            choice @ 25.. => {
                let near = price + (self.below(5) as i64 - 2) * if instrument == 3 { 1 } else { 5 };
                let trigger = if choice == 28 { 1 + self.below(2_000) as i64 } else { near };
                let order_type = 4 + self.below(4) as u8;
                let price = if order_type.is_multiple_of(2) { Price::NONE } else { intent.price };
                intent = Intent { order_type, trigger: Price(trigger), price, ..intent };
            }
            _ => {}
        }
        self.latest = Some(intent);
        intent
    }

    fn decide(&mut self) {
        let intent = self.intent();
        let gates = Gates { halt: self.halt, ..OPEN };
        let verdict = self.check(&intent, &gates);
        let broken = self.judge.violations(&intent, self.now, self.halt);
        match verdict {
            Ok(Request::New(order)) => {
                self.outcome.approved += 1;
                self.outcome.unsafe_approvals.extend(broken);
                self.state.on_approval(&order, self.now);
                let placed =
                    Placed { intent, at: self.now, filled: 0, lowered: 0, ended: false, unknown: false };
                self.judge.placed.push(placed);
            }
            Ok(_) => unreachable!("it was a new order"),
            Err(code) => {
                self.outcome.refused.push(code);
                if broken.is_empty() {
                    self.outcome.baseless.push(code);
                }
            }
        }
        for instrument in 0..4 {
            let listed = self.state.active.members().contains(&instrument);
            assert_eq!(listed, self.state.is_active(instrument), "of {instrument}");
        }
        self.state.on_identity(intent.id);
        let last = &mut self.judge.last[usize::from(intent.id.source.0)];
        *last = (*last).max(intent.id.sequence);
    }

    /// The pass, over a state with the bug in it.
    fn check(&mut self, intent: &Intent, gates: &Gates) -> Result<Request, RejectCode> {
        let source = intent.id.source;
        match self.bug {
            Bug::None | Bug::BelieveAmendSent => {}
            Bug::IgnoreOpenOrders => {
                let kept = std::mem::replace(&mut self.state.orders, OpenOrders::new(4, 8));
                let verdict = self.state.check(intent, source, self.now, gates);
                self.state.orders = kept;
                return verdict;
            }
            Bug::BelieveOldBooks => {
                self.state.limits.instruments.iter_mut().for_each(|own| own.stale_after = Nanos::NEVER);
            }
            Bug::ForgetContent => {
                self.state.sources.iter_mut().for_each(|own| own.rates.recent = Recent::new(64));
            }
            Bug::IgnoreAccountRate => {
                self.state.account_orders.set_rate(Rate::new(1_000_000, Nanos(1)), self.now);
            }
            Bug::IgnoreLatches => self.state.sources.iter_mut().for_each(|own| own.latched = None),
            Bug::IgnoreUnknown => self.state.limits.account.max_unknown = u32::MAX,
        }
        let verdict = self.state.check(intent, source, self.now, gates);
        assert_eq!(verdict, self.state.check_in_full(intent, source, self.now, gates), "the short way");
        verdict
    }

    fn report(&mut self) {
        let live: Vec<usize> =
            (0..self.judge.placed.len()).filter(|&i| !self.judge.placed[i].ended).collect();
        let Some(&which) = live.get(self.below(live.len().max(1) as u64) as usize) else { return };
        let choice = self.below(9);
        let rest = self.judge.placed[which].rest();
        let part = 1 + self.below(rest as u64) as i64;
        let placed = &mut self.judge.placed[which];
        let intent = placed.now();
        let told: Report = match choice {
            0..=2 => {
                placed.filled += part;
                placed.ended = part == rest;
                placed.unknown = false;
                let sign = if intent.side == 1 { 1 } else { -1 };
                self.judge.positions[intent.instrument as usize] += i128::from(sign * part);
                self.trade += 1;
                // At the mid of the market, so that the day is neither won nor lost.
                let price = if intent.instrument == 3 { 8 } else { 1_000 };
                fill(&intent, price, part, placed.filled, self.trade)
            }
            3 | 4 => {
                (placed.ended, placed.unknown) = (true, false);
                report(&intent, ReportKind::Canceled, OrderState::Canceled, placed.filled)
            }
            // The venue has lowered the quantity to what is filled and a part of the rest.
            8 if part < rest => {
                placed.unknown = false;
                let quantity = Quantity(placed.filled + part);
                // With the bug the venue was only asked to.
                placed.lowered += if self.bug == Bug::BelieveAmendSent { 0 } else { rest - part };
                let state = if placed.filled > 0 { OrderState::Partial } else { OrderState::Open };
                report(&Intent { quantity, ..intent }, ReportKind::Amended, state, placed.filled)
            }
            5 => {
                placed.unknown = true;
                report(&intent, ReportKind::Unknown, OrderState::Unknown, placed.filled)
            }
            _ => {
                placed.unknown = false;
                let state = if placed.filled > 0 { OrderState::Partial } else { OrderState::Open };
                report(&intent, ReportKind::Accepted, state, placed.filled)
            }
        };
        if choice <= 2 {
            self.judge.on_fill(intent.id.source.0, intent.instrument, self.now);
        }
        self.state.on_report(&told, self.now);
        // A report that comes again changes nothing.
        if choice == 1 && self.below(2) == 0 {
            self.state.on_report(&told, self.now);
        }
    }

    fn run(mut self, steps: u32) -> Outcome {
        for instrument in 0..4 {
            self.now = self.now + Nanos(1);
            let price = if instrument == 3 { 8 } else { 1_000 };
            self.state.on_tick(&top(instrument, price - 1, price + 1, self.now));
            let book = Book { bid: price - 1, ask: price + 1, at: self.now, trusted: true };
            self.judge.books[instrument as usize] = book;
        }
        for _ in 0..steps {
            let step = match self.below(20) {
                0 => 700,
                1..=4 => 50,
                _ => self.below(5) as i64,
            };
            self.now = self.now + Nanos::from_millis(step);
            match self.below(20) {
                0..=6 => self.tick(),
                7..=13 => self.decide(),
                14..=18 => self.report(),
                _ => self.halt = if self.below(5) == 0 { HaltState::ReduceOnly } else { HaltState::Active },
            }
            // Latches end most traces; an operator clears them now and then.
            if self.below(60) == 0 {
                for source in 0..3 {
                    self.state.clear_source(SourceId(source));
                    self.judge.halted[usize::from(source)] = false;
                }
                self.judge.fills.clear();
            }
            while self.state.take_latch().is_some() {}
        }
        self.outcome
    }
}

#[test]
fn the_pass_agrees_with_the_judge() {
    let mut approved = 0;
    let mut refused = [0_u32; RejectCode::ALL.len()];
    for seed in 0..150 {
        let outcome = Trace::new(seed, Bug::None).run(400);
        assert_eq!(outcome.unsafe_approvals, [], "seed {seed}: approved in spite of");
        assert_eq!(outcome.baseless, [], "seed {seed}: refused without a reason");
        approved += outcome.approved;
        outcome.refused.iter().for_each(|code| refused[usize::from(code.code())] += 1);
    }
    assert!(approved > 3_000, "{approved} approved");
    // Agreement means something only where both had something to say.
    use RejectCode as Code;
    let exercised = [
        Code::Halted,
        Code::DuplicateId,
        Code::DuplicateContent,
        Code::FilterPrice,
        Code::FilterLot,
        Code::FilterNotional,
        Code::MaxQuantity,
        Code::MaxNotional,
        Code::Collar,
        Code::StaleMarketData,
        Code::MaxPosition,
        Code::MaxGross,
        Code::MaxOpen,
        Code::MessageRate,
        Code::RepeatExecution,
        Code::SelfTrade,
        Code::Unresolved,
        Code::Expired,
    ];
    for code in exercised {
        assert!(refused[usize::from(code.code())] > 0, "{code} never came up: {refused:?}");
    }
}

#[test]
fn planted_bugs_are_caught() {
    for (bug, code) in [
        (Bug::IgnoreOpenOrders, RejectCode::MaxPosition),
        (Bug::BelieveOldBooks, RejectCode::StaleMarketData),
        (Bug::ForgetContent, RejectCode::DuplicateContent),
        (Bug::IgnoreAccountRate, RejectCode::MessageRate),
        (Bug::IgnoreLatches, RejectCode::RepeatExecution),
        (Bug::IgnoreUnknown, RejectCode::Unresolved),
        (Bug::BelieveAmendSent, RejectCode::MaxPosition),
    ] {
        let caught = (0..300).any(|seed| Trace::new(seed, bug).run(400).unsafe_approvals.contains(&code));
        assert!(caught, "{bug:?} was not caught");
    }
}

#[test]
fn no_bits_panic_and_no_garbage_passes() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut trace = Trace::new(2, Bug::None);
    for instrument in 0..4 {
        trace.state.on_tick(&top(instrument, 999, 1_001, trace.now));
    }
    let good = [
        limit(id(0, 1), 0, Side::Buy, 1_000, 2),
        cancel(id(0, 1), id(0, 7), 0),
        market(id(1, 1), 2, Side::Sell, 3),
    ];
    for round in 0..60_000_u32 {
        let mut words: [u64; 11] = zerocopy::transmute!(good[round as usize % 3]);
        // Flip one bit, or throw all of one or two words.
        match round % 4 {
            0 => words[(random.next_u64() % 11) as usize] ^= 1 << (random.next_u64() % 64),
            1 => words.iter_mut().for_each(|word| *word = random.next_u64()),
            _ => (0..2).for_each(|_| words[(random.next_u64() % 11) as usize] = random.next_u64()),
        }
        let intent: Intent = zerocopy::transmute!(words);
        for source in 0..4 {
            let verdict = trace.state.check(&intent, SourceId(source), trace.now, &OPEN);
            if let Ok(Request::New(order)) = verdict {
                assert_eq!(trace.judge_of_books().violations(&intent, trace.now, HaltState::Active), []);
                assert_eq!(order.id.source, SourceId(source));
            }
        }
        // Any bits as a tick or a report: exposure may be lost, nothing may panic.
        if round % 64 == 0 {
            let mut state = State::new(&instruments(), limits(), EPOCH).expect("valid limits");
            let report: Report = zerocopy::transmute!([random.next_u64(); 11]);
            let words: [u64; 11] = zerocopy::transmute!(Report { kind: 3, state: 1, ..report });
            for instrument in [0, 3, report.instrument] {
                let report: Report = zerocopy::transmute!(words);
                state.on_report(&Report { instrument, ..report }, trace.now);
                state.on_tick(&zerocopy::transmute!([random.next_u64(); 7]));
                state.check_day(Nanos(random.next_u64() as i64));
                let _ = state.check(&good[0], SourceId(0), Nanos(random.next_u64() as i64), &OPEN);
            }
        }
    }
}

impl Trace {
    /// The judge with the books of the garbage test.
    fn judge_of_books(&self) -> Judge {
        let mut judge = Judge::new();
        judge.books = vec![Book { bid: 999, ask: 1_001, at: self.now, trusted: true }; 4];
        judge
    }
}
