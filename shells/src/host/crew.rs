//! The hosted agents on one thread, polled in the order of the path.

use engine::agent::{Agent, Published};
use engine::clock::Clock;
use engine::clock::tsc::LiveClock;
use engine::domain::Nanos;
use engine::tick_to_trade::ingest::Ingest;
use engine::tick_to_trade::risk::Risk;
use engine::tick_to_trade::route::Route;
use engine::tick_to_trade::strategy::host::StrategyHost;

use crate::venue::house::House;
use crate::venue::{VenueEntry, VenueFeed};

/// How long strategies' last cancels may take at the end.
const SETTLE: Nanos = Nanos::from_secs(2);

/// After how many idle cycles in a row nothing more is expected at the end.
const QUIET: u32 = 20_000;

/// One hosted agent.
pub enum Seat {
    /// The simulated fills of `paper`.
    Venue(Box<House>),
    /// Frames to ticks.
    Ingest(Box<Published<Ingest<VenueFeed>>>),
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

    fn do_work(&mut self, now: Nanos) -> usize {
        match self {
            Self::Venue(agent) => agent.do_work(now),
            Self::Ingest(agent) => agent.do_work(now),
            Self::Strategy(agent) => agent.do_work(now),
            Self::Risk(agent) => agent.do_work(now),
            Self::Route(agent) => agent.do_work(now),
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

    /// Ends in order: the strategies stop and cancel, and what is on its way arrives.
    pub fn rest(mut self, clock: &mut LiveClock) {
        let start = clock.now();
        let strategies = self.seats.iter_mut().filter_map(|seat| match seat {
            Seat::Strategy(host) => Some(host),
            _ => None,
        });
        let mut stopped = false;
        for host in strategies {
            host.agent_mut().stop_all(start);
            stopped = true;
        }
        let end = start.saturating_add(SETTLE);
        let mut quiet = 0;
        while stopped && clock.now() < end && quiet < QUIET {
            let now = clock.now();
            // The venue's market never rests.
            let path = self.seats.iter_mut().map(|seat| (matches!(seat, Seat::Venue(_)), seat.do_work(now)));
            let work: usize = path.filter(|(venue, _)| !venue).map(|(_, work)| work).sum();
            let live = self.seats.iter().any(|seat| match seat {
                Seat::Route(route) => route.agent().orders().live() > 0,
                _ => false,
            });
            quiet = if work > 0 || live { 0 } else { quiet + 1 };
        }
        self.seats.iter_mut().for_each(Seat::publish);
    }
}

impl Agent for Crew {
    fn name(&self) -> &'static str {
        "engine"
    }

    fn do_work(&mut self, now: Nanos) -> usize {
        self.seats.iter_mut().map(|seat| seat.do_work(now)).sum()
    }

    fn next_deadline(&self) -> Nanos {
        self.seats.iter().map(|seat| seat.agent().next_deadline()).min().unwrap_or(Nanos::NEVER)
    }
}
