//! Stream connections: what each follows, and the control messages (binance.md §4).

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::domain::{Instrument, InstrumentIndex, Nanos};

use super::super::json::{members, text};
use super::super::render::TimeUnit;
use super::super::sbe::SbeTopic;
use super::super::streams::{Subject, Topic, Wire, parse};
use super::{Connection, Desk, Out};

/// Streams of one connection (binance.md §4).
const STREAMS_MAX: usize = 1_024;

/// A stream connection.
#[derive(Debug)]
struct Follower {
    wire: Wire,
    unit: TimeUnit,
    names: Vec<String>,
}

/// A stream that someone follows.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) topic: Topic,
    pub(super) name: String,
    pub(super) followers: Vec<Connection>,
}

/// Who follows what.
#[derive(Debug)]
pub(super) struct Followers {
    open: BTreeMap<Connection, Follower>,
    /// By instrument; the last are about all of them.
    channels: Vec<Vec<Channel>>,
}

impl Followers {
    pub(super) fn new(instruments: usize) -> Self {
        Self { open: BTreeMap::new(), channels: (0..=instruments).map(|_| Vec::new()).collect() }
    }

    pub(super) fn open(&mut self, connection: Connection, wire: Wire, unit: TimeUnit) {
        self.open.insert(connection, Follower { wire, unit, names: Vec::new() });
    }

    pub(super) fn close(&mut self, connection: Connection) {
        if self.open.remove(&connection).is_none() {
            return;
        }
        for channels in &mut self.channels {
            for channel in channels.iter_mut() {
                channel.followers.retain(|follower| *follower != connection);
            }
            channels.retain(|channel| !channel.followers.is_empty());
        }
    }

    /// Every stream connection, and whether its JSON names its stream.
    pub(super) fn connections(&self) -> impl Iterator<Item = (Connection, bool)> {
        self.open.iter().map(|(connection, follower)| (*connection, follower.wire == Wire::Combined))
    }

    /// How a connection is told its streams.
    fn wire(&self, connection: Connection) -> Wire {
        self.open.get(&connection).map_or(Wire::Raw, |follower| follower.wire)
    }

    /// How a connection is told times.
    fn unit(&self, connection: Connection) -> TimeUnit {
        self.open.get(&connection).map_or(TimeUnit::Millis, |follower| follower.unit)
    }

    /// Where the channels about a subject are.
    fn place(&self, subject: Subject) -> Option<usize> {
        match subject {
            Subject::One(instrument) => Some(instrument as usize),
            Subject::All => self.channels.len().checked_sub(1),
            Subject::Unlisted => None,
        }
    }

    /// The streams about a subject that someone follows and whose topic is wanted.
    fn wanted(&self, subject: Subject, wants: impl Fn(Topic) -> bool) -> impl Iterator<Item = &Channel> {
        let channels = self.place(subject).and_then(|at| self.channels.get(at)).into_iter().flatten();
        channels.filter(move |channel| wants(channel.topic))
    }

    fn add(&mut self, connection: Connection, name: &str, subject: Subject, topic: Topic) {
        let place = self.place(subject);
        let Some(follower) = self.open.get_mut(&connection) else { return };
        if follower.names.iter().any(|known| known == name) {
            return;
        }
        follower.names.push(name.to_owned());
        let Some(channels) = place.and_then(|at| self.channels.get_mut(at)) else { return };
        match channels.iter_mut().find(|channel| channel.name == name && channel.topic == topic) {
            Some(channel) => channel.followers.push(connection),
            None => channels.push(Channel { topic, name: name.to_owned(), followers: vec![connection] }),
        }
    }

    fn remove(&mut self, connection: Connection, name: &str) {
        let Some(follower) = self.open.get_mut(&connection) else { return };
        follower.names.retain(|known| known != name);
        for channels in &mut self.channels {
            for channel in channels.iter_mut().filter(|channel| channel.name == name) {
                channel.followers.retain(|follower| *follower != connection);
            }
            channels.retain(|channel| !channel.followers.is_empty());
        }
    }
}

/// A control message that cannot be carried out.
fn refused(code: i32, message: &str, id: &str) -> String {
    format!("{{\"error\":{{\"code\":{code},\"msg\":{}}},\"id\":{id}}}", text(message))
}

impl Desk {
    pub(super) fn follow(&mut self, connection: Connection, name: &str) {
        let wire = self.followers.wire(connection);
        if let Some((subject, topic)) = parse(name, wire, self.exchange.instruments()) {
            self.followers.add(connection, name, subject, topic);
        }
    }

