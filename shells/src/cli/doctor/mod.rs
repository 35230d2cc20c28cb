//! `trading doctor`: whether this machine and these settings will do, and what to do where they will not.

mod clock;
mod files;
mod machine;
mod settings;

use std::fmt;
use std::path::{Path, PathBuf};

use engine::error::SetupError;
use serde::Serialize;
use serde_json::json;

use crate::cli::args::DoctorArgs;
use crate::cli::output::say;
use crate::cli::table::Table;
use crate::config::{AllFlags, Environment, Secrets, Settings};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, but slower or with less safety than it could.
    Warn,
    /// It will not work, or not safely.
    Fail,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "OK",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        })
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What is there.
    pub found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, found: found.into(), advice: None }
    }

    fn warn(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, level: Level::Warn, found: found.into(), advice: Some(advice.into()) }
    }

    fn fail(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, level: Level::Fail, found: found.into(), advice: Some(advice.into()) }
    }
}

/// The machine as its pseudo file systems tell it, under a root that tests can replace.
#[derive(Clone, Debug)]
pub struct Machine(PathBuf);

impl Machine {
    /// The machine whose `/proc` and `/sys` lie under `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self(root.to_owned())
    }

    /// The trimmed content of a file.
    fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.0.join(path)).ok().map(|text| text.trim().to_owned())
    }

    fn exists(&self, path: &str) -> bool {
        self.0.join(path).exists()
    }
}

/// Examines the machine and the settings.
///
/// # Errors
/// When a check fails: all findings are printed first.
pub fn run(args: &DoctorArgs, environment: &Environment) -> Result<(), SetupError> {
    let mut findings = Vec::new();
    let settings = match Settings::resolve(&args.settings, environment, Secrets::Read) {
        Ok(settings) => {
            findings.push(Finding::ok("settings", "every setting can be read"));
            settings
        }
        Err(error) => {
            let advice = "correct it; the checks below are of the defaults";
            findings.push(Finding::fail("settings", error.to_string(), advice));
            defaults()?
        }
    };
    let machine = Machine::new(Path::new("/"));
    findings.extend(machine::check(&machine, &settings));
    findings.extend(clock::check(&machine));
    findings.extend(clock::venue(&settings));
    findings.extend(files::check(&settings));
    findings.extend(settings::check(&settings));
    print(&findings, args.json);
    let failed = findings.iter().filter(|finding| finding.level == Level::Fail).count();
    if failed == 0 { Ok(()) } else { Err(SetupError::Invalid(format!("{failed} checks failed"))) }
}

/// The settings that hold when nothing is set.
fn defaults() -> Result<Settings, SetupError> {
    let home = std::env::temp_dir().display().to_string();
    let environment: Environment = [("HOME", home)].into_iter().collect();
    Settings::resolve(&AllFlags::default(), &environment, Secrets::Withhold)
}

fn print(findings: &[Finding], as_json: bool) {
    if as_json {
        let worst = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
        say!("{}", json!({"worst": worst, "checks": findings}));
        return;
    }
    let mut table = Table::new(&["check", "", "found", "what to do"]);
    for finding in findings {
        let advice = finding.advice.clone().unwrap_or_default();
        table.row(vec![finding.check.to_owned(), finding.level.to_string(), finding.found.clone(), advice]);
    }
    say!("{table}");
}

/// Bytes as people read them.
fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
