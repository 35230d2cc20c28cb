//! The part of the machine's cores that control groups let this process use.

use std::path::Path;

use engine::agent::IdleStrategy;
use engine::error::SetupError;

/// The quota of this process in thousandths of a core: the least of its own control group and all above it, in version 2
/// or 1. `None` without a quota. `/proc` and `/sys` lie under `root`.
#[must_use]
pub fn of(root: &Path) -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let groups = read("proc/self/cgroup").unwrap_or_default();
    // A container sees its own group at the root, whatever path it is told.
    let second = group(&groups, "").unwrap_or_default();
    let of_second = Path::new(second).ancestors().filter_map(|path| {
        let text = read(&format!("sys/fs/cgroup/{}/cpu.max", path.display()))?;
        let (quota, period) = text.trim().split_once(' ')?;
        thousandths(quota, period)
    });
    let first = group(&groups, "cpu").unwrap_or_default();
    let of_first = Path::new(first).ancestors().filter_map(|path| {
        let read = |name: &str| read(&format!("sys/fs/cgroup/cpu/{}/cpu.cfs_{name}_us", path.display()));
        thousandths(read("quota")?.trim(), read("period")?.trim())
    });
    of_second.chain(of_first).min()
}

/// The path of this process's group in the hierarchy of `controller`; of version 2 where that is empty.
fn group<'a>(groups: &'a str, controller: &str) -> Option<&'a str> {
    groups.lines().find_map(|line| {
        let (names, path) = line.split_once(':')?.1.split_once(':')?;
        names.split(',').any(|name| name == controller).then(|| path.trim_start_matches('/'))
    })
}

/// `max`, and -1, are no quota.
fn thousandths(quota: &str, period: &str) -> Option<u64> {
    let (quota, period): (u64, u64) = (quota.parse().ok()?, period.parse().ok()?);
    (period > 0).then(|| quota.saturating_mul(1_000) / period)
}

/// Whether threads may idle so: one that spins under a quota uses it up while it waits, and is then stopped, for tens of
/// milliseconds, when it is needed.
///
/// # Errors
/// When they may not.
pub fn permit(idle: IdleStrategy, root: &Path) -> Result<(), SetupError> {
    match of(root).filter(|_| idle == IdleStrategy::Spin) {
        None => Ok(()),
        Some(quota) => {
            let (whole, rest) = (quota / 1_000, quota % 1_000);
            Err(SetupError::Invalid(format!(
                "TRADING_IDLE=spin: a control group lets this process use {whole}.{rest:03} cores, which spinning threads \
                 use up; choose backoff, or give it whole cores without a quota"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        folder
    }

    #[test]
    fn the_least_quota_above_counts_and_refuses_to_spin() {
        let files = [
            ("proc/self/cgroup", "0::/slice/own\n"),
            ("sys/fs/cgroup/slice/own/cpu.max", "max 100000\n"),
            ("sys/fs/cgroup/slice/cpu.max", "150000 100000\n"),
        ];
        let world = world(&files);
        assert_eq!(of(world.path()), Some(1_500));
        let refused = permit(IdleStrategy::Spin, world.path()).expect_err("refused").to_string();
        assert!(refused.contains("TRADING_IDLE=spin") && refused.contains("1.500 cores"), "{refused}");
        assert!(!refused.contains('\n') && !refused.contains("  "));
        for idle in [IdleStrategy::Backoff, IdleStrategy::Park] {
            assert!(permit(idle, world.path()).is_ok());
        }
    }

    #[test]
    fn without_a_quota_threads_may_spin() {
        for files in [&[][..], &[("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/cpu.max", "max 100000\n")]] {
            let world = world(files);
            assert!(permit(IdleStrategy::Spin, world.path()).is_ok());
        }
    }
}
