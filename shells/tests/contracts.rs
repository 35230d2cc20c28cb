//! Every name that users, dashboards and scripts were promised is there, with the default that was promised. What stands
//! here is changed with a reason in docs/decisions.md only. That what is named behaves is for the other tests.

use std::collections::BTreeSet;
use std::path::Path;

use clap::{Command, CommandFactory};
use shells::cli::args::Cli;
use shells::config::keys;
use shells::gateway::routes::ROUTES;
use shells::ports::SERVICES;

/// Commands of `trading` with the flags that they were promised with; `json` is for all that look or act.
const COMMANDS: [(&str, &str); 50] = [
    ("run", "for placement symbols strategy"),
    ("engine", ""),
    ("replay", "strategy speed checkpoints every report"),
    ("record", "out"),
    ("simulate", "seeds seed"),
    ("status", "json"),
    ("top", "json"),
    ("book", "json"),
    ("positions", "json"),
    ("orders", "all json"),
    ("fills", "json"),
    ("pnl", "json"),
    ("latency", "json"),
    ("counters", "json"),
    ("risk", "json"),
    ("trace", "json"),
    ("journal dump", "json"),
    ("journal verify", "json"),
    ("journal tail", "json"),
    ("order buy", "price json"),
    ("order sell", "price json"),
    ("amend", "json"),
    ("cancel", "json"),
    ("cancel-all", "symbol strategy json"),
    ("flatten", "symbol json"),
    ("halt", "symbol strategy reason json"),
    ("reduce-only", "symbol strategy reason json"),
    ("resume", "symbol strategy reason json"),
    ("limits show", "json"),
    ("limits set", "json"),
    ("strategy list", "json"),
    ("strategy show", "json"),
    ("strategy start", "json"),
    ("strategy stop", "json"),
    ("strategy set", "json"),
    ("doctor", "json"),
    ("config check", "json"),
    ("config show", "json"),
    ("token create", "role json"),
    ("token list", "json"),
    ("token revoke", ""),
    ("completions", ""),
    // Where every command finds its instance.
    ("status", "instance ipc-dir data-dir config"),
    ("halt", "instance ipc-dir data-dir config"),
    ("order buy", "instance ipc-dir data-dir config"),
    ("limits set", "risk-management-endpoint"),
    ("strategy stop", "strategy-engine-endpoint"),
    ("amend", "order-execution-endpoint"),
    ("run", "live venue max-position-size max-daily-loss cores idle"),
    ("engine", "live venue max-position-size max-daily-loss cores idle"),
];

/// Variables with their defaults.
const SETTINGS: [(&str, Option<&str>); 27] = [
    ("BINANCE_API_KEY", None),
    ("BINANCE_API_SECRET", None),
    ("MAX_POSITION_SIZE", Some("10000")),
    ("MAX_DAILY_LOSS", Some("1000")),
    ("TRADING_ACCOUNT_CURRENCY", Some("USDT")),
    ("TRADING_VENUE", Some("simulated")),
    ("TRADING_LIVE", Some("no")),
    ("TRADING_SYMBOLS", Some("BTCUSDT,ETHUSDT")),
    ("TRADING_STRATEGIES", Some("market_making")),
    ("TRADING_INSTANCE", Some("default")),
    ("TRADING_IPC_DIR", None),
    ("TRADING_DATA_DIR", None),
    ("TRADING_CORES", None),
    ("TRADING_IDLE", Some("backoff")),
    ("TRADING_HOST_AGENT", Some("yes")),
    ("TRADING_BIND", Some("127.0.0.1")),
    ("TRADING_PORT", None),
    ("TRADING_MARKET_DATA_ENDPOINT", Some("tcp://127.0.0.1:5555")),
    ("TRADING_ORDER_EXECUTION_ENDPOINT", Some("tcp://127.0.0.1:5556")),
    ("TRADING_RISK_MANAGEMENT_ENDPOINT", Some("tcp://127.0.0.1:5557")),
    ("TRADING_STRATEGY_ENGINE_ENDPOINT", Some("tcp://127.0.0.1:5558")),
    ("TRADING_ZMQ_SNDHWM", Some("1000")),
    ("TRADING_ZMQ_RCVHWM", Some("1000")),
    ("TRADING_ZMQ_LINGER", Some("0")),
    ("TRADING_API_TOKENS_FILE", None),
    ("TRADING_LOG_FORMAT", Some("text")),
    ("RUST_LOG", Some("info")),
];

