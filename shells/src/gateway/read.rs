//! The routes that look.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use engine::domain::Interval;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::api::market::MarketStatus;
use crate::api::orders::{FillsQuery, GetOrder, OrderFilter};
use crate::api::risk::SymbolFilter;
use crate::api::service::ServiceStatus;
use crate::api::strategies::StrategyName;
use crate::api::{ApiError, code};
use crate::gateway::Gateway;
use crate::gateway::extract::{InPath, InQuery};
use crate::gateway::feed::{BARS_MAX, TRADES_MAX};
use crate::gateway::problem::Failure;
use crate::gateway::reads::Shown;
use crate::gateway::upstream::Service;

/// What a reading handler gives.
pub type Answer = Result<Response, Failure>;

type Here = State<Arc<Gateway>>;

/// Rows that are given when no limit is.
const LIMIT_DEFAULT: usize = 100;

/// A response of JSON.
#[must_use]
pub fn json(body: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

/// The fields of `query`, as those of a request.
///
/// # Errors
/// `INTERNAL` when it is no object: a defect.
pub fn fields(query: &impl Serialize) -> Result<Map<String, Value>, ApiError> {
    match serde_json::to_value(query) {
        Ok(Value::Object(fields)) => Ok(fields),
        _ => Err(ApiError::new(code::INTERNAL, "a query is no object")),
    }
}

async fn ask(gateway: &Gateway, service: Service, op: &'static str, query: &impl Serialize) -> Answer {
    Ok(json(gateway.reads.get(service, op, fields(query)?).await?.body()))
}

/// No parameters at all.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// One service in [`GatewayStatus`].
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ServiceSeen {
    /// Whether it answers, and says that it is ready.
    pub ready: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Age of its last word; `null` before the first.
    pub age_ns: Option<u64>,
    /// Its last word.
    pub status: Option<ServiceStatus>,
}

/// `GET /status`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GatewayStatus {
    /// Whether every service is ready and market data comes.
    pub ready: bool,
    /// What the gateway's own page halts: `ACTIVE` if nothing.
    pub halt: String,
    /// WebSocket clients.
    pub clients: u64,
    /// The services with request ports, by name.
    pub services: std::collections::BTreeMap<String, ServiceSeen>,
    /// Age of the last message of port 5555; `null` before the first.
    pub market_data_age_ns: Option<u64>,
    /// The last status of port 5555.
    pub market_data: Option<MarketStatus>,
}

fn nanos(age: std::time::Duration) -> u64 {
    u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)
}

/// What is known of every service.
pub fn status_now(gateway: &Gateway) -> GatewayStatus {
    let seen = |service: Service| {
        let alive = gateway.upstream.alive(service);
        let last = gateway.upstream.last_status(service);
        let reason = match (&alive, &last) {
            (Err(error), _) => Some(error.message.clone()),
            (Ok(_), Some(last)) => last.status.reason.clone(),
            (Ok(_), None) => None,
        };
        let ready = alive.is_ok_and(|heard| heard.status.ready);
        let age_ns = last.as_ref().map(|last| nanos(last.at.elapsed()));
        (
            service.name().to_owned(),
            ServiceSeen { ready, reason, age_ns, status: last.map(|last| last.status) },
        )
    };
    let services: std::collections::BTreeMap<_, _> = Service::ALL.map(seen).into();
    GatewayStatus {
        ready: services.values().all(|service| service.ready) && !gateway.feed.is_stale(),
        halt: gateway.halts().page.global().to_string(),
        clients: gateway.feed.hub.len() as u64,
        services,
        market_data_age_ns: gateway.feed.silence().map(nanos),
        market_data: gateway.feed.status(),
    }
}

/// `GET /status`.
pub async fn status(State(gateway): Here, InQuery(_): InQuery<Nothing>) -> Answer {
    shown(&status_now(&gateway), false)
}

fn shown(data: &impl Serialize, stale: bool) -> Answer {
    let data = serde_json::to_value(data).map_err(|error| Failure::new(code::INTERNAL, error.to_string()))?;
    Ok(json(Shown { stale, ..Shown::now(data) }.body()))
}

/// Market data: as old as port 5555 is silent.
fn market(gateway: &Gateway, data: &impl Serialize) -> Answer {
    let data = serde_json::to_value(data).map_err(|error| Failure::new(code::INTERNAL, error.to_string()))?;
    let age = gateway.feed.silence().unwrap_or_default();
    Ok(json(Shown { stale: gateway.feed.is_stale(), age, ..Shown::now(data) }.body()))
}

fn bounded(name: &str, value: Option<usize>, default: usize, most: usize) -> Result<usize, Failure> {
    let value = value.unwrap_or(default);
    if (1..=most).contains(&value) {
        return Ok(value);
    }
    Err(Failure::new(code::BAD_REQUEST, format!("{name}: {value} is not from 1 to {most}")))
}

