//! Bytes as pairs of hexadecimal digits: binary frames, on tapes of lines.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

/// Appends `bytes` to `text`.
pub(super) fn write(bytes: &[u8], text: &mut Vec<u8>) {
    let at = text.len();
    text.resize(at + HEXLOWER.encode_len(bytes.len()), 0);
    HEXLOWER.encode_mut(bytes, &mut text[at..]);
}

/// Puts what `text` stands for in place of `bytes`; `false` where it is no pairs of digits.
pub(super) fn read(text: &[u8], bytes: &mut Vec<u8>) -> bool {
    let Ok(length) = HEXLOWER_PERMISSIVE.decode_len(text.len()) else { return false };
    bytes.resize(length, 0);
    HEXLOWER_PERMISSIVE.decode_mut(text, bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_reads_back_and_nothing_else_does(all: Vec<u8>, at: prop::sample::Index, other: u8) {
            let (mut text, mut back) = (Vec::new(), Vec::new());
            write(&all, &mut text);
            prop_assert!(read(&text, &mut back));
            prop_assert_eq!(&back, &all);
            prop_assert!(read(&text.to_ascii_uppercase(), &mut back));
            prop_assert_eq!(&back, &all);
            if !text.is_empty() {
                prop_assert!(!read(&text[1..], &mut back));
                let at = at.index(text.len());
                text[at] = other;
                prop_assert_eq!(read(&text, &mut back), other.is_ascii_hexdigit());
            }
        }
    }
}
