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
        // Hidden by itself where standard error is no terminal.
        let target = ProgressDrawTarget::stderr_with_hz(PER_SECOND);
        let bar = ProgressBar::with_draw_target(Some(length), target).with_message(what);
        Self::styled(bar, "{msg} [{wide_bar}] {percent}% ETA {eta}")
    }

    /// A sign of life for work whose length nobody knows beforehand.
    #[must_use]
    pub fn unknown(what: &'static str) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(PER_SECOND);
        let bar = ProgressBar::with_draw_target(None, target).with_message(what);
        Self::styled(bar, "{spinner} {msg} {human_pos}, {per_sec}, {elapsed}")
    }

    fn styled(bar: ProgressBar, template: &str) -> Self {
        // A template that cannot be read leaves the library's own.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        let hidden = bar.is_hidden();
        Self { bar, hidden }
    }

    /// It has come to `position`.
    pub fn at(&self, position: u64) {
        if !self.hidden {
            self.bar.set_position(position);
        }
    }

    /// One more is done.
    #[inline]
    pub fn step(&self) {
        if !self.hidden {
            self.bar.inc(1);
        }
    }

    /// It is done: the bar goes.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
