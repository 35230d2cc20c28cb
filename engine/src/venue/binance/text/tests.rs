//! Text against the types' own ways to show themselves.

use super::*;
use crate::domain::{Decimal, Scale, SourceId};
use proptest::prelude::*;

fn in_vector(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

/// What is written, the same on a page and behind it.
macro_rules! written {
    ($write:expr) => {{
        let (text, mut behind) = (in_vector($write), b"kept".to_vec());
        page::<512>(&mut behind, $write);
        assert_eq!(behind, [b"kept", text.as_slice()].concat());
        String::from_utf8(text).expect("text")
    }};
}

#[test]
fn decimals_are_padded_on_request() {
    assert_eq!(written!(|out| decimal(out, 150_000_000, 8, 0)), "1.5");
    assert_eq!(written!(|out| decimal(out, 150_000_000, 8, 8)), "1.50000000");
    assert_eq!(written!(|out| decimal(out, -5, 3, 8)), "-0.00500000");
    assert_eq!(written!(|out| decimal(out, 0, 8, 0)), "0");
    assert_eq!(written!(|out| decimal(out, 7, 0, 8)), "7.00000000");
    for time in [0, -1, 999_999_999_999, 1_000_000_000_000, 1_723_161_600_007, 9_999_999_999_999, i64::MAX] {
        assert_eq!(written!(|out| milliseconds(out, time)), time.to_string());
    }
    assert_eq!(written!(|out| decimal(out, i128::MIN, 36, 0)), "-170.141183460469231731687303715884105728");
    assert_eq!(written!(|out| quoted(out, "a\"\\\n币")), "\"a\\\"\\\\\\u000a币\"");
}

#[test]
fn names_of_every_length_are_copied_whole() {
    for length in 0..=40 {
        let name = &"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[..length];
        assert_eq!(written!(|out| quoted(out, name)), format!("\"{name}\""));
        assert_eq!(written!(|out| symbol(out, &Symbol::new(name).expect("it fits"))), name);
    }
}

#[test]
fn what_cannot_stand_in_a_string_is_found_wherever_it_is() {
    for length in 1..24 {
        for at in 0..length {
            for special in ['"', '\\', '\0', '\u{1f}', ' ', '!', '#', '[', ']', '\u{7f}', 'é'] {
                let text: String = (0..length).map(|n| if n == at { special } else { 'a' }).collect();
                let shown = written!(|out| quoted(out, &text));
                let listed = Symbol::new(&text).expect("it fits");
                assert_eq!(written!(|out| symbol(out, &listed)), shown[1..shown.len() - 1]);
                assert_eq!(serde_json::from_str::<String>(&shown).ok(), Some(text), "{shown}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "out of range")]
fn no_more_is_written_than_there_is_room_for() {
    page::<16>(&mut Vec::new(), |out| (0..3).for_each(|_| out.put(b"12345678", 7)));
}

proptest! {
    #[test]
    fn agrees_with_the_domain(value: i128, cut in 0_u32..128, scale in 0_u8..=18, at_least in 0_u8..12) {
        let scale = Scale::new(scale).expect("a valid scale");
        // Numbers of every length: those of up to sixteen digits are written in a way of their own.
        for value in [value, value >> cut, (value >> cut) / 1_000_i128 * 1_000] {
            let shown = Decimal::new(value, scale).to_string();
            prop_assert_eq!(written!(|out| decimal(out, value, scale.digits(), 0)), shown.as_str());
            let point = if shown.contains('.') { "" } else { "." };
            let decimals = shown.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            let padded = format!("{shown}{point}{}", "0".repeat(usize::from(at_least).saturating_sub(decimals)));
            let padded = if at_least > 0 { padded } else { shown };
            prop_assert_eq!(written!(|out| decimal(out, value, scale.digits(), at_least)), padded);
            prop_assert_eq!(written!(|out| integer(out, value)), value.to_string());
        }
    }

    #[test]
    fn order_ids_are_written_as_they_show(parts: (u32, u16, u16), sequence: u64, cut in 0..64, short: bool) {
        // Nearly all ids have parts of one digit.
        let most = if short { 16 } else { u32::MAX };
        let (epoch, source, source_epoch) = parts;
        let [source, source_epoch] = [source, source_epoch].map(|part| part % most.min(u32::from(u16::MAX)) as u16);
        let (epoch, source, sequence) = (epoch % most, SourceId(source), sequence >> cut);
        let id = OrderId { epoch, source, source_epoch, sequence };
        prop_assert_eq!(written!(|out| IdText::of(id).write(out, b't')), id.to_string());
    }
}
