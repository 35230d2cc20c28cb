//! One connection: REST until it becomes a WebSocket, then streams or the WebSocket API.

use std::net::IpAddr;
use std::time::Duration;

use engine::domain::Nanos;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::desk::{Answer, Call, Connection, OUTBOX, Out, ToDesk};
use super::door::Door;
use super::failure::Failure;
use super::http::{self, Request, Unread};
use super::json::{members, millis, text};
use super::method::{Method, Security};
use super::params::{Params, RETURN_LIMITS, raw_value, signed_text};
use super::render::TimeUnit;
use super::streams::Wire;
use super::talk::{Manner, Talk};

/// How long a peer may take to take what is written.
pub const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// How long a connection may say nothing between requests.
const IDLE_LIMIT: Duration = Duration::from_secs(90);

/// How WebSockets are kept alive, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Keeping {
    /// Between pings.
    pub ping: Duration,
    /// From a ping to giving up.
    pub pong: Duration,
    /// A connection's life.
    pub life: Duration,
}

/// What every connection knows.
#[derive(Clone)]
pub struct Hall {
    /// Who may come in.
    pub door: Door,
    /// The desk.
    pub desk: mpsc::Sender<ToDesk>,
    /// How WebSockets are kept.
    pub keeping: Keeping,
}

/// Who a WebSocket API session is.
#[derive(Clone, Debug, Default)]
pub struct Session {
    key: Option<(String, Nanos)>,
}

/// The state of a session, as the requests about it tell.
#[must_use]
pub fn session_json(key: Option<(&str, Nanos)>, now: Nanos) -> String {
    let (key, since) = match key {
        Some((key, since)) => (text(key), serde_json::Value::from(millis(since))),
        None => (serde_json::Value::Null, serde_json::Value::Null),
    };
    format!(
        "{{\"apiKey\":{key},\"authorizedSince\":{since},\"connectedSince\":{0},\"returnRateLimits\":true,\"serverTime\":{0},\"userDataStream\":false}}",
        millis(now)
    )
}

/// Serves a connection to its end.
pub async fn serve<S>(mut stream: S, address: IpAddr, id: Connection, hall: Hall)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (out, mut answers) = mpsc::channel(OUTBOX);
    if hall.desk.send(ToDesk::Open(id, out)).await.is_err() {
        return;
    }
    let mut buffer = Vec::new();
    loop {
        let request = match timeout(IDLE_LIMIT, http::read(&mut stream, &mut buffer)).await {
            Ok(Ok(request)) => request,
            Ok(Err(Unread::Refused(status))) => {
                let body = Failure::new(-1000, "Malformed HTTP request.").body();
                let response = http::response(status, "application/json", "", &body, false);
                let _ = timeout(WRITE_LIMIT, stream.write_all(response.as_bytes())).await;
                break;
            }
            Ok(Err(Unread::Gone)) | Err(_) => break,
        };
        if let Some(key) = request.upgrade_key() {
            let manner = match manner(&request, &hall.door) {
                Ok(manner) => manner,
                Err(response) => {
                    let _ = timeout(WRITE_LIMIT, stream.write_all(response.as_bytes())).await;
                    break;
                }
            };
            if timeout(WRITE_LIMIT, stream.write_all(http::upgraded(key).as_bytes())).await.is_ok() {
                Talk::new(id, address, hall.clone(), manner, answers, buffer).run(stream).await;
            }
            let _ = hall.desk.send(ToDesk::Closed(id)).await;
            return;
        }
        let keep = request.keep_alive;
        match answer(&request, address, id, &hall, &mut answers).await {
            Reaction::Respond(response) => {
                let written = timeout(WRITE_LIMIT, stream.write_all(response.as_bytes())).await;
                if !matches!(written, Ok(Ok(()))) || !keep {
                    break;
                }
            }
            Reaction::Cut(response, bytes) => {
                let cut = &response.as_bytes()[..bytes.min(response.len())];
                let _ = timeout(WRITE_LIMIT, stream.write_all(cut)).await;
                break;
            }
            Reaction::Silence => {
                tokio::time::sleep(IDLE_LIMIT).await;
                break;
            }
            Reaction::Leave => break,
        }
    }
    let _ = stream.shutdown().await;
    let _ = hall.desk.send(ToDesk::Closed(id)).await;
}

/// What becomes of a REST request.
enum Reaction {
    Respond(String),
    /// Only so many bytes of it.
    Cut(String, usize),
    Silence,
    Leave,
}

