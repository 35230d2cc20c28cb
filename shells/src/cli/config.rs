//! `trading config check|show`: what the settings come to, and where each was found.

use engine::error::SetupError;
use serde_json::{Map, Value, json};

use crate::cli::args::{ConfigArgs, ConfigCommand};
use crate::cli::output::say;
use crate::cli::table::Table;
use crate::config::layers::{Row, Value as Found};
use crate::config::{Environment, Secrets, Settings};

/// What stands for a secret.
const MASK: &str = "********";

/// Runs a config command.
///
/// # Errors
/// When a setting does not do: one line names it.
pub fn run(command: &ConfigCommand, environment: &Environment) -> Result<(), SetupError> {
    let (ConfigCommand::Check(args) | ConfigCommand::Show(args)) = command;
    let settings = Settings::resolve(&args.settings, environment, Secrets::Read)?;
    match command {
        ConfigCommand::Check(args) => check(args, &settings),
        ConfigCommand::Show(args) => show(args, &settings),
    }
    Ok(())
}

fn check(args: &ConfigArgs, settings: &Settings) {
    let file = settings.layers().file();
    if args.json {
        say!("{}", json!({"ok": true, "file": file, "key": settings.credentials().is_ok()}));
    } else {
        let file = file.map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
        say!("good: {file}, environment and flags");
        if settings.venue.needs_credentials() && settings.credentials().is_err() {
            say!("no key here: whoever sends orders to {} needs one", settings.venue);
        }
    }
}

fn show(args: &ConfigArgs, settings: &Settings) {
    let rows = settings.layers().rows();
    if args.json {
        let mut object = Map::new();
        for row in rows {
            let (value, source) = (shown(row, settings), row.source.to_string());
            let entry = json!({"key": row.key.toml, "value": value, "source": source});
            object.insert(row.key.variable.to_owned(), entry);
        }
        say!("{}", json!({"settings": object, "strategy": settings.parameters}));
        return;
    }
    let mut table = Table::new(&["setting", "key in TOML", "value", "from"]);
    for row in rows {
        let value = match shown(row, settings) {
            Value::String(text) => text,
            _ => "-".to_owned(),
        };
        table.row(vec![row.key.variable.to_owned(), row.key.toml.to_owned(), value, row.source.to_string()]);
    }
    for (strategy, parameters) in &settings.parameters {
        let file = settings.layers().file().map(|file| file.display().to_string()).unwrap_or_default();
        for (key, value) in parameters {
            table.row(vec![String::new(), format!("strategy.{strategy}.{key}"), value.clone(), file.clone()]);
        }
    }
    say!("{table}");
}

/// The value that holds, with secrets masked.
fn shown(row: &Row, settings: &Settings) -> Value {
    match (&row.value, row.key.variable) {
        (Found::Plain(text), _) => json!(text),
        (Found::Secret(_) | Found::Withheld, _) => json!(MASK),
        (Found::Unset, "TRADING_IPC_DIR") => json!(settings.places.ipc.display().to_string()),
        (Found::Unset, "TRADING_DATA_DIR") => {
            let data = settings.places.data.parent().unwrap_or(&settings.places.data);
            json!(data.display().to_string())
        }
        (Found::Unset, "TRADING_API_TOKENS_FILE") => json!(settings.api_tokens_file.display().to_string()),
        (Found::Unset, _) => Value::Null,
    }
}
