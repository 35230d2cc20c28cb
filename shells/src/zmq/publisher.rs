//! Topics on an XPUB socket: a sequence number and the last value of each.
//!
//! libzmq keeps a queue for each subscriber and leaves out, without a word, the one whose queue is full. We send so
//! that it says when that happens: the message is counted as dropped, goes to all others, and the topic's last value
//! is sent again until every subscriber had room for it. A slow subscriber so loses what came in between, sees the
//! hole in `seq`, and always ends with the newest.

use std::collections::{BTreeMap, BTreeSet};

use engine::domain::Nanos;

use crate::zmq::option::set_no_drop;

/// How often last values are sent again to new and slow subscribers.
const AGAIN_EVERY: Nanos = Nanos::from_millis(20);

/// Most subscription messages taken in one turn.
const BATCH: usize = 256;

#[derive(Default)]
struct Topic {
    seq: u64,
    payload: Vec<u8>,
}

/// The topics of a port.
#[derive(Default)]
pub struct Publisher {
    topics: BTreeMap<String, Topic>,
    /// Topics whose last value is to be sent again.
    again: BTreeSet<String>,
    again_due: Nanos,
    dropped: u64,
}

impl Publisher {
    /// The next sequence number of `topic`.
    #[must_use]
    pub fn next_seq(&self, topic: &str) -> u64 {
        self.topics.get(topic).map_or(0, |topic| topic.seq) + 1
    }

    /// Publishes `payload`, made with [`next_seq`](Self::next_seq), or keeps it for later where there is no socket.
    pub fn publish(&mut self, socket: Option<&mut zmq::Socket>, topic: &str, payload: Vec<u8>) {
        if !self.topics.contains_key(topic) {
            self.topics.insert(topic.to_owned(), Topic::default());
        }
        let Some(entry) = self.topics.get_mut(topic) else { return };
        entry.seq += 1;
        entry.payload = payload;
        let Some(socket) = socket else { return };
        if !send(socket, topic, &entry.payload) {
            self.dropped += 1;
            self.again.insert(topic.to_owned());
            // Everybody else gets it now.
            let lossy = set_no_drop(socket, false);
            send(socket, topic, &entry.payload);
            if lossy.and_then(|()| set_no_drop(socket, true)).is_err() {
                // Drops go uncounted from now on; the messages themselves still flow.
                self.dropped += 1;
            }
        }
    }

    /// Sets up a new socket, whose subscribers are to be given the last values.
    ///
    /// # Errors
    /// What libzmq says.
    pub fn prepare(&mut self, socket: &mut zmq::Socket) -> Result<(), zmq::Error> {
        self.again.clear();
        socket.set_xpub_verbose(true)?;
        set_no_drop(socket, true)
    }

    /// Takes new subscriptions, and sends last values where they are due; returns how much was done.
    pub fn serve(&mut self, socket: &mut zmq::Socket, now: Nanos) -> usize {
        let mut done = 0;
        while done < BATCH
            && let Ok(message) = socket.recv_bytes(zmq::DONTWAIT)
        {
            done += 1;
            if let [1, prefix @ ..] = message.as_slice() {
                let meant = self.topics.iter().filter(|(topic, entry)| {
                    topic.as_bytes().starts_with(prefix) && !entry.payload.is_empty()
                });
                self.again.extend(meant.map(|(topic, _)| topic.clone()));
            }
        }
        if self.again.is_empty() || now < self.again_due {
            return done;
        }
        self.again_due = now.saturating_add(AGAIN_EVERY);
        let topics = &self.topics;
        // What somebody had no room for stays, for the next time.
        self.again
            .retain(|topic| !topics.get(topic).is_some_and(|entry| send(socket, topic, &entry.payload)));
        done
    }

    /// Forgets the last values: they belong to an engine that is gone. Sequence numbers go on.
    pub fn forget(&mut self) {
        self.topics.values_mut().for_each(|topic| topic.payload.clear());
        self.again.clear();
    }

    /// Messages that some subscriber had no room for.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// Sends both frames; `false` when a subscriber has no room.
fn send(socket: &zmq::Socket, topic: &str, payload: &[u8]) -> bool {
    if payload.is_empty() {
        return true;
    }
    socket
        .send(topic, zmq::DONTWAIT | zmq::SNDMORE)
        .and_then(|()| socket.send(payload, zmq::DONTWAIT))
        .is_ok()
}
