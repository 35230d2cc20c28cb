//! The peers: what else a user could take, each behind the same few calls.

pub mod json;
pub mod engine_ring;
pub mod raw;
pub mod in_process;
pub mod ringfire;
#[cfg(feature = "peers")]
pub mod iceoryx2;
#[cfg(feature = "peers")]
pub mod zmq;
#[cfg(feature = "aeron")]
pub mod aeron;

use std::path::Path;

use ::engine::error::SetupError;

use crate::rig::Wait;

/// A message: with a stamp of eight bytes it fills one cache line.
pub type Line = [u64; 7];

/// Messages that a ring or queue holds.
pub const CAPACITY: usize = 1_024;

/// The sending end of a transport.
pub trait Sender {
    /// Sends `line` if there is room; never waits.
    fn try_send(&mut self, line: &Line) -> bool;

    /// Sends `line`, however long it takes.
    #[inline]
    fn send(&mut self, line: &Line, wait: Wait) {
        while !self.try_send(line) {
            wait.relax();
        }
    }

    /// Called once when both ends are open, the sender first.
    ///
    /// # Errors
    /// When the other end cannot be found.
    fn settle(&mut self) -> Result<(), SetupError> {
        Ok(())
    }
}

/// The receiving end of a transport.
pub trait Receiver {
    /// The next line, if there is one.
    fn try_receive(&mut self) -> Option<Line>;

    /// Hands over what is there, as many at once as the transport's own way of receiving gives.
    #[inline(always)]
    fn drain(&mut self, on_line: &mut impl FnMut(Line)) {
        if let Some(line) = self.try_receive() {
            on_line(line);
        }
    }

    /// The next line, however long it takes.
    #[inline]
    fn receive(&mut self, wait: Wait) -> Line {
        loop {
            if let Some(line) = self.try_receive() {
                return line;
            }
            wait.relax();
        }
    }

    /// Called once when both ends are open, after the sender's.
    ///
    /// # Errors
    /// When the other end cannot be found.
    fn settle(&mut self) -> Result<(), SetupError> {
        Ok(())
    }
}

/// Makes an end on the thread that will use it.
pub type Opener<T> = Box<dyn FnOnce() -> Result<T, SetupError> + Send>;

/// A way for messages from one thread to another.
pub trait Transport {
    /// What reports call it.
    const NAME: &'static str;
    /// Its sending end.
    type Sender: Sender;
    /// Its receiving end.
    type Receiver: Receiver;

    /// Both ends of a new channel called `channel`, which may keep files in `place`. The sender is opened first.
    ///
    /// # Errors
    /// When it cannot be made.
    fn open(place: &Path, channel: &str) -> Result<Openers<Self>, SetupError>
    where
        Self: Sized;
}

/// A transport whose ends may be in two processes.
pub trait Shared: Transport {
    /// Makes the channel and its sending end.
    ///
    /// # Errors
    /// When it cannot be made.
    fn sender(place: &Path, channel: &str) -> Result<Self::Sender, SetupError>;

    /// Attaches the receiving end.
    ///
    /// # Errors
    /// When the channel is not there.
    fn receiver(place: &Path, channel: &str) -> Result<Self::Receiver, SetupError>;
}

/// What [`Transport::open`] gives: both ends, yet to be opened.
pub type Openers<T> = (Opener<<T as Transport>::Sender>, Opener<<T as Transport>::Receiver>);

/// [`Transport::open`] for a shared transport.
///
/// # Errors
/// Never at once; the openers may fail.
pub fn open_shared<T: Shared>(place: &Path, channel: &str) -> Openers<T> {
    let (own, name) = (place.to_owned(), channel.to_owned());
    let sender = Box::new(move || T::sender(&own, &name));
    let (own, name) = (place.to_owned(), channel.to_owned());
    (sender, Box::new(move || T::receiver(&own, &name)))
}

/// Openers of two ends that exist already.
pub fn ready<S: Send + 'static, R: Send + 'static>(sender: S, receiver: R) -> (Opener<S>, Opener<R>) {
    (Box::new(move || Ok(sender)), Box::new(move || Ok(receiver)))
}

/// A peer's own error as one of set-up.
pub fn refused(peer: &str, error: impl std::fmt::Debug) -> SetupError {
    SetupError::Invalid(format!("{peer}: {error:?}"))
}
