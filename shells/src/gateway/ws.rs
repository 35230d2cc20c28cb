//! WebSocket clients: `{"subscribe":["bbo/BTCUSDT","reports"]}`, and what happens comes as
//! `{"channel":…,"seq":…,"data":…}`.
//!
//! Whoever does not read loses the oldest messages and is told `{"lost":N}`; whoever takes nothing for ten seconds, does
//! not answer pings, sends too much, or holds a token that is revoked, is disconnected.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::api::{ApiError, code};
use crate::gateway::Gateway;
use crate::gateway::bucket::Bucket;
use crate::gateway::extract::read_json;
use crate::gateway::guard::Caller;
use crate::gateway::hub::{Next, Subscriber, is_channel};
use crate::gateway::problem::Failure;
use crate::gateway::tokens::{Known, Role};
use crate::http::connections::asked;

/// Longest message from a client, in bytes.
const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// Clients at once, and of one token or address.
const CLIENTS_MAX: usize = 256;
const CLIENTS_OF_ONE_MAX: usize = 32;

/// How long a message may wait for a client that takes nothing.
const SEND_PATIENCE: Duration = Duration::from_secs(10);

/// Messages that a client may lose before it is sent away.
const LOST_MAX: u64 = 100_000;

/// How often clients are pinged, and their tokens looked at.
const PING_EVERY: Duration = Duration::from_secs(5);

/// Silence after which a client is gone.
const SILENT: Duration = Duration::from_secs(20);

/// Messages a second from a client, and at once.
const RATE: (u32, u32) = (20, 100);

const POLICY: u16 = 1008;
const AWAY: u16 = 1001;

/// `GET /ws`.
pub async fn upgrade(
    State(gateway): State<Arc<Gateway>>,
    Extension(caller): Extension<Caller>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    let upgrade = upgrade.map_err(|rejection| Failure::new(code::BAD_REQUEST, rejection.body_text()))?;
    let seat = gateway.seats.take(&caller).ok_or_else(|| {
        let reason = format!("more than {CLIENTS_MAX} clients, or {CLIENTS_OF_ONE_MAX} of one");
        Failure::new(code::RATE_LIMIT, reason)
    })?;
    let upgrade = upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .write_buffer_size(0)
        .max_write_buffer_size(4 << 20);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let (id, subscriber) = gateway.feed.hub.enter();
        let mut client = Client {
            gateway: Arc::clone(&gateway),
            caller,
            id,
            subscriber,
            socket,
            heard: Instant::now(),
            bucket: Bucket::new(RATE.0, RATE.1),
        };
        let (close, reason) = client.serve().await;
        client.leave(close, reason).await;
        gateway.feed.hub.leave(id);
        drop(seat);
    }))
}

/// Seats of clients, so that nobody takes all.
#[derive(Default)]
pub struct Seats {
    #[allow(clippy::disallowed_types)] // Held to count, never across a wait.
    taken: Arc<std::sync::Mutex<Vec<String>>>,
}

/// A seat, given back when it is dropped.
pub struct Seat {
    #[allow(clippy::disallowed_types)] // As in `Seats`.
    taken: Arc<std::sync::Mutex<Vec<String>>>,
    who: String,
}

impl Seats {
    fn take(&self, caller: &Caller) -> Option<Seat> {
        let who = caller.token.clone().unwrap_or_else(|| caller.address.to_string());
        let mut taken = self.taken.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let of_one = taken.iter().filter(|other| **other == who).count();
        if taken.len() >= CLIENTS_MAX || of_one >= CLIENTS_OF_ONE_MAX {
            return None;
        }
        taken.push(who.clone());
        Some(Seat { taken: Arc::clone(&self.taken), who })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(at) = taken.iter().position(|who| *who == self.who) {
            taken.swap_remove(at);
        }
    }
}

/// What a client says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    #[serde(default)]
    subscribe: Vec<String>,
    #[serde(default)]
    unsubscribe: Vec<String>,
}

