//! Cores, their isolation and frequency, quotas and limits of the kernel, and shared memory's room.

use std::collections::BTreeSet;
use std::path::Path;

use engine::agent::IdleStrategy;

use super::{Finding, Machine, mebibytes};
use crate::config::Settings;
use crate::quota;

/// Shared memory that an engine's rings take, with a few strategies: 110 MB with two (`du` of its directory), 8 MB for
/// each further one.
const SHARED_BYTES: u64 = 256 << 20;

/// Locked memory that keeps the rings from being paged out.
const LOCKED_BYTES: u64 = SHARED_BYTES;

/// Open files: rings, journals, sockets and a few hundred peers.
const OPEN_FILES: u64 = 4_096;

pub(super) fn check(machine: &Machine, settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![cores(machine, settings)];
    findings.extend(isolation(machine, settings));
    findings.push(governor(machine, settings));
    findings.push(quota(machine, settings));
    findings.push(shared_memory(settings));
    findings.push(swap(machine));
    findings.push(limit(
        machine,
        "memlock",
        "Max locked memory",
        (LOCKED_BYTES, mebibytes),
        "ulimit -l unlimited",
    ));
    findings.push(limit(
        machine,
        "open files",
        "Max open files",
        (OPEN_FILES, |n| n.to_string()),
        "ulimit -n 65536",
    ));
    findings
}

/// A kernel's list of cores, such as `0-3,8`.
fn core_list(text: &str) -> BTreeSet<usize> {
    let parts = text.split(',').filter_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    });
    parts.flatten().collect()
}

