//! The kernel's side of waiting on words of shared memory.

use std::time::Duration;

use rustix::io::Errno;
use rustix::thread::futex::{Wait, WaitFlags, WaitPtr, WaitvFlags, waitv};
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::primitive::AtomicU64;

/// Most words that the kernel waits on at once.
const WORDS_MAX: usize = 128;

/// Sleep where there is no word to wait on, or the kernel cannot wait on several.
const BLIND_SLEEP: Duration = Duration::from_millis(1);

// The kernel looks at 32 bits: the low half of a word, which lies first.
const _: () = assert!(cfg!(target_endian = "little"));

/// Waits until some word's low half is not what it is said to be, somebody [wakes](wake) who waits on one, or `longest` is
/// over. May end early.
pub(super) fn wait_any<'a>(words: impl Iterator<Item = (&'a AtomicU64, u32)>, longest: Duration) {
    let mut waits = [Wait::new(); WORDS_MAX];
    let mut count = 0;
    for ((word, value), wait) in words.zip(&mut waits) {
        wait.val = u64::from(value);
        wait.uaddr = WaitPtr::new(std::ptr::from_ref(word).cast_mut().cast());
        // Shared between processes: not private.
        wait.flags = WaitFlags::SIZE_U32;
        count += 1;
    }
    if count == 0 {
        return std::thread::sleep(longest.min(BLIND_SLEEP));
    }
    let now = clock_gettime(ClockId::Monotonic);
    let end = Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32).saturating_add(longest);
    let Ok(end) = Timespec::try_from(end) else { return };
    // It says that somebody woke us, or a word has changed already, or time is over: all the same here.
    let waited = waitv(&waits[..count], WaitvFlags::empty(), Some(&end), ClockId::Monotonic);
    if matches!(waited, Err(Errno::NOSYS | Errno::PERM)) {
        // Before Linux 5.16, or forbidden in a container.
        std::thread::sleep(longest.min(BLIND_SLEEP));
    }
}

/// Wakes everybody who waits on `word`.
#[allow(unsafe_code)]
pub(super) fn wake(word: &AtomicU64) {
    // SAFETY: the kernel uses the address to find who waits there, and touches no memory of ours. Everybody who waits
    // is to be woken; no other argument is read by this operation.
    unsafe {
        libc::syscall(libc::SYS_futex, std::ptr::from_ref(word), libc::FUTEX_WAKE, libc::c_int::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitive::Ordering;

    #[test]
    fn a_word_that_has_changed_is_not_waited_on() {
        let words = [AtomicU64::new(7 << 32 | 1), AtomicU64::new(2)];
        let ever = Duration::from_secs(3_600);
        // Each returns at once, or the test lasts for ever: nobody wakes anybody here.
        wait_any([(&words[0], 1), (&words[1], 3)].into_iter(), ever);
        wait_any([(&words[0], 2)].into_iter(), ever);
        words[1].store(9, Ordering::Relaxed);
        wait_any([(&words[1], 2)].into_iter(), ever);
        wait_any(std::iter::empty(), ever);
    }

    #[test]
    fn who_waits_on_several_words_is_woken_by_any() {
        let words = [AtomicU64::new(1), AtomicU64::new(2)];
        let risen = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Woken before anybody says so, it would look again.
                while words[1].load(Ordering::Relaxed) == 2 {
                    wait_any([(&words[0], 1), (&words[1], 2)].into_iter(), Duration::from_secs(3_600));
                }
                risen.store(1, Ordering::Relaxed);
            });
            words[1].store(3, Ordering::Relaxed);
            // Again until it is seen: it may not wait yet.
            while risen.load(Ordering::Relaxed) == 0 {
                wake(&words[1]);
                std::thread::yield_now();
            }
        });
    }
}
