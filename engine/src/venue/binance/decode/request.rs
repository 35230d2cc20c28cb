//! What a REST answer answers: the path and the symbol of its URL.

use crate::venue::binance::json::TEXT_BYTES_MAX;

/// The `symbol` parameter of a depth request's URL, percent-decoding done; `Some(None)` where it has none that could
/// be a symbol, `None` when the URL asks for something else.
pub(super) fn depth_symbol<'b>(url: &str, buffer: &'b mut [u8; TEXT_BYTES_MAX]) -> Option<Option<&'b [u8]>> {
    // A tape notes " (inferred)" behind a URL that its recorder did not store.
    let url = url.split([' ', '#']).next()?;
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    if !path.ends_with("/depth") {
        return None;
    }
    let symbol = query.split('&').find_map(|parameter| parameter.strip_prefix("symbol="));
    Some(symbol.and_then(|text| percent_decoded(text.as_bytes(), buffer)))
}

fn percent_decoded<'b>(text: &[u8], buffer: &'b mut [u8; TEXT_BYTES_MAX]) -> Option<&'b [u8]> {
    let mut length = 0;
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        let (byte, behind) = match (byte, behind) {
            (b'%', [high, low, behind @ ..]) => {
                let digit =
                    |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                (digit(*high)? << 4 | digit(*low)?, behind)
            }
            (b'%', _) => return None,
            plain => plain,
        };
        *buffer.get_mut(length)? = byte;
        length += 1;
        rest = behind;
    }
    Some(&buffer[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_symbol_of_a_depth_request() {
        let read = |url: &str| {
            let mut buffer = [0; TEXT_BYTES_MAX];
            depth_symbol(url, &mut buffer).map(|symbol| symbol.map(<[u8]>::to_vec))
        };
        let found = |symbol: &str| Some(Some(symbol.as_bytes().to_vec()));
        assert_eq!(read("https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000"), found("BTCUSDT"));
        assert_eq!(
            read("https://x/dapi/v1/depth?limit=5&symbol=BTCUSD_PERP (inferred)"),
            found("BTCUSD_PERP")
        );
        assert_eq!(read("/api/v3/depth?symbol=%E5%B8%81USDT"), found("币USDT"));
        assert_eq!(read("/api/v3/depth?limit=5"), Some(None));
        assert_eq!(read("/api/v3/depth?symbol=%E5%B"), Some(None));
        assert_eq!(read("/api/v3/depth?symbol=%zz"), Some(None));
        assert_eq!(read(&format!("/api/v3/depth?symbol={}", "A".repeat(41))), Some(None));
        assert_eq!(read("https://api.binance.com/api/v3/exchangeInfo"), None);
        assert_eq!(read("https://api.binance.com/api/v3/klines?symbol=BTCUSDT&path=/depth"), None);
    }
}
