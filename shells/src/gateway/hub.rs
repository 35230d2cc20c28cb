//! Fan-out to WebSocket clients: each has a queue of its own, of bounded length. A client that does not read loses its
//! oldest messages and is told how many; nobody waits for it.

#![allow(clippy::disallowed_types)] // A lock is held to push or pop one message, never across a wait.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::domain::Interval;
use tokio::sync::Notify;

/// Messages kept for a client that does not read.
pub const QUEUE_MAX: usize = 256;

/// Channels of one client.
pub const CHANNELS_MAX: usize = 256;

/// Whether a channel's last message is given to a new subscriber.
fn has_last_value(channel: &str) -> bool {
    ["bbo/", "book/", "bar/"].iter().any(|prefix| channel.starts_with(prefix))
        || ["status", "positions", "latency"].contains(&channel)
}

/// Whether there can be such a channel. `risk` carries both pushes of port 5557, `risk` and `halt`: a channel is one port's,
/// so that its `seq` has a hole only where something was lost.
#[must_use]
pub fn is_channel(channel: &str) -> bool {
    let named = |name: &str| !name.is_empty() && name.len() <= 64 && !name.contains('/');
    match channel.split('/').collect::<Vec<_>>().as_slice() {
        ["reports" | "positions" | "signals" | "latency" | "risk" | "status"] => true,
        ["bbo" | "book" | "trade", symbol] => named(symbol),
        ["bar", interval, symbol] => Interval::named(interval).is_some() && named(symbol),
        _ => false,
    }
}

/// What a client finds when it looks.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// So many messages were lost before the next one.
    Lost(u64),
    /// The next message.
    Message(Arc<str>),
    /// Nothing now.
    Nothing,
}

#[derive(Default)]
struct Queue {
    channels: BTreeSet<String>,
    messages: VecDeque<Arc<str>>,
    lost: u64,
    lost_in_all: u64,
}

/// One client's end.
pub struct Subscriber {
    queue: Mutex<Queue>,
    notify: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds these locks can panic half-way through a change that matters.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Subscriber {
    /// Takes what is next. A loss is told first.
    #[must_use]
    pub fn next(&self) -> Next {
        let mut queue = lock(&self.queue);
        match std::mem::take(&mut queue.lost) {
            0 => queue.messages.pop_front().map_or(Next::Nothing, Next::Message),
            lost => Next::Lost(lost),
        }
    }

    /// Waits until something may be there.
    pub async fn wait(&self) {
        self.notify.notified().await;
    }

    /// Messages that it lost since it came.
    #[must_use]
    pub fn lost_in_all(&self) -> u64 {
        lock(&self.queue).lost_in_all
    }

    fn give(&self, message: &Arc<str>) {
        let mut queue = lock(&self.queue);
        if queue.messages.len() >= QUEUE_MAX {
            queue.messages.pop_front();
            queue.lost += 1;
            queue.lost_in_all += 1;
        }
        queue.messages.push_back(Arc::clone(message));
        drop(queue);
        self.notify.notify_one();
    }
}

#[derive(Default)]
struct State {
    subscribers: BTreeMap<u64, Arc<Subscriber>>,
    /// How many subscribers a channel has.
    heard: BTreeMap<String, usize>,
    last: BTreeMap<String, Arc<str>>,
    next: u64,
}

/// The hub.
#[derive(Default)]
pub struct Hub {
    state: Mutex<State>,
}

impl Hub {
    /// Lets a client in, which subscribes to nothing yet.
    #[must_use]
    pub fn enter(&self) -> (u64, Arc<Subscriber>) {
        let subscriber = Arc::new(Subscriber { queue: Mutex::default(), notify: Notify::new() });
        let mut state = lock(&self.state);
        let id = state.next;
        state.next += 1;
        state.subscribers.insert(id, Arc::clone(&subscriber));
        (id, subscriber)
    }

    /// Lets a client go.
    pub fn leave(&self, id: u64) {
        let mut state = lock(&self.state);
        if let Some(subscriber) = state.subscribers.remove(&id) {
            let channels = std::mem::take(&mut lock(&subscriber.queue).channels);
            channels.iter().for_each(|channel| state.forget(channel));
        }
    }

