//! Standard output: a reader that has seen enough ends us quietly, as `head` expects.

use std::fmt;
use std::io::Write;

/// Prints `text` and a line end.
pub fn print(text: fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{text}").and_then(|()| out.flush()).is_err() {
        // Nobody reads any more: there is nobody to tell.
        std::process::exit(0);
    }
}

/// Prints a line, formatted.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::output::print(format_args!($($text)*)) };
}
pub(crate) use say;