/// `GET /instruments`.
pub async fn instruments(State(gateway): Here, InQuery(none): InQuery<Nothing>) -> Answer {
    ask(&gateway, Service::RiskManagement, "instruments", &none).await
}

/// Parameters of `GET /book`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Depth {
    depth: Option<usize>,
}

/// `GET /book/{symbol}`.
pub async fn book(
    State(gateway): Here,
    InPath(symbol): InPath<String>,
    InQuery(Depth { depth }): InQuery<Depth>,
) -> Answer {
    let depth = bounded("depth", depth, 20, 20)?;
    let mut book = gateway.feed.book(&symbol)?;
    book.bids.truncate(depth);
    book.asks.truncate(depth);
    market(&gateway, &book)
}

/// Parameters of `GET /trades`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    limit: Option<usize>,
}

/// `GET /trades/{symbol}`.
pub async fn trades(
    State(gateway): Here,
    InPath(symbol): InPath<String>,
    InQuery(Limit { limit }): InQuery<Limit>,
) -> Answer {
    let limit = bounded("limit", limit, LIMIT_DEFAULT, TRADES_MAX)?;
    market(&gateway, &gateway.feed.trades(&symbol, limit)?)
}

/// Parameters of `GET /bars`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BarsQuery {
    interval: Option<String>,
    limit: Option<usize>,
}

/// `GET /bars/{symbol}`.
pub async fn bars(
    State(gateway): Here,
    InPath(symbol): InPath<String>,
    InQuery(BarsQuery { interval, limit }): InQuery<BarsQuery>,
) -> Answer {
    let interval = interval.unwrap_or_else(|| "1m".to_owned());
    if Interval::named(&interval).is_none() {
        let known: Vec<&str> = Interval::ALL.iter().map(|interval| interval.as_str()).collect();
        let reason = format!("interval: expected one of {}", known.join(", "));
        return Err(Failure::new(code::BAD_REQUEST, reason));
    }
    let limit = bounded("limit", limit, LIMIT_DEFAULT, BARS_MAX)?;
    market(&gateway, &gateway.feed.bars(&symbol, &interval, limit)?)
}

/// `GET /positions`.
pub async fn positions(State(gateway): Here, InQuery(query): InQuery<SymbolFilter>) -> Answer {
    ask(&gateway, Service::RiskManagement, "positions", &query).await
}

/// `GET /pnl`.
pub async fn pnl(State(gateway): Here, InQuery(query): InQuery<SymbolFilter>) -> Answer {
    ask(&gateway, Service::RiskManagement, "pnl", &query).await
}

/// `GET /orders`.
pub async fn orders(State(gateway): Here, InQuery(query): InQuery<OrderFilter>) -> Answer {
    ask(&gateway, Service::OrderExecution, "orders.open", &query).await
}

/// `GET /orders/{id}`.
pub async fn order(State(gateway): Here, InPath(id): InPath<String>, InQuery(_): InQuery<Nothing>) -> Answer {
    let query = GetOrder { order_id: Some(id), client_id: None };
    ask(&gateway, Service::OrderExecution, "order.get", &query).await
}

/// `GET /fills`.
pub async fn fills(State(gateway): Here, InQuery(query): InQuery<FillsQuery>) -> Answer {
    bounded("limit", query.limit, LIMIT_DEFAULT, 1_000)?;
    ask(&gateway, Service::OrderExecution, "fills", &query).await
}

/// `GET /risk`.
pub async fn risk(State(gateway): Here, InQuery(none): InQuery<Nothing>) -> Answer {
    ask(&gateway, Service::RiskManagement, "risk.state", &none).await
}

/// `GET /limits`.
pub async fn limits(State(gateway): Here, InQuery(none): InQuery<Nothing>) -> Answer {
    ask(&gateway, Service::RiskManagement, "limits.get", &none).await
}

/// `GET /strategies`.
pub async fn strategies(State(gateway): Here, InQuery(none): InQuery<Nothing>) -> Answer {
    ask(&gateway, Service::StrategyEngine, "strategies", &none).await
}

/// `GET /strategies/{name}`.
pub async fn strategy(
    State(gateway): Here,
    InPath(name): InPath<String>,
    InQuery(_): InQuery<Nothing>,
) -> Answer {
    ask(&gateway, Service::StrategyEngine, "strategy.get", &StrategyName { name }).await
}

/// `GET /latency`.
pub async fn latency(State(gateway): Here, InQuery(none): InQuery<Nothing>) -> Answer {
    ask(&gateway, Service::OrderExecution, "latency", &none).await
}