/// Values that a setting was promised to take.
const CHOICES: [(&str, &str); 5] = [
    ("TRADING_VENUE", "simulated paper binance-testnet binance-demo binance"),
    ("TRADING_IDLE", "spin backoff park"),
    ("TRADING_HOST_AGENT", "true false"),
    ("TRADING_LOG_FORMAT", "text json"),
    ("TRADING_LIVE", "yes"),
];

/// The gateway's routes.
const PATHS: [&str; 36] = [
    "GET /health",
    "GET /ready",
    "GET /metrics",
    "GET /openapi.json",
    "GET /docs",
    "GET /ws",
    "GET /api/v1/status",
    "GET /api/v1/instruments",
    "GET /api/v1/book/{symbol}",
    "GET /api/v1/trades/{symbol}",
    "GET /api/v1/bars/{symbol}",
    "GET /api/v1/positions",
    "GET /api/v1/orders",
    "GET /api/v1/orders/{id}",
    "GET /api/v1/fills",
    "GET /api/v1/pnl",
    "GET /api/v1/risk",
    "GET /api/v1/limits",
    "GET /api/v1/strategies",
    "GET /api/v1/strategies/{name}",
    "GET /api/v1/latency",
    "GET /api/v1/ws",
    "POST /api/v1/orders",
    "POST /api/v1/order-lists",
    "PATCH /api/v1/orders/{id}",
    "POST /api/v1/orders/{id}/replace",
    "DELETE /api/v1/orders/{id}",
    "DELETE /api/v1/orders",
    "POST /api/v1/flatten",
    "PUT /api/v1/limits",
    "POST /api/v1/halt",
    "POST /api/v1/resume",
    "POST /api/v1/reduce-only",
    "POST /api/v1/strategies/{name}/start",
    "POST /api/v1/strategies/{name}/stop",
    "PATCH /api/v1/strategies/{name}",
];

/// Programs; that they are built is for the compiler to say.
const PROGRAMS: [&str; 7] = [
    env!("CARGO_BIN_EXE_market_data_service"),
    env!("CARGO_BIN_EXE_order_execution_service"),
    env!("CARGO_BIN_EXE_risk_management_service"),
    env!("CARGO_BIN_EXE_strategy_engine"),
    env!("CARGO_BIN_EXE_api_gateway"),
    env!("CARGO_BIN_EXE_simulated_exchange"),
    env!("CARGO_BIN_EXE_trading"),
];

/// Services of the compose file: container, and port inside, if it has one.
const CONTAINERS: [(&str, Option<u16>); 9] = [
    ("trading_market_data", Some(5555)),
    ("trading_order_execution", Some(5556)),
    ("trading_risk_management", Some(5557)),
    ("trading_strategy_engine", Some(5558)),
    ("trading_api_gateway", Some(8080)),
    ("trading_simulated_exchange", Some(5560)),
    ("trading_operator", None),
    ("trading_prometheus", Some(9090)),
    ("trading_grafana", Some(3000)),
];

