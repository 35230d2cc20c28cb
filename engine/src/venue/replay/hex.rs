//! Bytes as pairs of hexadecimal digits: binary frames, on tapes of lines.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Appends `bytes` to `text`.
pub(super) fn write(bytes: &[u8], text: &mut Vec<u8>) {
    for byte in bytes {
        text.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// Puts what `text` stands for in place of `bytes`; `false` where it is no pairs of digits.
pub(super) fn read(text: &[u8], bytes: &mut Vec<u8>) -> bool {
    bytes.clear();
    let (pairs, rest) = text.as_chunks::<2>();
    for &pair in pairs {
        let [Some(high), Some(low)] = pair.map(digit) else { return false };
        bytes.push(high << 4 | low);
    }
    rest.is_empty()
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
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
