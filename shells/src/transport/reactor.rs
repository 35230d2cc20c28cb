//! Which sockets have something to say: one system call for all of an agent's.

use std::io;
use std::time::Duration;

use mio::event::Source;
use mio::{Events, Interest, Poll, Registry, Token};
use rustix::event::{PollFd, PollFlags};
use rustix::time::Timespec;

/// Most events taken in one turn; more wait for the next.
const EVENTS: usize = 64;

/// Readiness of an agent's sockets. Edges, not levels: whoever finds its socket ready reads until it would block.
#[derive(Debug)]
pub struct Reactor {
    poll: Poll,
    events: Events,
    ready: Vec<bool>,
    /// How often something happened on each socket, and whether its peer sends no more.
    happened: Vec<(u64, bool)>,
    free: Vec<usize>,
}

impl Reactor {
    /// A reactor without sockets.
    ///
    /// # Errors
    /// When the system has no more descriptors.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS),
            ready: Vec::new(),
            happened: Vec::new(),
            free: Vec::new(),
        })
    }

    /// Looks once, without waiting. To be called at the start of a duty cycle.
    pub fn turn(&mut self) {
        self.wait(Duration::ZERO);
    }

    /// Looks, and waits at most `limit` for something to happen.
    pub fn wait(&mut self, limit: Duration) {
        // An interrupted look is an empty one: the next sees what this did not.
        if self.poll.poll(&mut self.events, Some(limit)).is_err() {
            return;
        }
        for event in &self.events {
            let place = event.token().0;
            if let (Some(ready), Some((count, ended))) =
                (self.ready.get_mut(place), self.happened.get_mut(place))
            {
                *ready = true;
                *count += 1;
                *ended |= event.is_read_closed() || event.is_error();
            }
        }
    }

    /// What another thread's sleep may wait for: something happens on one of these sockets.
    ///
    /// # Errors
    /// When the system has no more descriptors.
    pub fn watch(&self) -> io::Result<Watch> {
        self.poll.registry().try_clone().map(Watch)
    }

    pub(super) fn register(&mut self, source: &mut impl Source) -> io::Result<Registered> {
        let place = self.free.pop().unwrap_or_else(|| {
            self.ready.push(false);
            self.happened.push((0, false));
            self.ready.len() - 1
        });
        self.happened[place].1 = false;
        self.ready[place] = true;
        self.poll.registry().register(source, Token(place), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Registered(place))
    }

    pub(super) fn deregister(&mut self, source: &mut impl Source, registered: &Registered) {
        // A socket that is about to close leaves the poll by itself if this fails.
        let _ = self.poll.registry().deregister(source);
        self.free.push(registered.0);
    }

    /// Whether something happened on a socket since it last would have blocked.
    #[inline]
    pub(super) fn is_ready(&self, registered: &Registered) -> bool {
        self.ready.get(registered.0).copied().unwrap_or(false)
    }

    /// How often something has happened on a socket; `None` once its peer sends no more.
    pub(super) fn happened(&self, registered: &Registered) -> Option<u64> {
        self.happened.get(registered.0).filter(|(_, ended)| !ended).map(|(count, _)| *count)
    }

    /// The socket would block: nothing more until the next edge.
    pub(super) fn blocked(&mut self, registered: &Registered) {
        if let Some(ready) = self.ready.get_mut(registered.0) {
            *ready = false;
        }
    }

    /// Something may lie in a buffer above the socket: to be read without waiting for an edge.
    pub(super) fn unblocked(&mut self, registered: &Registered) {
        if let Some(ready) = self.ready.get_mut(registered.0) {
            *ready = true;
        }
    }
}

/// Tells of a reactor whether anything has happened on its sockets since it last looked.
#[derive(Debug)]
pub struct Watch(Registry);

impl Watch {
    /// Sleeps at most `limit`, and no longer than until something happens on a socket of one of `watches`; whether it
    /// has.
    pub fn wait(watches: &[Self], limit: Duration) -> bool {
        let mut looked_at: Vec<PollFd<'_>> =
            watches.iter().map(|watch| PollFd::new(&watch.0, PollFlags::IN)).collect();
        let limit = Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        };
        // Woken early by a signal, the caller looks and sleeps again.
        rustix::event::poll(&mut looked_at, Some(&limit)).is_ok_and(|count| count > 0)
    }
}

/// A socket's place in its reactor.
#[derive(Debug)]
pub(super) struct Registered(usize);
