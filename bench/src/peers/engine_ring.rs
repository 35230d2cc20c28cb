//! The engine's own rings over files in shared memory.

use std::path::Path;

use engine::error::SetupError;
use engine::ring::broadcast::{self, Polled};
use engine::ring::spsc;

use crate::peers::{CAPACITY, Line, Openers, Receiver, Sender, Shared, Transport, open_shared};

/// The lossless ring.
pub struct Spsc;

impl Sender for spsc::Producer<Line> {
    #[inline]
    fn try_send(&mut self, line: &Line) -> bool {
        self.try_push(line).is_ok()
    }
}

impl Receiver for spsc::Consumer<Line> {
    #[inline]
    fn try_receive(&mut self) -> Option<Line> {
        self.poll()
    }
}

impl Transport for Spsc {
    const NAME: &'static str = "engine spsc";
    type Sender = spsc::Producer<Line>;
    type Receiver = spsc::Consumer<Line>;

    fn open(place: &Path, channel: &str) -> Result<Openers<Self>, SetupError> {
        Ok(open_shared::<Self>(place, channel))
    }
}

impl Shared for Spsc {
    fn sender(place: &Path, channel: &str) -> Result<Self::Sender, SetupError> {
        let (ring, cursor) = (place.join(format!("{channel}.ring")), place.join(format!("{channel}.cursor")));
        spsc::Producer::create(&ring, &cursor, CAPACITY, 1)
    }

    fn receiver(place: &Path, channel: &str) -> Result<Self::Receiver, SetupError> {
        let (ring, cursor) = (place.join(format!("{channel}.ring")), place.join(format!("{channel}.cursor")));
        spsc::Consumer::attach(&ring, &cursor)
    }
}

/// The broadcast ring, with one reader.
pub struct Broadcast;

impl Sender for broadcast::Producer<Line> {
    #[inline]
    fn try_send(&mut self, line: &Line) -> bool {
        self.publish(line);
        true
    }
}

/// A reader that counts what it missed.
pub struct Reader {
    ring: broadcast::Reader<Line>,
    /// Messages that were overwritten before they were read.
    pub missed: u64,
}

impl Receiver for Reader {
    #[inline]
    fn try_receive(&mut self) -> Option<Line> {
        match self.ring.poll() {
            Polled::Message(line) => Some(line),
            Polled::Empty => None,
            Polled::Lapped { missed } => {
                self.missed += missed;
                None
            }
        }
    }
}

impl Transport for Broadcast {
    const NAME: &'static str = "engine broadcast";
    type Sender = broadcast::Producer<Line>;
    type Receiver = Reader;

    fn open(place: &Path, channel: &str) -> Result<Openers<Self>, SetupError> {
        Ok(open_shared::<Self>(place, channel))
    }
}

impl Shared for Broadcast {
    fn sender(place: &Path, channel: &str) -> Result<Self::Sender, SetupError> {
        broadcast::Producer::create(&place.join(format!("{channel}.broadcast")), CAPACITY, 1)
    }

    fn receiver(place: &Path, channel: &str) -> Result<Self::Receiver, SetupError> {
        let ring = broadcast::Reader::attach(&place.join(format!("{channel}.broadcast")))?;
        Ok(Reader { ring, missed: 0 })
    }
}
