//! Feeds of several instruments, each of which has a template, as far as there are some.

use std::collections::BTreeMap;

use super::super::Kind;
use super::super::slots::{CREDIT, Slot, tag};
use super::*;
use crate::domain::InstrumentIndex;
use crate::venue::binance::MarketEvent;
use crate::venue::binance::decode::slot;
use crate::venue::binance::number::TAGS;

/// Symbols of many lengths; all start otherwise.
fn symbols(count: usize) -> Vec<String> {
    let longer = ["", "X", "1000", "ALONGNAME"];
    (0..count).map(|n| format!("{n}{}USDT", longer[n % longer.len()])).collect()
}

fn decoder_of(market: Market, symbols: &[String]) -> Decoder {
    let (price, quantity) = if market == Market::CoinMargined { (1, 0) } else { (2, 3) };
    let scale = if market == Market::Spot { 5 } else { quantity };
    Decoder::new(instruments(symbols.iter().map(|symbol| instrument(symbol, market, price, scale)).collect()))
}

/// A frame of `symbol`, from one of another symbol.
fn of(symbol: &str, market: Market, text: &str) -> String {
    let name = if market == Market::CoinMargined { "BTCUSD_PERP" } else { "BTCUSDT" };
    text.replace(name, symbol).replace(&name.to_lowercase(), &symbol.to_lowercase())
}

/// Decodes `text` and checks it; whether it fitted.
fn played(decoder: &mut Decoder, market: Market, text: &str) -> bool {
    let frame = frame(market, None, text.as_bytes());
    let fitted = fits(decoder, market, text);
    let told = decoder.decode(&frame).map(|event| format!("{event:?}"));
    let straight = decoder.straight(&frame).map(|event| decoder.lend(event));
    assert_eq!(told.ok(), straight.map(|event| format!("{event:?}")), "{text}");
    fitted
}

/// Draws by a linear congruence.
fn draws(mut state: u64) -> impl FnMut(usize) -> usize {
    move |bound| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    }
}

/// The slots of a market and kind.
fn slots(decoder: &Decoder, market: Market, kind: Kind) -> &[Slot] {
    let slots = &decoder.templates.slots;
    let set = &slots.sets[slot(market)][kind as usize];
    &slots.slots[set.first..set.first + set.count]
}

#[test]
fn each_of_several_instruments_has_its_template() {
    let Some(_) = Avx2::detect() else { return };
    for (market, text) in arrivals() {
        for count in [2, 8, 20, TAGS] {
            let symbols = symbols(count);
            let mut decoder = decoder_of(market, &symbols);
            for round in 0..4 {
                for symbol in &symbols {
                    let fitted = played(&mut decoder, market, &of(symbol, market, &text));
                    assert_eq!(fitted, round > 0, "round {round} of {symbol} among {count}: {text}");
                }
            }
            let mut draw = draws(count as u64);
            for _ in 0..100 {
                let symbol = &symbols[draw(count)];
                assert!(played(&mut decoder, market, &of(symbol, market, &text)), "{symbol} among {count}");
            }
        }
    }
}

#[test]
fn kinds_and_ways_to_arrive_may_come_all_together() {
    let Some(_) = Avx2::detect() else { return };
    // Each instrument comes raw and in a combined stream, so that half as many have a place.
    let symbols = symbols(TAGS / 2);
    for wanted in [Market::Spot, Market::UsdMargined] {
        // One more that is never heard, so that there are as many slots as may be.
        let silent = (0..TAGS).map(|n| format!("SILENT{n}"));
        let all: Vec<_> = symbols.iter().cloned().chain(silent).collect();
        let mut decoder = decoder_of(wanted, &all);
        for round in 0..3 {
            for symbol in &symbols {
                for (market, text) in arrivals().filter(|&(market, _)| market == wanted) {
                    let text = of(symbol, market, &text);
                    assert_eq!(played(&mut decoder, market, &text), round > 0, "round {round}: {text}");
                }
            }
        }
    }
}

#[test]
fn ids_of_other_lengths_do_not_move_a_symbol_out_of_sight() {
    let Some(_) = Avx2::detect() else { return };
    let (market, _, text) = FRAMES[0];
    let symbols = symbols(20);
    let mut decoder = decoder_of(market, &symbols);
    for round in 0..3 {
        for (place, symbol) in symbols.iter().enumerate() {
            let id = &"93239212345678"[..1 + place % 14];
            let text = of(symbol, market, &text.replace("50093239212", id));
            assert_eq!(played(&mut decoder, market, &text), round > 0, "{text}");
        }
    }
}

#[test]
fn who_starts_as_another_does_never_has_its_template() {
    let Some(_) = Avx2::detect() else { return };
    let alike = ["BTCUSDTX_250627", "BTCUSDTX_250926", "BTCUSDTX_25092"].map(String::from);
    for (market, text) in arrivals() {
        let mut decoder = decoder_of(market, &alike);
        let mut fitted = [0; 3];
        for _ in 0..20 {
            for (place, symbol) in alike.iter().enumerate() {
                // `played` compares the instrument too.
                fitted[place] += u32::from(played(&mut decoder, market, &of(symbol, market, &text)));
            }
        }
        assert_eq!(fitted, [19, 0, 0], "the first keeps it: {text}");
    }
}

