//! What a thread asks of others while it is watched: the allocator for memory, the kernel for pages and by calls.
//!
//! Calls are seen by what the kernel offers to emulators: while a byte of the thread says so, it makes no call and raises
//! SIGSYS instead. The handler notes the call, stops watching and lets it be made after all: of several calls in one piece
//! of work the first is seen.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

/// Counts what a thread asks for while it wants that counted.
struct Counting;

thread_local! {
    static COUNTED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// One more request, where they are counted.
fn note() {
    // A thread that ends has no cell any more: nobody counts there.
    let _ = COUNTED.try_with(|counted| counted.set(counted.get().map(|count| count + 1)));
}

#[allow(unsafe_code)]
// SAFETY: every call goes to the system's allocator as it came; counting touches a cell of the thread and allocates
// nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Pages that the kernel had to give the calling thread so far, from memory or from a disk.
#[allow(unsafe_code)]
fn faults() -> u64 {
    // SAFETY: all zeros are a usage, and the kernel writes one of the thread over it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage), 0, "a thread may ask about itself");
        usage
    };
    (usage.ru_minflt + usage.ru_majflt).unsigned_abs()
}

/// What was seen of one who was watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Requests for memory.
    pub requests: u64,
    /// Page faults.
    pub faults: u64,
    /// Pieces of work that made a call of the kernel, by the first one's name.
    pub calls: BTreeMap<String, u64>,
}

/// Watches pieces of work of the calling thread.
pub struct Watch {
    calls: calls::Watching,
    /// What was seen, by who did it.
    pub seen: BTreeMap<&'static str, Seen>,
}

impl Watch {
    /// Nobody was watched yet.
    pub fn new() -> Self {
        Self { calls: calls::Watching::start(), seen: BTreeMap::new() }
    }

    /// Whether calls of the kernel are seen here.
    pub fn sees_calls(&self) -> bool {
        self.calls.can()
    }

    /// Does `work`, which is `who`'s.
    pub fn over<T>(&mut self, who: &'static str, work: impl FnOnce() -> T) -> T {
        let before = faults();
        COUNTED.set(Some(0));
        let (value, call) = self.calls.over(work);
        let requests = COUNTED.replace(None).unwrap_or(0);
        let faults = faults() - before;
        let seen = self.seen.entry(who).or_default();
        seen.requests += requests;
        seen.faults += faults;
        if let Some(call) = call {
            *seen.calls.entry(calls::name(call)).or_default() += 1;
        }
        value
    }
}

/// Where calls can be watched: the kernel's way is there, and we know the registers of the processor.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod calls {
    use std::cell::Cell;
    use std::ffi::{c_int, c_ulong, c_void};
    use std::ptr::{null, null_mut};
    use std::sync::Once;

    /// As `linux/prctl.h` has them.
    const PR_SET_SYSCALL_USER_DISPATCH: c_int = 59;
    const PR_SYS_DISPATCH_OFF: c_int = 0;
    const PR_SYS_DISPATCH_ON: c_int = 1;

    /// What the thread's byte says to the kernel.
    const MAKE: u8 = 0;
    const RAISE: u8 = 1;

    /// Bytes of the instruction that makes a call.
    const INSTRUCTION: i64 = 2;

    thread_local! {
        static SAYS: Cell<u8> = const { Cell::new(MAKE) };
        static FIRST: Cell<Option<i64>> = const { Cell::new(None) };
    }

    fn say(what: u8) {
        // SAFETY: the cell is the thread's own; volatile, because the kernel reads it whenever a call is to be made.
        SAYS.with(|says| unsafe { says.as_ptr().write_volatile(what) });
    }

    extern "C" fn raised(_signal: c_int, _info: *mut libc::siginfo_t, context: *mut c_void) {
        say(MAKE);
        // SAFETY: the kernel hands the interrupted thread's registers to a handler that was set with SA_SIGINFO.
        let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
        FIRST.set(Some(registers[libc::REG_RAX as usize]));
        // Back to the instruction, whose registers are as they were.
        registers[libc::REG_RIP as usize] -= INSTRUCTION;
    }

    /// The calling thread's calls can be watched as long as this lives.
    pub struct Watching(bool);

    impl Watching {
        pub fn start() -> Self {
            static HANDLER: Once = Once::new();
            // SAFETY: the handler touches two cells of its thread and the registers that it was given.
            HANDLER.call_once(|| unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = raised as extern "C" fn(_, _, _) as usize;
                action.sa_flags = libc::SA_SIGINFO;
                assert_eq!(libc::sigaction(libc::SIGSYS, &raw const action, null_mut()), 0, "a handler");
            });
            let watching = dispatch(PR_SYS_DISPATCH_ON, SAYS.with(Cell::as_ptr));
            if !watching {
                println!("this kernel does not dispatch calls: they are not watched");
            }
            Self(watching)
        }

        pub fn can(&self) -> bool {
            self.0
        }

        pub fn over<T>(&self, work: impl FnOnce() -> T) -> (T, Option<i64>) {
            if !self.0 {
                return (work(), None);
            }
            say(RAISE);
            let value = work();
            say(MAKE);
            (value, FIRST.take())
        }
    }

    impl Drop for Watching {
        fn drop(&mut self) {
            // The byte goes with its thread: the kernel is not to look at it any more.
            let off = !self.0 || dispatch(PR_SYS_DISPATCH_OFF, null());
            assert!(off, "what was put on can be put off");
        }
    }

    fn dispatch(how: c_int, says: *const u8) -> bool {
        let none: c_ulong = 0;
        // SAFETY: the kernel reads the byte, which lives as long as its thread does.
        unsafe { libc::prctl(PR_SET_SYSCALL_USER_DISPATCH, how as c_ulong, none, none, says) == 0 }
    }

    /// A call's name, or its number.
    pub fn name(call: i64) -> String {
        let known = match call {
            libc::SYS_read => "read",
            libc::SYS_write => "write",
            libc::SYS_openat => "openat",
            libc::SYS_stat | libc::SYS_newfstatat | libc::SYS_statx => "stat",
            libc::SYS_mmap => "mmap",
            libc::SYS_munmap => "munmap",
            libc::SYS_madvise => "madvise",
            libc::SYS_brk => "brk",
            libc::SYS_futex => "futex",
            libc::SYS_clock_gettime => "clock_gettime",
            libc::SYS_clock_nanosleep => "clock_nanosleep",
            libc::SYS_sched_yield => "sched_yield",
            libc::SYS_getppid => "getppid",
            other => return format!("call {other}"),
        };
        known.to_owned()
    }
}

/// Elsewhere calls are made unseen.
#[cfg(not(target_arch = "x86_64"))]
mod calls {
    /// Nothing.
    pub struct Watching;

    impl Watching {
        pub fn start() -> Self {
            println!("calls are watched on x86_64 alone");
            Self
        }

        pub fn can(&self) -> bool {
            false
        }

        pub fn over<T>(&self, work: impl FnOnce() -> T) -> (T, Option<i64>) {
            (work(), None)
        }
    }

    pub fn name(call: i64) -> String {
        format!("call {call}")
    }
}
