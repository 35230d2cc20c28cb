//! Connections: bounded in number, in the time that a request's head may take, and in the time that they may outlive a
//! stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

/// Longest time for a request's head, and for silence between two requests.
const HEAD_PATIENCE: Duration = Duration::from_secs(5);

/// Largest head, in bytes.
const HEAD_BYTES_MAX: usize = 32 << 10;

/// Most header fields.
const FIELDS_MAX: usize = 64;

/// Longest time that connections may outlive a stop: less than the 5 s that a stop may take.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// Waits until a stop is asked for, or whoever could ask is gone.
pub async fn asked(stopped: &mut watch::Receiver<bool>) {
    // An error means that whoever could stop us is gone.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Serves until `stopped`, at `most` connections at once. Requests under way then are finished, if they take no longer than
/// three seconds.
pub async fn serve(listener: TcpListener, app: Router, mut stopped: watch::Receiver<bool>, most: usize) {
    let seats = Arc::new(Semaphore::new(most));
    let mut connections = JoinSet::new();
    let stop = stopped.clone();
    loop {
        // What is full waits outside, in the kernel's queue.
        let seat = tokio::select! {
            seat = Arc::clone(&seats).acquire_owned() => seat,
            () = asked(&mut stopped) => break,
        };
        let Ok(seat) = seat else { break };
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    connections.spawn(connection(stream, address, app.clone(), stop.clone(), seat));
                }
                Err(error) => {
                    // Out of descriptors, or the peer left: nobody else is to suffer from it.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            () = asked(&mut stopped) => break,
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    // Whatever is still open then is cut.
    let _ = tokio::time::timeout(STOP_PATIENCE, all).await;
}

async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    app: Router,
    mut stopped: watch::Receiver<bool>,
    seat: OwnedSemaphorePermit,
) {
    // Answers are small and whole: nothing is won by waiting for more.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(address);
        app.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(FIELDS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = asked(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%address, %error, "a connection broke");
    }
    drop(seat);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    async fn answer(stream: &mut TcpStream) -> String {
        let mut bytes = vec![0; 1_024];
        let length = stream.read(&mut bytes).await.expect("an answer");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[tokio::test]
    async fn a_connection_too_many_waits_for_another_to_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let app = Router::new().route("/", axum::routing::get(|| async { "here" }));
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(serve(listener, app, stopped, 1));
        let mut first = TcpStream::connect(address).await.expect("connected");
        let mut second = TcpStream::connect(address).await.expect("the kernel lets it in");
        second.write_all(REQUEST).await.expect("sent");
        for _ in 0..50 {
            first.write_all(REQUEST).await.expect("sent");
            assert!(answer(&mut first).await.ends_with("here"));
            let early = second.try_read(&mut [0; 16]).map_err(|error| error.kind());
            assert_eq!(early, Err(std::io::ErrorKind::WouldBlock), "there is one seat, and it is taken");
        }
        drop(first);
        assert!(answer(&mut second).await.ends_with("here"));
        stop.send_replace(true);
        server.await.expect("it ends");
    }
}
