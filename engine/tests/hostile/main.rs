//! Owners that misbehave: files cut short under their readers, foreign users, and writers that scribble over all they own.
//!
//! The test binary runs itself: `role` is the child.

// The parent waits for real processes, by real time.
#![allow(clippy::disallowed_methods)]

mod ownership;
mod scribble;
mod storm;
mod truncation;
#[path = "../world/mod.rs"]
mod world;

use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The child's entry: does nothing unless the parent says what it is.
#[test]
fn role() {
    let Ok(role) = std::env::var("HOSTILE_ROLE") else { return };
    let folder = std::env::var("HOSTILE_FOLDER").expect("the parent's folder");
    let folder = Path::new(&folder);
    match role.as_str() {
        "reads" => truncation::reads(folder, ""),
        "reads without the guard" => truncation::reads(folder, "unguarded"),
        "faults elsewhere" => truncation::faults_elsewhere(folder, false),
        "faults elsewhere behind a handler" => truncation::faults_elsewhere(folder, true),
        "owns" => ownership::owns(folder),
        "trespasses" => ownership::trespasses(folder),
        other => panic!("{other} is no role"),
    }
}

/// This program, to play `role`.
fn child(role: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "role", "--nocapture", "--test-threads", "1"]);
    command.env("HOSTILE_ROLE", role).env("HOSTILE_FOLDER", folder);
    command.stdout(Stdio::null());
    command
}

/// A child that is killed when the test ends before it does.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}
