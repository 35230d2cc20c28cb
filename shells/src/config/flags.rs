//! Settings as flags, made from the same table as everything else about them.

use std::collections::BTreeMap;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use crate::config::keys::{CONFIG, ENDPOINTS, KEYS, Key, PLACES, SERVICE, TRADE};

/// Values given as flags, by variable: those of the settings whose groups are in `GROUPS`, and the TOML file's.
#[derive(Clone, Debug, Default)]
pub struct Flags<const GROUPS: u8>(BTreeMap<&'static str, String>);

/// Where an instance keeps its files.
pub type PlaceFlags = Flags<PLACES>;
/// Where an instance keeps its files, and where its services are found.
pub type ConnectFlags = Flags<{ PLACES | ENDPOINTS }>;
/// What trades and how much it may.
pub type TradeFlags = Flags<TRADE>;
/// Every setting.
pub type AllFlags = Flags<{ PLACES | TRADE | SERVICE }>;

impl<const GROUPS: u8> Flags<GROUPS> {
    /// The values by variable. A secret's file stands under the variable that names it.
    #[must_use]
    pub const fn values(&self) -> &BTreeMap<&'static str, String> {
        &self.0
    }
}

/// Variable and flag of what a key takes on the command line.
fn names(key: &'static Key) -> (&'static str, &'static str) {
    key.secret_file.unwrap_or((key.variable, key.flag))
}

fn taken(groups: u8) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.group & groups != 0)
}

fn argument(key: &'static Key) -> Arg {
    let (variable, flag) = names(key);
    let mut doc = format!("{} [env: {variable}", key.doc);
    if let Some(default) = key.default {
        doc += &format!("; {default}");
    }
    let argument = Arg::new(variable).long(flag).help(doc + "]").action(ArgAction::Set);
    let argument = match key.secret_file {
        Some(_) => return argument.value_name("FILE").help_heading("Settings"),
        None => argument.value_name(key.value_name).help_heading("Settings"),
    };
    let argument = argument.value_parser(move |text: &str| (key.check)(text).map(|()| text.to_owned()));
    if key.switch {
        argument.num_args(0..=1).require_equals(true).default_missing_value("yes")
    } else {
        argument.allow_hyphen_values(false)
    }
}

impl<const GROUPS: u8> Args for Flags<GROUPS> {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(CONFIG.0)
            .long(CONFIG.1)
            .value_name("FILE")
            .help_heading("Settings")
            .help(format!("TOML file with settings [env: {}]", CONFIG.0));
        taken(GROUPS).fold(command.arg(file), |command, key| command.arg(argument(key)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const GROUPS: u8> FromArgMatches for Flags<GROUPS> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        let variables = taken(GROUPS).map(|key| names(key).0).chain([CONFIG.0]);
        for variable in variables {
            if let Some(value) = matches.get_one::<String>(variable) {
                self.0.insert(variable, value.clone());
            }
        }
        Ok(())
    }
}

/// The flag of the setting whose value, or file, is named by `variable`.
#[must_use]
pub fn flag_of(variable: &str) -> String {
    let found = KEYS.iter().map(names).chain([CONFIG]).find(|(name, _)| *name == variable);
    format!("--{}", found.map_or(variable, |(_, flag)| flag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Everything {
        #[command(flatten)]
        flags: AllFlags,
    }

    #[test]
    fn every_setting_has_its_flag_and_bad_values_are_bad_usage() {
        let parsed = Everything::try_parse_from(["x", "--symbols", "A,B", "--live", "--port=0"]);
        let flags = parsed.expect("good usage").flags;
        let values: Vec<_> = flags.values().iter().map(|(key, value)| (*key, value.as_str())).collect();
        let expected = [("TRADING_LIVE", "yes"), ("TRADING_PORT", "0"), ("TRADING_SYMBOLS", "A,B")];
        assert_eq!(values, expected);
        for bad in [&["x", "--port", "70000"][..], &["x", "--venue", "ftx"], &["x", "--nothing"]] {
            assert_eq!(Everything::try_parse_from(bad).err().expect("bad usage").exit_code(), 2, "{bad:?}");
        }
        assert_eq!(flag_of("BINANCE_API_KEY_FILE"), "--binance-api-key-file");
    }
}
