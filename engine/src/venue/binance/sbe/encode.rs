//! SBE frames from events: test data, and what an exchange of ours would send.

use crate::book::{DiffIds, Level};
use crate::domain::{Instrument, Nanos, Price, Quantity};
use crate::message::tick::Top;

use super::{SCHEMA, template};

/// What a later version of the schema may do to a frame. The default is version 0 as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extension {
    /// The version in the header.
    pub version: u16,
    /// Unknown bytes behind the known fields of the block.
    pub block: u16,
    /// Unknown bytes behind the known fields of each entry of a group.
    pub entry: u16,
    /// Unknown bytes behind the symbol.
    pub tail: u16,
}

/// A trade of a trades message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Its id.
    pub id: u64,
    /// Its price.
    pub price: Price,
    /// Its quantity.
    pub quantity: Quantity,
    /// Whether the buyer was the maker.
    pub buyer_is_maker: bool,
}

/// Byte of which unknown fields are made.
const UNKNOWN: u8 = 0xa5;

/// Encodes the messages of one instrument, mantissas at its scales.
#[derive(Clone, Copy, Debug)]
pub struct SbeEncoder<'a> {
    instrument: &'a Instrument,
    extension: Extension,
}

impl<'a> SbeEncoder<'a> {
    /// An encoder for `instrument`, of a schema with `extension`.
    #[must_use]
    pub const fn new(instrument: &'a Instrument, extension: Extension) -> Self {
        Self { instrument, extension }
    }

    /// A `TradesStreamEvent`.
    #[must_use]
    pub fn trades(&self, event_time: Nanos, trades: &[Trade]) -> Vec<u8> {
        let mut block = Vec::new();
        put(&mut block, event_time.0 / 1_000);
        put(&mut block, event_time.0 / 1_000);
        self.put_exponents(&mut block);
        let mut frame = self.begin(template::TRADES, &block);
        frame.extend((25 + self.extension.entry).to_le_bytes());
        frame.extend(u32::try_from(trades.len()).unwrap_or(u32::MAX).to_le_bytes());
        for trade in trades {
            put(&mut frame, signed(trade.id));
            put(&mut frame, trade.price.0);
            put(&mut frame, trade.quantity.0);
            frame.push(trade.buyer_is_maker.into());
            self.extend_entry(&mut frame);
        }
        self.finish(frame)
    }

    /// A `BestBidAskStreamEvent`.
    #[must_use]
    pub fn best_bid_ask(&self, event_time: Nanos, update_id: u64, top: &Top) -> Vec<u8> {
        let mut block = Vec::new();
        put(&mut block, event_time.0 / 1_000);
        put(&mut block, signed(update_id));
        self.put_exponents(&mut block);
        for number in [top.bid.0, top.bid_quantity.0, top.ask.0, top.ask_quantity.0] {
            put(&mut block, number);
        }
        let frame = self.begin(template::BEST_BID_ASK, &block);
        self.finish(frame)
    }

    /// A `DepthSnapshotStreamEvent`.
    #[must_use]
    pub fn best_levels(&self, event_time: Nanos, update_id: u64, sides: [&[Level]; 2]) -> Vec<u8> {
        let mut block = Vec::new();
        put(&mut block, event_time.0 / 1_000);
        put(&mut block, signed(update_id));
        self.put_exponents(&mut block);
        self.with_levels(template::DEPTH_SNAPSHOT, &block, sides)
    }

    /// A `DepthDiffStreamEvent`.
    #[must_use]
    pub fn depth_diff(&self, event_time: Nanos, ids: DiffIds, sides: [&[Level]; 2]) -> Vec<u8> {
        let mut block = Vec::new();
        put(&mut block, event_time.0 / 1_000);
        put(&mut block, signed(ids.first));
        put(&mut block, signed(ids.last));
        self.put_exponents(&mut block);
        self.with_levels(template::DEPTH_DIFF, &block, sides)
    }

    fn with_levels(&self, template: u16, block: &[u8], sides: [&[Level]; 2]) -> Vec<u8> {
        let mut frame = self.begin(template, block);
        for levels in sides {
            frame.extend((16 + self.extension.entry).to_le_bytes());
            frame.extend(u16::try_from(levels.len()).unwrap_or(u16::MAX).to_le_bytes());
            for level in levels.iter().take(usize::from(u16::MAX)) {
                put(&mut frame, level.price.0);
                put(&mut frame, level.quantity.0);
                self.extend_entry(&mut frame);
            }
        }
        self.finish(frame)
    }

    fn put_exponents(&self, block: &mut Vec<u8>) {
        let Instrument { price_scale, quantity_scale, .. } = self.instrument;
        for scale in [price_scale, quantity_scale] {
            block.extend(0_i8.wrapping_sub_unsigned(scale.digits()).to_le_bytes());
        }
    }

    fn begin(&self, template: u16, block: &[u8]) -> Vec<u8> {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX) + self.extension.block;
        let mut frame = Vec::new();
        for short in [length, template, SCHEMA, self.extension.version] {
            frame.extend(short.to_le_bytes());
        }
        frame.extend(block);
        frame.extend(unknown(self.extension.block));
        frame
    }

    fn extend_entry(&self, frame: &mut Vec<u8>) {
        frame.extend(unknown(self.extension.entry));
    }

    fn finish(&self, mut frame: Vec<u8>) -> Vec<u8> {
        let symbol = self.instrument.symbol.as_bytes();
        frame.push(u8::try_from(symbol.len()).unwrap_or(u8::MAX));
        frame.extend(symbol);
        frame.extend(unknown(self.extension.tail));
        frame
    }
}

fn unknown(count: u16) -> impl Iterator<Item = u8> {
    std::iter::repeat_n(UNKNOWN, count.into())
}

fn put(bytes: &mut Vec<u8>, number: i64) {
    bytes.extend(number.to_le_bytes());
}

fn signed(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}
