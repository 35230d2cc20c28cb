//! The request envelope on a ROUTER socket: reads requests, keeps peers within bounds, carries replies and pushes.
//!
//! Nobody can disturb another: a peer that floods gets errors instead of work, one that does not read loses its own
//! replies and pushes, and a broken message costs one error reply.

use std::collections::BTreeMap;

use engine::domain::Nanos;
use serde_json::{Value, json};

use crate::api::envelope::Request;
use crate::api::{ApiError, Push, Reply, code};
use crate::service::families::{Families, names};
use crate::zmq::desk::{Desk, Outcome, Ticket};
use crate::zmq::port::Shell;

/// Requests that a peer may send at once, and in a second.
const BURST: i64 = 2_000;
const PER_SECOND: i64 = 1_000;

/// Most peers that are remembered; the longest silent one that does not subscribe makes room.
const PEERS_MAX: usize = 1_024;

/// Most requests taken in one turn.
const BATCH: usize = 256;

/// Most frames of a message that are looked at: the rest is thrown away.
const FRAMES_MAX: usize = 4;

/// The operations of one port.
pub trait Operations: Send {
    /// Attaches to what is there.
    ///
    /// # Errors
    /// Why the service cannot be used now.
    fn refresh(&mut self, now: Nanos) -> Result<(), String>;

    /// Why nobody should rely on the service although it serves: then it is not ready and keeps its port.
    fn complaint(&self) -> Option<String> {
        None
    }

    /// Takes what is new; replies and pushes go to the desk. Returns how much was done.
    fn work(&mut self, now: Nanos, desk: &mut Desk) -> usize;

    /// Serves one request: every ticket gets one reply, now or later.
    fn serve(&mut self, request: &Request, ticket: Ticket, now: Nanos, desk: &mut Desk);

    /// Epoch of the engine that it looks at; 0 while none.
    fn epoch(&self) -> u32;

    /// Takes note of what the router has counted, for `status`.
    fn counted(&mut self, counts: RouterCounts);

    /// Its metrics, beside the router's own.
    fn families(&mut self, now: Nanos, families: &mut Families);
}

/// What a router has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouterCounts {
    /// Requests served.
    pub requests: u64,
    /// Messages that were no request.
    pub malformed: u64,
    /// Requests longer than 64 KiB.
    pub oversized: u64,
    /// Requests refused because the peer sends too many.
    pub throttled: u64,
    /// Replies and pushes that a peer did not take.
    pub dropped: u64,
    /// Peers that are remembered.
    pub peers: u64,
    /// Peers that subscribe.
    pub subscribers: u64,
}

/// What is kept of a peer.
struct Peer {
    /// Requests that it may send now, in thousandths.
    credit: i64,
    seen: Nanos,
    subscribed: bool,
    seq: u64,
}

impl Peer {
    const fn new(now: Nanos) -> Self {
        Self { credit: BURST * 1_000, seen: now, subscribed: false, seq: 0 }
    }

    /// Whether it may send one more.
    fn pays(&mut self, now: Nanos) -> bool {
        let passed = (now - self.seen).0.clamp(0, 10_000_000_000);
        self.seen = now;
        let earned = passed / 1_000 * PER_SECOND / 1_000;
        self.credit = (self.credit + earned).min(BURST * 1_000);
        if self.credit < 1_000 {
            return false;
        }
        self.credit -= 1_000;
        true
    }
}

/// The router of a port.
pub struct Router<O> {
    operations: O,
    peers: BTreeMap<Vec<u8>, Peer>,
    desk: Desk,
    counts: RouterCounts,
}

impl<O: Operations> Router<O> {
    /// A router in front of `operations`.
    pub fn new(operations: O) -> Self {
        Self { operations, peers: BTreeMap::new(), desk: Desk::default(), counts: RouterCounts::default() }
    }

