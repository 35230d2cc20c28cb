//! HTTP/1.1, as much as a REST API and an upgrade need.

use std::fmt::Write;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Most bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Most bytes of a body.
const BODY_BYTES_MAX: usize = 64 << 10;
/// Most headers.
const HEADERS_MAX: usize = 64;

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Its verb.
    pub verb: String,
    /// Its path, without the query.
    pub path: String,
    /// Its query, as sent.
    pub query: String,
    /// Its body, as sent.
    pub body: String,
    /// Whether the connection stays.
    pub keep_alive: bool,
    headers: Vec<(String, String)>,
}

impl Request {
    /// A header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The key of a WebSocket upgrade, if it is one.
    #[must_use]
    pub fn upgrade_key(&self) -> Option<&str> {
        let asks = self.header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
        if asks && self.verb == "GET" { self.header("sec-websocket-key") } else { None }
    }
}

/// Why no request was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The peer is gone.
    Gone,
    /// It is no HTTP, or too much of it: this status says so.
    Refused(u16),
}

/// The head of a request in `bytes`: the request and the lengths of head and body; `None` if it is not whole.
fn head(bytes: &[u8]) -> Result<Option<(Request, usize, usize)>, Unread> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() > HEAD_BYTES_MAX => return Err(Unread::Refused(431)),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Unread::Refused(431)),
        Err(_) => return Err(Unread::Refused(400)),
    };
    let target = parsed.path.unwrap_or_default();
    // Some clients name the whole address.
    let target = target.find("://").map_or(target, |at| {
        let rest = &target[at + 3..];
        rest.find('/').map_or("/", |slash| &rest[slash..])
    });
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let mut request = Request {
        verb: parsed.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: parsed.headers.iter().map(|h| (h.name.to_ascii_lowercase(), text(h.value))).collect(),
        ..Request::default()
    };
    let closes = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    request.keep_alive = parsed.version == Some(1) && !closes;
    if request.header("transfer-encoding").is_some() {
        return Err(Unread::Refused(411));
    }
    let body = match request.header("content-length") {
        None => 0,
        Some(text) => text.trim().parse().map_err(|_| Unread::Refused(400))?,
    };
    if body > BODY_BYTES_MAX {
        return Err(Unread::Refused(413));
    }
    Ok(Some((request, length, body)))
}

/// Reads the next request; `buffer` keeps what was read beyond it.
///
/// # Errors
/// When there is none.
pub async fn read<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> Result<Request, Unread> {
    loop {
        if let Some((mut request, head, body)) = head(buffer)?
            && buffer.len() >= head + body
        {
            let bytes = buffer[head..head + body].to_vec();
            request.body = String::from_utf8(bytes).map_err(|_| Unread::Refused(400))?;
            buffer.drain(..head + body);
            return Ok(request);
        }
        match stream.read_buf(buffer).await {
            Ok(0) | Err(_) => return Err(Unread::Gone),
            Ok(_) => {}
        }
    }
}

const fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        413 => "Payload Too Large",
        418 => "I'm a teapot",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Bad Request",
    }
}

/// The page for a path that leads nowhere: clients show it as it is.
pub const NOT_FOUND: &str =
    "<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1></body></html>";

/// A response.
#[must_use]
pub fn response(status: u16, content_type: &str, headers: &str, body: &str, keep_alive: bool) -> String {
    let mut out = String::with_capacity(256 + headers.len() + body.len());
    let connection = if keep_alive { "keep-alive" } else { "close" };
    // Writing to a string does not fail.
    let _ = write!(
        out,
        "HTTP/1.1 {status} {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: {connection}\r\n{headers}\r\n{body}",
        reason(status),
        body.len()
    );
    out
}

/// The response that turns a connection into a WebSocket.
#[must_use]
pub fn upgraded(key: &str) -> String {
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n",
        reason(101)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn one(bytes: &[u8]) -> Result<Request, Unread> {
        read(&mut &bytes[..], &mut Vec::new()).await
    }

    #[tokio::test]
    async fn requests_are_read_whole_or_refused() {
        let bytes = b"POST /api/v3/order?a=1%20 HTTP/1.1\r\nX-MBX-APIKEY: k\r\nContent-Length: 3\r\n\r\nb=2GET /x HTTP/1.0\r\n\r\n";
        let (mut stream, mut buffer) = (&bytes[..], Vec::new());
        let request = read(&mut stream, &mut buffer).await.expect("a request");
        assert_eq!((request.verb.as_str(), request.path.as_str()), ("POST", "/api/v3/order"));
        assert_eq!((request.query.as_str(), request.body.as_str()), ("a=1%20", "b=2"));
        assert_eq!((request.header("x-mbx-apikey"), request.keep_alive), (Some("k"), true));
        let request = read(&mut stream, &mut buffer).await.expect("the next");
        assert_eq!((request.path.as_str(), request.keep_alive), ("/x", false));
        assert_eq!(read(&mut stream, &mut buffer).await, Err(Unread::Gone));
        assert_eq!(one(b"\x16\x03\x01\r\n\r\n").await, Err(Unread::Refused(400)));
        assert_eq!(
            one(b"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n").await,
            Err(Unread::Refused(413))
        );
        assert_eq!(
            one(&[b"GET / HTTP/1.1\r\nX: ".as_slice(), &[b'a'; 20_000]].concat()).await,
            Err(Unread::Refused(431))
        );
        assert_eq!(one(b"GET / HTTP/1.1\r\nX: y").await, Err(Unread::Gone));
    }
}
