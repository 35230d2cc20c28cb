//! The floor of the exchange: a server of the same transport and runtime that only sends bytes back.

use engine::error::SetupError;
use shells::exchange::http;
use shells::exchange::websocket::{Reader, Received, TEXT, write};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Opens a server on a port of the system's choice that answers each text with as many bytes as it is told: the text
/// itself, and blanks. Returns where it listens.
///
/// # Errors
/// When no port is to be had.
pub async fn start(answer_bytes: usize) -> Result<std::net::SocketAddr, SetupError> {
    let failed = |error| SetupError::io("127.0.0.1", "listening there", error);
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream, answer_bytes));
        }
    });
    Ok(address)
}

/// Answers until the client goes; a client that breaks the protocol is left, and notices.
async fn talk(mut stream: TcpStream, answer_bytes: usize) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    let Ok(request) = http::read(&mut stream, &mut buffer).await else { return };
    let Some(key) = request.upgrade_key() else { return };
    if stream.write_all(http::upgraded(key).as_bytes()).await.is_err() {
        return;
    }
    let (mut reader, mut out) = (Reader::new(buffer), Vec::new());
    loop {
        loop {
            match reader.message() {
                Ok(Some(Received::Text(text))) => {
                    let mut answer = text.into_bytes();
                    answer.resize(answer_bytes, b' ');
                    write(&mut out, TEXT, &answer);
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
        if !out.is_empty() && stream.write_all(&out).await.is_err() {
            return;
        }
        out.clear();
        if !matches!(stream.read_buf(&mut reader.buffer).await, Ok(1..)) {
            return;
        }
    }
}
