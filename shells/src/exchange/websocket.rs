//! WebSocket frames (RFC 6455), the server's end. Extensions are never agreed to.

/// Most bytes of a client's message.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// What a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A text.
    Text(String),
    /// A ping: its payload goes back.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// It closes.
    Close,
}

/// A violation of the protocol, as the code of the close frame that answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation(pub u16);

/// Opcode of a text frame.
pub const TEXT: u8 = 1;
/// Opcode of a binary frame.
pub const BINARY: u8 = 2;
/// Opcode of a close frame.
pub const CLOSE: u8 = 8;
/// Opcode of a ping.
pub const PING: u8 = 9;
/// Opcode of a pong.
pub const PONG: u8 = 10;

/// Assembles messages from bytes.
#[derive(Debug, Default)]
pub struct Reader {
    /// Bytes received and not yet read.
    pub buffer: Vec<u8>,
    at: usize,
    fragments: Option<Vec<u8>>,
}

impl Reader {
    /// Begins with bytes that came with the upgrade.
    #[must_use]
    pub fn new(buffer: Vec<u8>) -> Self {
        Self { buffer, at: 0, fragments: None }
    }

    /// The next message that is whole; `None` if more bytes are needed.
    ///
    /// # Errors
    /// When the client breaks the protocol.
    pub fn message(&mut self) -> Result<Option<Received>, Violation> {
        loop {
            let Some((first, payload)) = self.frame()? else {
                self.buffer.drain(..self.at);
                self.at = 0;
                return Ok(None);
            };
            let (last, opcode) = (first & 0x80 != 0, first & 0x0f);
            match opcode {
                PING => return Ok(Some(Received::Ping(payload))),
                PONG => return Ok(Some(Received::Pong(payload))),
                CLOSE => return Ok(Some(Received::Close)),
                BINARY => return Err(Violation(1003)),
                TEXT if self.fragments.is_none() => self.fragments = Some(payload),
                0 => {
                    let fragments = self.fragments.as_mut().ok_or(Violation(1002))?;
                    fragments.extend_from_slice(&payload);
                    if fragments.len() > MESSAGE_BYTES_MAX {
                        return Err(Violation(1009));
                    }
                }
                _ => return Err(Violation(1002)),
            }
            if last {
                let text = self.fragments.take().unwrap_or_default();
                return String::from_utf8(text)
                    .map(|text| Some(Received::Text(text)))
                    .map_err(|_| Violation(1007));
            }
        }
    }

    /// The next whole frame: its first byte, and its payload unmasked.
    fn frame(&mut self) -> Result<Option<(u8, Vec<u8>)>, Violation> {
        let bytes = &self.buffer[self.at..];
        let [first, second, ..] = *bytes else { return Ok(None) };
        let control = first & 0x08 != 0;
        // A client masks; nothing was agreed that uses reserved bits; control frames are short and whole.
        if second & 0x80 == 0 || first & 0x70 != 0 || control && (first & 0x80 == 0 || second & 0x7f > 125) {
            return Err(Violation(1002));
        }
        let (length, header) = match second & 0x7f {
            126 => match bytes.get(2..4) {
                Some(length) => (usize::from(u16::from_be_bytes([length[0], length[1]])), 4),
                None => return Ok(None),
            },
            127 => match bytes.get(2..10).and_then(|length| <[u8; 8]>::try_from(length).ok()) {
                Some(length) => (usize::try_from(u64::from_be_bytes(length)).unwrap_or(usize::MAX), 10),
                None => return Ok(None),
            },
            length => (usize::from(length), 2),
        };
        if length > MESSAGE_BYTES_MAX {
            return Err(Violation(1009));
        }
        let Some(mask) = bytes.get(header..header + 4) else { return Ok(None) };
        let Some(masked) = bytes.get(header + 4..header + 4 + length) else { return Ok(None) };
        let mut payload = masked.to_vec();
        for four in payload.chunks_mut(mask.len()) {
            four.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        }
        self.at += header + 4 + length;
        Ok(Some((first, payload)))
    }
}

/// Appends a frame.
pub fn write(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match payload.len() {
        length @ 0..=125 => out.push(u8::try_from(length).unwrap_or(0)),
        length => match u16::try_from(length) {
            Ok(length) => {
                out.push(126);
                out.extend_from_slice(&length.to_be_bytes());
            }
            Err(_) => {
                out.push(127);
                out.extend_from_slice(&(length as u64).to_be_bytes());
            }
        },
    }
    out.extend_from_slice(payload);
}

/// Appends a close frame.
pub fn write_close(out: &mut Vec<u8>, code: u16) {
    write(out, CLOSE, &code.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use tungstenite::protocol::frame::Frame;
    use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

    /// A frame as another implementation writes it.
    fn client(payload: &[u8], opcode: OpCode, last: bool) -> Vec<u8> {
        let mut frame = match opcode {
            OpCode::Control(Control::Ping) => Frame::ping(payload.to_vec()),
            opcode => Frame::message(payload.to_vec(), opcode, last),
        };
        frame.header_mut().mask = Some([1, 2, 3, 4]);
        let mut bytes = Vec::new();
        frame.format(&mut bytes).expect("written");
        bytes
    }

    fn all(bytes: &[u8]) -> Result<Vec<Received>, Violation> {
        let mut reader = Reader::new(bytes.to_vec());
        let mut found = Vec::new();
        while let Some(message) = reader.message()? {
            found.push(message);
        }
        Ok(found)
    }

    #[test]
    fn messages_of_every_length_and_cut_come_through() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let text = "x".repeat(length);
            let bytes = client(text.as_bytes(), OpCode::Data(Data::Text), true);
            assert_eq!(all(&bytes), Ok(vec![Received::Text(text)]));
        }
        let parts = [
            client(b"ab", OpCode::Data(Data::Text), false),
            client(b"p", OpCode::Control(Control::Ping), true),
            client(b"cd", OpCode::Data(Data::Continue), true),
        ]
        .concat();
        let mut reader = Reader::default();
        let mut found = Vec::new();
        for byte in parts {
            reader.buffer.push(byte);
            found.extend(reader.message().expect("sound"));
        }
        assert_eq!(found, [Received::Ping(b"p".to_vec()), Received::Text("abcd".into())]);
    }

    #[test]
    fn violations_are_named() {
        assert_eq!(all(&[0x81, 0x01, b'x']), Err(Violation(1002)), "not masked");
        assert_eq!(all(&[0xc1, 0x80, 0, 0, 0, 0]), Err(Violation(1002)), "a reserved bit");
        assert_eq!(all(&client(b"\xff", OpCode::Data(Data::Text), true)), Err(Violation(1007)));
        assert_eq!(all(&client(b"x", OpCode::Data(Data::Binary), true)), Err(Violation(1003)));
        assert_eq!(all(&client(b"x", OpCode::Data(Data::Continue), true)), Err(Violation(1002)));
        assert_eq!(all(&client(&[b'x'; 70_000], OpCode::Data(Data::Text), true)), Err(Violation(1009)));
    }
}
