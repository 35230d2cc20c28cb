//! Two sides that wait for each other while they open their ends: threads by a channel, processes by their pipes.

use std::io::{BufRead, BufReader, StdinLock, StdoutLock, Write, stdin, stdout};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use engine::error::SetupError;

use crate::peers::{Opener, Receiver, Sender};
use crate::rig::Rig;

/// Names of the two directions of a pair of channels.
pub const THERE: &str = "there";
/// See [`THERE`].
pub const BACK: &str = "back";

/// Waits for the other side.
pub trait Meeting {
    /// Says that this side is here and waits for the other.
    ///
    /// # Errors
    /// When the other side has gone.
    fn meet(&mut self) -> Result<(), SetupError>;
}

fn gone<T>(_: T) -> SetupError {
    SetupError::Invalid("the other side could not open its end".to_owned())
}

/// One thread's side.
pub struct Threads {
    to: mpsc::Sender<()>,
    from: mpsc::Receiver<()>,
}

impl Threads {
    /// Both sides.
    #[must_use]
    pub fn pair() -> (Self, Self) {
        let ((to_there, from_here), (to_here, from_there)) = (mpsc::channel(), mpsc::channel());
        (Self { to: to_there, from: from_there }, Self { to: to_here, from: from_here })
    }
}

impl Meeting for Threads {
    fn meet(&mut self) -> Result<(), SetupError> {
        self.to.send(()).map_err(gone)?;
        self.from.recv().map_err(gone)
    }
}

/// One process's side.
pub struct Pipes<W, R> {
    /// To the other side.
    pub to: W,
    /// From the other side.
    pub from: R,
}

impl<W: Write, R: BufRead> Meeting for Pipes<W, R> {
    fn meet(&mut self) -> Result<(), SetupError> {
        self.to.write_all(b"here\n").and_then(|()| self.to.flush()).map_err(gone)?;
        let mut line = String::new();
        let read = self.from.read_line(&mut line).map_err(gone)?;
        if read == 0 { Err(gone(())) } else { Ok(()) }
    }
}

impl Pipes<StdoutLock<'static>, StdinLock<'static>> {
    /// Of the process that answers.
    #[must_use]
    pub fn of_answerer() -> Self {
        Self { to: stdout().lock(), from: stdin().lock() }
    }
}

/// The other process: this program again, on the second core. Ended with this value.
pub struct Answerer(Child);

impl Answerer {
    /// Starts it, to answer as `name` with its files in `place`.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn start(name: &str, rig: &Rig, place: &Path) -> Result<Self, SetupError> {
        let program =
            std::env::current_exe().map_err(|error| SetupError::io("bench", "finding it", error))?;
        let core = rig.cores()[1].to_string();
        let mut command = Command::new(&program);
        command.args(["answer", "--core", &core, "--wait", rig.wait.as_str(), name]).arg(place);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn().map(Self).map_err(|error| SetupError::io(program, "starting it", error))
    }

    /// Its pipes.
    ///
    /// # Errors
    /// When they were taken before.
    pub fn meeting(&mut self) -> Result<impl Meeting + use<>, SetupError> {
        let no_pipe = || SetupError::Invalid("the other process has no pipe".to_owned());
        let to = self.0.stdin.take().ok_or_else(no_pipe)?;
        let from = self.0.stdout.take().ok_or_else(no_pipe)?;
        Ok(Pipes { to, from: BufReader::new(from) })
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        // It may have ended by itself already; either way it is gone afterwards.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Both directions, opened by the side that begins. The order is the same on both sides: each sender before the
/// receiver that attaches to it, and settled in the same order once all four are there.
///
/// # Errors
/// When an end cannot be opened on either side.
pub fn open_here<S: Sender, R: Receiver>(
    there: Opener<S>,
    back: Opener<R>,
    meeting: &mut impl Meeting,
) -> Result<(S, R), SetupError> {
    let mut sender = there()?;
    meeting.meet()?;
    // The other side opens its two ends.
    meeting.meet()?;
    let mut receiver = back()?;
    sender.settle()?;
    meeting.meet()?;
    // The other side settles its two ends.
    meeting.meet()?;
    receiver.settle()?;
    Ok((sender, receiver))
}

/// Both directions, opened by the side that answers.
///
/// # Errors
/// When an end cannot be opened on either side.
pub fn open_there<S: Sender, R: Receiver>(
    there: Opener<R>,
    back: Opener<S>,
    meeting: &mut impl Meeting,
) -> Result<(S, R), SetupError> {
    meeting.meet()?;
    let mut sender = back()?;
    let mut receiver = there()?;
    meeting.meet()?;
    meeting.meet()?;
    receiver.settle()?;
    sender.settle()?;
    meeting.meet()?;
    Ok((sender, receiver))
}

/// A directory for one measurement's files inside `scratch`.
///
/// # Errors
/// When it cannot be made.
pub fn place(scratch: &Path) -> Result<tempfile::TempDir, SetupError> {
    tempfile::tempdir_in(scratch).map_err(|error| SetupError::io(scratch, "making a directory in it", error))
}
