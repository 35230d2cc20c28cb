//! The router: every route of the table with its handler.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use prometheus::TextEncoder;

use crate::api::code;
use crate::gateway::extract::BODY_BYTES_MAX;
use crate::gateway::problem::{Failure, METHOD_NOT_ALLOWED, NOT_FOUND};
use crate::gateway::read::{json, status_now};
use crate::gateway::{Gateway, act, guard, openapi, read, ws};

/// The router.
pub fn app(gateway: Arc<Gateway>) -> Router {
    let description: Arc<str> =
        openapi::describe().map_or_else(|_| "{}".into(), |text| text.to_string().into());
    let page: Arc<str> = openapi::page().into();
    Router::new()
        .route("/health", get(|| async { json(r#"{"service":"api_gateway","status":"alive"}"#.to_owned()) }))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(move || async move { json(description.as_ref().to_owned()) }))
        .route("/docs", get(move || async move { docs(&page) }))
        .route("/ws", get(ws::upgrade))
        .nest("/api/v1", api())
        .fallback(|| async { Failure::new(NOT_FOUND, "there is no such path; see /docs") })
        .method_not_allowed_fallback(|| async {
            Failure::new(METHOD_NOT_ALLOWED, "this path has no such method; see /docs")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(&gateway), guard::guard))
        .layer(middleware::map_response(harden))
        .with_state(gateway)
}

fn api() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/status", get(read::status))
        .route("/instruments", get(read::instruments))
        .route("/book/{symbol}", get(read::book))
        .route("/trades/{symbol}", get(read::trades))
        .route("/bars/{symbol}", get(read::bars))
        .route("/positions", get(read::positions))
        .route("/orders", get(read::orders).post(act::place).delete(act::cancel_all))
        .route("/orders/{id}", get(read::order).patch(act::change).delete(act::cancel))
        .route("/orders/{id}/replace", post(act::replace))
        .route("/order-lists", post(act::place_pair))
        .route("/fills", get(read::fills))
        .route("/pnl", get(read::pnl))
        .route("/risk", get(read::risk))
        .route("/limits", get(read::limits).put(act::set_limit))
        .route("/strategies", get(read::strategies))
        .route("/strategies/{name}", get(read::strategy).patch(act::tune))
        .route("/strategies/{name}/start", post(act::start))
        .route("/strategies/{name}/stop", post(act::stop))
        .route("/latency", get(read::latency))
        .route("/flatten", post(act::flatten))
        .route("/halt", post(act::halt))
        .route("/reduce-only", post(act::reduce_only))
        .route("/resume", post(act::resume))
        .route("/ws", get(ws::upgrade))
}

/// What a browser is told of every answer: no page of ours may be framed, guessed at or kept.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn docs(page: &str) -> Html<String> {
    Html(page.to_owned())
}

async fn ready(State(gateway): State<Arc<Gateway>>) -> Response {
    let status = status_now(&gateway);
    let services = status.services.iter().filter(|(_, seen)| !seen.ready);
    let mut reasons: Vec<String> = services
        .map(|(name, seen)| format!("{name}: {}", seen.reason.as_deref().unwrap_or("not ready")))
        .collect();
    if gateway.feed.is_stale() {
        reasons.push("market_data: silent".to_owned());
    }
    let code = if status.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let reason = (!reasons.is_empty()).then(|| reasons.join("; "));
    let body = serde_json::json!({"service": "api_gateway", "ready": status.ready, "reason": reason});
    (code, json(body.to_string())).into_response()
}

async fn metrics(State(gateway): State<Arc<Gateway>>) -> Response {
    match TextEncoder::new().encode_to_string(&gateway.registry.gather()) {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => Failure::new(code::INTERNAL, error.to_string()).into_response(),
    }
}
