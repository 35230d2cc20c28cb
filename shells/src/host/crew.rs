//! The hosted agents on one thread, polled in the order of the path.

use engine::agent::{Agent, Published};
use engine::clock::tsc::LiveClock;
use engine::clock::{Clock, Moment};
use engine::domain::Nanos;
use engine::tick_to_trade::ingest::Ingest;
use engine::tick_to_trade::risk::Risk;
use engine::tick_to_trade::route::Route;
use engine::tick_to_trade::strategy::host::StrategyHost;

use crate::config::values::OnShutdown;
use crate::host::keeper::HostFeed;
use crate::venue::VenueEntry;
use crate::venue::house::House;

/// How long the last cancels may take at the end.
const SETTLE: Nanos = Nanos::from_secs(2);

/// After how many idle cycles in a row nothing more is expected at the end.
const QUIET: u32 = 20_000;

/// One hosted agent.
pub enum Seat {
    /// The simulated fills of `paper`.
    Venue(Box<House>),
    /// Frames to ticks.
    Ingest(Box<Published<Ingest<HostFeed>>>),
    /// Ticks to intents.
    Strategy(Box<Published<StrategyHost>>),
    /// Intents to orders.
    Risk(Box<Published<Risk>>),
    /// Orders to the venue, and back.
    Route(Box<Published<Route<VenueEntry>>>),
}

impl Seat {
    fn agent(&self) -> &dyn Agent {
        match self {
            Self::Venue(agent) => &**agent,
            Self::Ingest(agent) => &**agent,
            Self::Strategy(agent) => &**agent,
            Self::Risk(agent) => &**agent,
            Self::Route(agent) => &**agent,
        }
    }

    fn do_work_from(&mut self, now: Nanos, moment: &mut Moment) -> usize {
        match self {
            Self::Venue(agent) => agent.do_work_from(now, moment),
            Self::Ingest(agent) => agent.do_work_from(now, moment),
            Self::Strategy(agent) => agent.do_work_from(now, moment),
            Self::Risk(agent) => agent.do_work_from(now, moment),
            Self::Route(agent) => agent.do_work_from(now, moment),
        }
    }

    fn publish(&mut self) {
        match self {
            Self::Venue(agent) => agent.publish(),
            Self::Ingest(agent) => agent.publish(),
            Self::Strategy(agent) => agent.publish(),
            Self::Risk(agent) => agent.publish(),
            Self::Route(agent) => agent.publish(),
        }
    }
}

/// The agents of this process.
pub struct Crew {
    seats: Vec<Seat>,
}

impl Crew {
    /// Polls `seats` in their order.
    #[must_use]
    pub const fn new(seats: Vec<Seat>) -> Self {
        Self { seats }
    }

    /// Ends in order. Where what rests is to be cancelled, strategies cancel theirs, risk what is left, and route takes
    /// nothing new any more; all are driven until nothing is open as far as they know, or two seconds have passed.
    /// Returns how many orders are open then.
    pub fn rest(mut self, clock: &mut LiveClock, on_shutdown: OnShutdown) -> usize {
        match on_shutdown {
            OnShutdown::Cancel => {
                self.close(clock.now());
                self.settle(clock);
            }
            OnShutdown::Keep => self.seats.iter_mut().for_each(|seat| {
                if let Seat::Strategy(host) = seat {
                    host.rest();
                }
            }),
        }
        self.seats.iter_mut().for_each(Seat::publish);
        self.open_orders()
    }

    fn close(&mut self, now: Nanos) {
        for seat in &mut self.seats {
            match seat {
                Seat::Strategy(host) => host.agent_mut().stop_all(now),
                Seat::Risk(risk) => risk.agent_mut().close(now),
                Seat::Route(route) => route.agent_mut().close(),
                Seat::Venue(_) | Seat::Ingest(_) => {}
            }
        }
    }

    fn settle(&mut self, clock: &mut LiveClock) {
        let end = clock.now().saturating_add(SETTLE);
        let mut quiet = 0;
        while self.open_orders() > 0 || quiet < QUIET {
            let now = clock.now();
            if now >= end || !self.knows_orders() {
                return;
            }
            // The venue's market never rests.
            let mut moment = Moment::UNKNOWN;
            let path = self
                .seats
                .iter_mut()
                .map(|seat| (matches!(seat, Seat::Venue(_)), seat.do_work_from(now, &mut moment)));
            let work: usize = path.filter(|(venue, _)| !venue).map(|(_, work)| work).sum();
            quiet = if work > 0 { 0 } else { quiet + 1 };
        }
    }

    fn knows_orders(&self) -> bool {
        self.seats.iter().any(|seat| !matches!(seat, Seat::Venue(_) | Seat::Ingest(_)))
    }

    /// Open orders, as whoever knows most of them says.
    fn open_orders(&self) -> usize {
        let open = self.seats.iter().map(|seat| match seat {
            Seat::Strategy(host) => host.agent().open_orders(),
            Seat::Risk(risk) => risk.agent().open_orders().0 as usize,
            Seat::Route(route) => route.agent().orders().live(),
            Seat::Venue(_) | Seat::Ingest(_) => 0,
        });
        open.max().unwrap_or(0)
    }
}

impl Agent for Crew {
    fn name(&self) -> &'static str {
        "engine"
    }

    fn do_work(&mut self, now: Nanos) -> usize {
        let mut moment = Moment::UNKNOWN;
        self.seats.iter_mut().map(|seat| seat.do_work_from(now, &mut moment)).sum()
    }

    fn next_deadline(&self) -> Nanos {
        self.seats.iter().map(|seat| seat.agent().next_deadline()).min().unwrap_or(Nanos::NEVER)
    }
}
