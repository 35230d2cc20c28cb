//! Clients of a WebSocket API: many connections that one thread drives, each placing an order and cancelling it, again
//! and again, in the bytes that our own order entry sends.

use std::collections::VecDeque;
use std::sync::Arc;

use engine::clock::Clock;
use engine::clock::tsc::LiveClock;
use engine::domain::{
    Instruments, Market, Nanos, OrderId, OrderType, Price, Quantity, Scale, Side, SourceId, TimeInForce,
    decimal,
};
use engine::error::SetupError;
use engine::message::{Intent, IntentKind};
use engine::venue::binance::exchange_info;
use engine::venue::binance::order_request::{encode_cancel, encode_place};
use serde_json::Value;
use shells::transport::{Reactor, TlsTrust, Url, WebSocketClient, WsEvent};

use crate::histogram::Histogram;

/// What an order is worth, in whole units of the quote asset: above every minimum.
const WORTH: i128 = 50;

/// How long nothing may come before the crowd gives up.
const PATIENCE: Nanos = Nanos::from_secs(30);

/// Most requests that leave between two looks at what has come.
const SENT_AT_ONCE: u64 = 32;

/// Orders that the crowd places: far from the market, so that they rest until they are cancelled.
#[derive(Clone)]
pub struct Orders {
    /// What is traded: connections take turns.
    pub instruments: Arc<Instruments>,
    /// At which price each is bought.
    pub prices: Vec<Price>,
    /// How much of each.
    pub quantities: Vec<Quantity>,
}

/// A request under way.
struct Asked {
    /// When it was to leave.
    intended: Nanos,
    /// How its answer begins.
    head: Vec<u8>,
}

struct Line {
    socket: WebSocketClient,
    waiting: VecDeque<Asked>,
    made: u64,
}

/// The connections.
pub struct Crowd {
    lines: Vec<Line>,
    reactor: Reactor,
    clock: LiveClock,
    orders: Orders,
    /// Whether an answer has to say that the request succeeded.
    judged: bool,
    request: Vec<u8>,
    answered: u64,
    answer_bytes: u64,
}

/// What a run of requests came to.
pub struct Ran {
    /// From the intended sending of each request to its answer.
    pub times: Histogram,
    /// From the first intended sending to the last answer.
    pub spent: Nanos,
    /// Mean bytes of an answer.
    pub answer_bytes: usize,
}

impl Crowd {
    /// Opens `count` connections to `url`, and lets each say `greeting` and hear that it was taken well. Answers are
    /// `judged` unless the server is an echo.
    ///
    /// # Errors
    /// When a connection cannot be had, or a greeting is refused.
    pub fn open(
        count: usize,
        url: &Url,
        clock: LiveClock,
        orders: Orders,
        (judged, greeting): (bool, &dyn Fn(Nanos) -> Result<String, SetupError>),
    ) -> Result<Self, SetupError> {
        let reactor = Reactor::new().map_err(|error| SetupError::io("sockets", "making a poll", error))?;
        let lines = Vec::with_capacity(count);
        let request = Vec::with_capacity(1_024);
        let mut crowd = Self { lines, reactor, clock, orders, judged, request, answered: 0, answer_bytes: 0 };
        let trust = TlsTrust::public();
        for _ in 0..count {
            let now = crowd.clock.now();
            let socket = WebSocketClient::connect(url, &trust, &[], Nanos::from_secs(300), now);
            let socket = socket.map_err(SetupError::Invalid)?;
            crowd.lines.push(Line { socket, waiting: VecDeque::new(), made: 0 });
        }
        for line in 0..count {
            crowd.wait_for(line, |event| *event == WsEvent::Opened, &mut |_| {})?;
            let text = greeting(crowd.clock.now())?;
            let told = crowd.ask(line, &text)?;
            if judged && told["status"] != 200 {
                return Err(SetupError::Invalid(format!("{url}: a greeting was refused: {told}")));
            }
        }
        Ok(crowd)
    }

    /// One question on one connection, and its answer.
    ///
    /// # Errors
    /// When there is none.
    pub fn ask(&mut self, line: usize, request: &str) -> Result<Value, SetupError> {
        self.lines[line].socket.send(request).map_err(|error| lost(&format!("{error:?}")))?;
        let mut told = Value::Null;
        self.wait_for(line, |event| *event == WsEvent::Message, &mut |bytes| {
            told = serde_json::from_slice(bytes).unwrap_or(Value::Null);
        })?;
        Ok(told)
    }

