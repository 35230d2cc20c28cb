//! What a template takes for its own, and what it must not.

use crate::domain::Market;
use crate::venue::binance::decode::Decoder;
use crate::venue::binance::decode::tests::{check, frame, instrument, instruments};
use crate::venue::binance::number::Avx2;

use super::slots::CREDIT;

mod feeds;

/// Frames that templates are made of, without the wrapper of a combined stream.
const FRAMES: &[(Market, &str, &str)] = &[
    (
        Market::Spot,
        "bookTicker",
        r#"{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}"#,
    ),
    (
        Market::Spot,
        "trade",
        r#"{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}"#,
    ),
    (
        Market::Spot,
        "depth@100ms",
        r#"{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":50093239189,"u":50093239202,"b":[["61737.63000000","0.00000000"]],"a":[["61837.64000000","1.54698000"]]}"#,
    ),
    (
        Market::UsdMargined,
        "bookTicker",
        r#"{"e":"bookTicker","u":2710246762461,"s":"BTCUSDT","b":"28145.10","B":"3.868","a":"28145.20","A":"6.887","T":1680652700430,"E":1680652700435}"#,
    ),
    (
        Market::UsdMargined,
        "trade",
        r#"{"e":"trade","E":1680652700455,"T":1680652700452,"s":"BTCUSDT","t":3535186032,"p":"28145.10","q":"0.002","X":"MARKET","m":true}"#,
    ),
    (
        Market::UsdMargined,
        "depth@0ms",
        r#"{"e":"depthUpdate","E":1680652700594,"T":1680652700586,"s":"BTCUSDT","U":2710246765373,"u":2710246765597,"pu":2710246765326,"b":[["5000.00","14.368"]],"a":[]}"#,
    ),
    (
        Market::CoinMargined,
        "bookTicker",
        r#"{"u":1063752891031,"e":"bookTicker","s":"BTCUSD_PERP","ps":"BTCUSD","b":"28145.1","B":"3868","a":"28145.2","A":"6887","T":1680652700430,"E":1680652700435}"#,
    ),
];

fn decoder() -> Decoder {
    Decoder::new(instruments(vec![
        instrument("BTCUSDT", Market::Spot, 2, 5),
        instrument("BTCUSDT", Market::UsdMargined, 2, 3),
        instrument("BTCUSD_PERP", Market::CoinMargined, 1, 0),
    ]))
}

/// Every frame as it may arrive: raw, and in a combined stream.
fn arrivals() -> impl Iterator<Item = (Market, String)> {
    FRAMES.iter().flat_map(|&(market, stream, payload)| {
        let symbol = if market == Market::CoinMargined { "btcusd_perp" } else { "btcusdt" };
        let wrapped = format!(r#"{{"stream":"{symbol}@{stream}","data":{payload}}}"#);
        [(market, payload.to_owned()), (market, wrapped)]
    })
}

/// Whether a template alone tells what `text` says.
fn fits(decoder: &mut Decoder, market: Market, text: &str) -> bool {
    let avx2 = Avx2::detect().expect("whoever asks has it");
    decoder.alike(avx2, &frame(market, None, text.as_bytes())).is_some()
}

/// Every frame as it may arrive, with a decoder that has learned of it; none where the processor has no templates.
fn lessons() -> impl Iterator<Item = (Decoder, Market, String)> {
    let all = Avx2::detect().map(|_| arrivals());
    all.into_iter().flatten().map(|(market, text)| (taught(market, &text), market, text))
}

/// A decoder that has learned of `text`.
fn taught(market: Market, text: &str) -> Decoder {
    let mut decoder = decoder();
    for _ in 0..2 {
        assert_eq!(check(&mut decoder, &frame(market, None, text.as_bytes())), Ok(true), "{text}");
    }
    assert!(fits(&mut decoder, market, text), "nothing was learned of {text}");
    decoder
}

#[test]
fn whatever_byte_is_changed_it_says_what_the_other_ways_say() {
    for (mut decoder, market, text) in lessons() {
        for at in 0..text.len() {
            for byte in *b"019:/\".,}]\\ tfAZaz@[`{\x00\x7f" {
                let mut changed = text.clone().into_bytes();
                changed[at] = byte;
                let changed = frame(market, None, &changed);
                assert!(check(&mut decoder, &changed).is_ok(), "{:?}", check(&mut decoder, &changed));
            }
            let cut = [&text.as_bytes()[..at], &text.as_bytes()[at + 1..]].concat();
            assert!(check(&mut decoder, &frame(market, None, &cut)).is_ok());
            let twice = [&text.as_bytes()[..=at], &text.as_bytes()[at..]].concat();
            assert!(check(&mut decoder, &frame(market, None, &twice)).is_ok());
        }
        // Nothing of that was worth learning, so it still knows what it knew.
        assert!(fits(&mut decoder, market, &text), "{text}");
    }
}

#[test]
fn quantities_may_have_any_number_of_digits_before_the_point() {
    for (mut decoder, market, text) in lessons().filter(|(.., text)| !text.contains("depth")) {
        let key = if text.contains("\"q\":\"") { ["\"q\":\"", "\"q\":\""] } else { ["\"B\":\"", "\"A\":\""] };
        for (first, second) in (0..64).map(|both| (both / 8, both % 8)) {
            let mut longer = text.clone();
            for (key, digits) in
                key.into_iter().zip([first, second]).take(if key[0] == key[1] { 1 } else { 2 })
            {
                longer = longer.replace(key, &format!("{key}{}", &"98765432"[..digits]));
            }
            assert_eq!(check(&mut decoder, &frame(market, None, longer.as_bytes())), Ok(true), "{longer}");
            let whole = longer.split(key[0]).nth(1).map_or(0, |rest| rest.find(['.', '"']).unwrap_or(0));
            let other = longer.split(key[1]).nth(1).map_or(0, |rest| rest.find(['.', '"']).unwrap_or(0));
            assert_eq!(fits(&mut decoder, market, &longer), whole.max(other) <= 7, "{longer}");
        }
    }
}

#[test]
fn digits_may_change_and_true_for_false() {
    for (mut decoder, market, text) in lessons() {
        for (from, to) in [("2", "7"), ("3", "9"), ("1", "1"), ("\"m\":true", "\"m\":false")] {
            // The stream's name and the symbols stay.
            let (head, event) = text.split_at(text.find("\"data\"").unwrap_or(0));
            let changed = format!("{head}{}", event.replace(from, to));
            assert_eq!(check(&mut decoder, &frame(market, None, changed.as_bytes())), Ok(true), "{changed}");
            assert!(fits(&mut decoder, market, &changed), "{changed}");
        }
    }
}

#[test]
fn what_lies_otherwise_is_learned_when_nothing_else_comes() {
    for (mut decoder, market, text) in lessons() {
        let changed = text.replace("\"u\":", "\"u\":1").replace("\"t\":", "\"t\":1");
        assert_ne!(changed, text);
        for round in 0..CREDIT {
            assert!(!fits(&mut decoder, market, &changed), "too soon: {changed} after {round}");
            assert!(decoder.decode(&frame(market, None, changed.as_bytes())).is_ok(), "{changed}");
        }
        assert!(fits(&mut decoder, market, &changed), "{changed}");
        assert!(!fits(&mut decoder, market, &text), "{text}");
    }
}
