//! An HTTP/1.1 client that never blocks: one connection, kept alive, one request at a time, the others in a queue.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use engine::domain::Nanos;
use engine::limits::FRAME_BYTES_MAX;

use crate::transport::SendError;
use crate::transport::reactor::Reactor;
use crate::transport::stream::{Dial, Stream};
use crate::transport::tls::TlsTrust;
use crate::transport::url::Url;

/// Most requests that wait.
const QUEUE_MAX: usize = 256;
/// Most header lines of an answer, and bytes before its body.
const HEADERS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Bytes read at a time.
const READ_BYTES: usize = 64 << 10;

/// A request that waits or is under way.
#[derive(Debug)]
struct Request {
    tag: u64,
    bytes: Vec<u8>,
    /// Until when it may begin to leave.
    leave_by: Nanos,
    /// Where nothing is known of its outcome: it must not be sent twice.
    sent: usize,
}

/// An answer, or the word that there is none.
#[derive(Debug)]
pub struct HttpResponse<'a> {
    /// What the request was tagged with.
    pub tag: u64,
    /// Status, such as 200.
    pub status: u16,
    /// Header lines.
    pub headers: &'a [(String, String)],
    /// Body.
    pub body: &'a [u8],
    /// When the request began to leave.
    pub left: Nanos,
}

impl HttpResponse<'_> {
    /// The value of the header called `name`, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// What one look at the client gave.
#[derive(Debug, PartialEq, Eq)]
pub enum HttpEvent {
    /// Nothing now.
    Idle,
    /// An answer was handed over.
    Answered,
    /// The request with this tag got no answer, and why; its outcome is unknown if any of it had left.
    Failed {
        /// What the request was tagged with.
        tag: u64,
        /// Whether some of it may have reached the server.
        maybe_sent: bool,
        /// Why there is no answer.
        reason: String,
    },
}

/// The client of one server.
#[derive(Debug)]
pub struct HttpClient {
    url: Url,
    trust: TlsTrust,
    answer_limit: Nanos,
    line: Line,
    queue: VecDeque<Request>,
    asked: Nanos,
    /// When the first request began to leave, if it has.
    left: Nanos,
    buffer: Vec<u8>,
}

#[derive(Debug)]
enum Line {
    Down,
    Dialling(Dial),
    Up(Stream),
}

/// A header and body, cut out of what was read.
struct Parsed {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    consumed: usize,
    keep_alive: bool,
}

impl HttpClient {
    /// A client of the server of `url`. A request without an answer for `answer_limit` fails.
    #[must_use]
    pub const fn new(url: Url, trust: TlsTrust, answer_limit: Nanos) -> Self {
        Self {
            url,
            trust,
            answer_limit,
            line: Line::Down,
            queue: VecDeque::new(),
            asked: Nanos::ZERO,
            left: Nanos::ZERO,
            buffer: Vec::new(),
        }
    }

    /// The server.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Requests without an answer yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// Forgets every request, and leaves the connection that one of them may be on.
    pub fn abandon(&mut self, reactor: &mut Reactor) {
        self.queue.clear();
        self.hang_up(reactor);
    }

    /// Forgets every request of which nothing has left. What is under way, one at most, stays.
    pub fn forget_unsent(&mut self) {
        self.queue.retain(|request| request.sent > 0);
    }

