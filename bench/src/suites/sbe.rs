//! Binary frames to values: the engine's SBE decoder beside its JSON decoder, on frames that say the same.

use std::hint::black_box;
use std::sync::Arc;

use engine::domain::{Instruments, Market, Nanos, Side};
use engine::error::SetupError;
use engine::venue::binance::MarketEvent;
use engine::venue::binance::decode::Decoder;
use engine::venue::binance::sbe::encode::{Extension, SbeEncoder, Trade};
use engine::venue::binance::sbe::{SbeDecoder, SbeEvent};
use engine::venue::{Frame, Source};

use crate::frames::{Script, instrument};
use crate::report::Ratio;
use crate::series::Series;
use crate::suites::Bench;

const SUITE: &str = "decode";

/// Frames of a kind, read in turn.
const FRAMES: usize = 64;

/// Makes the next JSON frame of a script.
type Make = fn(&mut Script) -> Vec<u8>;

/// The same messages twice.
struct Kind {
    name: &'static str,
    json: Vec<Vec<u8>>,
    sbe: Vec<Vec<u8>>,
}

/// Runs the suite.
///
/// # Errors
/// When the two decoders do not say the same of a message.
pub fn run(bench: &mut Bench<'_>) -> Result<(), SetupError> {
    let instruments = Arc::new(Instruments::new(vec![instrument("BTCUSDT", Market::Spot)])?);
    let (mut json, mut sbe) =
        (Decoder::new(Arc::clone(&instruments)), SbeDecoder::new(Arc::clone(&instruments)));
    let count = bench.scale().of(FRAMES, FRAMES, 8);
    let makes: [(&'static str, Make); 3] = [
        ("depthUpdate 20+20", |script| script.depth(20)),
        ("depthUpdate 100+100", |script| script.depth(100)),
        ("trade", Script::trade),
    ];
    for (name, make) in makes {
        let mut script = Script::new(instrument("BTCUSDT", Market::Spot), 1);
        let frames: Vec<_> = (0..count).map(|_| make(&mut script)).collect();
        let twins = frames.iter().map(|frame| twin(frame, &mut json, &mut sbe, &instruments));
        let kind = Kind { name, sbe: twins.collect::<Result<_, _>>()?, json: frames };
        measure(bench, &kind, &mut json, &mut sbe);
    }
    Ok(())
}

fn frame(payload: &[u8]) -> Frame<'_> {
    Frame { received: Nanos(0), market: Market::Spot, source: Source::Stream, payload }
}

/// The SBE frame that says what `payload` says, checked.
fn twin(
    payload: &[u8],
    json: &mut Decoder,
    sbe: &mut SbeDecoder,
    instruments: &Instruments,
) -> Result<Vec<u8>, SetupError> {
    let text = String::from_utf8_lossy(payload);
    let wrong = |who: &str| SetupError::Invalid(format!("decode: {who}: {text}"));
    let event = json.decode(&frame(payload)).map_err(|_| wrong("the JSON decoder refuses"))?;
    let listed = instruments.get(0).ok_or_else(|| wrong("no instrument"))?;
    let encoder = SbeEncoder::new(listed, Extension::default());
    let bytes = match &event {
        MarketEvent::Depth { ids, event_time, bids, asks, .. } => {
            encoder.depth_diff(*event_time, *ids, [bids, asks])
        }
        MarketEvent::Trade { trade_id, price, quantity, aggressor, event_time, .. } => {
            let buyer_is_maker = *aggressor == Side::Sell;
            let trade = Trade { id: *trade_id, price: *price, quantity: *quantity, buyer_is_maker };
            encoder.trades(*event_time, &[trade])
        }
        _ => return Err(wrong("SBE has no such message")),
    };
    let mut same = false;
    let outcome = sbe.decode(&bytes, &mut |told| same = told == SbeEvent::Market(event));
    if outcome.is_ok() && same { Ok(bytes) } else { Err(wrong("SBE says otherwise")) }
}

fn measure(bench: &mut Bench<'_>, kind: &Kind, json: &mut Decoder, sbe: &mut SbeDecoder) {
    let (mut ours, mut text) = (Series::default(), Series::default());
    let bytes: usize = kind.json.iter().map(Vec::len).sum();
    let batches = bench.scale().of(16_000_000, 8_000_000, 80_000) as u64 / bytes as u64 + 1;
    let count = kind.json.len() as u64;
    for _ in 0..bench.rounds() {
        ours.add_alone(&bench.rig.time_batches(batches, count, || {
            for payload in &kind.sbe {
                _ = black_box(sbe.decode(black_box(payload), &mut |event| {
                    black_box(&event);
                }));
            }
        }));
        text.add_alone(&bench.rig.time_batches(batches, count, || {
            for payload in &kind.json {
                _ = black_box(json.decode(&frame(black_box(payload))));
            }
        }));
    }
    bench.report.push_series(SUITE, &format!("{}: engine, SBE", kind.name), &ours, &|_, own| {
        let json = text.alone().map_or(f64::NAN, |json| json.over(own));
        vec![Ratio::plain("faster than the engine's JSON", json)]
    });
}
