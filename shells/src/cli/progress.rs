//! A bar for work that takes long, where people look: on a terminal, and nowhere else.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often it is drawn, in a second.
const PER_SECOND: u8 = 5;

/// The bar, on standard error.
pub struct Progress {
    bar: ProgressBar,
    /// Whether nobody sees it.
    hidden: bool,
}

impl Progress {
    /// A bar of `length`, in whatever unit it is moved by.
    #[must_use]
    pub fn of(length: u64, what: &'static str) -> Self {
        Self::styled(length, what, "{msg} [{wide_bar}] {percent}% ETA {eta}")
    }

    /// A bar of `length` bytes.
    #[must_use]
    pub fn bytes(length: u64, what: &'static str) -> Self {
        Self::styled(length, what, "{msg} [{wide_bar}] {bytes} of {total_bytes} ETA {eta}")
    }

    fn styled(length: u64, what: &'static str, template: &str) -> Self {
        // Hidden by itself where standard error is no terminal.
        let target = ProgressDrawTarget::stderr_with_hz(PER_SECOND);
        let bar = ProgressBar::with_draw_target(Some(length), target).with_message(what);
        // A template that cannot be read leaves the library's own.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        let hidden = bar.is_hidden();
        Self { bar, hidden }
    }

    /// It has come to `position`.
    #[inline]
    pub fn at(&self, position: u64) {
        if !self.hidden {
            self.bar.set_position(position);
        }
    }

    /// It is done: the bar goes.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
