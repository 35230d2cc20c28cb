//! Who may do what: every request passes here first. It is counted, timed, bounded in time and rate, and needs a token
//! whose role reaches as far as its route; what changes something is logged with the token's id.

#![allow(clippy::disallowed_types)] // Locks are held to look up one caller, never across a wait.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use crate::api::code;
use crate::gateway::Gateway;
use crate::gateway::bucket::Bucket;
use crate::gateway::problem::{FORBIDDEN, Failure, UNAUTHORIZED};
use crate::gateway::routes;
use crate::gateway::tokens::{Known, Role};

/// Longest time for a request, its body included.
const REQUEST_PATIENCE: Duration = Duration::from_secs(10);

/// Callers whose rates are remembered.
const CALLERS_MAX: usize = 4_096;

/// Rates of one caller: a token, or an address without one.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Reads a second, and at once.
    pub reads: (u32, u32),
    /// Changes a second, and at once.
    pub changes: (u32, u32),
    /// Refused tokens of an address a second, and at once.
    pub refusals: (u32, u32),
}

impl Default for Rates {
    fn default() -> Self {
        Self { reads: (20_000, 20_000), changes: (100, 200), refusals: (5, 20) }
    }
}

/// Whoever calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The token's id; `None` for this machine's own user where there are no tokens.
    pub token: Option<String>,
    /// Where from.
    pub address: IpAddr,
}

impl Caller {
    /// How logs name it.
    #[must_use]
    pub fn name(&self) -> String {
        self.token.as_ref().map_or_else(|| "loopback".to_owned(), |id| format!("token:{id}"))
    }
}

/// Rates of all callers.
#[derive(Default)]
pub struct Throttle {
    rates: Rates,
    buckets: Mutex<BTreeMap<String, Bucket>>,
}

impl Throttle {
    fn with<T>(&self, key: String, (rate, burst): (u32, u32), act: impl FnOnce(&mut Bucket) -> T) -> T {
        // Nothing that holds this lock can panic half-way through a change that matters.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CALLERS_MAX && !buckets.contains_key(&key) {
            let oldest = buckets.iter().min_by_key(|(_, bucket)| bucket.seen()).map(|(key, _)| key.clone());
            oldest.map(|oldest| buckets.remove(&oldest));
        }
        act(buckets.entry(key).or_insert_with(|| Bucket::new(rate, burst)))
    }

    fn take(&self, key: String, rate: (u32, u32)) -> Result<(), Failure> {
        self.with(
            key,
            rate,
            |bucket| {
                if bucket.take(Instant::now()) { Ok(()) } else { Err(too_many(bucket)) }
            },
        )
    }

    fn has(&self, key: String, rate: (u32, u32)) -> Result<(), Failure> {
        self.with(key, rate, |bucket| if bucket.has(Instant::now()) { Ok(()) } else { Err(too_many(bucket)) })
    }
}

fn too_many(bucket: &Bucket) -> Failure {
    let mut failure = Failure::new(code::RATE_LIMIT, "too many requests: slow down");
    failure.retry_after = Some(bucket.seconds());
    failure
}

/// The door.
pub async fn guard(State(gateway): State<Arc<Gateway>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let matched = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let path = matched.as_deref().unwrap_or("other");
    let response = match admit(&gateway, &request, path) {
        Ok(caller) => {
            let changes = changes(&method);
            let who = changes.then(|| (caller.name(), caller.address, request.uri().to_string()));
            request.extensions_mut().insert(caller);
            let response = match tokio::time::timeout(REQUEST_PATIENCE, next.run(request)).await {
                Ok(response) => response,
                Err(_) => Failure::new(code::TIMEOUT, "the request took longer than 10 s").into_response(),
            };
            if let Some((who, address, uri)) = who {
                let status = response.status().as_u16();
                tracing::info!(target: "audit", who, %address, %method, uri, status, "change");
            }
            response
        }
        Err(failure) => failure.into_response(),
    };
    let seconds = started.elapsed().as_secs_f64();
    gateway.requests.count(method.as_str(), path, response.status().as_u16(), seconds);
    response
}

const fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn admit(gateway: &Gateway, request: &Request, path: &str) -> Result<Caller, Failure> {
    let address = request.extensions().get::<SocketAddr>().map(|address| address.ip().to_canonical());
    let address = address.ok_or_else(|| Failure::new(code::INTERNAL, "the peer's address is not known"))?;
    let Some(role) = routes::role(request.method(), path) else {
        return Ok(Caller { token: None, address });
    };
    let token = authenticate(gateway, request.headers(), address, role)?;
    let caller = Caller { token, address };
    let of = caller.token.clone().unwrap_or_else(|| address.to_string());
    let rates = &gateway.throttle.rates;
    if changes(request.method()) && !routes::is_always_heard(path) {
        gateway.throttle.take(format!("change {of}"), rates.changes)?;
    } else {
        gateway.throttle.take(format!("read {of}"), rates.reads)?;
    }
    Ok(caller)
}

/// The id of the token that a request carries, or none for this machine's own user where there are no tokens.
fn authenticate(
    gateway: &Gateway,
    headers: &HeaderMap,
    address: IpAddr,
    role: Role,
) -> Result<Option<String>, Failure> {
    let known = gateway.tokens.borrow();
    match &*known {
        Known::Nobody => local(headers, address).map(|()| None),
        Known::Broken(why) => {
            tracing::error!(why, "no token can be checked");
            Err(Failure::new(
                code::NOT_READY,
                "the gateway cannot read its tokens and serves nobody; see its log",
            ))
        }
        Known::Tokens(_) => {
            let key = || format!("refused {address}");
            let rate = gateway.throttle.rates.refusals;
            gateway.throttle.has(key(), rate)?;
            let refuse = |reason: &str| {
                let throttled = gateway.throttle.take(key(), rate);
                throttled.and_then(|()| Err(Failure::new(UNAUTHORIZED, reason)))
            };
            let text = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
            let bearer = text.and_then(|text| text.split_once(' '));
            let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            let Some((_, secret)) = bearer else {
                return refuse("send a token: Authorization: Bearer TOKEN");
            };
            let Some(token) = known.find(secret.trim()) else {
                return refuse("the token is unknown or revoked");
            };
            if token.role < role {
                let (has, needs) = (token.role.name(), role.name());
                let reason = format!("the token's role is {has}; this needs {needs}");
                return Err(Failure::new(FORBIDDEN, reason));
            }
            Ok(Some(token.id.clone()))
        }
    }
}

/// Without tokens only this machine's own user is served: not a web page that a browser shows here, and nobody whom a
/// proxy lets in.
fn local(headers: &HeaderMap, address: IpAddr) -> Result<(), Failure> {
    let refuse = |reason: &str| {
        let hint = "make one with `trading token create --role read`";
        Err(Failure::new(FORBIDDEN, format!("{reason}: without tokens only this machine is served; {hint}")))
    };
    if !address.is_loopback() {
        return refuse("the request comes from another machine");
    }
    if ["forwarded", "x-forwarded-for", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name)) {
        return refuse("the request comes through a proxy");
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    if !["localhost", "127.0.0.1", "[::1]"].contains(&name) {
        return refuse("the request names another host");
    }
    let same = |origin: &axum::http::HeaderValue| origin.as_bytes() == format!("http://{host}").as_bytes();
    if headers.get(ORIGIN).is_some_and(|origin| !same(origin)) {
        return refuse("the request comes from another site's page");
    }
    Ok(())
}
