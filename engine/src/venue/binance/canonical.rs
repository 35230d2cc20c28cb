//! What a signature of a WebSocket API request covers: every parameter but the signature, sorted by name, as
//! `name=value` joined by `&`, in raw UTF-8 with numbers as they stand in the JSON (binance.md §5).

use std::fmt::Write;

use super::json::Cursor;
use super::number::malformed;
use super::{DecodeError, text};

/// The end of every request of ours: of its parameters and of itself.
const END: &[u8] = b"}}";

/// The payload to sign of `request`, one of ours without key and signature, sent with `api_key`.
///
/// # Errors
/// When it is not a request with plain parameters.
pub fn payload(request: &[u8], api_key: &str) -> Result<String, DecodeError> {
    let mut cursor = Cursor::new(request, 0);
    let outer = cursor.fields(&["params"])?;
    cursor.finish()?;
    let mut params = vec![("apiKey", api_key)];
    let mut inner = outer.need(0)?;
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| malformed(0));
    inner.object(|cursor, _| {
        // The key as it stands before its value: what `object` hands over may be a copy.
        let name = name_before(request, cursor.at).ok_or_else(|| malformed(cursor.at))?;
        let start = cursor.at;
        let value = if cursor.peek() == Some(b'"') {
            let value = cursor.string()?;
            if value.escaped {
                return Err(malformed(start));
            }
            value.raw
        } else {
            cursor.skip()?;
            &request[start..cursor.at]
        };
        params.push((text(name)?, text(value)?));
        Ok(())
    })?;
    params.sort_unstable();
    let mut out = String::with_capacity(request.len() + api_key.len());
    for (name, value) in params {
        if !out.is_empty() {
            out.push('&');
        }
        // Writing to a string cannot fail.
        let _ = write!(out, "{name}={value}");
    }
    Ok(out)
}

fn name_before(request: &[u8], value: usize) -> Option<&[u8]> {
    let head = request.get(..value)?;
    let end = head.iter().rposition(|byte| *byte == b'"')?;
    let start = head[..end].iter().rposition(|byte| *byte == b'"')? + 1;
    Some(&head[start..end])
}

/// Adds for how many milliseconds the venue may still take `request`, one of ours with parameters.
///
/// # Errors
/// When it does not end as ours do.
pub fn bound(request: &mut Vec<u8>, window_ms: u32) -> Result<(), DecodeError> {
    let body = request.strip_suffix(END).ok_or_else(|| malformed(request.len()))?;
    request.truncate(body.len());
    request.extend_from_slice(b",\"recvWindow\":");
    text::integer(request, window_ms);
    request.extend_from_slice(END);
    Ok(())
}

/// Adds key and signature to `request`, one of ours.
///
/// # Errors
/// When it does not end as ours do.
pub fn attach(request: &mut Vec<u8>, api_key: &str, signature: &str) -> Result<(), DecodeError> {
    let body = request.strip_suffix(END).ok_or_else(|| malformed(request.len()))?;
    let empty = body.last() == Some(&b'{');
    request.truncate(body.len());
    request.extend_from_slice(if empty { b"\"apiKey\":" } else { b",\"apiKey\":" });
    text::quoted(request, api_key);
    request.extend_from_slice(b",\"signature\":");
    text::quoted(request, signature);
    request.extend_from_slice(END);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_sorted_and_stand_as_they_are() {
        let request = r#"{"id":"x","method":"order.place","params":{"symbol":"１２３","side":"SELL","price":"0.10000000","recvWindow":100,"timestamp":1645423376532}}"#;
        let expected =
            "apiKey=K&price=0.10000000&recvWindow=100&side=SELL&symbol=１２３&timestamp=1645423376532";
        assert_eq!(payload(request.as_bytes(), "K").as_deref(), Ok(expected));
        let mut signed = request.as_bytes().to_vec();
        attach(&mut signed, "K", "S").expect("ours");
        let tail = r#"532,"apiKey":"K","signature":"S"}}"#;
        assert!(String::from_utf8(signed).expect("text").ends_with(tail));
    }

    #[test]
    fn a_window_is_a_parameter_like_the_others() {
        let mut request =
            br#"{"id":"x","method":"order.status","params":{"symbol":"A","timestamp":7}}"#.to_vec();
        bound(&mut request, 60_000).expect("ours");
        assert!(request.ends_with(br#""timestamp":7,"recvWindow":60000}}"#));
        assert_eq!(payload(&request, "K").as_deref(), Ok("apiKey=K&recvWindow=60000&symbol=A&timestamp=7"));
        assert!(bound(&mut b"{} ".to_vec(), 1).is_err());
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for bad in ["{}", "{\"params\":1}", "{\"params\":{\"a\":\"\\n\"}}", "x"] {
            assert!(payload(bad.as_bytes(), "K").is_err(), "{bad}");
        }
        assert!(attach(&mut b"{} ".to_vec(), "K", "S").is_err());
    }
}
