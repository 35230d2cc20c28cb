//! `market_data_service`: books, trades and bars on port 5555.

use std::process::ExitCode;

pub(crate) fn main() -> ExitCode {
    shells::serve::main("market_data")
}