    /// Takes one message; returns whether there was one.
    fn take(&mut self, socket: &zmq::Socket, now: Nanos) -> bool {
        let Some(mut frames) = receive(socket) else { return false };
        let peer = frames.remove(0);
        let delimited = frames.len() > 1 && frames[0].is_empty();
        if delimited {
            frames.remove(0);
        }
        let ticket = |id: String| Ticket { peer: peer.clone(), delimited, id };
        if !self.admits(&peer, now) {
            self.counts.throttled += 1;
            let reason = format!("more than {PER_SECOND} requests a second, or more than {PEERS_MAX} peers");
            self.desk.reply(ticket(String::new()), Err(ApiError::new(code::RATE_LIMIT, reason)));
            return true;
        }
        let parsed = match frames.as_slice() {
            [request] => Request::parse(request),
            frames => {
                let reason = format!("a request is one frame, not {}", frames.len());
                Err((String::new(), ApiError::new(code::BAD_REQUEST, reason)))
            }
        };
        match parsed {
            Ok(request) => {
                self.counts.requests += 1;
                let ticket = ticket(request.id.clone());
                if request.op == "subscribe" || request.op == "unsubscribe" {
                    let outcome = self.subscribe(&request, &peer);
                    self.desk.reply(ticket, outcome);
                } else {
                    self.operations.serve(&request, ticket, now, &mut self.desk);
                }
            }
            Err((id, error)) => {
                if error.code == code::TOO_LARGE {
                    self.counts.oversized += 1;
                } else {
                    self.counts.malformed += 1;
                }
                self.desk.reply(ticket(id), Err(error));
            }
        }
        true
    }

    /// Whether `peer` may be served now.
    fn admits(&mut self, peer: &[u8], now: Nanos) -> bool {
        if let Some(known) = self.peers.get_mut(peer) {
            return known.pays(now);
        }
        if self.peers.len() >= PEERS_MAX {
            let silent = self.peers.iter().filter(|(_, known)| !known.subscribed);
            let oldest = silent.min_by_key(|(_, known)| known.seen).map(|(peer, _)| peer.clone());
            let Some(oldest) = oldest else { return false };
            self.peers.remove(&oldest);
        }
        self.peers.entry(peer.to_owned()).or_insert(Peer::new(now)).pays(now)
    }

    fn subscribe(&mut self, request: &Request, peer: &[u8]) -> Outcome {
        if let Some(field) = request.fields.keys().next() {
            let reason = format!("{}: unknown field `{field}`", request.op);
            return Err(ApiError::new(code::BAD_REQUEST, reason));
        }
        let subscribed = request.op == "subscribe";
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.subscribed = subscribed;
        }
        self.desk.heard = self.peers.values().any(|peer| peer.subscribed);
        Ok(json!({ "subscribed": subscribed }))
    }

    /// Sends what lies on the desk.
    fn clear(&mut self, socket: &zmq::Socket) -> usize {
        let replies = std::mem::take(&mut self.desk.replies);
        let pushes = std::mem::take(&mut self.desk.pushes);
        let done = replies.len() + pushes.len();
        for (ticket, outcome) in replies {
            let Ticket { peer, delimited, id } = ticket;
            if let Ok(text) = serde_json::to_vec(&Reply::new(id, outcome)) {
                self.send(socket, &peer, delimited, &text);
            }
        }
        for (name, data) in pushes {
            self.push(socket, name, &data);
        }
        done
    }

    fn push(&mut self, socket: &zmq::Socket, name: &'static str, data: &Value) {
        let mut subscribers = Vec::new();
        for (peer, known) in self.peers.iter_mut().filter(|(_, known)| known.subscribed) {
            known.seq += 1;
            subscribers.push((peer.clone(), known.seq));
        }
        for (peer, seq) in subscribers {
            let push = Push { push: name.to_owned(), seq, data: data.clone() };
            if let Ok(text) = serde_json::to_vec(&push) {
                self.send(socket, &peer, false, &text);
            }
        }
    }

    /// Sends to one peer without waiting. What it has no room for is lost, and counted; a peer that has gone is
    /// forgotten.
    fn send(&mut self, socket: &zmq::Socket, peer: &[u8], delimited: bool, text: &[u8]) {
        let more = zmq::DONTWAIT | zmq::SNDMORE;
        let sent = socket.send(peer, more).and_then(|()| {
            if delimited {
                socket.send(&b""[..], more)?;
            }
            socket.send(text, zmq::DONTWAIT)
        });
        if let Err(error) = sent {
            self.counts.dropped += 1;
            if error == zmq::Error::EHOSTUNREACH {
                self.peers.remove(peer);
                self.desk.heard = self.peers.values().any(|peer| peer.subscribed);
            }
        }
    }
}

impl<O: Operations> Shell for Router<O> {
    fn socket_type(&self) -> zmq::SocketType {
        zmq::ROUTER
    }

    fn prepare(&mut self, socket: &mut zmq::Socket) -> Result<(), zmq::Error> {
        // Peers of an earlier socket are gone with it.
        self.peers.clear();
        self.desk = Desk::default();
        socket.set_router_mandatory(true)
    }

