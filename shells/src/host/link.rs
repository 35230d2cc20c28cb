//! The link to the simulated fills of `paper` between processes: what each role writes is made first, then all attach to the rest.

use engine::error::SetupError;
use engine::ring::{Message, bytes, spsc};
use engine::shm::paths::IpcPaths;
use engine::simulation::exchange::ExchangePorts;
use engine::venue::link::{FeedReader, FeedWriter, LinkFeed, LinkOrderEntry};

use crate::cli::args::Role;
use crate::host::wait;
use crate::run::RING_CAPACITY;

/// Bytes of the feed ring: the largest frame may take half of it.
const FEED_BYTES: usize = 8 << 20;

/// Epoch of the link's rings: they belong to the venue and outlive engines.
const EPOCH: u32 = 1;

/// The ends of this process's roles.
pub struct Ends {
    /// The venue's.
    pub venue: Option<ExchangePorts>,
    /// Ingest's.
    pub feed: Option<LinkFeed>,
    /// Route's.
    pub entry: Option<LinkOrderEntry>,
}

/// What this process writes, made, and not yet joined to what it reads.
pub struct Writers {
    venue: Option<(FeedWriter, spsc::Producer<engine::message::Answer>)>,
    wishes: Option<spsc::Producer<u64>>,
    requests: Option<spsc::Producer<engine::venue::simulated::Request>>,
}

impl Ends {
    /// Makes, or goes on with, the rings that `roles` write.
    ///
    /// # Errors
    /// When a file cannot be made.
    pub fn make(ipc: &IpcPaths, roles: &[Role]) -> Result<Writers, SetupError> {
        let plays = |role| roles.contains(&role);
        let venue = if plays(Role::Venue) {
            let (feed, cursor) = ipc.link("feed");
            let feed = bytes::Producer::create(&feed, &cursor, FEED_BYTES, EPOCH)?;
            Some((FeedWriter::new(feed), producer(ipc, "answers")?))
        } else {
            None
        };
        let wishes = plays(Role::Ingest).then(|| producer(ipc, "wishes")).transpose()?;
        let requests = plays(Role::Route).then(|| producer(ipc, "requests")).transpose()?;
        Ok(Writers { venue, wishes, requests })
    }
}

impl Writers {
    /// Attaches to what the other roles write, here or elsewhere.
    ///
    /// # Errors
    /// When it does not come.
    pub fn attach(self, ipc: &IpcPaths) -> Result<Ends, SetupError> {
        let venue = match self.venue {
            Some((feed, answers)) => Some(ExchangePorts {
                feed,
                wishes: consumer(ipc, "wishes")?,
                requests: consumer(ipc, "requests")?,
                answers,
            }),
            None => None,
        };
        let feed = match self.wishes {
            Some(wishes) => {
                let (feed, cursor) = ipc.link("feed");
                let frames = wait(|| bytes::Consumer::attach(&feed, &cursor))?;
                Some(LinkFeed::new(FeedReader::new(frames), wishes))
            }
            None => None,
        };
        let entry = match self.requests {
            Some(requests) => Some(LinkOrderEntry::new(requests, consumer(ipc, "answers")?)),
            None => None,
        };
        Ok(Ends { venue, feed, entry })
    }
}

fn producer<T: Message>(ipc: &IpcPaths, name: &str) -> Result<spsc::Producer<T>, SetupError> {
    let (ring, cursor) = ipc.link(name);
    spsc::Producer::open(&ring, &cursor, RING_CAPACITY, EPOCH)
}

fn consumer<T: Message>(ipc: &IpcPaths, name: &str) -> Result<spsc::Consumer<T>, SetupError> {
    let (ring, cursor) = ipc.link(name);
    wait(|| spsc::Consumer::attach(&ring, &cursor))
}
