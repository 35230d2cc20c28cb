//! The operator's port: health, metrics, the ledger, and what tests ask for.

use std::net::SocketAddr;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{TEXT_FORMAT, TextEncoder};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::admin::Question;
use super::desk::ToDesk;
use super::faults::Fault;
use super::http::{self, Request};
use super::json::text;
use super::params::Params;
use super::server::ask;

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Serves until the program ends.
pub async fn serve(listener: TcpListener, desk: mpsc::Sender<ToDesk>) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        tokio::spawn(one(stream, peer, desk.clone()));
    }
}

async fn one(mut stream: TcpStream, peer: SocketAddr, desk: mpsc::Sender<ToDesk>) {
    let mut buffer = Vec::new();
    while let Ok(Ok(request)) = timeout(LIMIT, http::read(&mut stream, &mut buffer)).await {
        let (status, kind, body) = answer(&request, peer, &desk).await;
        let response = http::response(status, kind, "", &body, request.keep_alive);
        let written = timeout(LIMIT, stream.write_all(response.as_bytes())).await;
        if !matches!(written, Ok(Ok(()))) || !request.keep_alive {
            return;
        }
    }
}

fn problem(reason: &str) -> String {
    format!("{{\"error\":{}}}", text(reason))
}

async fn answer(
    request: &Request,
    peer: SocketAddr,
    desk: &mpsc::Sender<ToDesk>,
) -> (u16, &'static str, String) {
    const JSON: &str = "application/json";
    let question = match (request.verb.as_str(), request.path.as_str()) {
        ("GET", "/health") => return (200, JSON, "{\"alive\":true}".to_owned()),
        ("GET", "/ready") => Question::Ready,
        ("GET", "/metrics") => Question::Metrics,
        (_, path) if path.starts_with("/admin/") => {
            if !peer.ip().to_canonical().is_loopback() {
                return (403, JSON, problem("only from this machine"));
            }
            match asked(request) {
                Ok(question) => question,
                Err((status, reason)) => return (status, JSON, problem(&reason)),
            }
        }
        _ => return (404, JSON, problem("no such path")),
    };
    let metrics = matches!(question, Question::Metrics);
    match ask(desk, question).await {
        Ok((status, figures)) if metrics => (status, TEXT_FORMAT, figures + &process()),
        Ok((status, body)) => (status, JSON, body),
        Err(error) => (503, JSON, problem(&error.to_string())),
    }
}

/// The figures of this process, as every service has them. Not the desk's to read: it has a market to keep going.
fn process() -> String {
    // Numbers under names that are given: they can be written.
    TextEncoder::new().encode_to_string(&ProcessCollector::for_self().collect()).unwrap_or_default()
}

/// What the operator wants of the exchange itself.
fn asked(request: &Request) -> Result<Question, (u16, String)> {
    let bad = |reason: String| (400, reason);
    let params = Params::of_form(&request.query, "").map_err(|failure| bad(failure.message.to_string()))?;
    match (request.verb.as_str(), request.path.as_str()) {
        ("GET", "/admin/ledger") => Ok(Question::Ledger),
        ("POST", "/admin/faults") => Fault::read(&params).map(Question::Wreak).map_err(bad),
        ("GET", "/admin/faults") => Ok(Question::Faults),
        ("DELETE", "/admin/faults") => Ok(Question::Mend),
        ("POST", "/admin/fill") => {
            let order = params.get("order").and_then(|id| id.parse().ok());
            let order = order.ok_or_else(|| bad("order: an order's id expected".to_owned()))?;
            Ok(Question::Fill(order, params.get("quantity").map(str::to_owned)))
        }
        ("POST", "/admin/announce-shutdown") => Ok(Question::Announce),
        ("POST", "/admin/step") => {
            let span = params.get("by").ok_or_else(|| bad("by: a duration expected".to_owned()))?;
            let span: crate::config::duration::Span = span.parse().map_err(bad)?;
            Ok(Question::Step(span.0))
        }
        _ => Err((404, "no such request".to_owned())),
    }
}