#[test]
fn who_has_the_tag_of_another_never_has_its_template() {
    let Some(_) = Avx2::detect() else { return };
    let (market, _, text) = FRAMES[0];
    let mut seen = BTreeMap::new();
    let [one, two] = (0..10_000_000)
        .find_map(|n| {
            let symbol = format!("N{n:07}USDT");
            let key = u64::from_le_bytes(*symbol.as_bytes().first_chunk().expect("it is longer"));
            let other = seen.insert(tag(key), symbol.clone())?;
            Some([other, symbol])
        })
        .expect("there are fewer tags than symbols");
    let mut decoder = decoder_of(market, &[one.clone(), two.clone()]);
    for round in 0..10 {
        assert_eq!(played(&mut decoder, market, &of(&one, market, text)), round > 0, "{one}");
        assert!(!played(&mut decoder, market, &of(&two, market, text)), "{two}");
    }
}

#[test]
fn whatever_byte_is_changed_among_many_it_says_what_the_other_ways_say() {
    let Some(_) = Avx2::detect() else { return };
    // A changed digit makes one symbol another that is known too.
    let symbols: Vec<_> = (0..10).map(|n| format!("A{n}USDT")).collect();
    for (market, text) in arrivals() {
        let mut decoder = decoder_of(market, &symbols);
        for symbol in symbols.iter().chain(&symbols) {
            played(&mut decoder, market, &of(symbol, market, &text));
        }
        let text = of(&symbols[4], market, &text);
        for at in 0..text.len() {
            for byte in *b"0159a\"," {
                let mut changed = text.clone().into_bytes();
                changed[at] = byte;
                let checked = check(&mut decoder, &frame(market, None, &changed));
                assert!(checked.is_ok(), "{checked:?}");
            }
        }
    }
}

/// How often something else is learned while `next` says whose book ticker comes, and how many frames fit.
fn learned(decoder: &mut Decoder, frames: usize, mut next: impl FnMut(usize) -> String) -> (usize, usize) {
    let known = |decoder: &Decoder| -> Vec<InstrumentIndex> {
        slots(decoder, Market::Spot, Kind::BookTicker).iter().map(|slot| slot.template.instrument).collect()
    };
    let (mut before, mut changes, mut fitting) = (known(decoder), 0, 0);
    for at in 0..frames {
        let text = of(&next(at), Market::Spot, FRAMES[0].2);
        fitting += usize::from(fits(decoder, Market::Spot, &text));
        let event = decoder.decode(&frame(Market::Spot, None, text.as_bytes()));
        assert!(matches!(event, Ok(MarketEvent::BookTicker { .. })), "{text}");
        let now = known(decoder);
        changes += now.iter().zip(&before).filter(|(now, before)| now != before).count();
        before = now;
    }
    (changes, fitting)
}

#[test]
fn among_many_instruments_little_is_learned() {
    let Some(_) = Avx2::detect() else { return };
    for (count, seldom) in [(40, 10_000), (100, 1_000), (1_000, 500)] {
        let symbols = symbols(count);
        let mut draw = draws(7);
        let frames = 20_000;
        let mut decoder = decoder_of(Market::Spot, &symbols);
        let (changes, fitting) = learned(&mut decoder, frames, |_| symbols[draw(count)].clone());
        assert!(changes <= TAGS + frames / seldom, "{changes} times among {count}");
        assert!(fitting >= frames * TAGS / count * 8 / 10, "{fitting} of {frames} fit among {count}");
    }
    // One after the other, those that were first stay.
    let symbols = symbols(40);
    let (changes, fitting) =
        learned(&mut decoder_of(Market::Spot, &symbols), 4_000, |at| symbols[at % 40].clone());
    assert_eq!((changes, fitting), (TAGS - 1, 99 * TAGS), "the first instrument is also nothing's");
}

#[test]
fn who_is_heard_no_more_gives_way_to_who_is() {
    let Some(_) = Avx2::detect() else { return };
    let symbols = symbols(TAGS + 2);
    let mut decoder = decoder_of(Market::Spot, &symbols);
    learned(&mut decoder, TAGS, |at| symbols[at].clone());
    let long = TAGS * CREDIT as usize;
    let (changes, fitting) = learned(&mut decoder, long + 100, |at| symbols[TAGS + at / 2 % 2].clone());
    assert_eq!(changes, 2);
    assert!((50..=200).contains(&fitting), "{fitting}");
}

#[test]
fn what_cannot_be_learned_is_seldom_tried() {
    let Some(_) = Avx2::detect() else { return };
    let (market, _, text) = FRAMES[4];
    let text = text.replace("MARKET", "A_WORD_THAT_IS_LONGER_THAN_A_LANE");
    for count in [1, 20] {
        let mut decoder = decoder_of(market, &symbols(count));
        let text = of("0USDT", market, &text);
        let credit = |decoder: &Decoder| -> Vec<u32> {
            slots(decoder, market, Kind::Trade).iter().map(|slot| slot.credit).collect()
        };
        let (mut before, mut tried, frames) = (credit(&decoder), 0, 3_200);
        for _ in 0..frames {
            assert!(!played(&mut decoder, market, &text));
            let now = credit(&decoder);
            tried += now.iter().zip(&before).filter(|(now, before)| now > before).count();
            before = now;
        }
        assert!(tried <= count + frames / CREDIT as usize, "{tried} among {count}");
    }
}
