//! What `run` and `replay` build alike: the link to the simulated venue and the path behind it.

use std::path::Path as FilePath;
use std::sync::Arc;

use engine::clock::Stopwatch;
use engine::domain::{Instruments, Nanos};
use engine::error::SetupError;
use engine::ring::{bytes, spsc};
use engine::shm::paths::IpcPaths;
use engine::simulation::exchange::ExchangePorts;
use engine::simulation::rerun::RerunPorts;
use engine::tick_to_trade::assembly::{PathConfig, RingSizes, StrategySlot};
use engine::tick_to_trade::ingest::IngestConfig;
use engine::tick_to_trade::route::RouteTiming;
use engine::venue::link::{FeedReader, FeedWriter, LinkFeed, LinkOrderEntry};

use crate::trade::Trading;

/// Bytes of the feed ring: the largest frame may take half of it.
const FEED_BYTES: usize = 8 << 20;

/// Silence of an instrument that ingest tells of.
const SILENCE: Nanos = Nanos::from_secs(10);

/// Both ends of a link over rings.
pub struct Link {
    /// The engine's market data.
    pub feed: LinkFeed,
    /// The engine's order entry.
    pub entry: LinkOrderEntry,
    /// The venue's ends.
    pub venue: ExchangePorts,
}

impl Link {
    /// Makes the link's rings, each with room for `capacity` messages.
    ///
    /// # Errors
    /// When a file cannot be made.
    pub fn create(ipc: &IpcPaths, capacity: usize, epoch: u32) -> Result<Self, SetupError> {
        let (feed, feed_cursor) = ipc.link("feed");
        let (wishes, wishes_cursor) = ipc.link("wishes");
        let (requests, requests_cursor) = ipc.link("requests");
        let (answers, answers_cursor) = ipc.link("answers");
        let venue_feed = FeedWriter::new(bytes::Producer::create(&feed, &feed_cursor, FEED_BYTES, epoch)?);
        let wishing = spsc::Producer::create(&wishes, &wishes_cursor, capacity, epoch)?;
        let requesting = spsc::Producer::create(&requests, &requests_cursor, capacity, epoch)?;
        let answering = spsc::Producer::create(&answers, &answers_cursor, capacity, epoch)?;
        Ok(Self {
            feed: LinkFeed::new(FeedReader::new(bytes::Consumer::attach(&feed, &feed_cursor)?), wishing),
            entry: LinkOrderEntry::new(requesting, spsc::Consumer::attach(&answers, &answers_cursor)?),
            venue: ExchangePorts {
                feed: venue_feed,
                wishes: spsc::Consumer::attach(&wishes, &wishes_cursor)?,
                requests: spsc::Consumer::attach(&requests, &requests_cursor)?,
                answers: answering,
            },
        })
    }
}

/// The venue's ends, for a recorded session to be fed through.
#[must_use]
pub fn rerun_ports(venue: ExchangePorts) -> RerunPorts {
    let ExchangePorts { feed, wishes, requests, answers } = venue;
    RerunPorts { feed, answers, requests, wishes }
}

/// What a path is made from, beside its strategies.
pub struct PathSetup<'a> {
    /// Shared memory.
    pub ipc: &'a IpcPaths,
    /// Journals.
    pub journals: &'a FilePath,
    /// Whether journals are synced.
    pub sync: bool,
    /// The engine's epoch.
    pub epoch: u32,
    /// The instruments.
    pub instruments: &'a Arc<Instruments>,
    /// The calibrated counter.
    pub stopwatch: Stopwatch,
    /// Capacity of every ring.
    pub capacity: usize,
    /// Whether clients, the operator and the gateway may come while it runs.
    pub external: bool,
    /// The present.
    pub now: Nanos,
}

impl PathSetup<'_> {
    /// The engine's configuration, for `strategies`.
    ///
    /// # Errors
    /// When a limit cannot be read.
    pub fn config(&self, trading: &Trading, strategies: &[StrategySlot]) -> Result<PathConfig, SetupError> {
        Ok(PathConfig {
            ipc: self.ipc.clone(),
            journals: self.journals.to_owned(),
            sync: self.sync,
            epoch: self.epoch,
            instruments: Arc::clone(self.instruments),
            stopwatch: self.stopwatch,
            rings: RingSizes::all(self.capacity),
            ingest: IngestConfig { silence: SILENCE },
            limits: trading.limits(self.instruments, strategies)?,
            timing: RouteTiming::default(),
            external: self.external,
            apart: false,
            now: self.now,
        })
    }
}