    fn refresh(&mut self, now: Nanos) -> Result<(), String> {
        self.operations.refresh(now)
    }

    fn complaint(&self) -> Option<String> {
        self.operations.complaint()
    }

    fn work(&mut self, now: Nanos, socket: Option<&mut zmq::Socket>) -> usize {
        let mut done = self.operations.work(now, &mut self.desk);
        let Some(socket) = socket else {
            self.desk.replies.clear();
            self.desk.pushes.clear();
            return done;
        };
        for _ in 0..BATCH {
            if !self.take(socket, now) {
                break;
            }
            done += 1;
        }
        done += self.clear(socket);
        self.counts.peers = self.peers.len() as u64;
        self.counts.subscribers = self.peers.values().filter(|peer| peer.subscribed).count() as u64;
        self.operations.counted(self.counts);
        done
    }

    fn epoch(&self) -> u32 {
        self.operations.epoch()
    }

    fn families(&mut self, now: Nanos, families: &mut Families) {
        let RouterCounts { requests, malformed, oversized, throttled, dropped, .. } = self.counts;
        families.counter(names::DROPPED, &[], dropped);
        for (outcome, count) in [
            ("served", requests),
            ("malformed", malformed),
            ("oversized", oversized),
            ("throttled", throttled),
        ] {
            families.counter(names::ZMQ_REQUESTS, &[("outcome", outcome)], count);
        }
        self.operations.families(now, families);
    }
}

/// The frames of the next message, the peer's routing id first; `None` when there is none.
fn receive(socket: &zmq::Socket) -> Option<Vec<Vec<u8>>> {
    let mut frames = vec![socket.recv_bytes(zmq::DONTWAIT).ok()?];
    while socket.get_rcvmore().unwrap_or(false) {
        let frame = socket.recv_bytes(zmq::DONTWAIT).ok()?;
        if frames.len() < FRAMES_MAX {
            frames.push(frame);
        }
    }
    Some(frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_paid_back_by_time() {
        let mut peer = Peer::new(Nanos::ZERO);
        assert!((0..BURST).all(|_| peer.pays(Nanos::ZERO)));
        assert!(!peer.pays(Nanos::ZERO));
        assert!(peer.pays(Nanos::from_millis(1)) && !peer.pays(Nanos::from_millis(1)));
        let later = Nanos::from_secs(100);
        let served = (0..2 * BURST).filter(|_| peer.pays(later)).count();
        assert_eq!(served as i64, BURST);
    }

    /// A port that offers nothing: whom it lets in does not depend on what it does.
    struct Nothing;

    impl Operations for Nothing {
        fn refresh(&mut self, _: Nanos) -> Result<(), String> {
            Ok(())
        }
        fn work(&mut self, _: Nanos, _: &mut Desk) -> usize {
            0
        }
        fn serve(&mut self, _: &Request, _: Ticket, _: Nanos, _: &mut Desk) {}
        fn epoch(&self) -> u32 {
            0
        }
        fn counted(&mut self, _: RouterCounts) {}
        fn families(&mut self, _: Nanos, _: &mut Families) {}
    }

    #[test]
    fn one_peer_too_many_takes_the_place_of_the_longest_silent_but_of_no_subscriber() {
        let mut router = Router::new(Nothing);
        let called = |number: usize| number.to_le_bytes().to_vec();
        let at = |number: usize| Nanos::from_millis(i64::try_from(number).expect("small"));
        for number in 0..PEERS_MAX {
            assert!(router.admits(&called(number), at(number)));
        }
        // The first subscribes, so that the second is the longest silent that may go.
        router.peers.get_mut(&called(0)).expect("it is known").subscribed = true;
        assert!(router.admits(&called(PEERS_MAX), at(PEERS_MAX)));
        let known = |router: &Router<Nothing>, number| router.peers.contains_key(&called(number));
        assert_eq!((known(&router, 0), known(&router, 1), known(&router, 2)), (true, false, true));
        assert_eq!(router.peers.len(), PEERS_MAX);
        // Where all subscribe, nobody makes room, and those who are in are served still.
        router.peers.values_mut().for_each(|peer| peer.subscribed = true);
        assert!(!router.admits(b"late", at(PEERS_MAX)) && router.admits(&called(2), at(PEERS_MAX)));
        assert_eq!(router.peers.len(), PEERS_MAX);
    }
}