    /// Carries a control message out; the answer.
    pub(super) fn control(&mut self, connection: Connection, message: &str) -> String {
        let Ok(found) = members(message) else {
            return refused(3, "Invalid JSON: expected value at line 1 column 1", "null");
        };
        let member = |name: &str| found.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        let id = member("id").unwrap_or("null");
        let sound = match id.as_bytes().first() {
            Some(b'"') => id.len() <= 38,
            Some(b'n') => true,
            _ => id.parse::<i64>().is_ok(),
        };
        if !sound {
            return refused(
                2,
                "Invalid request: request ID must be an unsigned integer or a short string",
                "null",
            );
        }
        let Some(method) = member("method").and_then(|text| serde_json::from_str::<String>(text).ok()) else {
            return refused(2, "Invalid request: missing field `method`", id);
        };
        let params = member("params").unwrap_or("[]");
        let names: Option<Vec<String>> = serde_json::from_str(params).ok();
        match method.as_str() {
            "SUBSCRIBE" | "UNSUBSCRIBE" => {
                let Some(names) = names else {
                    return refused(2, "Invalid request: params must be an array of stream names", id);
                };
                self.change(connection, &method, &names, id)
            }
            "LIST_SUBSCRIPTIONS" => {
                let names = self.followers.open.get(&connection).map_or(&[][..], |follower| &follower.names);
                format!("{{\"result\":{},\"id\":{id}}}", serde_json::Value::from(names))
            }
            "SET_PROPERTY" => match serde_json::from_str::<(String, bool)>(params) {
                Ok((name, combined)) if name == "combined" => {
                    if let Some(follower) = self.followers.open.get_mut(&connection)
                        && follower.wire != Wire::Sbe
                    {
                        follower.wire = if combined { Wire::Combined } else { Wire::Raw };
                    }
                    format!("{{\"result\":null,\"id\":{id}}}")
                }
                _ => refused(0, "Unknown property", id),
            },
            "GET_PROPERTY" => match names.as_deref() {
                Some([name]) if name == "combined" => {
                    let combined = self.followers.wire(connection) == Wire::Combined;
                    format!("{{\"result\":{combined},\"id\":{id}}}")
                }
                _ => refused(0, "Unknown property", id),
            },
            _ => refused(
                2,
                &format!(
                    "Invalid request: unknown variant {method}, expected one of SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, SET_PROPERTY, GET_PROPERTY"
                ),
                id,
            ),
        }
    }

    fn change(&mut self, connection: Connection, method: &str, names: &[String], id: &str) -> String {
        if method == "UNSUBSCRIBE" {
            for name in names {
                self.followers.remove(connection, name);
            }
            return format!("{{\"result\":null,\"id\":{id}}}");
        }
        let following = self.followers.open.get(&connection).map_or(0, |follower| follower.names.len());
        if following + names.len() > STREAMS_MAX {
            return refused(2, "Invalid request: too many streams on one connection", id);
        }
        let wire = self.followers.wire(connection);
        if let Some(bad) = names.iter().find(|name| parse(name, wire, self.exchange.instruments()).is_none())
        {
            return refused(2, &format!("Invalid request: invalid stream {bad}"), id);
        }
        for name in names {
            self.follow(connection, name);
        }
        format!("{{\"result\":null,\"id\":{id}}}")
    }

    /// Sends what `write` makes of it to everyone who follows these streams, each as it wants it.
    pub(super) fn spread(&mut self, to: Vec<(String, Vec<Connection>)>, write: impl Fn(TimeUnit) -> String) {
        let now = self.clock.now();
        // Most want the same, so each form is written once: by unit, and with the stream's name or without.
        let mut plain: [Option<Arc<str>>; 2] = [None, None];
        for (name, followers) in to {
            let mut wrapped: [Option<Arc<str>>; 2] = [None, None];
            for connection in followers {
                let unit = self.followers.unit(connection);
                let plain = plain[unit as usize].get_or_insert_with(|| write(unit).into());
                let frame = if self.followers.wire(connection) == Wire::Combined {
                    let wrapped = wrapped[unit as usize].get_or_insert_with(|| {
                        format!("{{\"stream\":{},\"data\":{plain}}}", text(&name)).into()
                    });
                    Arc::clone(wrapped)
                } else {
                    Arc::clone(plain)
                };
                self.send_frame(connection, Out::Frame(frame), &name, None, now);
            }
        }
    }

    /// Sends what `write` makes of an SBE stream to everyone who follows it.
    pub(super) fn spread_sbe(
        &mut self,
        instrument: InstrumentIndex,
        topic: SbeTopic,
        now: Nanos,
        write: impl FnOnce(&Desk, &Instrument) -> Option<Vec<u8>>,
    ) {
        let to = self.following(Subject::One(instrument), |wanted| wanted == Topic::Sbe(topic));
        if to.is_empty() {
            return;
        }
        let instruments = Arc::clone(self.exchange.instruments());
        let Some(frame) = instruments.get(instrument).and_then(|listed| write(self, listed)) else { return };
        let frame: Arc<[u8]> = frame.into();
        for (name, followers) in to {
            for connection in followers {
                self.send_frame(connection, Out::Binary(Arc::clone(&frame)), &name, None, now);
            }
        }
    }

    /// Streams whose topic is wanted, with their followers.
    pub(super) fn following(
        &self,
        subject: Subject,
        wants: impl Fn(Topic) -> bool,
    ) -> Vec<(String, Vec<Connection>)> {
        let wanted = self.followers.wanted(subject, wants);
        wanted.map(|channel| (channel.name.clone(), channel.followers.clone())).collect()
    }
}
