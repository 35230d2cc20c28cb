//! The one file of every program is each program under its name, and nothing under another.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

/// Every program and what it calls itself.
const PROGRAMS: [(&str, &str); 7] = [
    (env!("CARGO_BIN_EXE_trading"), "trading"),
    (env!("CARGO_BIN_EXE_market_data_service"), "market_data_service"),
    (env!("CARGO_BIN_EXE_order_execution_service"), "order_execution_service"),
    (env!("CARGO_BIN_EXE_risk_management_service"), "risk_management_service"),
    (env!("CARGO_BIN_EXE_strategy_engine"), "strategy_engine"),
    (env!("CARGO_BIN_EXE_api_gateway"), "api_gateway"),
    (env!("CARGO_BIN_EXE_simulated_exchange"), "simulated_exchange"),
];

fn help(program: &Path) -> Output {
    Command::new(program).arg("--help").output().expect("it starts")
}

#[test]
fn every_name_is_its_program_and_another_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    for (alone, name) in PROGRAMS {
        let link = directory.path().join(name);
        symlink(env!("CARGO_BIN_EXE_trading_system"), &link).expect("a link");
        let (expected, found) = (help(Path::new(alone)), help(&link));
        assert!(expected.status.success() && found.status.success(), "{name}: {found:?}");
        assert_eq!(expected.stdout, found.stdout, "{name} is another program in trading_system");
    }
    let link = directory.path().join("trader");
    symlink(env!("CARGO_BIN_EXE_trading_system"), &link).expect("a link");
    let refused = help(&link);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("\"trader\"") && said.contains("market_data_service"), "{said}");
}
