//! The grammar against `serde_json`.

use super::*;
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

proptest! {
    #[test]
    fn agrees_with_serde_json(text in r#"[\[\]{}",:0-9a-b\\u.e \-truefalsn]{0,24}"#) {
        let expected = serde_json::from_str::<serde_json::Value>(&text);
        // serde_json refuses lone surrogates and numbers beyond a double, which are JSON all the same.
        if expected.is_ok() || !(text.contains("\\u") || text.contains('e')) {
            prop_assert_eq!(takes(text.as_bytes()), expected.is_ok(), "{}", text);
        }
    }
}