/// The cores that this process may run on.
fn allowed(machine: &Machine) -> BTreeSet<usize> {
    let status = machine.read("proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    core_list(list.unwrap_or_default())
}

fn list(cores: &BTreeSet<usize>) -> String {
    cores.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn cores(machine: &Machine, settings: &Settings) -> Finding {
    const CHECK: &str = "cores";
    let allowed = allowed(machine);
    let missing: BTreeSet<usize> = settings.cores.all().filter(|core| !allowed.contains(core)).collect();
    if !missing.is_empty() {
        let found =
            format!("TRADING_CORES names {}; this process may use {}", list(&missing), list(&allowed));
        return Finding::fail(CHECK, found, "name cores that it may use");
    }
    let shared = settings.cores.all().count() > settings.cores.all().collect::<BTreeSet<_>>().len();
    match allowed.len() {
        0 => Finding::warn(CHECK, "the kernel does not tell which may be used", "look at /proc/self/status"),
        _ if shared => Finding::warn(CHECK, "two threads are placed on one core", "give each its own"),
        1 => Finding::warn(CHECK, "one", "two or more keep the journals' writer off the agents' core"),
        number => Finding::ok(CHECK, format!("{number}: {}", list(&allowed))),
    }
}

fn isolation(machine: &Machine, settings: &Settings) -> Option<Finding> {
    const CHECK: &str = "isolation";
    let isolated = core_list(&machine.read("sys/devices/system/cpu/isolated").unwrap_or_default());
    let shared: BTreeSet<usize> = settings.cores.all().filter(|core| !isolated.contains(core)).collect();
    if settings.cores.all().next().is_none() {
        let advice =
            "for the lowest latency: boot with isolcpus=… and place threads there with TRADING_CORES";
        return Some(match isolated.is_empty() {
            true => Finding::warn(CHECK, "no core is isolated, and no thread is placed", advice),
            false => {
                Finding::warn(CHECK, format!("{} isolated, but no thread is placed", list(&isolated)), advice)
            }
        });
    }
    if shared.is_empty() {
        return Some(Finding::ok(CHECK, format!("the threads' cores are isolated: {}", list(&isolated))));
    }
    let found = format!("other work may run on {}", list(&shared));
    Some(Finding::warn(CHECK, found, "boot with isolcpus= and nohz_full= for these cores"))
}

fn governor(machine: &Machine, settings: &Settings) -> Finding {
    const CHECK: &str = "governor";
    let placed: BTreeSet<usize> = settings.cores.all().collect();
    let cores = if placed.is_empty() { allowed(machine) } else { placed };
    let governor =
        |core: &usize| machine.read(&format!("sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor"));
    let governors: BTreeSet<String> = cores.iter().filter_map(governor).collect();
    let slow: Vec<&str> =
        governors.iter().map(String::as_str).filter(|name| *name != "performance").collect();
    match (governors.is_empty(), slow.is_empty()) {
        (true, _) => Finding::ok(CHECK, "the kernel scales no frequency here"),
        (false, true) => Finding::ok(CHECK, "performance"),
        (false, false) => Finding::warn(CHECK, slow.join(", "), "cpupower frequency-set -g performance"),
    }
}

fn quota(machine: &Machine, settings: &Settings) -> Finding {
    const CHECK: &str = "CPU quota";
    match quota::of(&machine.0) {
        None => Finding::ok(CHECK, "none"),
        Some(quota) => {
            let found = format!("{}.{:03} cores", quota / 1_000, quota % 1_000);
            if settings.idle == IdleStrategy::Spin {
                let advice =
                    "a spinning thread uses the quota up and is stopped for tens of ms: TRADING_IDLE=backoff";
                Finding::fail(CHECK, found, advice)
            } else {
                Finding::warn(CHECK, found, "a busy period can use it up: give whole cores (cpuset) instead")
            }
        }
    }
}

fn shared_memory(settings: &Settings) -> Finding {
    const CHECK: &str = "shared memory";
    let ipc = &settings.places.ipc;
    let Some(standing) = ipc.ancestors().find(|path| path.exists()) else {
        return Finding::fail(CHECK, ipc.display().to_string(), "choose a directory on a file system");
    };
    let (used, place) = (used(ipc), standing.display());
    let (room, is_tmpfs) = match (rustix::fs::statvfs(standing), rustix::fs::statfs(standing)) {
        (Ok(room), Ok(kind)) => (room.f_bavail * room.f_frsize + used, kind.f_type == TMPFS),
        _ => return Finding::fail(CHECK, format!("{place} tells no size"), "choose another TRADING_IPC_DIR"),
    };
    let found = format!("{} at {place}", mebibytes(room));
    if room < SHARED_BYTES {
        let advice = format!(
            "an engine takes {}: enlarge it (docker: --shm-size, or a tmpfs)",
            mebibytes(SHARED_BYTES)
        );
        Finding::fail(CHECK, found, advice)
    } else if !is_tmpfs {
        Finding::warn(
            CHECK,
            format!("{found}, which is no tmpfs"),
            "a disk's write-back stalls the rings: use a tmpfs",
        )
    } else {
        Finding::ok(CHECK, found)
    }
}

/// `TMPFS_MAGIC` of Linux's `magic.h`.
const TMPFS: i64 = 0x0102_1994;

/// Bytes that an engine's files there take already.
fn used(ipc: &Path) -> u64 {
    let entries = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten();
    let owners = entries(ipc).flat_map(|owner| entries(&owner.path()).collect::<Vec<_>>());
    owners.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}

fn swap(machine: &Machine) -> Finding {
    let swaps = machine.read("proc/swaps").unwrap_or_default();
    match swaps.lines().skip(1).count() {
        0 => Finding::ok("swap", "none"),
        number => Finding::warn(
            "swap",
            format!("{number} in use"),
            "swapoff -a: a page that was swapped out stalls",
        ),
    }
}

/// A soft limit of this process.
/// A limit of the kernel called `name`: at least `wanted`, which `show` writes in its unit.
fn limit(
    machine: &Machine,
    check: &'static str,
    name: &str,
    (wanted, show): (u64, fn(u64) -> String),
    advice: &str,
) -> Finding {
    let limits = machine.read("proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix(name));
    match line.and_then(|line| line.split_whitespace().next()) {
        None => Finding::warn(check, "the kernel does not tell", advice),
        Some("unlimited") => Finding::ok(check, "unlimited"),
        Some(soft) => match soft.parse::<u64>() {
            Ok(value) if value >= wanted => Finding::ok(check, show(value)),
            Ok(value) => Finding::warn(check, format!("{}, less than {}", show(value), show(wanted)), advice),
            Err(_) => Finding::warn(check, format!("{soft}, which is no number"), advice),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Level;
    use crate::config::{AllFlags, Environment, Secrets};

    /// A machine of these files, and these settings on it.
    fn world(files: &[(&str, &str)], settings: &[(&str, &str)]) -> (tempfile::TempDir, Machine, Settings) {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        let environment: Environment = settings.iter().copied().chain([("HOME", "/nowhere")]).collect();
        let settings = Settings::resolve(&AllFlags::default(), &environment, Secrets::Read).expect("good");
        let machine = Machine::new(folder.path());
        (folder, machine, settings)
    }

    const STATUS: (&str, &str) = ("proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-2,5\n");

    #[test]
    fn cores_that_may_not_be_used_fail() {
        let level = |cores: &str| {
            let (_folder, machine, settings) = world(&[STATUS], &[("TRADING_CORES", cores)]);
            cores_level(&machine, &settings)
        };
        assert_eq!(
            (level("risk=5"), level("risk=4"), level("risk=5,route=5")),
            (Level::Ok, Level::Fail, Level::Warn)
        );
        let one = ("proc/self/status", "Cpus_allowed_list:\t3\n");
        let (_folder, machine, settings) = world(&[one], &[]);
        assert_eq!(cores_level(&machine, &settings), Level::Warn);
    }

    fn cores_level(machine: &Machine, settings: &Settings) -> Level {
        cores(machine, settings).level
    }

    #[test]
    fn isolation_and_governor_are_those_of_the_placed_cores() {
        let files = [
            STATUS,
            ("sys/devices/system/cpu/isolated", "2,5\n"),
            ("sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "performance\n"),
            ("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n"),
        ];
        let levels = |cores: &str| {
            let (_folder, machine, settings) = world(&files, &[("TRADING_CORES", cores)]);
            (isolation(&machine, &settings).expect("a finding").level, governor(&machine, &settings).level)
        };
        assert_eq!(levels("risk=2"), (Level::Ok, Level::Ok));
        assert_eq!(levels("risk=1"), (Level::Warn, Level::Warn));
        assert_eq!(levels("risk=5"), (Level::Ok, Level::Ok), "no scaling there");
    }

    #[test]
    fn a_quota_is_found_in_both_versions_and_fails_a_spinning_thread() {
        let found = |files: &[(&str, &str)]| quota::of(&world(files, &[]).1.0);
        let own = ("proc/self/cgroup", "0::/own\n");
        assert_eq!(found(&[own, ("sys/fs/cgroup/own/cpu.max", "150000 100000\n")]), Some(1_500));
        assert_eq!(found(&[own, ("sys/fs/cgroup/own/cpu.max", "max 100000\n")]), None);
        assert_eq!(
            found(&[("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/cpu.max", "50000 100000\n")]),
            Some(500)
        );
        let first = ("proc/self/cgroup", "4:cpu,cpuacct:/docker/x\n");
        let period = ("sys/fs/cgroup/cpu/docker/x/cpu.cfs_period_us", "100000\n");
        let quota = |text| ("sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us", text);
        assert_eq!(found(&[first, quota("200000\n"), period]), Some(2_000));
        assert_eq!(found(&[first, quota("-1\n"), period]), None);
        assert_eq!(found(&[]), None);
        let level = |idle| {
            let files = [own, ("sys/fs/cgroup/own/cpu.max", "150000 100000\n")];
            let (_folder, machine, settings) = world(&files, &[("TRADING_IDLE", idle)]);
            super::quota(&machine, &settings).level
        };
        assert_eq!((level("spin"), level("backoff")), (Level::Fail, Level::Warn));
    }

    #[test]
    fn limits_and_swap_are_read() {
        let limits = "Max open files            1024                 4096                 files\nMax locked memory         unlimited            unlimited            bytes\n";
        let files = [("proc/self/limits", limits), ("proc/swaps", "Filename Type\n/swapfile file\n")];
        let (_folder, machine, _) = world(&files, &[]);
        assert_eq!(limit(&machine, "x", "Max open files", (4_096, |n| n.to_string()), "").level, Level::Warn);
        assert_eq!(limit(&machine, "x", "Max open files", (1_024, |n| n.to_string()), "").level, Level::Ok);
        assert_eq!(limit(&machine, "x", "Max locked memory", (u64::MAX, mebibytes), "").level, Level::Ok);
        assert_eq!(limit(&machine, "x", "Max nothing", (1, |n| n.to_string()), "").level, Level::Warn);
        assert_eq!(swap(&machine).level, Level::Warn);
    }
}