/// What a WebSocket is for, by its path; the response to one that is nothing, or whose key does not do: SBE streams are for
/// holders of an Ed25519 key (binance.md §10). They have a host of their own at Binance, and a path here.
fn manner(request: &Request, door: &Door) -> Result<Manner, String> {
    let path = request.path.trim_end_matches('/');
    let refused =
        |failure: Failure| http::response(failure.status, "application/json", "", &failure.body(), false);
    let unknown = || http::response(404, "text/plain", "", "", false);
    let params = Params::of_form(&request.query, "").map_err(refused)?;
    let unit = unit(params.get("timeUnit")).map_err(refused)?;
    if path == "/ws-api/v3" {
        let limits = params.flag(RETURN_LIMITS).map_err(refused)? != Some(false);
        return Ok(Manner::Api { unit, limits, session: Session::default() });
    }
    let Some(path) = path.strip_prefix("/sbe") else {
        let wire = |combined| if combined { Wire::Combined } else { Wire::Raw };
        return streams(path, request, unit, wire).ok_or_else(unknown);
    };
    let key = door.key(request.header("x-mbx-apikey"));
    let key = key.and_then(|key| if key.may_log_on() { Ok(()) } else { Err(only_ed25519()) });
    key.map_err(refused)?;
    streams(path, request, unit, |_| Wire::Sbe).ok_or_else(unknown)
}

fn only_ed25519() -> Failure {
    Failure::new(-2015, "Invalid API-key, IP, or permissions for action.").with_status(401)
}

/// The unit that a client wants times in.
fn unit(named: Option<&str>) -> Result<TimeUnit, Failure> {
    match named {
        None => Ok(TimeUnit::Millis),
        Some(name) if name.eq_ignore_ascii_case("millisecond") => Ok(TimeUnit::Millis),
        Some(name) if name.eq_ignore_ascii_case("microsecond") => Ok(TimeUnit::Micros),
        Some(_) => Err(Failure::new(
            -1194,
            "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.",
        )),
    }
}

/// Market streams, by the path of their host.
fn streams(path: &str, request: &Request, unit: TimeUnit, wire: impl Fn(bool) -> Wire) -> Option<Manner> {
    let (names, combined) = match path.strip_prefix("/ws") {
        _ if path == "/stream" => (raw_value(&request.query, "streams").unwrap_or(""), true),
        Some(names) if names.is_empty() || names.starts_with('/') => (names, false),
        _ => return None,
    };
    // The plus of a time zone is a plus here.
    let names = percent_encoding::percent_decode_str(names).decode_utf8_lossy();
    let names = names.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    Some(Manner::Streams { names, wire: wire(combined), unit })
}

/// Answers a REST request.
async fn answer(
    request: &Request,
    address: IpAddr,
    connection: Connection,
    hall: &Hall,
    answers: &mut mpsc::Receiver<Out>,
) -> Reaction {
    let keep = request.keep_alive;
    let json = |status, headers: &str, body: &str| {
        Reaction::Respond(http::response(status, "application/json;charset=UTF-8", headers, body, keep))
    };
    let method = match Method::by_path(&request.verb, &request.path) {
        Ok(method) => method,
        Err(true) => return json(405, "", "{\"code\":-1000,\"msg\":\"Request method not supported.\"}"),
        Err(false) if request.path == "/api/v3/userDataStream" => {
            return json(410, "", "{\"code\":-1000,\"msg\":\"This endpoint is no longer available.\"}");
        }
        Err(false) => return Reaction::Respond(http::response(404, "text/html", "", http::NOT_FOUND, keep)),
    };
    let told_in = unit(request.header("x-mbx-time-unit"));
    let checked = Params::of_form(&request.query, &request.body).and_then(|params| {
        told_in.clone()?;
        let account = match method.security() {
            Security::Public => None,
            _ => {
                let covered = signed_text(&request.query, &request.body);
                Some(hall.door.signed(request.header("x-mbx-apikey"), &params, &covered)?)
            }
        };
        Ok((params, account))
    });
    let (params, account, known) = match checked {
        Ok((params, account)) => (params, account, None),
        Err(failure) => (Params::default(), None, Some(Err(failure))),
    };
    let unit = told_in.unwrap_or_default();
    let call = Call { connection, address, id: None, method, params, account, unit, known };
    if hall.desk.send(ToDesk::Call(Box::new(call))).await.is_err() {
        return Reaction::Leave;
    }
    let mut cut = None;
    loop {
        // The venue itself gives up on a request after ten seconds; whoever waits longer than this waits for nothing.
        let Ok(said) = timeout(IDLE_LIMIT, answers.recv()).await else { return Reaction::Leave };
        match said {
            Some(Out::Answer(answer)) => {
                let response = respond(*answer, keep);
                return match cut {
                    Some(bytes) => Reaction::Cut(response, bytes),
                    None => Reaction::Respond(response),
                };
            }
            Some(Out::Cut(bytes)) => cut = Some(bytes),
            Some(Out::HalfOpen) => return Reaction::Silence,
            Some(Out::Frame(_) | Out::Binary(_)) => {}
            Some(Out::Close(_)) | None => return Reaction::Leave,
        }
    }
}

