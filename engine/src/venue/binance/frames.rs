//! The decoder of everything that a feed hands over, JSON or SBE.

use std::sync::Arc;

use super::decode::Decoder;
use super::sbe::{SbeDecoder, SbeEvent};
use super::{DecodeError, MarketEvent, Skip};
use crate::domain::Instruments;
use crate::room::Line;
use crate::venue::{Frame, Source};

/// What a frame says, or why it could not be read.
pub type Read<'a> = Result<MarketEvent<'a>, DecodeError>;

/// Decodes frames by their source. Owned by one agent.
#[derive(Debug)]
pub struct FrameDecoder {
    json: Decoder,
    sbe: SbeDecoder,
}

impl FrameDecoder {
    /// A decoder for these instruments.
    #[must_use]
    pub fn new(instruments: Arc<Instruments>) -> Self {
        Self { json: Decoder::new(Arc::clone(&instruments)), sbe: SbeDecoder::new(instruments) }
    }

    /// Has these lines of an instrument brought as soon as a frame in JSON has named it.
    pub fn bring(&mut self, lines: [Line; 2]) {
        self.json.bring(lines);
    }

    /// Hands over what `frame` says: at least one event, and several where it holds several trades.
    #[inline]
    pub fn decode(&mut self, frame: &Frame<'_>, mut on_event: impl FnMut(&Read<'_>)) {
        if matches!(frame.source, Source::Sbe) {
            return self.decode_sbe(frame.payload, &mut on_event);
        }
        on_event(&self.json.decode(frame));
    }

    #[inline(never)]
    fn decode_sbe(&mut self, payload: &[u8], on_event: &mut dyn FnMut(&Read<'_>)) {
        let mut told = false;
        let outcome = self.sbe.decode(payload, &mut |event| {
            told = true;
            on_event(&Ok(match event {
                SbeEvent::Market(event) => event,
                // No snapshot, and the diffs say all of it.
                SbeEvent::Best { .. } => MarketEvent::Skipped(Skip::Event),
            }));
        });
        match outcome {
            Ok(()) if told => {}
            Ok(()) => on_event(&Ok(MarketEvent::Skipped(Skip::Event))),
            Err(error) => on_event(&Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Market, Nanos, Price, Quantity};
    use crate::venue::binance::DecodeReason;
    use crate::venue::binance::decode::tests::{instrument, instruments};
    use crate::venue::binance::sbe::encode::{Extension, SbeEncoder, Trade};

    /// What a frame says, by the ids of its trades.
    fn read(decoder: &mut FrameDecoder, source: Source<'_>, payload: &[u8]) -> Vec<Result<u64, String>> {
        let mut events = Vec::new();
        let frame = Frame { received: Nanos::ZERO, market: Market::Spot, source, payload };
        decoder.decode(&frame, |read| {
            events.push(match read {
                Ok(MarketEvent::Trade { trade_id, .. }) => Ok(*trade_id),
                other => Err(format!("{other:?}")),
            });
        });
        events
    }

    #[test]
    fn every_frame_is_read_by_its_source_and_says_something() {
        let table = instruments(vec![instrument("BTCUSDT", Market::Spot, 2, 5)]);
        let mut decoder = FrameDecoder::new(Arc::clone(&table));
        let encoder = SbeEncoder::new(table.get(0).expect("listed"), Extension::default());
        let trade = |id| Trade { id, price: Price(1), quantity: Quantity(1), buyer_is_maker: false };
        let two = encoder.trades(Nanos::ZERO, &[trade(4), trade(5)]);
        assert_eq!(read(&mut decoder, Source::Sbe, &two), [Ok(4), Ok(5)]);
        let skipped = Err(format!("{:?}", Read::Ok(MarketEvent::Skipped(Skip::Event))));
        for silent in [encoder.trades(Nanos::ZERO, &[]), encoder.best_levels(Nanos::ZERO, 1, [&[], &[]])] {
            assert_eq!(read(&mut decoder, Source::Sbe, &silent), std::slice::from_ref(&skipped));
        }
        let text = br#"{"e":"trade","E":1700000000000,"s":"BTCUSDT","t":6,"p":"1","q":"1","T":1700000000000,"m":true,"M":true}"#;
        assert_eq!(read(&mut decoder, Source::Stream, text), [Ok(6)]);
        for (source, payload) in [(Source::Sbe, &text[..]), (Source::Stream, &two), (Source::Sbe, &two[1..])]
        {
            let refused = read(&mut decoder, source, payload);
            let malformed = |said: &str| said.contains(&format!("{:?}", DecodeReason::Malformed));
            assert!(matches!(&refused[..], [Err(said)] if malformed(said)), "{source:?} {refused:?}");
        }
    }
}
