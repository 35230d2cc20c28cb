//! Files and directories: whether others may read keys or write what only one may, and whether there is room.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::{Finding, mebibytes};
use crate::config::Settings;
use crate::config::layers::{Source, Value};
use crate::config::secret::mode_in;

/// Room for journals and recordings below which a busy day may not end, and below which nothing should start.
const DATA_WARN: u64 = 10 << 30;
const DATA_FAIL: u64 = 256 << 20;

pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![segments(&settings.places.ipc)];
    findings.extend(secrets(settings));
    if settings.api_tokens_file.exists() {
        // The gateway may be another user, which reads them by the folder's group.
        let folder = settings.api_tokens_file.parent().unwrap_or(Path::new("."));
        findings.push(of_mode("gateway's tokens", &settings.api_tokens_file, mode_in(folder)));
    }
    // Of a deployment in which each writes a directory of its own, the operator's is this one's.
    findings.push(data(&settings.places.owned_by("operator")));
    findings
}

/// The modes of an engine's shared files: whoever may write them may trade.
fn segments(ipc: &Path) -> Finding {
    const CHECK: &str = "shared-memory modes";
    if !ipc.exists() {
        return Finding::ok(CHECK, "no engine has run here yet");
    }
    let mut paths = vec![ipc.to_owned()];
    let mut seen = 0;
    while let Some(path) = paths.pop() {
        let Ok(facts) = std::fs::symlink_metadata(&path) else { continue };
        if facts.is_symlink() {
            return Finding::fail(CHECK, format!("{} is a symbolic link", path.display()), "remove it");
        }
        if facts.mode() & 0o002 != 0 {
            let found = format!("anybody may write {}", path.display());
            return Finding::fail(CHECK, found, format!("chmod -R o-w {}", ipc.display()));
        }
        if facts.is_dir() {
            paths.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
        seen += 1;
    }
    Finding::ok(CHECK, format!("{seen} files and directories, none writable by everybody"))
}

/// The files that keys were read from.
fn secrets(settings: &Settings) -> Vec<Finding> {
    let rows = settings.layers().rows().iter().filter(|row| matches!(row.value, Value::Secret(_)));
    let finding = |row: &crate::config::layers::Row| match (&row.file, &row.source) {
        (Some(file), _) | (None, Source::Toml(file, _)) => private("keys", file),
        (None, Source::Environment(variable)) => Finding::warn(
            "keys",
            format!("{variable} is in the environment, which every child process inherits"),
            format!("put it in a file of mode 0600 and name that in {variable}_FILE"),
        ),
        (None, _) => Finding::ok("keys", row.key.variable),
    };
    rows.map(finding).collect()
}

/// A file that nobody but its owner may read.
fn private(check: &'static str, path: &Path) -> Finding {
    of_mode(check, path, 0o600)
}

/// A file that others may do no more with than `mode` lets them.
fn of_mode(check: &'static str, path: &Path, mode: u32) -> Finding {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(facts) if facts.permissions().mode() & 0o077 & !mode != 0 => {
            let found = format!("{shown} has mode {:04o}: others may read it", facts.mode() & 0o7777);
            Finding::fail(check, found, format!("chmod {mode:o} {shown}"))
        }
        Ok(facts) => Finding::ok(check, format!("{shown} has mode {:04o}", facts.mode() & 0o7777)),
        Err(error) => Finding::fail(check, format!("{shown}: {error}"), "make it readable for this user"),
    }
}

fn data(data: &Path) -> Finding {
    const CHECK: &str = "data directory";
    let Some(standing) = data.ancestors().find(|path| path.exists()) else {
        return Finding::fail(CHECK, data.display().to_string(), "set TRADING_DATA_DIR");
    };
    if rustix::fs::access(standing, rustix::fs::Access::WRITE_OK).is_err() {
        let found = format!("{} may not be written", standing.display());
        return Finding::fail(CHECK, found, "set TRADING_DATA_DIR to a directory that this user may write");
    }
    let Ok(room) = rustix::fs::statvfs(standing) else {
        return Finding::fail(CHECK, format!("{} tells no size", standing.display()), "set TRADING_DATA_DIR");
    };
    let free = room.f_bavail * room.f_frsize;
    let found = format!("{} free at {}", mebibytes(free), standing.display());
    match free {
        0..DATA_FAIL => Finding::fail(CHECK, found, "a full disk stops trading: make room"),
        DATA_FAIL..DATA_WARN => {
            Finding::warn(CHECK, found, "keep fewer sessions (TRADING_SESSIONS_KEPT) or make room")
        }
        _ => Finding::ok(CHECK, found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Level;
    use crate::config::{AllFlags, Environment, Secrets};

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("ours");
    }

    #[test]
    fn a_key_that_others_may_read_fails() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = folder.path().join("key");
        std::fs::write(&key, "k").expect("written");
        let path = key.to_str().expect("a path");
        let environment: Environment =
            [("HOME", "/nowhere"), ("BINANCE_API_KEY_FILE", path), ("BINANCE_API_SECRET", "s")]
                .into_iter()
                .collect();
        let settings = Settings::resolve(&AllFlags::default(), &environment, Secrets::Read).expect("good");
        let levels = |mode| {
            chmod(&key, mode);
            secrets(&settings).into_iter().map(|finding| finding.level).collect::<Vec<_>>()
        };
        assert_eq!(levels(0o644), [Level::Fail, Level::Warn]);
        assert_eq!(levels(0o600), [Level::Ok, Level::Warn]);
    }

    #[test]
    fn a_ring_that_anybody_may_write_fails() {
        let folder = tempfile::tempdir().expect("a folder");
        let ring = folder.path().join("risk/orders.ring");
        assert_eq!(segments(&folder.path().join("none")).level, Level::Ok);
        std::fs::create_dir_all(ring.parent().expect("a parent")).expect("made");
        std::fs::write(&ring, "").expect("written");
        chmod(&ring, 0o640);
        assert_eq!(segments(folder.path()).level, Level::Ok);
        chmod(&ring, 0o666);
        let finding = segments(folder.path());
        assert!(finding.level == Level::Fail && finding.found.ends_with("orders.ring"), "{finding:?}");
        chmod(&ring, 0o640);
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("risk/link")).expect("made");
        assert_eq!(segments(folder.path()).level, Level::Fail);
    }
}