    fn wait_for(
        &mut self,
        line: usize,
        wanted: impl Fn(&WsEvent) -> bool,
        on_message: &mut dyn FnMut(&[u8]),
    ) -> Result<(), SetupError> {
        let end = self.clock.now() + PATIENCE;
        loop {
            let now = self.clock.now();
            self.reactor.turn();
            let event =
                self.lines[line].socket.poll(&mut self.reactor, now, &mut |_, bytes| on_message(bytes));
            match event {
                event if wanted(&event) => return Ok(()),
                WsEvent::Closed(reason) => return Err(lost(&reason)),
                _ if now >= end => return Err(lost("nothing came")),
                _ => {}
            }
        }
    }

    /// As many requests as the server answers, each connection with one under way: `count` altogether.
    ///
    /// # Errors
    /// When one is refused or not answered.
    pub fn at_full_speed(&mut self, count: u64) -> Result<Ran, SetupError> {
        let start = self.begin();
        let mut times = Histogram::prepared();
        let first = count.min(self.lines.len() as u64);
        for line in 0..first {
            let now = self.clock.now();
            self.send(usize::try_from(line).unwrap_or(0), now)?;
        }
        let mut sent = first;
        while self.answered < count {
            self.listen(&mut times, &mut |crowd, line| {
                if sent < count {
                    sent += 1;
                    let now = crowd.clock.now();
                    crowd.send(line, now)?;
                }
                Ok(())
            })?;
        }
        Ok(self.ran(times, start))
    }

    /// `count` requests, one every `interval`, whatever has been answered.
    ///
    /// # Errors
    /// When one is refused or not answered.
    pub fn paced(&mut self, count: u64, interval: Nanos) -> Result<Ran, SetupError> {
        let start = self.begin();
        let mut times = Histogram::prepared();
        let mut sent = 0;
        while self.answered < count {
            let due = (self.clock.now() - start).0 / interval.0 + 1;
            let due = due.unsigned_abs().min(count).min(sent + SENT_AT_ONCE);
            while sent < due {
                let intended = start + Nanos(interval.0 * sent.cast_signed());
                self.send(usize::try_from(sent).unwrap_or(0) % self.lines.len(), intended)?;
                sent += 1;
            }
            self.listen(&mut times, &mut |_, _| Ok(()))?;
        }
        Ok(self.ran(times, start))
    }

    fn begin(&mut self) -> Nanos {
        (self.answered, self.answer_bytes) = (0, 0);
        self.clock.now()
    }

    fn ran(&mut self, times: Histogram, start: Nanos) -> Ran {
        let answer_bytes = usize::try_from(self.answer_bytes / self.answered.max(1)).unwrap_or(0);
        Ran { times, spent: self.clock.now() - start, answer_bytes }
    }

    /// Sends the next request of a connection: an order, or the cancel of the one before.
    fn send(&mut self, which: usize, intended: Nanos) -> Result<(), SetupError> {
        let now = self.clock.now();
        let Self { lines, orders, request, judged, .. } = self;
        let line = &mut lines[which];
        orders.write(which, line.made, now, request);
        line.made += 1;
        let end = request.windows(2).position(|two| two == b"\",").map_or(0, |at| at + 2);
        let mut head = request[..end].to_vec();
        if *judged {
            head.extend_from_slice(b"\"status\":200,");
        }
        line.waiting.push_back(Asked { intended, head });
        let text = std::str::from_utf8(request).map_err(|error| lost(&error.to_string()))?;
        line.socket.send(text).map_err(|error| lost(&format!("{error:?}")))
    }

