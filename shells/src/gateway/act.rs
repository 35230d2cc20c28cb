//! The routes that change something. Nothing is ever sent twice: after `TIMEOUT` it is for the caller to look.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use engine::counters::HaltState;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::api::code;
use crate::api::orders::{AmendOrder, CancelAll, CancelOrder, Flatten, OrderFilter, PlaceOco, PlaceOrder};
use crate::api::risk::{HaltRequest, SetLimit};
use crate::api::strategies::{SetParameter, StrategyName};
use crate::gateway::Gateway;
use crate::gateway::extract::{InPath, InQuery, Perhaps, Strict};
use crate::gateway::guard::Caller;
use crate::gateway::problem::Failure;
use crate::gateway::read::{Answer, fields, json};
use crate::gateway::times;
use crate::gateway::upstream::{Lane, Service};
use crate::operator::log::Scope;

type Here = State<Arc<Gateway>>;

/// How long a service may take over a change.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long it may take over a sweep: orders are cancelled before positions are closed.
const SWEEP_PATIENCE: Duration = Duration::from_secs(9);

async fn tell(
    gateway: &Gateway,
    service: Service,
    op: &'static str,
    request: &impl Serialize,
    patience: Duration,
) -> Result<Value, Failure> {
    let lane = (service, Lane::Act);
    let mut result = gateway.upstream.call(lane, op, fields(request)?, patience).await?;
    times::as_strings(&mut result);
    Ok(result)
}

fn done(result: &Value) -> Response {
    json(result.to_string())
}

/// `POST /orders`.
pub async fn place(State(gateway): Here, Strict(order): Strict<PlaceOrder>) -> Answer {
    let placed = tell(&gateway, Service::OrderExecution, "order.place", &order, PATIENCE).await?;
    // It is on its way to risk: whether it lives, its reports tell.
    Ok((StatusCode::ACCEPTED, done(&placed)).into_response())
}

/// `POST /order-lists`: two orders of which one cancels the other.
pub async fn place_pair(State(gateway): Here, Strict(pair): Strict<PlaceOco>) -> Answer {
    let placed = tell(&gateway, Service::OrderExecution, "order.oco", &pair, PATIENCE).await?;
    Ok((StatusCode::ACCEPTED, done(&placed)).into_response())
}

/// `PATCH /orders/{id}`: a smaller quantity. `POST /orders/{id}/replace`: a new quantity, price or stop price.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeOrder {
    /// The new quantity, what is filled included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// The new price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// The new stop price, of an order that waits for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_price: Option<String>,
}

/// `PATCH /orders/{id}`: the order keeps its id and its place.
pub async fn change(
    State(gateway): Here,
    InPath(id): InPath<String>,
    Strict(change): Strict<ChangeOrder>,
) -> Answer {
    altered(&gateway, "order.amend", id, change).await
}

/// `POST /orders/{id}/replace`.
pub async fn replace(
    State(gateway): Here,
    InPath(id): InPath<String>,
    Strict(change): Strict<ChangeOrder>,
) -> Answer {
    altered(&gateway, "order.replace", id, change).await
}

async fn altered(
    gateway: &Gateway,
    op: &'static str,
    id: String,
    ChangeOrder { quantity, price, stop_price }: ChangeOrder,
) -> Answer {
    if quantity.is_none() && price.is_none() && stop_price.is_none() {
        return Err(Failure::new(code::BAD_REQUEST, "body: no quantity, price or stop_price"));
    }
    let amend = AmendOrder { order_id: Some(id), client_id: None, quantity, price, stop_price };
    tell(gateway, Service::OrderExecution, op, &amend, PATIENCE).await.map(|result| done(&result))
}

/// `DELETE /orders/{id}`.
pub async fn cancel(State(gateway): Here, InPath(id): InPath<String>) -> Answer {
    let cancel = CancelOrder { order_id: Some(id), client_id: None };
    tell(&gateway, Service::OrderExecution, "order.cancel", &cancel, PATIENCE)
        .await
        .map(|result| done(&result))
}

/// `DELETE /orders`.
pub async fn cancel_all(State(gateway): Here, InQuery(all): InQuery<CancelAll>) -> Answer {
    let result = tell(&gateway, Service::OrderExecution, "order.cancel_all", &all, SWEEP_PATIENCE).await;
    result.map(|result| done(&result))
}

/// `POST /flatten`.
pub async fn flatten(State(gateway): Here, Perhaps(flatten): Perhaps<Flatten>) -> Answer {
    let result = tell(&gateway, Service::OrderExecution, "flatten", &flatten, SWEEP_PATIENCE).await;
    result.map(|result| done(&result))
}

/// `PUT /limits`.
pub async fn set_limit(State(gateway): Here, Strict(limit): Strict<SetLimit>) -> Answer {
    tell(&gateway, Service::RiskManagement, "limits.set", &limit, PATIENCE).await.map(|result| done(&result))
}

