//! Where a line of a tape came from, and the word for it.

use crate::venue::Source;
use crate::venue::replay::scan;

/// Where a line of a tape came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapeSource<'a> {
    /// `ws`: a market stream in JSON.
    Stream,
    /// `sbe`: a market stream in SBE; its payload stands in hexadecimal digits.
    Sbe,
    /// `rest <url>`: the answer to a REST request for this URL.
    Rest(&'a str),
    /// `user`: an answer or user event about our orders.
    User,
    /// `order`: what we sent.
    Request,
    /// A source this build does not know.
    Unknown,
}

impl<'a> From<Source<'a>> for TapeSource<'a> {
    fn from(source: Source<'a>) -> Self {
        match source {
            Source::Stream => Self::Stream,
            Source::Sbe => Self::Sbe,
            Source::Rest(url) => Self::Rest(url),
        }
    }
}

impl<'a> TapeSource<'a> {
    /// The source of a frame of market data; `None` of every other line: an exchangeInfo, of which the instrument table is
    /// made before the first frame, what became of the recorded session's own orders, and what is not known.
    #[must_use]
    pub fn market_data(self) -> Option<Source<'a>> {
        match self {
            Self::Stream => Some(Source::Stream),
            Self::Sbe => Some(Source::Sbe),
            Self::Rest(url) => (!scan::is_exchange_info_url(url)).then_some(Source::Rest(url)),
            Self::User | Self::Request | Self::Unknown => None,
        }
    }

    /// Whether its payload stands in hexadecimal digits.
    pub(super) const fn is_binary(self) -> bool {
        matches!(self, Self::Sbe)
    }
}
