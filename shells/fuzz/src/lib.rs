//! What is held of every reader of the simulated exchange's requests, whatever the bytes: it does not panic, it ends, and
//! where there are two ways to read, both say the same. Each check is a fuzz target, and runs in the normal tests too
//! (`shells/tests/exchange/garbage.rs`).

mod exchange;

/// Something that reads bytes from outside.
pub struct Check {
    /// Its name, and that of its fuzz target.
    pub name: &'static str,
    /// Reads `data` and panics when something does not hold.
    pub run: fn(&[u8]),
    /// Inputs that are taken, to begin from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every check.
pub static CHECKS: &[Check] = &[
    Check { name: "exchange_http", run: exchange::http, seeds: exchange::http_seeds },
    Check { name: "exchange_json", run: exchange::json, seeds: exchange::json_seeds },
    Check { name: "exchange_form", run: exchange::form, seeds: exchange::form_seeds },
];

/// Runs the check called `name`.
///
/// # Panics
/// When there is none, or something does not hold.
pub fn check(name: &str, data: &[u8]) {
    let check = CHECKS.iter().find(|check| check.name == name);
    (check.unwrap_or_else(|| panic!("no check {name}")).run)(data);
}