fn respond(answer: Answer, keep: bool) -> String {
    let mut headers = answer.usage.headers();
    let (status, body) = match answer.result {
        Ok(body) => (200, body),
        Err(failure) => {
            if let Some(seconds) = failure.retry_after {
                headers.push_str(&format!("Retry-After: {seconds}\r\n"));
            }
            // A gateway's failure is no JSON.
            let body = if failure.code == 0 { failure.message.to_string() } else { failure.body() };
            (failure.status, body)
        }
    };
    http::response(status, "application/json;charset=UTF-8", &headers, &body, keep)
}

/// An answer as a WebSocket API frame; `limits` says whether it tells the limits where the request does not say.
#[must_use]
pub fn envelope(answer: &Answer, limits: bool) -> String {
    let id = answer.id.as_deref().unwrap_or("null");
    let limits = if answer.limits.unwrap_or(limits) {
        format!(",\"rateLimits\":{}", answer.usage.list())
    } else {
        String::new()
    };
    match &answer.result {
        Ok(result) => format!("{{\"id\":{id},\"status\":200,\"result\":{result}{limits}}}"),
        Err(failure) => {
            format!("{{\"id\":{id},\"status\":{},\"error\":{}{limits}}}", failure.status, failure.body())
        }
    }
}

impl Session {
    /// Reads a WebSocket API message.
    pub fn hear(
        &mut self,
        message: &str,
        connection: Connection,
        address: IpAddr,
        unit: TimeUnit,
        hall: &Hall,
    ) -> Box<Call> {
        let mut id: Option<Box<str>> = None;
        let (method, params, account, known) = match self.read(message, &mut id, hall) {
            Ok(Read::Ask(method, params, account)) => (method, params, account, None),
            Ok(Read::Say(params, result)) => (Method::SessionStatus, params, None, Some(Ok(result))),
            // What cannot be understood costs as little as anything.
            Err(failure) => (Method::Ping, Params::default(), None, Some(Err(failure))),
        };
        Box::new(Call { connection, address, id, method, params, account, unit, known })
    }

    fn read(&mut self, message: &str, id: &mut Option<Box<str>>, hall: &Hall) -> Result<Read, Failure> {
        let invalid = || Failure::new(-1135, "Invalid JSON Request");
        let found = members(message).map_err(|_| invalid())?;
        let member = |name: &str| found.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        let named =
            member("id").ok_or_else(|| Failure::new(-1135, "Invalid JSON Request: 'id' is missing."))?;
        let sound = match named.as_bytes().first() {
            Some(b'"') => named.len() <= 38,
            Some(b'n') => true,
            _ => named.parse::<i64>().is_ok(),
        };
        if !sound {
            return Err(Failure::new(
                -1135,
                "Invalid JSON Request: 'id' must be an integer, a string of at most 36 characters, or null.",
            ));
        }
        *id = Some(named.into());
        let name = member("method")
            .and_then(|name| serde_json::from_str::<String>(name).ok())
            .ok_or_else(invalid)?;
        let method = Method::by_name(&name).filter(|_| !name.is_empty());
        let method = method.ok_or_else(|| Failure::new(-1020, "This operation is not supported."))?;
        let params = member("params").map_or_else(|| Ok(Params::default()), Params::of_json)?;
        params.flag(RETURN_LIMITS)?;
        let door = &hall.door;
        match method {
            Method::SessionLogon => self.log_on(&params, door).map(|result| Read::Say(params, result)),
            Method::SessionStatus => Ok(Read::Say(params, self.json(door))),
            _ => {
                let account = match method.security() {
                    Security::Public => None,
                    Security::Session => Some(self.account(door)?),
                    Security::Signed
                        if params.get("apiKey").is_some() || method == Method::UserSubscribeSigned =>
                    {
                        Some(door.signed(params.get("apiKey"), &params, &params.signed_text())?)
                    }
                    Security::Signed => {
                        let account = self.account(door)?;
                        door.in_time(&params)?;
                        Some(account)
                    }
                };
                if method == Method::SessionLogout {
                    self.key = None;
                }
                Ok(Read::Ask(method, params, account))
            }
        }
    }

    fn account(&self, door: &Door) -> Result<engine::venue::exchange::AccountIndex, Failure> {
        match &self.key {
            Some((key, _)) => door.key(Some(key)).map(|key| key.account),
            None => Err(Failure::missing("apiKey")),
        }
    }

    fn log_on(&mut self, params: &Params, door: &Door) -> Result<String, Failure> {
        let name = params.need("apiKey")?;
        if !door.key(Some(name))?.may_log_on() {
            return Err(Failure::new(-4056, "HMAC_SHA256 API key is not supported."));
        }
        door.signed(Some(name), params, &params.signed_text())?;
        self.key = Some((name.to_owned(), door.clock.now()));
        Ok(self.json(door))
    }

    fn json(&self, door: &Door) -> String {
        let key = self.key.as_ref().map(|(key, since)| (key.as_str(), *since));
        session_json(key, door.clock.now())
    }
}

/// A message that was understood.
enum Read {
    Ask(Method, Params, Option<engine::venue::exchange::AccountIndex>),
    Say(Params, String),
}