    /// Subscribes a client; it gets the last value where there is one. `false` when it has too many channels.
    pub fn subscribe(&self, id: u64, channel: &str) -> bool {
        let mut state = lock(&self.state);
        let Some(subscriber) = state.subscribers.get(&id).cloned() else { return false };
        let mut queue = lock(&subscriber.queue);
        if queue.channels.contains(channel) {
            return true;
        }
        if queue.channels.len() >= CHANNELS_MAX {
            return false;
        }
        queue.channels.insert(channel.to_owned());
        drop(queue);
        *state.heard.entry(channel.to_owned()).or_default() += 1;
        if let Some(last) = state.last.get(channel) {
            subscriber.give(last);
        }
        true
    }

    /// Takes a client off a channel.
    pub fn unsubscribe(&self, id: u64, channel: &str) {
        let mut state = lock(&self.state);
        let Some(subscriber) = state.subscribers.get(&id).cloned() else { return };
        if lock(&subscriber.queue).channels.remove(channel) {
            state.forget(channel);
        }
    }

    /// Whether anybody hears `channel`.
    #[must_use]
    pub fn is_heard(&self, channel: &str) -> bool {
        lock(&self.state).heard.contains_key(channel)
    }

    /// Gives a message to every client of `channel`; `make` is called only if there is one.
    pub fn publish(&self, channel: &str, make: impl FnOnce() -> Option<String>) {
        let mut state = lock(&self.state);
        if !state.heard.contains_key(channel) {
            return;
        }
        let Some(message) = make() else { return };
        let message: Arc<str> = message.into();
        for subscriber in state.subscribers.values() {
            if lock(&subscriber.queue).channels.contains(channel) {
                subscriber.give(&message);
            }
        }
        if has_last_value(channel) {
            state.last.insert(channel.to_owned(), message);
        }
    }

    /// Clients that are there.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.state).subscribers.len()
    }

    /// Whether nobody is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl State {
    fn forget(&mut self, channel: &str) {
        if let Some(count) = self.heard.get_mut(channel) {
            *count -= 1;
            if *count == 0 {
                self.heard.remove(channel);
                // Nobody keeps it fresh any more.
                self.last.remove(channel);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_does_not_read_loses_the_oldest_is_told_and_disturbs_nobody() {
        let hub = Hub::default();
        let ((slow, slow_end), (fast, fast_end)) = (hub.enter(), hub.enter());
        assert!(hub.subscribe(slow, "bbo/A") && hub.subscribe(fast, "bbo/A"));
        let sent = QUEUE_MAX as u64 + 44;
        for number in 0..sent {
            hub.publish("bbo/A", || Some(number.to_string()));
            assert_eq!(fast_end.next(), Next::Message(number.to_string().into()));
        }
        assert_eq!(slow_end.next(), Next::Lost(44));
        for number in 44..sent {
            assert_eq!(slow_end.next(), Next::Message(number.to_string().into()));
        }
        assert_eq!((slow_end.next(), slow_end.lost_in_all(), fast_end.lost_in_all()), (Next::Nothing, 44, 0));
    }

    #[test]
    fn channels_are_known_bounded_and_forgotten() {
        for bad in ["", "bbo", "bbo/", "bbo/A/B", "bar/2m/A", "orders", "bbo//"] {
            assert!(!is_channel(bad), "{bad}");
        }
        assert!(is_channel("bar/1m/BTCUSDT") && is_channel("bar/1M/BTCUSDT") && is_channel("reports"));
        let hub = Hub::default();
        let (id, end) = hub.enter();
        assert!((0..CHANNELS_MAX).all(|n| hub.subscribe(id, &format!("bbo/{n}"))));
        assert!(!hub.subscribe(id, "bbo/more") && hub.subscribe(id, "bbo/0"));
        hub.publish("bbo/other", || panic!("nobody hears it"));
        hub.unsubscribe(id, "bbo/0");
        assert!(!hub.is_heard("bbo/0") && hub.is_heard("bbo/1"));
        hub.publish("bbo/1", || Some("x".to_owned()));
        assert_eq!(end.next(), Next::Message("x".into()));
        let (second, second_end) = hub.enter();
        assert!(hub.subscribe(second, "bbo/1"));
        assert_eq!(second_end.next(), Next::Message("x".into()), "the last value");
        hub.leave(id);
        hub.leave(second);
        assert!(hub.is_empty() && !hub.is_heard("bbo/1"));
    }
}
