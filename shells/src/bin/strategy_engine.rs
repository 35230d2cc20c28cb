//! `strategy_engine`: strategies and signals on port 5558.

use std::process::ExitCode;

pub(crate) fn main() -> ExitCode {
    shells::serve::main("strategy_engine")
}
