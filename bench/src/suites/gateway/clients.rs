//! HTTP clients on one thread: kept connections, one request under way on each, every answer checked.

use engine::clock::tsc::LiveClock;
use engine::clock::{Clock, Stopwatch};
use engine::domain::Nanos;
use engine::error::SetupError;
use shells::transport::{HttpClient, HttpEvent, Reactor, TlsTrust, Url};

use crate::histogram::Histogram;
use crate::suites::gateway::{PATIENCE, broken};

/// What is asked for, and what stands in a sound answer.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// The path.
    pub path: &'static str,
    /// Part of every answer's body.
    pub holds: &'static str,
}

struct Line {
    client: HttpClient,
    /// Requests so far.
    made: usize,
    /// When the one under way was to leave.
    intended: Nanos,
}

/// The connections.
pub struct Clients {
    lines: Vec<Line>,
    asks: &'static [Ask],
    /// Connections with nothing under way.
    idle: Vec<usize>,
    reactor: Reactor,
    clock: LiveClock,
}

/// What a run came to.
pub struct Ran {
    /// From each request's intended sending to its answer.
    pub times: Histogram,
    /// Requests, each of them answered.
    pub count: u64,
    /// From the first intended sending to the last answer.
    pub spent: Nanos,
}

/// Asks nothing for `span`.
pub fn nobody(span: Nanos) -> Ran {
    std::thread::sleep(std::time::Duration::from_nanos(span.0.unsigned_abs()));
    Ran { times: Histogram::default(), count: 0, spent: span }
}

impl Clients {
    /// A connection to each of `urls`, which asks for `asks` in turn.
    ///
    /// # Errors
    /// When the system has no more descriptors.
    pub fn open(urls: &[Url], asks: &'static [Ask], stopwatch: Stopwatch) -> Result<Self, SetupError> {
        let reactor = Reactor::new().map_err(|error| SetupError::io("sockets", "making a poll", error))?;
        let line = |(place, url): (usize, &Url)| Line {
            client: HttpClient::new(url.clone(), TlsTrust::public(), PATIENCE),
            // Connections begin with different questions.
            made: place,
            intended: Nanos::ZERO,
        };
        let lines: Vec<Line> = urls.iter().enumerate().map(line).collect();
        let idle = (0..lines.len()).collect();
        Ok(Self { lines, asks, idle, reactor, clock: LiveClock::new(stopwatch) })
    }

    /// Asks for everything until it is answered as it should be: services come up one after the other.
    ///
    /// # Errors
    /// When that never happens.
    pub fn warm_up(&mut self, answers: usize) -> Result<(), SetupError> {
        let end = self.clock.now() + PATIENCE;
        let mut sound = 0;
        while sound < answers {
            match self.run(Nanos::from_millis(1), None) {
                Ok(ran) => sound += usize::try_from(ran.count).unwrap_or(usize::MAX),
                Err(error) if self.clock.now() > end => return Err(error),
                Err(_) => {
                    sound = 0;
                    self.drain()?;
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
            }
        }
        Ok(())
    }

    /// Lets every answer come, whatever it is.
    fn drain(&mut self) -> Result<(), SetupError> {
        let end = self.clock.now() + PATIENCE;
        while self.idle.len() < self.lines.len() {
            // What is wrong with it was told before.
            let _ = self.listen(&mut Histogram::default());
            if self.clock.now() > end {
                return Err(broken("an answer did not come"));
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Asks for `span`: one request every `interval`, whatever has been answered, or on each connection again at once.
    ///
    /// # Errors
    /// When an answer does not come, or is not what it should be.
    pub fn run(&mut self, span: Nanos, interval: Option<Nanos>) -> Result<Ran, SetupError> {
        let mut times = Histogram::prepared();
        let start = self.clock.now();
        let all = interval.map_or(u64::MAX, |interval| (span.0 / interval.0).unsigned_abs());
        let (mut sent, mut answered, mut last) = (0, 0, start);
        loop {
            let now = self.clock.now();
            let due = match interval {
                Some(interval) => all.min((now - start).0.unsigned_abs() / interval.0.unsigned_abs() + 1),
                None if now - start < span => u64::MAX,
                None => sent,
            };
            while sent < due {
                let Some(line) = self.idle.pop() else { break };
                let intended = interval
                    .map_or_else(|| self.clock.now(), |each| start + Nanos(each.0 * sent.cast_signed()));
                self.send(line, intended)?;
                sent += 1;
            }
            let came = self.listen(&mut times)?;
            answered += came;
            if came > 0 {
                last = self.clock.now();
            }
            if sent == answered && (sent == all || interval.is_none() && now - start >= span) {
                return Ok(Ran { times, count: answered, spent: last - start });
            }
            if now - last > PATIENCE {
                return Err(broken("an answer did not come"));
            }
            if came == 0 {
                // Whoever is asked lives on this core.
                std::thread::yield_now();
            }
        }
    }

    fn send(&mut self, place: usize, intended: Nanos) -> Result<(), SetupError> {
        let now = self.clock.now();
        let line = &mut self.lines[place];
        line.intended = intended;
        let ask = self.asks[line.made % self.asks.len()];
        line.client.request("GET", ask.path, &[], 0, now).map_err(|error| broken(format!("{error:?}")))
    }

    /// Takes what has come; how many answers it was.
    fn listen(&mut self, times: &mut Histogram) -> Result<u64, SetupError> {
        self.reactor.turn();
        let mut came = 0;
        let mut wrong = None;
        let Self { lines, asks, idle, reactor, clock } = self;
        for (place, line) in lines.iter_mut().enumerate() {
            if line.client.pending() == 0 {
                continue;
            }
            let now = clock.now();
            let ask = asks[line.made % asks.len()];
            let event = line.client.poll(reactor, now, &mut |told| {
                let body = String::from_utf8_lossy(told.body);
                if told.status != 200 || !body.contains(ask.holds) {
                    let end = body.floor_char_boundary(300);
                    wrong = Some(broken(format!("{} answered {}: {}", ask.path, told.status, &body[..end])));
                }
            });
            match event {
                HttpEvent::Idle => continue,
                HttpEvent::Answered => times.record(clock.now() - line.intended),
                HttpEvent::Failed { reason, .. } => wrong = Some(broken(format!("{}: {reason}", ask.path))),
            }
            line.made += 1;
            idle.push(place);
            came += 1;
        }
        wrong.map_or(Ok(came), Err)
    }
}
