//! What `run` and `replay` build alike: the link to the simulated venue and the path behind it.

use std::path::Path as FilePath;
use std::sync::Arc;

use engine::clock::Stopwatch;
use engine::domain::{Instruments, Nanos};
use engine::error::SetupError;
use engine::ring::{bytes, spsc};
use engine::shm::paths::IpcPaths;
use engine::simulation::exchange::ExchangePorts;
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
        let (requests, requests_cursor) = ipc.link("requests");
        let (answers, answers_cursor) = ipc.link("answers");
        let (feed, venue_feed, wishes) = Self::feed(ipc, capacity, epoch)?;
        let requesting = spsc::Producer::create(&requests, &requests_cursor, capacity, epoch)?;
        let answering = spsc::Producer::create(&answers, &answers_cursor, capacity, epoch)?;
        Ok(Self {
            feed,
            entry: LinkOrderEntry::new(requesting, spsc::Consumer::attach(&answers, &answers_cursor)?),
            venue: ExchangePorts {
                feed: venue_feed,
                wishes,
                requests: spsc::Consumer::attach(&requests, &requests_cursor)?,
                answers: answering,
            },
        })
    }

    /// Makes the rings of market data alone: the engine's end, and the venue's two.
    ///
    /// # Errors
    /// When a file cannot be made.
    pub fn feed(
        ipc: &IpcPaths,
        capacity: usize,
        epoch: u32,
    ) -> Result<(LinkFeed, FeedWriter, spsc::Consumer<u64>), SetupError> {
        let (feed, feed_cursor) = ipc.link("feed");
        let (wishes, wishes_cursor) = ipc.link("wishes");
        let writer = FeedWriter::new(bytes::Producer::create(&feed, &feed_cursor, FEED_BYTES, epoch)?);
        let wishing = spsc::Producer::create(&wishes, &wishes_cursor, capacity, epoch)?;
        let reader = FeedReader::new(bytes::Consumer::attach(&feed, &feed_cursor)?);
        let wishes = spsc::Consumer::attach(&wishes, &wishes_cursor)?;
        Ok((LinkFeed::new(reader, wishing), writer, wishes))
    }
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
    /// Capacity of ticks and journals; see `RingSizes`.
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
            rings: RingSizes::of_session(self.capacity),
            ingest: IngestConfig { silence: SILENCE },
            limits: trading.limits(self.instruments, strategies)?,
            timing: RouteTiming::default(),
            external: self.external,
            apart: false,
            now: self.now,
        })
    }
}
