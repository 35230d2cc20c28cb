//! Feeds of several instruments, which share templates as far as their frames lie alike.

use super::super::Kind;
use super::super::slots::{CREDIT, SLOTS, Set, Slot};
use super::*;
use crate::venue::binance::MarketEvent;
use crate::venue::binance::decode::slot;

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

/// The slots of a market and kind, and what is known of them.
fn slots(decoder: &Decoder, market: Market, kind: Kind) -> (&[Slot], &Set) {
    let slots = &decoder.templates.slots;
    let set = &slots.sets[slot(market)][kind as usize];
    (&slots.slots[set.first..set.first + set.count], set)
}

/// Ways to lie that a book ticker of Spot has here: lengths of ids times lengths of symbols.
const WAYS: usize = 14 * 20;

/// A symbol for each way to lie.
fn long_and_short() -> Vec<String> {
    (0..WAYS).map(|n| format!("{}{n:03}T", "A".repeat(1 + n / 14))).collect()
}

/// A book ticker that lies as no other of these, the `n`-th.
fn way(symbols: &[String], n: usize) -> String {
    let (market, _, text) = FRAMES[0];
    of(&symbols[n], market, &text.replace("50093239212", &"93239212345678"[..1 + n % 14]))
}

#[test]
fn instruments_share_what_lies_alike() {
    let Some(_) = Avx2::detect() else { return };
    for (market, text) in arrivals() {
        for count in [2, 8, 20, 500] {
            let symbols = symbols(count);
            let mut decoder = decoder_of(market, &symbols);
            let mut learned = 0;
            for (round, symbol) in (0..3).flat_map(|round| symbols.iter().map(move |symbol| (round, symbol)))
            {
                let fitted = played(&mut decoder, market, &of(symbol, market, &text));
                assert!(fitted || round == 0, "round {round} of {symbol} among {count}: {text}");
                learned += usize::from(!fitted);
            }
            // Numbers of one to three digits, each with four endings, two of which are as long as others in places.
            assert!(learned <= 12, "{learned} of {count}: {text}");
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
    let symbols = symbols(SLOTS / 2);
    for wanted in [Market::Spot, Market::UsdMargined] {
        // One more that is never heard, so that there are as many slots as may be.
        let silent = (0..SLOTS).map(|n| format!("SILENT{n}"));
        let all: Vec<_> = symbols.iter().cloned().chain(silent).collect();
        let mut decoder = decoder_of(wanted, &all);
        for round in 0..3 {
            for symbol in &symbols {
                for (market, text) in arrivals().filter(|&(market, _)| market == wanted) {
                    let text = of(symbol, market, &text);
                    assert!(played(&mut decoder, market, &text) || round == 0, "round {round}: {text}");
                }
            }
        }
    }
}

#[test]
fn what_lies_in_as_many_ways_as_there_are_slots_has_a_template_each() {
    let Some(_) = Avx2::detect() else { return };
    let symbols = long_and_short();
    let mut decoder = decoder_of(Market::Spot, &symbols);
    for round in 0..3 {
        for n in 0..SLOTS {
            let text = way(&symbols, n);
            assert_eq!(played(&mut decoder, Market::Spot, &text), round > 0, "{text}");
        }
    }
}

#[test]
fn longer_quantities_hide_no_template_among_others() {
    let Some(_) = Avx2::detect() else { return };
    for (market, text) in arrivals().filter(|(_, text)| text.contains("\"B\"")) {
        let symbols = symbols(2);
        let mut decoder = decoder_of(market, &symbols);
        for (round, symbol) in (0..4).flat_map(|round| symbols.iter().map(move |symbol| (round, symbol))) {
            let longer = text.replace("\"B\":\"", &format!("\"B\":\"{}", &"987"[..round]));
            let text = of(symbol, market, &longer);
            // The other one's was asked last.
            assert_eq!(played(&mut decoder, market, &text), round > 0, "{text}");
        }
    }
}

#[test]
fn who_starts_as_another_does_is_told_from_it() {
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
        assert_eq!(fitted, [19, 20, 19], "{text}");
    }
}

#[test]
fn who_is_not_listed_fits_nothing() {
    let Some(_) = Avx2::detect() else { return };
    for (mut decoder, market, text) in lessons() {
        let other = if market == Market::CoinMargined { "BTCUSD_PARP" } else { "BTCUSDD" };
        let text = of(other, market, &text);
        assert!(!fits(&mut decoder, market, &text), "{text}");
        let told = decoder.decode(&frame(market, None, text.as_bytes()));
        assert!(matches!(told, Ok(MarketEvent::Skipped(_))), "{text}");
    }
}

#[test]
fn instruments_with_other_decimals_have_templates_of_their_own() {
    let Some(_) = Avx2::detect() else { return };
    for (market, text) in arrivals().filter(|&(market, _)| market == Market::Spot) {
        let scales = [(2, 5), (3, 5), (2, 6)];
        let symbols: Vec<_> = (0..30).map(|n| format!("S{n:02}USDT")).collect();
        let listed = symbols.iter().zip(scales.iter().cycle());
        let mut decoder = Decoder::new(instruments(
            listed.map(|(symbol, &(price, quantity))| instrument(symbol, market, price, quantity)).collect(),
        ));
        for round in 0..3 {
            for (place, symbol) in symbols.iter().enumerate() {
                let fitted = played(&mut decoder, market, &of(symbol, market, &text));
                assert_eq!(fitted, round > 0 || place >= scales.len(), "{symbol}: {text}");
            }
        }
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
            for byte in *b"0159aAzZ@_[`{/:\"," {
                let mut changed = text.clone().into_bytes();
                changed[at] = byte;
                let checked = check(&mut decoder, &frame(market, None, &changed));
                assert!(checked.is_ok(), "{checked:?}");
            }
        }
    }
}

