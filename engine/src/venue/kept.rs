//! A frame that waits for its turn, with bytes of its own.

use crate::domain::{Market, Nanos};
use crate::venue::{Frame, Source};

/// A [`Source`] that borrows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KeptSource {
    /// See [`Source::Stream`].
    #[default]
    Stream,
    /// See [`Source::Sbe`].
    Sbe,
    /// See [`Source::Rest`].
    Rest(String),
}

impl From<Source<'_>> for KeptSource {
    fn from(source: Source<'_>) -> Self {
        match source {
            Source::Stream => Self::Stream,
            Source::Sbe => Self::Sbe,
            Source::Rest(url) => Self::Rest(url.to_owned()),
        }
    }
}

impl KeptSource {
    /// As a frame tells it.
    #[must_use]
    pub fn source(&self) -> Source<'_> {
        match self {
            Self::Stream => Source::Stream,
            Self::Sbe => Source::Sbe,
            Self::Rest(url) => Source::Rest(url),
        }
    }
}

/// A [`Frame`] that borrows nothing.
#[derive(Clone, Debug)]
pub struct KeptFrame {
    received: Nanos,
    market: Market,
    source: KeptSource,
    payload: Vec<u8>,
}

impl KeptFrame {
    /// Keeps `frame` in the memory of `spare`.
    #[must_use]
    pub fn of(frame: &Frame<'_>, mut spare: Vec<u8>) -> Self {
        spare.clear();
        spare.extend_from_slice(frame.payload);
        let Frame { received, market, source, .. } = *frame;
        Self { received, market, source: source.into(), payload: spare }
    }

    /// The frame.
    #[must_use]
    pub fn frame(&self) -> Frame<'_> {
        let Self { received, market, source, payload } = self;
        Frame { received: *received, market: *market, source: source.source(), payload }
    }

    /// Its memory, for the next to be kept.
    #[must_use]
    pub fn into_spare(self) -> Vec<u8> {
        self.payload
    }
}
