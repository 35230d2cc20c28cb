//! What the numbers were measured on: without it they mean nothing.

use std::fmt;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

/// The machine and the build.
#[derive(Clone, Debug)]
pub struct Machine {
    rows: Vec<(&'static str, String)>,
}

impl Machine {
    /// Looks at the machine, of which `allowed` cores may be used; what cannot be found out is "unknown".
    #[must_use]
    pub fn look(cores: [usize; 2], allowed: usize) -> Self {
        let command: Vec<String> = std::env::args().skip(1).collect();
        let rows = vec![
            ("command", format!("bench {}", command.join(" "))),
            ("cpu", cpu()),
            ("cores", format!("{allowed} allowed, measured on {} and {}", cores[0], cores[1])),
            ("kernel", first_line("/proc/sys/kernel/osrelease")),
            ("governor", governor(cores[0])),
            ("isolated", first_line("/sys/devices/system/cpu/isolated")),
            ("load", first_line("/proc/loadavg")),
            ("rustc", output("rustc", &["--version"])),
            ("commit", commit()),
            (
                "profile",
                if cfg!(debug_assertions) { "debug: says nothing about speed" } else { "release" }.to_owned(),
            ),
        ];
        Self { rows }
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        Value::Object(self.rows.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect())
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.rows.iter().map(|(name, value)| format!("{name:<9} {value}")).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// Memory of this process that is in use, mapped files included. What was freed is given back first: the allocator keeps
/// it, and whoever comes next would seem to take less.
#[must_use]
pub fn resident_bytes() -> usize {
    give_back();
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<usize>().ok());
    kib.unwrap_or(0) * 1_024
}

#[cfg(target_env = "gnu")]
#[allow(unsafe_code)]
fn give_back() {
    // SAFETY: it takes memory that nobody holds.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators are not asked: their figures include what is free.
#[cfg(not(target_env = "gnu"))]
const fn give_back() {}

fn unknown(text: Option<String>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

fn first_line(path: &str) -> String {
    unknown(fs::read_to_string(path).ok().and_then(|text| text.lines().next().map(str::to_owned)))
}

fn cpu() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = text.lines().find(|line| line.starts_with("model name"));
    let name = named.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim().to_owned());
    let virtual_machine = text.contains(" hypervisor");
    format!("{}{}", unknown(name), if virtual_machine { " (virtual machine)" } else { "" })
}

fn governor(core: usize) -> String {
    first_line(&format!("/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor"))
}

fn output(program: &str, arguments: &[&str]) -> String {
    let run = Command::new(program).args(arguments).output();
    let text = run
        .ok()
        .filter(|run| run.status.success())
        .map(|run| String::from_utf8_lossy(&run.stdout).into_owned());
    unknown(text.map(|text| text.trim().to_owned()))
}

fn commit() -> String {
    let commit = output("git", &["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "--short=12", "HEAD"]);
    let changed = output("git", &["-C", env!("CARGO_MANIFEST_DIR"), "status", "--porcelain", "-uno"]);
    if changed == "unknown" { commit } else { format!("{commit} with uncommitted changes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_says_something() {
        let machine = Machine::look([0, 1], 2);
        assert!(machine.rows.iter().all(|(_, value)| !value.is_empty()), "{machine}");
        assert_eq!(machine.to_json().as_object().map(serde_json::Map::len), Some(machine.rows.len()));
    }
}
