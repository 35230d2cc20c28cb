//! The OpenAPI description, made once from the table of routes and the types that are sent, and a page that shows it
//! without any network.

use engine::domain::Interval;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use crate::api::{market, orders, risk, service, strategies};
use crate::gateway::act::{ChangeOrder, ChangeParameter, Halted};
use crate::gateway::feed::{BARS_MAX, TRADES_MAX};
use crate::gateway::problem::Problem;
use crate::gateway::read::GatewayStatus;
use crate::gateway::routes::{Parameter, Place, ROUTES, Route};
use crate::gateway::times;
use crate::gateway::tokens::Role;

/// The schemas.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Trading gateway",
        description = "Times are decimal strings of nanoseconds, prices and \
        quantities decimal strings. Errors are RFC 9457 problems with the codes of the ZeroMQ ports."
    ),
    components(schemas(
        market::Book,
        market::Trade,
        market::Bar,
        orders::PlaceOrder,
        orders::PlaceOco,
        orders::PlacedPair,
        orders::Order,
        orders::Fill,
        orders::Placed,
        orders::Swept,
        orders::Flatten,
        risk::Position,
        risk::Pnl,
        risk::RiskState,
        risk::Limits,
        risk::SetLimit,
        risk::HaltRequest,
        service::Latency,
        service::Instrument,
        strategies::Strategy,
        GatewayStatus,
        ChangeOrder,
        ChangeParameter,
        Halted,
        Problem
    ))
)]
struct Schemas;

fn parameter_schema(schema: &str) -> Value {
    match schema {
        "flag" => json!({"type": "boolean"}),
        "depth" => json!({"type": "integer", "minimum": 1, "maximum": 20}),
        "limit" => json!({"type": "integer", "minimum": 1, "maximum": TRADES_MAX}),
        "bars" => json!({"type": "integer", "minimum": 1, "maximum": BARS_MAX}),
        "interval" => json!({"type": "string", "enum": Interval::ALL}),
        _ => json!({"type": "string", "minLength": 1, "maxLength": 64}),
    }
}

fn answer_schema(answer: &str) -> Value {
    let named = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    match answer.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
        Some(item) => json!({"type": "array", "items": named(item)}),
        None if answer == "any" => json!({}),
        None => named(answer),
    }
}

fn parameter((place, name, schema, description): &Parameter) -> Value {
    let (place, required) = match place {
        Place::Path => ("path", true),
        Place::Query => ("query", false),
    };
    json!({"in": place, "name": name, "required": required, "description": description,
        "schema": parameter_schema(schema)})
}

/// The statuses of refusals, but for those of every route.
fn refusals(route: &Route) -> Vec<&'static str> {
    let mut statuses = vec!["400", "404", "405", "413", "422", "429", "500", "501", "503", "504"];
    if route.role.is_some() {
        statuses.extend(["401", "403"]);
    }
    if route.body.is_some() {
        statuses.push("415");
    }
    statuses
}

fn responses(route: &Route) -> Value {
    let media = match route.path {
        "/metrics" => "text/plain",
        "/docs" => "text/html",
        _ => "application/json",
    };
    let data = answer_schema(route.answer);
    let schema = if route.aged {
        let time = json!({"type": "string", "pattern": "^[0-9]+$"});
        json!({"type": "object", "required": ["time_ns", "age_ns", "stale", "data"], "properties": {
            "time_ns": time, "age_ns": time,
            "stale": {"type": "boolean", "description": "The service does not answer: this is the last that it said"},
            "data": data}})
    } else {
        data
    };
    let good = match (route.method, route.path) {
        ("POST", "/api/v1/orders") => "202",
        (_, "/ws" | "/api/v1/ws") => "101",
        _ => "200",
    };
    let mut responses = Map::new();
    let content = if good == "101" { json!({}) } else { json!({media: {"schema": schema}}) };
    responses.insert(good.to_owned(), json!({"description": "Done", "content": content}));
    let problem = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
    for status in refusals(route) {
        responses.insert(status.to_owned(), json!({"description": "Refused", "content": problem}));
    }
    if route.path == "/ready" {
        responses.insert("503".to_owned(), json!({"description": "Not ready", "content": content}));
    }
    Value::Object(responses)
}

fn operation(route: &Route) -> Value {
    let role = route.role.map_or("anybody", Role::name);
    let parameters: Vec<Value> = route.parameters.iter().map(parameter).collect();
    let mut operation = json!({
        "summary": route.summary,
        "description": format!("Needs the role: {role}."),
        "operationId": format!("{} {}", route.method, route.path).to_lowercase().replace(
            |c: char| !c.is_ascii_alphanumeric(), "_"),
        "parameters": parameters,
        "responses": responses(route),
    });
    if let Some((body, required)) = route.body {
        let schema = json!({"$ref": format!("#/components/schemas/{body}")});
        operation["requestBody"] =
            json!({"required": required, "content": {"application/json": {"schema": schema}}});
    }
    if route.role.is_some() {
        operation["security"] = json!([{"bearer": []}, {}]);
    }
    operation
}

/// The description.
///
/// # Errors
/// When it cannot be serialised: a defect.
pub fn describe() -> Result<Value, serde_json::Error> {
    let mut document = serde_json::to_value(Schemas::openapi())?;
    times::in_schema(&mut document["components"]);
    document["components"]["securitySchemes"] = json!({"bearer": {"type": "http", "scheme": "bearer"}});
    let mut paths = Map::new();
    for route in &ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation(route);
    }
    document["paths"] = Value::Object(paths);
    Ok(document)
}

/// The page for people.
#[must_use]
pub fn page() -> String {
    let mut rows = String::new();
    for Route { method, path, role, summary, parameters, body, answer, .. } in &ROUTES {
        let role = role.map_or("anybody", Role::name);
        let parameters: Vec<&str> = parameters.iter().map(|(_, name, ..)| *name).collect();
        let body = body.map_or("", |(name, _)| name);
        rows.push_str(&format!(
            "<tr><td>{method}<td><code>{path}</code><td>{role}<td>{}<td>{}<td>{body}<td>{answer}\n",
            escape(summary),
            parameters.join(", "),
        ));
    }
    include_str!("docs.html").replace("{rows}", &rows)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    found.push(reference.clone());
                }
                fields.values().for_each(|field| references(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_no_time_is_a_number() {
        let document = describe().expect("made");
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 30);
        for reference in found {
            let path = reference.strip_prefix('#').expect("local");
            assert!(document.pointer(path).is_some(), "{reference}");
        }
        let stage = &document["components"]["schemas"]["StageLatency"]["properties"];
        assert_eq!(stage["p99.9_ns"]["type"], "string");
        let place = &document["components"]["schemas"]["PlaceOrder"];
        assert_eq!(place["additionalProperties"], false, "{place}");
        let page = page();
        assert!(page.contains("/api/v1/halt") && !page.contains("http://") && !page.contains("https://"));
    }
}