    /// Queues a request; its answer comes from [`poll`](Self::poll) with the same `tag`.
    ///
    /// # Errors
    /// When too many wait: it was not taken.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        tag: u64,
        now: Nanos,
    ) -> Result<(), SendError> {
        self.request_by(Nanos::NEVER, (method, path), headers, tag, now)
    }

    /// The same of a request that is of no use later: one that has not begun to leave by `leave_by` fails, unsent.
    ///
    /// # Errors
    /// When too many wait: it was not taken.
    pub fn request_by(
        &mut self,
        leave_by: Nanos,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        tag: u64,
        now: Nanos,
    ) -> Result<(), SendError> {
        if self.queue.len() >= QUEUE_MAX {
            return Err(SendError::NotSent);
        }
        let target = self.url.join(path).path;
        let mut text = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.url.authority());
        for (name, value) in headers {
            text.push_str(name);
            text.push_str(": ");
            text.push_str(value);
            text.push_str("\r\n");
        }
        if method != "GET" {
            text.push_str("Content-Length: 0\r\n");
        }
        text.push_str("\r\n");
        if self.queue.is_empty() {
            self.asked = now;
        }
        self.queue.push_back(Request { tag, bytes: text.into_bytes(), leave_by, sent: 0 });
        Ok(())
    }

    /// Takes one step.
    pub fn poll(
        &mut self,
        reactor: &mut Reactor,
        now: Nanos,
        on_answer: &mut dyn FnMut(&HttpResponse<'_>),
    ) -> HttpEvent {
        let Some(first) = self.queue.front() else {
            return HttpEvent::Idle;
        };
        if first.sent == 0 && now > first.leave_by {
            return self.withdraw(now);
        }
        if now - self.asked > self.answer_limit {
            return self.fail(reactor, now, "no answer in time".to_owned());
        }
        if matches!(self.line, Line::Down) {
            debug_assert_eq!(first.sent, 0);
            match Dial::start(&self.url, &self.trust) {
                Ok(dial) => self.line = Line::Dialling(dial),
                Err(error) => return self.fail(reactor, now, error.to_string()),
            }
        }
        if let Line::Dialling(dial) = &mut self.line {
            match dial.poll(reactor) {
                Ok(None) => return HttpEvent::Idle,
                Ok(Some(stream)) => {
                    self.buffer.clear();
                    self.line = Line::Up(stream);
                }
                Err(error) => return self.fail(reactor, now, error),
            }
        }
        match self.exchange(reactor, now) {
            Ok(None) => HttpEvent::Idle,
            Ok(Some(parsed)) => self.answered(&parsed, reactor, now, on_answer),
            Err(reason) => self.lost(reactor, now, reason),
        }
    }

    /// Writes what is left of the first request and reads what there is of its answer.
    fn exchange(&mut self, reactor: &mut Reactor, now: Nanos) -> Result<Option<Parsed>, String> {
        let (Line::Up(stream), Some(request)) = (&mut self.line, self.queue.front_mut()) else {
            return Ok(None);
        };
        if request.sent == 0 && stream.is_ready(reactor) && has_ended(stream) {
            return Err("closed by the server between requests".to_owned());
        }
        if request.sent == 0 {
            self.left = now;
        }
        while request.sent < request.bytes.len() {
            match stream.write(&request.bytes[request.sent..]) {
                Ok(0) => return Err("the connection takes nothing".to_owned()),
                Ok(count) => request.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.to_string()),
            }
        }
        // TLS holds back what it has encrypted until it is flushed.
        match stream.flush() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error.to_string()),
            _ => {}
        }
        if !stream.is_ready(reactor) {
            return Ok(None);
        }
        let mut chunk = vec![0; READ_BYTES];
        loop {
            match stream.read(&mut chunk) {
                Ok(0) => {
                    return parse(&self.buffer, true)?
                        .map_or(Err("closed by the server".to_owned()), |p| Ok(Some(p)));
                }
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    stream.blocked(reactor);
                    return parse(&self.buffer, false);
                }
                // An answer that is whole is one, however the connection ends behind it.
                Err(error) => {
                    let whole = parse(&self.buffer, false)?.ok_or(error.to_string())?;
                    return Ok(Some(Parsed { keep_alive: false, ..whole }));
                }
            }
            if self.buffer.len() > FRAME_BYTES_MAX + HEAD_BYTES_MAX {
                return Err("the answer is too long".to_owned());
            }
        }
    }

    fn answered(
        &mut self,
        parsed: &Parsed,
        reactor: &mut Reactor,
        now: Nanos,
        on_answer: &mut dyn FnMut(&HttpResponse<'_>),
    ) -> HttpEvent {
        let Some(request) = self.queue.pop_front() else { return HttpEvent::Idle };
        self.asked = now;
        self.buffer.drain(..parsed.consumed);
        // What stands behind the answer was not asked for: the next request would take it for its own.
        if !parsed.keep_alive || !self.buffer.is_empty() {
            self.hang_up(reactor);
        }
        on_answer(&HttpResponse {
            tag: request.tag,
            status: parsed.status,
            headers: &parsed.headers,
            body: &parsed.body,
            left: self.left,
        });
        HttpEvent::Answered
    }

    /// The connection broke. A request of which nothing left is tried on a new one.
    fn lost(&mut self, reactor: &mut Reactor, now: Nanos, reason: String) -> HttpEvent {
        if self.queue.front().is_some_and(|request| request.sent == 0) {
            self.hang_up(reactor);
            return HttpEvent::Idle;
        }
        self.fail(reactor, now, reason)
    }

    /// Gives up a request of which nothing has left, and keeps the connection for the next.
    fn withdraw(&mut self, now: Nanos) -> HttpEvent {
        self.asked = now;
        self.queue.pop_front().map_or(HttpEvent::Idle, |request| HttpEvent::Failed {
            tag: request.tag,
            maybe_sent: false,
            reason: "it could not leave in time".to_owned(),
        })
    }

    fn fail(&mut self, reactor: &mut Reactor, now: Nanos, reason: String) -> HttpEvent {
        self.hang_up(reactor);
        self.asked = now;
        self.queue.pop_front().map_or(HttpEvent::Idle, |request| HttpEvent::Failed {
            tag: request.tag,
            maybe_sent: request.sent > 0,
            reason,
        })
    }

    fn hang_up(&mut self, reactor: &mut Reactor) {
        if let Line::Up(stream) = &mut self.line {
            stream.leave(reactor);
        }
        self.line = Line::Down;
        self.buffer.clear();
    }
}

