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
const COMPOSE: [&str; 17] = [
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
    "required: false",
    "profiles: [simulated]",
];

/// What holds for every service of the compose file, those of others' images included.
const HARDENED: [&str; 5] = [
    "restart: unless-stopped",
    "cap_drop: [ALL]",
    "security_opt: [\"no-new-privileges:true\"]",
    "networks: [trading_network]",
    "logging: ",
];

/// What holds for each of our own.
const OWN: [&str; 4] = [
    "pull_policy: ${TRADING_PULL_POLICY:-never}",
    "read_only: true",
    "init: true",
    "options: {max-size: 10m, max-file: \"3\"}",
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

/// What stands under `key` of a YAML file: the lines that are indented further.
fn under(yaml: &str, key: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = yaml.lines().skip_while(|line| line.trim_end() != key);
    let key = lines.next().unwrap_or_else(|| panic!("{key:?} is not there"));
    let within = lines.take_while(|line| line.trim().is_empty() || indent(line) > indent(key));
    within.flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn every_service_of_the_deployment_is_held_to_the_same() {
    let compose = file("docker/docker-compose.yml");
    let shared = under(&compose, "x-service: &service");
    assert!(under(&compose, "x-health: &health").contains("interval: 2s"));
    let services = under(&compose, "services:");
    let is_name =
        |line: &&str| line.starts_with("  ") && !line[2..].starts_with([' ', '#']) && line.ends_with(':');
    let names: Vec<_> = services.lines().filter(is_name).collect();
    assert_eq!(names.len(), CONTAINERS.len(), "{names:?}");
    for name in names {
        let own = under(&services, name);
        let (ours, text) = match own.contains("<<: *service\n") {
            true => (&OWN[..], [own.as_str(), &shared].concat()),
            false => (&[][..], own.clone()),
        };
        let missing: Vec<_> = HARDENED.iter().chain(ours).filter(|line| !text.contains(**line)).collect();
        assert!(missing.is_empty(), "{name} lacks {missing:?}");
        let row =
            CONTAINERS.iter().find(|(container, _)| own.contains(&format!("container_name: {container}\n")));
        let (container, port) = row.unwrap_or_else(|| panic!("{name} has another container's name"));
        assert!(port.is_none() || own.contains("healthcheck: {<<: *health, "), "{container} tells no health");
    }
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
