//! Settings: a flag beats the environment, which beats the default. An empty variable is unset; a bad value stops the
//! start with one line that names it.

pub mod amount;
pub mod duration;
pub mod places;

use std::collections::BTreeMap;
use std::str::FromStr;

use engine::error::SetupError;

pub use duration::Span;
pub use places::Places;

/// The environment as the process found it, so that tests can bring their own.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process's own. Variables that are empty or no UTF-8 count as unset.
    #[must_use]
    pub fn of_process() -> Self {
        let text = std::env::vars_os().filter_map(|(key, value)| {
            Some((key.into_string().ok()?, value.into_string().ok()?)).filter(|(_, value)| !value.is_empty())
        });
        Self(text.collect())
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// `flag`, else the variable `key`, else `default`.
    ///
    /// # Errors
    /// When the variable is set and cannot be read as a `T`.
    pub fn resolve<T>(&self, flag: Option<T>, key: &str, default: T) -> Result<T, SetupError>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        match (flag, self.get(key)) {
            (Some(value), _) => Ok(value),
            (None, Some(text)) => {
                text.parse().map_err(|error| SetupError::Invalid(format!("{key}={text}: {error}")))
            }
            (None, None) => Ok(default),
        }
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_beats_the_environment_and_a_bad_value_is_named() {
        let environment: Environment = [("TRADING_PORT", "12"), ("TRADING_BAD", "x")].into_iter().collect();
        assert_eq!(environment.resolve(Some(7), "TRADING_PORT", 1).expect("the flag"), 7);
        assert_eq!(environment.resolve(None, "TRADING_PORT", 1).expect("the variable"), 12);
        assert_eq!(environment.resolve(None, "TRADING_OTHER", 1).expect("the default"), 1);
        let error = environment.resolve::<u16>(None, "TRADING_BAD", 1).expect_err("no number");
        assert!(error.to_string().starts_with("TRADING_BAD=x: "), "{error}");
    }
}
