//! The grammar against `serde_json`.

use super::marks::Marking;
use super::*;
use crate::venue::binance::number::{Avx2, ByWords};
use proptest::prelude::*;

/// Whether the cursor takes all of `text` as one value.
fn takes(text: &[u8]) -> bool {
    let mut cursor = Cursor::new(text, 0);
    cursor.skip().and_then(|()| cursor.finish()).is_ok()
}

#[test]
fn takes_json_and_nothing_else() {
    let good = [
        r#"{}"#,
        r#" [ ] "#,
        r#"{"a":[1,-2.5e+7,{"b":null}],"c":"x\"\\\u00e9y","d":{"e":[[]]}}"#,
        "0",
        "-0.0",
        r#""这是测试币""#,
        "true",
        r#"[{},{},[],""]"#,
    ];
    for text in good {
        assert!(takes(text.as_bytes()), "{text}");
        for cut in 1..text.trim_end().len() {
            let part = &text.as_bytes()[..cut];
            assert_eq!(
                takes(part),
                serde_json::from_slice::<serde_json::Value>(part).is_ok(),
                "{text} at {cut}"
            );
        }
    }
    let bad = [
        "",
        "{",
        "}",
        "[1,]",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        "01",
        "1.",
        ".5",
        "1e",
        "+1",
        "tru",
        "nulll",
        r#""\x""#,
        r#""\u12g4""#,
        "\"\n\"",
        "[1 2]",
        r#"{"a":1]"#,
        "[1}",
        "1 2",
        "'a'",
        r#"{a:1}"#,
    ];
    for text in bad {
        assert!(!takes(text.as_bytes()), "{text}");
    }
    assert!(!takes(b"\"\xff\""), "not UTF-8");
    assert!(!takes(b"\"abcdefgh\xc3\""), "UTF-8 cut short");
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    assert!(takes(&nested(32)));
    assert!(!takes(&nested(33)));
    assert!(!takes(&vec![b'['; 1_000_000]));
}

#[test]
fn escapes_are_resolved() {
    let resolve = |text: &str| {
        let mut buffer = [0; TEXT_BYTES_MAX];
        let found = Cursor::new(text.as_bytes(), 0).string().ok()?;
        found.resolve(&mut buffer).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    assert_eq!(resolve(r#""\u8fd9\u662f456""#).as_deref(), Some("这是456"));
    assert_eq!(resolve(r#""\ud83d\ude00\/\n""#).as_deref(), Some("😀/\n"));
    assert_eq!(resolve(r#""\ud83dx""#), None);
    assert_eq!(resolve(r#""\ud83d""#), None);
    assert_eq!(resolve(&format!("\"\\u0041{}\"", "B".repeat(40))), None);
}

/// The fields that a compact walk takes from the start of `text` on, each with where the next one is.
fn walked(by: impl Marking, text: &[u8]) -> Vec<(u8, bool, bool, usize)> {
    let mut walk = Compact::new(by, text, 0);
    let mut found = Vec::new();
    while let Some(field) = walk.next() {
        walk.pass(&field);
        found.push((field.letter, field.quoted, field.last, walk.at()));
    }
    found
}

#[test]
fn a_compact_walk_takes_all_of_a_frame() {
    let text = r#""u":400900217,"s":"BNBUSDT","b":"25.35190000","m":false,"a":"25.36520000","A":"40.66000000","t":1,"x":"","M":true}"#;
    let found = walked(ByWords, text.as_bytes());
    let letters: String = found.iter().map(|&(letter, ..)| char::from(letter)).collect();
    assert_eq!(letters, if cfg!(target_arch = "x86_64") { "usbmaAtxM" } else { "" });
    assert!(found.last().is_none_or(|&(_, quoted, last, at)| !quoted && last && at == text.len()));
}

proptest! {
    #[test]
    fn a_compact_walk_takes_what_the_cursor_takes(
        text in r#"("([a-zA-Z1_]|[\\"é])":("[a-z0-9.,:}]{0,20}"|"[a-z"\\é]{0,70}"|0?[0-9]{1,18}|true|false|null|-1|1.5|tru|fals|"")[,}]){1,7}[ -~]{0,70}"#,
    ) {
        let text = text.as_bytes();
        let found = walked(ByWords, text);
        if let Some(avx2) = Avx2::detect() {
            #[cfg(target_arch = "x86_64")]
            prop_assert_eq!(&walked(avx2, text), &found);
            let _ = avx2;
        }
        let mut cursor = Cursor::new(text, 0);
        let mut buffer = [0; TEXT_BYTES_MAX];
        for (letter, quoted, last, behind) in found {
            prop_assert_eq!(cursor.next_key(&mut buffer), Ok(&[letter][..]));
            prop_assert_eq!(cursor.peek() == Some(b'"'), quoted);
            prop_assert_eq!(cursor.skip(), Ok(()));
            prop_assert_eq!(cursor.peek(), Some(if last { b'}' } else { b',' }));
            cursor.at += 1;
            prop_assert_eq!(cursor.at, behind);
        }
    }

    #[test]
    fn agrees_with_serde_json(text in r#"[\[\]{}",:0-9a-b\\u.e \-truefalsn]{0,24}"#) {
        let expected = serde_json::from_str::<serde_json::Value>(&text);
        // serde_json refuses lone surrogates and numbers beyond a double, which are JSON all the same.
        if expected.is_ok() || !(text.contains("\\u") || text.contains('e')) {
            prop_assert_eq!(takes(text.as_bytes()), expected.is_ok(), "{}", text);
        }
    }
}
