//! House rules as a test: what a reader may rely on anywhere in the tree.

use std::fs;
use std::path::{Path, PathBuf};

/// A file is questioned at this length. Nothing is above it.
const FILE_LINES_MAX: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(next) = pending.pop() {
        let Ok(entries) = fs::read_dir(&next) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "target" && name != ".git") {
                    pending.push(path);
                }
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn rust_files() -> Vec<(String, String)> {
    let root = root();
    let mut read = Vec::new();
    for member in ["engine", "shells", "bench"] {
        for path in files(&root.join(member), ".rs") {
            let name = path.strip_prefix(&root).expect("under the root").to_string_lossy().into_owned();
            read.push((name, fs::read_to_string(&path).expect("a readable file")));
        }
    }
    assert!(read.len() > 20, "the tree was not found");
    read
}

fn fail_if_any(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

/// Names of `pub mod` lines of a file, in order.
fn modules(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.trim_end_matches(';').strip_prefix("pub mod "))
        .map(str::to_owned)
        .collect()
}

/// Places where a module uses one that stands below it.
fn upward_uses(order: &[String], files: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in files {
        let Some(inside) = name.strip_prefix("engine/src/") else { continue };
        let own = inside.split(['/', '.']).next().unwrap_or_default();
        let Some(position) = order.iter().position(|module| module == own) else { continue };
        for (number, line) in (1..).zip(text.lines()) {
            for (rank, module) in order.iter().enumerate() {
                if rank > position
                    && line.contains(&format!("crate::{module}::"))
                    && !line.trim_start().starts_with("//")
                {
                    found.push(format!("{name}:{number}: uses {module}, which stands below {own}"));
                }
            }
        }
    }
    found
}

#[test]
fn modules_use_only_those_above_them() {
    let files = rust_files();
    let lib = &files.iter().find(|(name, _)| name == "engine/src/lib.rs").expect("lib.rs").1;
    let order = modules(lib);
    assert!(order.len() > 10, "{order:?}");
    fail_if_any("layering", &upward_uses(&order, &files));

    // The check sees a planted violation.
    let planted = vec![("engine/src/domain/time.rs".to_owned(), "use crate::journal::Journal;".to_owned())];
    assert_eq!(upward_uses(&order, &planted).len(), 1);
}

#[test]
fn the_engine_has_no_sockets_config_or_clock() {
    let banned = [
        ("std::net", "sockets belong to shells"),
        ("tokio", "no async in the engine"),
        ("async fn", "no async in the engine"),
        ("std::env::var", "configuration belongs to shells"),
        ("println!", "the engine does not print"),
    ];
    let mut found = Vec::new();
    for (name, text) in rust_files() {
        if !name.starts_with("engine/src/") || name.contains("test") {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in (1..).zip(code.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            for (text, why) in banned {
                if line.contains(text) {
                    found.push(format!("{name}:{number}: {text}: {why}"));
                }
            }
        }
    }
    fail_if_any("what the engine must not know", &found);
}

#[test]
fn only_risk_makes_orders_and_only_one_door_leads_to_atomics() {
    let mut found = Vec::new();
    for (name, text) in rust_files() {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let tests = name.contains("test");
        if code.contains("Order::approve(") && !name.starts_with("engine/src/tick_to_trade/risk/") && !tests {
            found.push(format!("{name}: approves orders"));
        }
        if code.contains(".unseal()") && !name.starts_with("engine/src/tick_to_trade/route/") && !tests {
            found.push(format!("{name}: makes orders of what risk has sealed"));
        }
        if code.contains("std::sync::atomic")
            && name != "engine/src/primitive.rs"
            && name != "engine/tests/tidy.rs"
        {
            found.push(format!("{name}: imports atomics past engine::primitive"));
        }
    }
    fail_if_any("sealed", &found);
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let mut found = Vec::new();
    for (name, text) in rust_files() {
        if name == "engine/tests/tidy.rs" {
            continue;
        }
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if !(code.contains("unsafe {") || code.contains("unsafe impl")) {
                continue;
            }
            let argued = lines[index.saturating_sub(8)..index].iter().any(|above| above.contains("SAFETY:"));
            if !argued {
                found.push(format!("{name}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    fail_if_any("unsafe without a SAFETY argument", &found);
}

#[test]
fn files_are_short_and_finished() {
    let mut found = Vec::new();
    for (name, text) in rust_files() {
        let count = text.lines().count();
        if count > FILE_LINES_MAX {
            found.push(format!("{name}: {count} lines, at most {FILE_LINES_MAX}"));
        }
        if name == "engine/tests/tidy.rs" {
            continue;
        }
        for (number, line) in (1..).zip(text.lines()) {
            for unfinished in ["TODO", "FIXME", "XXX", "HACK", "todo!(", "unimplemented!(", "#[ignore"] {
                if line.contains(unfinished) {
                    found.push(format!("{name}:{number}: {unfinished}"));
                }
            }
        }
        if !text.starts_with("//!") {
            found.push(format!("{name}: does not begin by saying what it is (//!)"));
        }
    }
    fail_if_any("length and finish", &found);
}

#[test]
fn no_path_of_a_machine_and_no_stray_top_level_entry() {
    let root = root();
    let mut found = Vec::new();
    let own_path = root.to_string_lossy().into_owned();
    for ending in [".rs", ".toml", ".md", ".yml", ".sh", "run"] {
        for path in files(&root, ending) {
            let text = fs::read_to_string(&path).unwrap_or_default();
            for place in ["/home/", "/work/", "/root/"] {
                if text.contains(place) && !path.ends_with("engine/tests/tidy.rs") {
                    found.push(format!("{}: names {place}", path.display()));
                }
            }
            if own_path.len() > 5 && text.contains(&format!("{own_path}/")) {
                found.push(format!("{}: names this checkout", path.display()));
            }
        }
    }
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "LICENSE",
        "README.md",
        "engine",
        "shells",
        "bench",
        "docker",
        "dashboards",
        "docs",
    ];
    for entry in fs::read_dir(&root).expect("the workspace").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // rust-toolchain.toml is where rustup looks for it; target is cargo's.
        let known = allowed.contains(&name.as_str()) || name.starts_with('.');
        if !known && name != "target" && name != "rust-toolchain.toml" {
            found.push(format!("{name}: outside the agreed layout"));
        }
    }
    fail_if_any("the tree", &found);
}
