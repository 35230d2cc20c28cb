//! What a frame is of, without its numbers.

use super::wire::Message;
use super::{SCHEMA, side_groups, template, trade_group};

/// What a frame is of, and which of its kind: enough to tell streams and repeats apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label<'a> {
    /// Its template: one of those that are decoded.
    pub template: u16,
    /// Its symbol.
    pub symbol: &'a [u8],
    /// The book's last update, or the id of the last trade: higher in every later frame of the template and symbol.
    pub number: u64,
}

impl<'a> Label<'a> {
    /// Reads as much of a frame as its label needs; `None` where it is cut, or of no template that is decoded.
    #[must_use]
    pub fn of(frame: &'a [u8]) -> Option<Self> {
        let message = Message::read(frame).ok().filter(|message| message.schema == SCHEMA)?;
        let template = message.template;
        let (end, number) = match template {
            template::TRADES => {
                let trades = trade_group(&message).ok()?;
                (trades.end, trades.entries().next_back().map_or(Ok(0), |last| message.unsigned(last)))
            }
            template::BEST_BID_ASK => (message.after_block(50).ok()?, message.unsigned_field(8)),
            template::DEPTH_SNAPSHOT => (side_groups(&message, 16).ok()?[1].end, message.unsigned_field(8)),
            template::DEPTH_DIFF => (side_groups(&message, 24).ok()?[1].end, message.unsigned_field(16)),
            _ => return None,
        };
        Some(Self { template, symbol: message.text(end).ok()?, number: number.ok()? })
    }
}
