//! One request to a service's ZeroMQ port, and its answer.

use engine::error::SetupError;
use serde::Serialize;
use serde_json::Value;

use crate::api::{Reply, Request};
use crate::cli::acting::refuse;

/// How long a service may take, in milliseconds.
const PATIENCE_MS: i32 = 5_000;

/// Asks the service at `endpoint` for `op`.
///
/// # Errors
/// With the service's code when it refuses; when it does not answer, with where it was sought.
pub fn ask(endpoint: &str, op: &str, fields: &impl Serialize) -> Result<Value, SetupError> {
    within(PATIENCE_MS, endpoint, op, fields)
}

/// Asks, and waits for `patience` milliseconds.
///
/// # Errors
/// As [`ask`].
pub fn within(patience: i32, endpoint: &str, op: &str, fields: &impl Serialize) -> Result<Value, SetupError> {
    let failed = |error: zmq::Error| SetupError::Invalid(format!("{endpoint}: {error}"));
    let request = Request::new("cli", op, fields).map_err(|error| refuse(&error))?;
    let bytes = serde_json::to_vec(&request).map_err(|error| SetupError::Invalid(error.to_string()))?;
    let socket = zmq::Context::new().socket(zmq::REQ).map_err(failed)?;
    socket.set_linger(0).map_err(failed)?;
    socket.set_rcvtimeo(patience).map_err(failed)?;
    socket.set_sndtimeo(patience).map_err(failed)?;
    socket.connect(endpoint).map_err(failed)?;
    socket.send(bytes, 0).map_err(failed)?;
    let answer = socket.recv_bytes(0).map_err(|error| match error {
        zmq::Error::EAGAIN => SetupError::Invalid(format!(
            "{endpoint} does not answer{}: is its service running there? `run --headless` and `engine` have no ports",
            // What only looks has changed nothing.
            if op.ends_with(".get") { String::new() } else { format!(", and what became of {op} is not known") }
        )),
        error => failed(error),
    })?;
    let reply: Reply = serde_json::from_slice(&answer)
        .map_err(|error| SetupError::Invalid(format!("{endpoint}: its answer cannot be read: {error}")))?;
    reply.outcome().map_err(|error| refuse(&error))
}
