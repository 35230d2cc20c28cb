//! `trading token create|list|revoke`: the gateway's bearer tokens.

use clap::{Args, Subcommand};
use engine::error::SetupError;
use serde_json::json;

use crate::cli::output::say;
use crate::cli::table::Table;
use crate::config::{Environment, PlaceFlags, Secrets, Settings};
use crate::gateway::tokens::{Role, Token, TokenFile};

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token; its text is shown once and kept nowhere
    Create(CreateArgs),
    /// List the tokens
    List(ListArgs),
    /// Revoke a token; a running gateway refuses it within a second
    Revoke(RevokeArgs),
}

/// Arguments of `create`.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// read: look; trade: orders as well; operate: halts, limits and strategies as well
    #[arg(long, value_name = "ROLE")]
    pub role: Role,
    /// Whose it is
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// Where the file is
    #[command(flatten)]
    pub places: PlaceFlags,
    /// JSON instead of the text alone
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Where the file is
    #[command(flatten)]
    pub places: PlaceFlags,
    /// JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `revoke`.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// The token's id, as `list` shows it
    pub id: String,
    /// Where the file is
    #[command(flatten)]
    pub places: PlaceFlags,
}

/// Runs a command.
///
/// # Errors
/// When the file cannot be used, or there is no such token.
pub fn run(command: &TokenCommand, environment: &Environment) -> Result<(), SetupError> {
    let places = match command {
        TokenCommand::Create(args) => &args.places,
        TokenCommand::List(args) => &args.places,
        TokenCommand::Revoke(args) => &args.places,
    };
    let path = Settings::resolve(places, environment, Secrets::Withhold)?.api_tokens_file;
    let file = TokenFile::new(&path);
    match command {
        TokenCommand::Create(args) => {
            let (token, text) = file.create(args.role, args.name.clone())?;
            if args.json {
                say!("{}", json!({"id": token.id, "role": token.role, "token": text.as_str()}));
            } else {
                eprintln!("token {} with the role {}; it is not shown again:", token.id, token.role.name());
                say!("{}", text.as_str());
            }
        }
        TokenCommand::List(args) => list(&file.read()?.unwrap_or_default(), args.json),
        TokenCommand::Revoke(args) => {
            let token = file.revoke(&args.id)?;
            say!("token {} is revoked", token.id);
        }
    }
    Ok(())
}

fn list(tokens: &[Token], as_json: bool) {
    if as_json {
        let rows: Vec<_> = tokens
            .iter()
            .map(|token| {
                json!({"id": token.id, "role": token.role, "name": token.name,
                    "created_ns": token.created_ns, "revoked_ns": token.revoked_ns})
            })
            .collect();
        say!("{}", json!(rows));
        return;
    }
    if tokens.is_empty() {
        say!("no tokens: the gateway serves this machine alone");
        return;
    }
    let mut table = Table::new(&["id", "role", "state", "name"]);
    for token in tokens {
        let state = if token.revoked_ns.is_some() { "revoked" } else { "valid" };
        let name = token.name.clone().unwrap_or_else(|| "-".to_owned());
        table.row(vec![token.id.clone(), token.role.name().to_owned(), state.to_owned(), name]);
    }
    say!("{table}");
}