/// Whether the server has closed a connection on which nothing is asked, or says on it what nobody asked for: a request on
/// it would be lost, and nobody would know whether it arrived.
fn has_ended(stream: &mut Stream) -> bool {
    let outcome = stream.read(&mut [0; 1]);
    !matches!(outcome, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// An answer that is complete in `bytes`; `None` while more must come. `ended` says that nothing more comes.
fn parse(bytes: &[u8], ended: bool) -> Result<Option<Parsed>, String> {
    let mut lines = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut lines);
    let start = match head.parse(bytes).map_err(|error| error.to_string())? {
        httparse::Status::Partial if bytes.len() > HEAD_BYTES_MAX => {
            return Err("the header is too long".to_owned());
        }
        httparse::Status::Partial => return Ok(None),
        httparse::Status::Complete(start) => start,
    };
    let mut headers = Vec::with_capacity(head.headers.len());
    for line in head.headers.iter() {
        headers.push((line.name.to_owned(), String::from_utf8_lossy(line.value).into_owned()));
    }
    let value = |name: &str| {
        headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    };
    let status = head.code.ok_or("the answer has no status")?;
    let keep_alive = !value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) && !ended;
    let rest = &bytes[start..];
    let (body, length) =
        if value("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            match unchunk(rest)? {
                Some(found) => found,
                None => return Ok(None),
            }
        } else if let Some(length) = value("content-length") {
            let length: usize = length.trim().parse().map_err(|_| format!("content-length {length:?}"))?;
            if length > FRAME_BYTES_MAX {
                return Err(format!("an answer of {length} bytes is too long"));
            }
            match rest.get(..length) {
                Some(body) => (body.to_vec(), length),
                None => return Ok(None),
            }
        } else if ended {
            (rest.to_vec(), rest.len())
        } else {
            return Ok(None);
        };
    Ok(Some(Parsed { status, headers, body, consumed: start + length, keep_alive }))
}

/// Joins the chunks of a body; `None` while more must come. Also gives how many bytes they took.
fn unchunk(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, String> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let (line, size) =
            match httparse::parse_chunk_size(&bytes[at..]).map_err(|_| "a chunk has no size")? {
                httparse::Status::Partial => return Ok(None),
                httparse::Status::Complete(found) => found,
            };
        let size = usize::try_from(size).ok().filter(|size| body.len() + size <= FRAME_BYTES_MAX);
        let size = size.ok_or("the answer is too long")?;
        at += line;
        let Some(chunk) = bytes.get(at..at + size + 2) else { return Ok(None) };
        if &chunk[size..] != b"\r\n" {
            return Err("a chunk has no end".to_owned());
        }
        body.extend_from_slice(&chunk[..size]);
        at += size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Option<(u16, String, usize)> {
        let parsed = parse(text.as_bytes(), false).expect("no error")?;
        Some((parsed.status, String::from_utf8(parsed.body).expect("text"), parsed.consumed))
    }

    #[test]
    fn answers_are_complete_or_waited_for_at_every_cut() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        ] {
            for cut in 0..text.len() {
                assert_eq!(whole(&text[..cut]), None, "{cut}");
            }
            assert_eq!(whole(text), Some((200, "hello".to_owned(), text.len())));
            let more = format!("{text}HTTP/1.1 500");
            assert_eq!(whole(&more), Some((200, "hello".to_owned(), text.len())));
        }
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for bad in [
            "HELLO\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc",
        ] {
            assert!(parse(bad.as_bytes(), false).is_err(), "{bad:?}");
        }
    }
}
