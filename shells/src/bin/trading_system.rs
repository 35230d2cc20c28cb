//! Every program of the system in one file, for images: the name by which it is called decides which it is.
//!
//! Seven programs share nearly all of their code, so one of them takes a seventh of the time to link and optimise as a
//! whole. `docker/rootfs` gives it its names.

mod api_gateway;
mod market_data_service;
mod order_execution_service;
mod risk_management_service;
mod simulated_exchange;
mod strategy_engine;
mod trading;

use std::path::Path;
use std::process::ExitCode;

/// A program's entry.
type Main = fn() -> ExitCode;

/// What it can be called.
const PROGRAMS: [(&str, Main); 7] = [
    ("trading", trading::main),
    ("market_data_service", market_data_service::main),
    ("order_execution_service", order_execution_service::main),
    ("risk_management_service", risk_management_service::main),
    ("strategy_engine", strategy_engine::main),
    ("api_gateway", api_gateway::main),
    ("simulated_exchange", simulated_exchange::main),
];

fn main() -> ExitCode {
    let called = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&called).file_name().unwrap_or_default().to_string_lossy();
    match PROGRAMS.iter().find(|(known, _)| *known == name) {
        Some((_, program)) => program(),
        None => {
            let known = PROGRAMS.map(|(known, _)| known).join(", ");
            eprintln!("trading_system: called as {name:?}; it is called as one of {known}");
            ExitCode::from(2)
        }
    }
}
