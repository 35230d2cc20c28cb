//! `order_execution_service`: orders and reports on port 5556.

use std::process::ExitCode;

pub(crate) fn main() -> ExitCode {
    shells::serve::main("order_execution")
}