struct Client {
    gateway: Arc<Gateway>,
    caller: Caller,
    id: u64,
    subscriber: Arc<Subscriber>,
    socket: WebSocket,
    heard: Instant,
    bucket: Bucket,
}

/// Why a client is let go: the close code and a word.
type End = (u16, &'static str);

impl Client {
    async fn serve(&mut self) -> End {
        let mut ping = interval(PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopped = self.gateway.stopped.clone();
        loop {
            let subscriber = Arc::clone(&self.subscriber);
            let end = tokio::select! {
                biased;
                () = asked(&mut stopped) => return (AWAY, "the gateway is stopping"),
                _ = ping.tick() => self.tick().await,
                said = self.socket.recv() => match said {
                    Some(Ok(message)) => self.hear(message).await,
                    Some(Err(_)) | None => return (AWAY, "gone"),
                },
                () = subscriber.wait() => self.drain().await,
            };
            if let Err(end) = end {
                return end;
            }
        }
    }

    async fn leave(&mut self, code: u16, reason: &'static str) {
        tracing::info!(who = self.caller.name(), code, reason, "WebSocket client left");
        let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        // It is let go whether it hears that or not.
        let _ = timeout(Duration::from_secs(1), self.socket.send(close)).await;
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(SEND_PATIENCE, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err((AWAY, "gone")),
            Err(_) => Err((POLICY, "nothing was taken for 10 s")),
        }
    }

    async fn tick(&mut self) -> Result<(), End> {
        if self.heard.elapsed() > SILENT {
            return Err((POLICY, "no answer to pings"));
        }
        if self.subscriber.lost_in_all() > LOST_MAX {
            return Err((POLICY, "too slow"));
        }
        let valid = match (&*self.gateway.tokens.borrow(), &self.caller.token) {
            (Known::Nobody, None) => true,
            (known, Some(id)) => known.holds(id, Role::Read),
            (_, None) => false,
        };
        if !valid {
            return Err((POLICY, "the token is no longer valid"));
        }
        self.send(Message::Ping(Vec::new().into())).await
    }

    /// Sends what is queued, at most a queue's length before others have their turn.
    async fn drain(&mut self) -> Result<(), End> {
        loop {
            let message = match self.subscriber.next() {
                Next::Nothing => return Ok(()),
                Next::Lost(count) => json!({ "lost": count }).to_string(),
                Next::Message(text) => text.as_ref().to_owned(),
            };
            self.send(Message::Text(message.into())).await?;
            // Sending never waits while there is room: let the others have their turn.
            tokio::task::yield_now().await;
        }
    }

    async fn hear(&mut self, message: Message) -> Result<(), End> {
        let now = Instant::now();
        self.heard = now;
        if !self.bucket.take(now) {
            return Err((POLICY, "too many messages"));
        }
        let text = match message {
            Message::Text(text) => text,
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Binary(_) => return self.refuse("binary messages mean nothing here").await,
            Message::Close(_) => return Err((1000, "closed")),
        };
        let said: Said = match read_json(text.as_bytes()) {
            Ok(said) => said,
            Err(failure) => return self.refuse(&failure.error.message).await,
        };
        for channel in &said.unsubscribe {
            self.gateway.feed.hub.unsubscribe(self.id, channel);
        }
        for channel in &said.subscribe {
            if !is_channel(channel) {
                return self.refuse(&format!("{channel:?}: there is no such channel")).await;
            }
            if !self.gateway.feed.hub.subscribe(self.id, channel) {
                return self.refuse("too many channels").await;
            }
        }
        let answer = json!({"subscribed": said.subscribe, "unsubscribed": said.unsubscribe});
        self.send(Message::Text(answer.to_string().into())).await
    }

    async fn refuse(&mut self, reason: &str) -> Result<(), End> {
        let reason: String = reason.chars().take(200).collect();
        let answer = json!({"error": ApiError::new(code::BAD_REQUEST, reason)});
        self.send(Message::Text(answer.to_string().into())).await
    }
}