    /// Takes in what has come, on every connection; `on_answer` hears of each.
    fn listen(
        &mut self,
        times: &mut Histogram,
        on_answer: &mut dyn FnMut(&mut Self, usize) -> Result<(), SetupError>,
    ) -> Result<(), SetupError> {
        self.reactor.turn();
        for which in 0..self.lines.len() {
            loop {
                let now = self.clock.now();
                let Self { lines, reactor, answer_bytes, .. } = self;
                let Line { socket, waiting, .. } = &mut lines[which];
                let mut wrong = None;
                let event = socket.poll(reactor, now, &mut |_, bytes| {
                    *answer_bytes += bytes.len() as u64;
                    match waiting.pop_front() {
                        Some(asked) if bytes.starts_with(&asked.head) => times.record(now - asked.intended),
                        asked => wrong = Some((asked, String::from_utf8_lossy(bytes).into_owned())),
                    }
                });
                if let Some((asked, told)) = wrong {
                    let head = asked.map(|asked| String::from_utf8_lossy(&asked.head).into_owned());
                    return Err(lost(&format!("{head:?} expected, and not {told}")));
                }
                match event {
                    WsEvent::Message => {
                        self.answered += 1;
                        on_answer(self, which)?;
                    }
                    WsEvent::Idle | WsEvent::Opened => break,
                    WsEvent::Closed(reason) => return Err(lost(&reason)),
                }
            }
        }
        Ok(())
    }
}

impl Orders {
    /// Orders for an exchange's market that rest: a tenth below the best bid.
    ///
    /// # Errors
    /// When the exchange at `url` does not tell what it lists.
    pub fn that_rest(url: &Url, clock: LiveClock) -> Result<Self, SetupError> {
        let none =
            Self { instruments: Arc::new(Instruments::new(Vec::new())?), prices: vec![], quantities: vec![] };
        let greet = |_| Ok("{\"id\":0,\"method\":\"ping\"}".to_owned());
        let mut asker = Crowd::open(1, url, clock, none, (true, &greet))?;
        let info = asker.ask(0, "{\"id\":1,\"method\":\"exchangeInfo\"}")?["result"].to_string();
        let instruments =
            Arc::new(Instruments::new(exchange_info::instruments(info.as_bytes(), Market::Spot)?)?);
        let (mut prices, mut quantities) = (Vec::new(), Vec::new());
        for (_, instrument) in instruments.iter() {
            let question = format!(
                "{{\"id\":2,\"method\":\"ticker.book\",\"params\":{{\"symbol\":\"{}\"}}}}",
                instrument.symbol
            );
            let bid = asker.ask(0, &question)?["result"]["bidPrice"].as_str().unwrap_or_default().to_owned();
            let bid = decimal::parse(bid.as_bytes(), instrument.price_scale)
                .map_err(|_| SetupError::Invalid(format!("{}: {bid:?} is no price", instrument.symbol)))?;
            let price = on_step(bid / 10 * 9, instrument.filters.tick.0);
            let unit = |scale: Scale| i128::from(scale.unit());
            let each = WORTH * unit(instrument.price_scale) * unit(instrument.quantity_scale)
                / i128::from(price.max(1));
            let quantity = on_step(i64::try_from(each).unwrap_or(i64::MAX), instrument.filters.lot.step.0);
            prices.push(Price(price));
            quantities.push(Quantity(quantity));
        }
        Ok(Self { instruments, prices, quantities })
    }

    /// Writes request number `turn` of a connection.
    fn write(&self, connection: usize, turn: u64, now: Nanos, out: &mut Vec<u8>) {
        let index = connection % self.prices.len();
        let instrument = u32::try_from(index).unwrap_or(0);
        let Some(listed) = self.instruments.get(instrument) else { return };
        let id = |sequence| OrderId {
            epoch: 1,
            source: SourceId::CLIENT,
            source_epoch: u16::try_from(connection + 1).unwrap_or(u16::MAX),
            sequence,
        };
        let intent = Intent {
            id: id(turn + 1),
            target: id(turn),
            price: self.prices[index],
            quantity: self.quantities[index],
            instrument,
            kind: IntentKind::New.code(),
            side: Side::Buy.code(),
            order_type: OrderType::Limit.code(),
            time_in_force: TimeInForce::GoodTillCancel.code(),
            ..Intent::default()
        };
        out.clear();
        if turn.is_multiple_of(2) {
            // Every code is one of the intent's own.
            let _ = encode_place(&intent, listed, now, out);
        } else {
            encode_cancel(&intent, listed, now, out);
        }
    }
}

/// Down to a whole step.
const fn on_step(value: i64, step: i64) -> i64 {
    if step > 0 { value / step * step } else { value }
}

fn lost(reason: &str) -> SetupError {
    SetupError::Invalid(format!("a client of the crowd: {reason}"))
}
