//! A reader outlives the truncation of what it has mapped.
//!
//! The owner of a file may cut it short at any time, by mistake or malice, and memory seals do not exist on tmpfs files.
//! A load behind the new end is a SIGBUS, which would end the reader: risk would die of a strategy's bug. So every
//! reader's mapping is entered in a table, and the handler of the signal puts zeros in the place of the whole mapping and
//! marks it lost. Zeros are believed by nobody: a stamp of 0 is no message, a halt word of 0 is HALTED. Whoever reads asks
//! [`Guard::is_lost`] between its cycles, and puts the file into quarantine.
//!
//! The handler takes no lock, allocates nothing, and makes one system call. Faults at any other address go to the handler
//! that was there before. The owner's own mapping is entered where its process reads
//! it, too (`own`). Its stores end the process all the same, for the zeros cannot be written: who writes a file that is gone
//! writes to nobody, and is better dead.

use std::ptr::null_mut;
use std::sync::OnceLock;

use libc::{c_int, c_void, sigaction, siginfo_t};

use crate::primitive::{AtomicBool, AtomicU64, Ordering};

/// Mappings of one process that can be guarded at a time. An engine needs a few for each source and agent.
const SPANS_MAX: usize = 8_192;

/// Unit of a span, in bytes. Mappings begin at a multiple of it on every machine.
const GRAIN: u64 = 4_096;

/// Bits of a span that hold its length; the others hold its start. 1 TiB at any address of 48 bits.
const LENGTH_BITS: u32 = 28;

/// A guarded mapping. Start and length share one word, so that a handler that looks while the entry changes sees one
/// mapping or the other, and never the start of one with the length of the other.
struct Span {
    /// `start << LENGTH_BITS | length`, both in grains; 0 when free.
    place: AtomicU64,
    lost: AtomicBool,
}

static SPANS: [Span; SPANS_MAX] =
    [const { Span { place: AtomicU64::new(0), lost: AtomicBool::new(false) } }; SPANS_MAX];

/// What handled the signal before us, or why we could not take its place.
static PREVIOUS: OnceLock<Result<sigaction, String>> = OnceLock::new();

/// A mapping is guarded as long as this lives. To be dropped before the mapping is.
pub(super) struct Guard {
    span: &'static Span,
}