/// `POST /strategies/{name}/start`.
pub async fn start(State(gateway): Here, InPath(name): InPath<String>) -> Answer {
    let request = StrategyName { name };
    let result = tell(&gateway, Service::StrategyEngine, "strategy.start", &request, PATIENCE).await;
    result.map(|result| done(&result))
}

/// `POST /strategies/{name}/stop`.
pub async fn stop(State(gateway): Here, InPath(name): InPath<String>) -> Answer {
    let request = StrategyName { name };
    let result = tell(&gateway, Service::StrategyEngine, "strategy.stop", &request, PATIENCE).await;
    result.map(|result| done(&result))
}

/// `PATCH /strategies/{name}`: one parameter.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeParameter {
    /// The parameter.
    pub key: String,
    /// Its new value.
    pub value: String,
}

/// `PATCH /strategies/{name}`.
pub async fn tune(
    State(gateway): Here,
    InPath(name): InPath<String>,
    Strict(ChangeParameter { key, value }): Strict<ChangeParameter>,
) -> Answer {
    let set = SetParameter { name, key, value };
    tell(&gateway, Service::StrategyEngine, "strategy.set", &set, PATIENCE).await.map(|result| done(&result))
}

/// What `halt`, `reduce-only` and `resume` answer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Halted {
    /// What was meant: `everything`, `symbol NAME` or `strategy NAME`.
    pub scope: String,
    /// What the gateway's page says of it now.
    pub state: String,
    /// What risk was asked beside, to resume: its state, or why it did not. Absent for what needs nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Value>,
    /// What order execution was asked beside, to halt: the orders that it sends cancels for, or why it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders: Option<Value>,
    /// What went wrong although the halt holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

fn scope(request: &HaltRequest) -> Result<Scope, Failure> {
    match (&request.symbol, &request.strategy) {
        (None, None) => Ok(Scope::Global),
        (Some(symbol), None) => Ok(Scope::Symbol(symbol.clone())),
        (None, Some(strategy)) => Ok(Scope::Strategy(strategy.clone())),
        (Some(_), Some(_)) => Err(Failure::new(code::BAD_REQUEST, "body: symbol or strategy, not both")),
    }
}

fn set(
    gateway: &Gateway,
    caller: &Caller,
    request: &HaltRequest,
    state: HaltState,
) -> Result<Halted, Failure> {
    if request.reason.as_ref().is_some_and(|reason| reason.len() > 1_000) {
        return Err(Failure::new(code::BAD_REQUEST, "reason: longer than 1000 bytes"));
    }
    let scope = scope(request)?;
    let mut halts = gateway.halts();
    if !halts.page.knows(&scope) {
        let code =
            if matches!(scope, Scope::Symbol(_)) { code::UNKNOWN_SYMBOL } else { code::UNKNOWN_STRATEGY };
        let reason = format!("{scope}: no service has told of it; without a scope everything is meant");
        return Err(Failure::new(code, reason));
    }
    let warning = halts
        .page
        .apply(&scope, state, request.reason.clone(), caller.name())
        .map_err(|error| Failure::new(code::INTERNAL, error.to_string()))?;
    Ok(Halted { scope: scope.to_string(), state: state.to_string(), risk: None, orders: None, warning })
}

fn answer(halted: &Halted) -> Answer {
    let text =
        serde_json::to_string(halted).map_err(|error| Failure::new(code::INTERNAL, error.to_string()))?;
    Ok(json(text))
}

/// `POST /halt`: the gateway's page, and then cancels of what rests.
pub async fn halt(
    State(gateway): Here,
    Extension(caller): Extension<Caller>,
    Perhaps(request): Perhaps<HaltRequest>,
) -> Answer {
    let mut halted = set(&gateway, &caller, &request, HaltState::Halted)?;
    // The page stands, with everything hung or dead: what follows needs an engine that beats.
    let filter = OrderFilter { symbol: request.symbol.clone(), strategy: request.strategy.clone() };
    let told = tell(&gateway, Service::OrderExecution, "order.cancel_all", &filter, PATIENCE).await;
    halted.orders = Some(told.unwrap_or_else(|failure| serde_json::json!({"error": failure.error})));
    answer(&halted)
}

/// `POST /reduce-only`.
pub async fn reduce_only(
    State(gateway): Here,
    Extension(caller): Extension<Caller>,
    Perhaps(request): Perhaps<HaltRequest>,
) -> Answer {
    answer(&set(&gateway, &caller, &request, HaltState::ReduceOnly)?)
}

/// `POST /resume`: lets go of the gateway's page, and asks risk to let go of its own.
pub async fn resume(
    State(gateway): Here,
    Extension(caller): Extension<Caller>,
    Perhaps(request): Perhaps<HaltRequest>,
) -> Answer {
    let mut halted = set(&gateway, &caller, &request, HaltState::Active)?;
    let told = tell(&gateway, Service::RiskManagement, "resume", &request, PATIENCE).await;
    halted.risk = Some(told.unwrap_or_else(|failure| serde_json::json!({"error": failure.error})));
    answer(&halted)
}
