//! `risk_management_service`: limits, positions and halts on port 5557.

use std::process::ExitCode;

pub(crate) fn main() -> ExitCode {
    shells::serve::main("risk_management")
}
