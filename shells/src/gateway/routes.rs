//! The table of routes: each with the role that it needs. The guard and the OpenAPI description read it; `app`
//! serves no other (a test compares them).

use axum::http::Method;

use crate::gateway::tokens::Role;

/// Where parameters stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the path.
    Path,
    /// In the query, optional.
    Query,
}

/// A parameter: its place, name, schema and meaning.
pub type Parameter = (Place, &'static str, &'static str, &'static str);

/// One route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// Who may use it; `None` for anybody.
    pub role: Option<Role>,
    /// What it does, in a line.
    pub summary: &'static str,
    /// Its parameters.
    pub parameters: &'static [Parameter],
    /// Name of the schema of its body, and whether one has to be there.
    pub body: Option<(&'static str, bool)>,
    /// Schema of what it answers: a name, a name in brackets for a list, or `any`.
    pub answer: &'static str,
    /// Whether the answer carries time, age and staleness.
    pub aged: bool,
}

const SYMBOL: Parameter = (Place::Path, "symbol", "symbol", "The symbol");
const ID: Parameter = (Place::Path, "id", "order", "Our order id");
const NAME: Parameter = (Place::Path, "name", "name", "The strategy; a `/` in it is written %2F");
const OF_SYMBOL: Parameter = (Place::Query, "symbol", "symbol", "Of this symbol alone");
const OF_STRATEGY: Parameter =
    (Place::Query, "strategy", "name", "Of this strategy, `client` or `operator` alone");

const FOREIGN: Parameter =
    (Place::Query, "foreign", "flag", "Also what others have placed on the account; needs a symbol alone");

const fn read(path: &'static str, summary: &'static str, answer: &'static str) -> Route {
    Route {
        method: "GET",
        path,
        role: Some(Role::Read),
        summary,
        parameters: &[],
        body: None,
        answer,
        aged: true,
    }
}

const fn open(path: &'static str, summary: &'static str) -> Route {
    Route { role: None, aged: false, ..read(path, summary, "any") }
}

const fn act(
    method: &'static str,
    path: &'static str,
    role: Role,
    summary: &'static str,
    answer: &'static str,
) -> Route {
    Route { method, role: Some(role), aged: false, ..read(path, summary, answer) }
}

/// Every route.
pub static ROUTES: [Route; 36] = [
    open("/health", "Alive"),
    open("/ready", "Every service answers"),
    open("/metrics", "Metrics of the gateway, for Prometheus"),
    open("/openapi.json", "This description"),
    open("/docs", "This description for people"),
    read("/api/v1/status", "What each service says of itself", "GatewayStatus"),
    read("/api/v1/instruments", "The instruments", "[Instrument]"),
    Route {
        parameters: &[SYMBOL, (Place::Query, "depth", "depth", "Levels a side; all 20 if unset")],
        ..read("/api/v1/book/{symbol}", "Top of a book", "Book")
    },
    Route {
        parameters: &[SYMBOL, (Place::Query, "limit", "limit", "At most so many; 100 if unset")],
        ..read("/api/v1/trades/{symbol}", "The newest trades, newest last", "[Trade]")
    },
    Route {
        parameters: &[
            SYMBOL,
            (
                Place::Query,
                "interval",
                "interval",
                "Length; 1m if unset. Beside 1s and 1m what TRADING_KLINES follows",
            ),
            (Place::Query, "limit", "bars", "At most so many; 100 if unset"),
        ],
        ..read("/api/v1/bars/{symbol}", "The newest bars, newest last", "[Bar]")
    },
    Route { parameters: &[OF_SYMBOL], ..read("/api/v1/positions", "Positions", "[Position]") },
    Route { parameters: &[OF_SYMBOL, OF_STRATEGY], ..read("/api/v1/orders", "Open orders", "[Order]") },
    Route { parameters: &[ID], ..read("/api/v1/orders/{id}", "One order", "Order") },
    Route {
        parameters: &[OF_SYMBOL, (Place::Query, "limit", "limit", "At most so many; 100 if unset")],
        ..read("/api/v1/fills", "The newest fills, newest last", "[Fill]")
    },
    Route { parameters: &[OF_SYMBOL], ..read("/api/v1/pnl", "Profit and loss", "[Pnl]") },
    read("/api/v1/risk", "What may be traded, and what risk has refused", "RiskState"),
    read("/api/v1/limits", "Every limit with its ceiling", "Limits"),
    read("/api/v1/strategies", "The strategies", "[Strategy]"),
    Route {
        parameters: &[NAME],
        ..read("/api/v1/strategies/{name}", "One strategy with its parameters", "Strategy")
    },
    read("/api/v1/latency", "Latency percentiles of every stage", "Latency"),
    Route { aged: false, ..read("/ws", "As /api/v1/ws", "any") },
    Route { aged: false, ..read("/api/v1/ws", "WebSocket: {\"subscribe\":[\"bbo/SYMBOL\",…]}", "any") },
    Route {
        body: Some(("PlaceOrder", true)),
        ..act("POST", "/api/v1/orders", Role::Trade, "Place an order, through risk", "Placed")
    },
    Route {
        body: Some(("PlaceOco", true)),
        ..act(
            "POST",
            "/api/v1/order-lists",
            Role::Trade,
            "Place two orders of which one cancels the other, through risk",
            "PlacedPair",
        )
    },
    Route {
        parameters: &[ID],
        body: Some(("ChangeOrder", true)),
        ..act(
            "PATCH",
            "/api/v1/orders/{id}",
            Role::Trade,
            "Lower the quantity; the order keeps its place",
            "any",
        )
    },
    Route {
        parameters: &[ID],
        body: Some(("ChangeOrder", true)),
        ..act(
            "POST",
            "/api/v1/orders/{id}/replace",
            Role::Trade,
            "Cancel it and place one of another quantity or price",
            "any",
        )
    },
    Route {
        parameters: &[ID],
        ..act("DELETE", "/api/v1/orders/{id}", Role::Trade, "Cancel one order", "any")
    },
    Route {
        parameters: &[OF_SYMBOL, OF_STRATEGY, FOREIGN],
        ..act("DELETE", "/api/v1/orders", Role::Trade, "Cancel all open orders, or some", "Swept")
    },
    Route {
        body: Some(("Flatten", false)),
        ..act(
            "POST",
            "/api/v1/flatten",
            Role::Trade,
            "Cancel everything and close positions, through risk",
            "Swept",
        )
    },
    Route {
        body: Some(("SetLimit", true)),
        ..act("PUT", "/api/v1/limits", Role::Operate, "Set a limit, at most to its ceiling", "any")
    },
    Route {
        body: Some(("HaltRequest", false)),
        ..act(
            "POST",
            "/api/v1/halt",
            Role::Operate,
            "Stop trading at once, with every service hung or dead",
            "Halted",
        )
    },
    Route {
        body: Some(("HaltRequest", false)),
        ..act(
            "POST",
            "/api/v1/reduce-only",
            Role::Operate,
            "Let only orders pass that shrink a position",
            "Halted",
        )
    },
    Route {
        body: Some(("HaltRequest", false)),
        ..act(
            "POST",
            "/api/v1/resume",
            Role::Operate,
            "Take back the gateway's halt, and risk's where it lets go",
            "Halted",
        )
    },
    Route {
        parameters: &[NAME],
        ..act("POST", "/api/v1/strategies/{name}/start", Role::Operate, "Start a strategy", "any")
    },
    Route {
        parameters: &[NAME],
        ..act("POST", "/api/v1/strategies/{name}/stop", Role::Operate, "Stop a strategy", "any")
    },
    Route {
        parameters: &[NAME],
        body: Some(("ChangeParameter", true)),
        ..act("PATCH", "/api/v1/strategies/{name}", Role::Operate, "Set a parameter", "any")
    },
];

/// The role that a request needs; `None` when anybody may make it.
#[must_use]
pub fn role(method: &Method, path: &str) -> Option<Role> {
    // HEAD is a GET without its body.
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    match ROUTES.iter().find(|route| route.method == method && route.path == path) {
        Some(route) => route.role,
        // No such route: the answer is an error, which a reader may see.
        None => Some(Role::Read),
    }
}

/// Whether a change is never refused for coming too often: halts.
#[must_use]
pub fn is_always_heard(path: &str) -> bool {
    matches!(path, "/api/v1/halt" | "/api/v1/reduce-only")
}

/// Paths by name, each once: what metrics count.
pub fn paths() -> Vec<&'static str> {
    let mut paths: Vec<_> = ROUTES.iter().map(|route| route.path).collect();
    paths.dedup();
    paths.push("other");
    paths
}
