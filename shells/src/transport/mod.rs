//! Sockets that never block: TCP, TLS, WebSocket and HTTP, driven from the thread of whoever owns them.
//!
//! ```text
//! Reactor ──ready?──▶ Stream (TCP, or TLS over it) ──▶ WebSocketClient   frames and messages
//!                                                  └──▶ HttpClient       one request at a time, kept alive
//! ```
//!
//! An agent turns its [`Reactor`] once a duty cycle (one system call for all its sockets) and then polls each of its
//! connections. Nothing here has a thread of its own, but for the look-up of a name, which the system cannot do without
//! blocking.

pub mod url;
pub mod backoff;
pub mod tls;
pub mod reactor;
pub mod stream;
pub mod websocket;
pub mod http;

pub use backoff::Backoff;
pub use http::{HttpClient, HttpEvent, HttpResponse};
pub use reactor::{Reactor, Watch};
pub use stream::{Dial, Stream};
pub use tls::TlsTrust;
pub use url::Url;
pub use websocket::{WebSocketClient, WsEvent};

/// A request was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// Nothing of it left.
    NotSent,
    /// Some of it may have left.
    Maybe,
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