/// How often something else is learned while `next` says which way the next frame lies, and how many frames fit.
fn learned(
    decoder: &mut Decoder,
    symbols: &[String],
    frames: usize,
    mut next: impl FnMut(usize) -> usize,
) -> (usize, usize) {
    let known = |decoder: &Decoder| slots(decoder, Market::Spot, Kind::BookTicker).1.marks;
    let (mut before, mut changes, mut fitting) = (known(decoder), 0, 0);
    for at in 0..frames {
        let text = way(symbols, next(at));
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
fn where_frames_lie_in_many_ways_little_is_learned() {
    let Some(_) = Avx2::detect() else { return };
    let symbols = long_and_short();
    for (count, seldom) in [(40, 10_000), (100, 1_000), (WAYS, 500)] {
        let mut draw = draws(7);
        let frames = 20_000;
        let mut decoder = decoder_of(Market::Spot, &symbols);
        let (changes, fitting) = learned(&mut decoder, &symbols, frames, |_| draw(count));
        assert!(changes <= SLOTS + frames / seldom, "{changes} times among {count}");
        assert!(fitting >= frames * SLOTS / count * 8 / 10, "{fitting} of {frames} fit among {count}");
    }
    // One after the other, those that were first stay.
    let mut decoder = decoder_of(Market::Spot, &symbols);
    let (changes, fitting) = learned(&mut decoder, &symbols, 4_000, |at| at % 40);
    assert_eq!((changes, fitting), (SLOTS, 99 * SLOTS));
}

#[test]
fn what_is_heard_no_more_gives_way_to_what_is() {
    let Some(_) = Avx2::detect() else { return };
    let symbols = long_and_short();
    let mut decoder = decoder_of(Market::Spot, &symbols);
    learned(&mut decoder, &symbols, SLOTS, |at| at);
    let long = SLOTS * CREDIT as usize;
    let (changes, fitting) = learned(&mut decoder, &symbols, long + 100, |at| SLOTS + at / 2 % 2);
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
            slots(decoder, market, Kind::Trade).0.iter().map(|slot| slot.credit).collect()
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