/// Volumes and variables of the compose file.
const COMPOSE: [&str; 24] = [
    "name: trading\n",
    "  trading_network:\n",
    "${TRADING_SUBNET:-172.25.0.0/16}",
    "  market_data_logs:\n",
    "  market_data_cache:\n",
    "  order_execution_data:\n",
    "  risk_management_data:\n",
    "  prometheus_data:\n",
    "  grafana_data:\n",
    "  ipc_market_data:\n",
    "  ipc_strategy:\n",
    "  ipc_risk:\n",
    "  ipc_execution:\n",
    "  ipc_gateway:\n",
    "  ipc_operator:\n",
    "pull_policy: ${TRADING_PULL_POLICY:-never}",
    "restart: unless-stopped",
    "required: false",
    "profiles: [simulated]",
    "cap_drop: [ALL]",
    "no-new-privileges:true",
    "read_only: true",
    "max-size: 10m, max-file: \"3\"",
    "interval: 2s",
];

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_command_has_its_name_and_flags() {
    let mut cli = Cli::command();
    cli.build();
    for (path, flags) in COMMANDS {
        let step = |command: &Command, word: &str| command.find_subcommand(word).cloned();
        let found = path.split(' ').try_fold(cli.clone(), |command, word| step(&command, word));
        let command = found.unwrap_or_else(|| panic!("no command {path}"));
        let has = |flag: &str| command.get_arguments().any(|argument| argument.get_long() == Some(flag));
        let missing: Vec<_> = flags.split_whitespace().filter(|flag| !has(flag)).collect();
        assert!(missing.is_empty(), "{path} lacks {missing:?}");
    }
}

#[test]
fn every_setting_has_its_name_default_and_choices() {
    for (variable, default) in SETTINGS {
        let key = keys::find(variable).unwrap_or_else(|| panic!("no setting {variable}"));
        assert_eq!(key.default, default, "{variable}");
        assert!(!key.toml.is_empty(), "{variable}: each is a key of the TOML file");
        // A secret's flag names the file that it stands in.
        let file = key.secret_file.map(|(variable, _)| variable.strip_suffix("_FILE"));
        assert!(file.map_or(!key.flag.is_empty(), |named| named == Some(variable)), "{variable}");
    }
    for (variable, choices) in CHOICES {
        let key = keys::find(variable).unwrap_or_else(|| panic!("no setting {variable}"));
        for choice in choices.split(' ') {
            assert_eq!((key.check)(choice), Ok(()), "{variable}={choice}");
        }
        assert!((key.check)("neither").is_err(), "{variable}");
    }
}

#[test]
fn every_path_of_the_gateway_has_its_name() {
    let found: BTreeSet<_> = ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let promised: BTreeSet<_> = PATHS.map(str::to_owned).into();
    assert_eq!(found, promised, "a route that is added is added here, too");
}

#[test]
fn the_deployment_has_its_names() {
    let compose = file("docker/docker-compose.yml");
    let rows = compose.lines().map(str::trim);
    let rows: BTreeSet<_> = rows.collect();
    for (container, port) in CONTAINERS {
        assert!(rows.contains(format!("container_name: {container}").as_str()), "{container}");
        let Some(port) = port else { continue };
        let variable = container.trim_start_matches("trading_").to_uppercase();
        let published = format!("PUBLISH_{variable}_PORT:-{port}}}:{port}\"");
        assert!(compose.contains(&published), "{published}");
    }
    for text in COMPOSE {
        assert!(compose.contains(text), "{text:?}");
    }
    assert!(!compose.contains("${TRADING_VENUE") && rows.contains("TRADING_VENUE:"), "it passes through");
    let missing: Vec<_> = PROGRAMS.into_iter().filter(|program| !Path::new(program).exists()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(SERVICES, ["market_data", "order_execution", "risk_management", "strategy_engine"]);
    for (dashboard, title) in [
        ("trading-system-overview", "Trading System Overview"),
        ("service-performance", "Service Performance"),
        ("error-rates", "Error Rates"),
        ("resource-usage", "Resource Usage"),
        ("latency", "Latency"),
    ] {
        let json: serde_json::Value =
            serde_json::from_str(&file(&format!("dashboards/json/{dashboard}.json"))).expect("JSON");
        assert_eq!(json["title"], title);
    }
}
