//! Logs: lines for people or JSON, on standard error. Nothing on the way from a tick to an order logs.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::Settings;
use crate::config::values::LogFormat;

/// Starts logging as it is set. A second call changes nothing.
pub fn start(settings: &Settings) {
    // The filter was checked when the settings were.
    let filter = EnvFilter::try_new(&settings.log_filter).unwrap_or_default();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Colours are for people: in a file they are noise.
    let builder = builder.with_ansi(std::io::stderr().is_terminal());
    // An error means that somebody logs already, which is all that is wanted.
    let _ = match settings.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
