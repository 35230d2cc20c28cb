//! Work done ahead, on a thread of its own: whoever takes its pieces finds them ready.

use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// Pieces that may wait to be taken: enough that neither side waits for the other as long as both are about as fast.
const WAITING: usize = 4;

/// Pieces that a thread fills, a few ahead of whoever takes them. The thread ends with the last, with the first error, or
/// with the next piece after this end is dropped.
pub(crate) struct Ahead<T, E> {
    filled: Receiver<Result<Piece<T>, E>>,
    /// Pieces that were taken, to be filled again.
    emptied: Sender<T>,
    /// What is said of a thread that dies without a last word: it has not reached the end.
    died: Option<E>,
    ended: bool,
}

struct Piece<T> {
    content: T,
    last: bool,
}

impl<T: Default + Send + 'static, E: Send + 'static> Ahead<T, E> {
    /// Starts the thread. `fill` puts the next piece into an empty one and says whether there are more; what it put in before
    /// it failed is taken first. `died` is the error of a thread that panicked.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn start(
        name: &str,
        died: E,
        fill: impl FnMut(&mut T) -> Result<bool, E> + Send + 'static,
    ) -> io::Result<Self> {
        let (filler, filled) = sync_channel(WAITING);
        let (emptied, empty) = channel();
        thread::Builder::new().name(name.to_owned()).spawn(move || run(fill, &filler, &empty))?;
        Ok(Self { filled, emptied, died: Some(died), ended: false })
    }

    /// Puts the next piece in the place of `piece`, which was taken; `false` after the last.
    ///
    /// # Errors
    /// Those of the thread, once.
    pub(crate) fn turn(&mut self, piece: &mut T) -> Result<bool, E> {
        if self.ended {
            return Ok(false);
        }
        let next = match self.filled.recv() {
            Ok(next) => next,
            Err(_) => self.died.take().map_or(Ok(Piece { content: T::default(), last: true }), Err),
        };
        self.ended = next.as_ref().map_or(true, |piece| piece.last);
        // Nobody fills it when the thread has ended.
        let _ = self.emptied.send(std::mem::replace(piece, next?.content));
        Ok(true)
    }
}

fn run<T: Default, E>(
    mut fill: impl FnMut(&mut T) -> Result<bool, E>,
    filler: &SyncSender<Result<Piece<T>, E>>,
    empty: &Receiver<T>,
) {
    loop {
        let mut content = empty.try_recv().unwrap_or_default();
        let outcome = fill(&mut content);
        let last = matches!(outcome, Ok(false));
        // Nobody may be there to take it, or to hear of the error.
        let heard = filler.send(Ok(Piece { content, last })).is_ok();
        match outcome {
            Ok(true) if heard => {}
            Ok(_) => return,
            Err(error) => return drop(filler.send(Err(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers up to `last`, one a piece, then an end of a kind.
    fn numbers(last: u32, end: fn() -> Result<bool, &'static str>) -> Ahead<Vec<u32>, &'static str> {
        let mut next = 0;
        let fill = move |piece: &mut Vec<u32>| {
            assert!(piece.is_empty(), "given back as it was taken");
            next += 1;
            piece.push(next);
            if next < last { Ok(true) } else { end() }
        };
        Ahead::start("numbers", "died", fill).expect("a thread")
    }

    #[test]
    fn pieces_come_in_order_and_the_error_behind_them_once() {
        let ends: [(fn() -> _, _); 3] =
            [(|| Ok(false), Ok(false)), (|| Err("cut"), Err("cut")), (|| panic!("planted"), Err("died"))];
        for (end, last) in ends {
            let (mut ahead, mut piece) = (numbers(20, end), Vec::new());
            // A piece in the making dies with its thread.
            let whole = if last == Err("died") { 19 } else { 20 };
            for number in 1..=whole {
                assert_eq!(ahead.turn(&mut piece), Ok(true));
                assert_eq!(piece, [number]);
                piece.clear();
            }
            assert_eq!(ahead.turn(&mut piece), last);
            assert_eq!(ahead.turn(&mut piece), Ok(false), "said once");
        }
    }

    #[test]
    fn whoever_stops_taking_stops_the_thread() {
        let (alive, gone) = channel();
        let fill = move |_: &mut Vec<u8>| alive.send(()).map(|()| true).map_err(|_| "nobody waits for it");
        let mut endless = Ahead::start("endless", "died", fill).expect("a thread");
        assert_eq!(endless.turn(&mut Vec::new()), Ok(true));
        drop(endless);
        let deadline = std::time::Duration::from_secs(60);
        while gone.recv_timeout(deadline).is_ok() {}
        assert_eq!(gone.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected));
    }
}
