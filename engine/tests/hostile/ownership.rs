//! A process can write only what it owns: another user is refused by the kernel, whatever it tries.
//!
//! Needs root, which gives each child a user of its own; skipped, with a line that says so, where it is not.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::ExitStatus;

use engine::message::Tick;
use engine::ring::broadcast::{self, Polled};
use engine::shm::paths::{IpcPaths, OWNERS};
use memmap2::MmapOptions;

use crate::world::until;
use crate::{Killed, child};

/// Users and group that nobody has an account for.
const OWNER: u32 = 61_001;
const TRESPASSER: u32 = 61_002;
const GROUP: u32 = 61_000;

/// The child: ingest's user makes its ring and stays.
pub fn owns(folder: &Path) {
    let ipc = IpcPaths::new(folder);
    let mut ticks = broadcast::Producer::<Tick>::create(&ipc.ticks(), 64, 1).expect("its own directory");
    ticks.publish(&Tick::default());
    fs::write(folder.join("ingest/ready"), std::process::id().to_string()).expect("written");
    until("the end", || folder.join("strategy/allowed").exists());
}

/// The child: the strategies' user reads ingest's ring, and tries to change it in every way there is. What succeeds it
/// writes down.
pub fn trespasses(folder: &Path) {
    let ipc = IpcPaths::new(folder);
    let ring = ipc.ticks();
    let mut reader = broadcast::Reader::<Tick>::attach_at(&ring, 0).expect("the group may read");
    assert_eq!(reader.poll(), Polled::Message(Tick::default()));
    let name = ring.display().to_string();
    let maps = fs::read_to_string("/proc/self/maps").expect("a Linux kernel");
    let rights: Vec<_> =
        maps.lines().filter(|line| line.ends_with(&name)).filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(rights, ["r--s"], "consumers map read-only");
    let owner = fs::read_to_string(folder.join("ingest/ready")).expect("the owner is there");
    let own = folder.join("strategy/own");
    fs::write(&own, b"another ring").expect("its own directory");
    let beside = folder.join("ingest/beside");
    let memory = format!("/proc/{owner}/mem");
    // What opens or maps before what renames or removes.
    let attempts: [(&str, &dyn Fn() -> io::Result<()>); 11] = [
        ("open it to write", &|| OpenOptions::new().write(true).open(&ring).map(drop)),
        ("truncate it", &|| OpenOptions::new().write(true).truncate(true).open(&ring).map(drop)),
        ("map it to write", &|| map(&ring)),
        ("make its own mapping writable", &|| protect(&ring)),
        ("change its mode", &|| fs::set_permissions(&ring, Permissions::from_mode(0o666))),
        ("take its ownership", &|| chown(&ring, Some(TRESPASSER), None)),
        ("change the directory's mode", &|| {
            fs::set_permissions(folder.join("ingest"), Permissions::from_mode(0o777))
        }),
        ("write to its owner's memory", &|| {
            OpenOptions::new().write(true).open(&memory).and_then(|file| file.write_at(&[0], 0)).map(drop)
        }),
        ("make a file beside it", &|| fs::write(&beside, b"")),
        ("put another in its place", &|| fs::rename(&own, &ring)),
        ("remove it", &|| fs::remove_file(&ring)),
    ];
    let mut allowed = fs::File::create(folder.join("strategy/allowed.new")).expect("its own directory");
    for (what, attempt) in attempts {
        if attempt().is_ok() {
            writeln!(allowed, "{what}").expect("written");
        }
    }
    fs::rename(folder.join("strategy/allowed.new"), folder.join("strategy/allowed")).expect("renamed");
}

fn map(ring: &Path) -> io::Result<()> {
    let file = OpenOptions::new().read(true).open(ring)?;
    // The kernel checks how the file was opened.
    MmapOptions::new().map_raw(&file).map(drop)
}

fn protect(ring: &Path) -> io::Result<()> {
    let map = MmapOptions::new().map_raw_read_only(&fs::File::open(ring)?)?;
    // SAFETY: the range is a whole mapping, which nothing refers to; only its protection would change.
    #[allow(unsafe_code)]
    let outcome =
        unsafe { libc::mprotect(map.as_mut_ptr().cast(), map.len(), libc::PROT_READ | libc::PROT_WRITE) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Runs owner and trespasser, and returns what the latter could do; `None` without root.
fn allowed(spoil: impl FnOnce(&Path)) -> Option<Vec<String>> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can give children users of their own");
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("open to all users");
    IpcPaths::new(folder.path()).create().expect("made");
    for owner in OWNERS {
        let user = if owner == "ingest" { OWNER } else { TRESPASSER };
        chown(folder.path().join(owner), Some(user), Some(GROUP)).expect("given away");
    }
    let user = |role: &str, uid: u32| {
        let mut command = child(role, folder.path());
        command.uid(uid).gid(GROUP);
        // Where core dumps and proptest would write is not theirs.
        Killed(command.current_dir("/").spawn().expect("a child"))
    };
    let mut owner = user("owns", OWNER);
    let mut ended = None;
    until("the owner", || {
        ended = owner.0.try_wait().expect("asked");
        ended.is_some() || folder.path().join("ingest/ready").exists()
    });
    assert_eq!(ended, None, "the owner ended early");
    spoil(folder.path());
    let status: ExitStatus = user("trespasses", TRESPASSER).0.wait().expect("reaped");
    assert!(status.success(), "{status}");
    let text = fs::read_to_string(folder.path().join("strategy/allowed")).expect("written");
    Some(text.lines().map(str::to_owned).collect())
}

#[test]
fn another_user_can_read_and_nothing_else() {
    if let Some(allowed) = allowed(|_| {}) {
        assert!(allowed.is_empty(), "{allowed:?}");
    }
}

#[test]
fn modes_that_are_too_wide_are_seen() {
    let spoil = |folder: &Path| {
        let mode = |name: &str, mode| {
            fs::set_permissions(folder.join(name), Permissions::from_mode(mode)).expect("changed");
        };
        mode("ingest", 0o777);
        mode("ingest/ticks.ring", 0o666);
    };
    let Some(allowed) = allowed(spoil) else { return };
    let planted = ["open it to write", "truncate it", "make a file beside it", "put another in its place"];
    for attempt in planted {
        assert!(allowed.iter().any(|done| done == attempt), "{attempt}: {allowed:?}");
    }
}