impl Guard {
    /// Guards the readers' mapping of `length` bytes at `start`; nobody stores there.
    ///
    /// # Errors
    /// When the handler cannot be installed, or no entry is left: a mapping that is not guarded must not be read.
    pub(super) fn protect(start: usize, length: usize) -> Result<Self, String> {
        PREVIOUS.get_or_init(install).as_ref().map_err(Clone::clone)?;
        let (start, length) = (start as u64, (length as u64).div_ceil(GRAIN));
        if !start.is_multiple_of(GRAIN) || start >> 48 != 0 || length == 0 || length >> LENGTH_BITS != 0 {
            return Err(format!("is mapped at {start:#x} with {length} pages, which cannot be guarded"));
        }
        let place = (start / GRAIN) << LENGTH_BITS | length;
        for span in &SPANS {
            // Relaxed: the word is all there is to see. The handler runs in a thread that reads the mapping, and got it
            // from this one by something that orders memory.
            if span.place.load(Ordering::Relaxed) == 0
                && span.place.compare_exchange(0, place, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            {
                return Ok(Self { span });
            }
        }
        Err(format!("{SPANS_MAX} files are mapped already"))
    }

    /// Whether the file was cut short: what is mapped now are zeros.
    #[inline]
    pub(super) fn is_lost(&self) -> bool {
        self.span.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // The flag first: whoever takes the entry next finds it clear.
        self.span.lost.store(false, Ordering::Relaxed);
        self.span.place.store(0, Ordering::Release);
    }
}

/// Puts our handler in front of the present one, and says which that is.
#[allow(unsafe_code)]
fn install() -> Result<sigaction, String> {
    let failed = || format!("no handler of SIGBUS: {}", std::io::Error::last_os_error());
    // SAFETY: all-zero is a valid `sigaction`: the default disposition, no flags, an empty mask.
    let mut previous: sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live local; nothing is installed when the second argument is null.
    if unsafe { libc::sigaction(libc::SIGBUS, std::ptr::null(), &raw mut previous) } != 0 {
        return Err(failed());
    }
    // SAFETY: as above.
    let mut ours: sigaction = unsafe { std::mem::zeroed() };
    ours.sa_sigaction = on_sigbus as extern "C" fn(c_int, *mut siginfo_t, *mut c_void) as usize;
    // The signal's own stack where a thread has one, as the standard library's handler in front of which we stand.
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: `ours` is a whole `sigaction` whose handler has the signature that SA_SIGINFO asks for and does only what
    // a signal handler may.
    if unsafe { libc::sigaction(libc::SIGBUS, &raw const ours, null_mut()) } != 0 {
        return Err(failed());
    }
    Ok(previous)
}

/// The guarded mapping that holds `address`: its entry, start and length in bytes.
fn find(address: u64) -> Option<(&'static Span, u64, u64)> {
    for span in &SPANS {
        let place = span.place.load(Ordering::Relaxed);
        let (start, length) = ((place >> LENGTH_BITS) * GRAIN, (place & ((1 << LENGTH_BITS) - 1)) * GRAIN);
        if length > 0 && (start..start + length).contains(&address) {
            return Some((span, start, length));
        }
    }
    None
}

/// Puts zeros in the place of the mapping that the fault was in; true if there is one.
#[allow(unsafe_code)]
fn replace(address: u64) -> bool {
    let Some((span, start, length)) = find(address) else { return false };
    // Before the zeros: whoever sees them sees this, too.
    span.lost.store(true, Ordering::SeqCst);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE;
    // SAFETY: the range is a whole mapping of ours: its entry stands as long as the mapping, and the thread that faulted is
    // reading it, so it cannot be dropped meanwhile. Readers see it only as atomic words, which may change at any time.
    // The kernel replaces the mapping in one step. `errno` changes only on failure, after which we do not return here.
    let made = unsafe { libc::mmap(start as *mut c_void, length as usize, libc::PROT_READ, flags, -1, 0) };
    made != libc::MAP_FAILED
}

/// The handler: after it the load that faulted is made again.
#[allow(unsafe_code)]
extern "C" fn on_sigbus(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid `siginfo_t`, and the address is set when the code is the kernel's.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as u64) };
    if code == libc::BUS_ADRERR && replace(address) {
        return;
    }
    let previous = PREVIOUS.get().and_then(|previous| previous.as_ref().ok());
    let Some(previous) = previous.filter(|old| !matches!(old.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN))
    else {
        // SAFETY: all-zero is the default disposition; with it the load that faulted ends the process.
        unsafe {
            let default: sigaction = std::mem::zeroed();
            libc::sigaction(signal, &raw const default, null_mut());
        }
        return;
    };
    // SAFETY: the address was installed as a handler by who stood here before us, with the signature that its flags tell.
    unsafe {
        if previous.sa_flags & libc::SA_SIGINFO == 0 {
            let handler: extern "C" fn(c_int) = std::mem::transmute(previous.sa_sigaction);
            handler(signal);
        } else {
            let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) =
                std::mem::transmute(previous.sa_sigaction);
            handler(signal, info, context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_found_by_any_address_in_it_and_free_again_afterwards() {
        // Addresses that nothing is mapped at.
        let (start, length) = (0x1000, 3 * 4_096 - 100);
        let guard = Guard::protect(start, length).expect("an entry");
        for (address, inside) in [(0xfff, false), (0x1000, true), (0x3fff, true), (0x4000, false)] {
            assert_eq!(find(address).is_some(), inside, "{address:#x}");
        }
        assert!(!guard.is_lost());
        drop(guard);
        assert!(find(0x1000).is_none());
    }

    #[test]
    fn what_cannot_be_guarded_is_refused() {
        for (start, length) in [(0x1001, 4_096), (1 << 50, 4_096), (0x1000, 0), (0x1000, 1 << 41)] {
            assert!(Guard::protect(start, length).is_err(), "{start:#x} {length}");
        }
    }
}
