//! The clock source, the time-stamp counter, and how far the wall clock is off: by the machine's own account, and by the
//! venue's.

use std::process::Command;

use engine::clock::Stopwatch;
use engine::clock::tsc::LiveClock;
use engine::domain::Nanos;

use super::{Finding, Machine};
use crate::config::{Settings, Venue};
use crate::venue::Way;

/// Off by more than this, in microseconds, orders are refused sooner or later: Binance takes a request that is at most
/// a second ahead of it, and expires one older than its window.
const OFFSET_FAIL_US: i64 = 500_000;

/// Off by more than this, in microseconds, latencies against the exchange's times mean little.
const OFFSET_WARN_US: i64 = 5_000;

const ADVICE: &str = "run chrony or another time daemon against good servers";

pub(super) fn check(machine: &Machine) -> [Finding; 3] {
    [source(machine), counter(machine), offset(machine, chrony().as_deref(), systemd().as_deref())]
}

/// How far the venue's clock is from ours; nothing where the venue is a simulation on this machine or the next.
pub(super) fn venue(settings: &Settings) -> Option<Finding> {
    if settings.venue == Venue::Simulated {
        return None;
    }
    let mut clock = LiveClock::new(Stopwatch::calibrate());
    let way = Way::of(settings).map_err(|error| error.to_string());
    Some(against(way.and_then(|way| way.ask_clock(&mut clock))))
}

/// Judges what the venue told: its clock less ours, and how much less or more that may be.
fn against(told: Result<(Nanos, Nanos), String>) -> Finding {
    const CHECK: &str = "venue's clock";
    let (offset, doubt) = match told {
        Ok((offset, doubt)) => (offset.0 / 1_000, doubt.0 / 1_000),
        Err(reason) => {
            return Finding::fail(
                CHECK,
                reason,
                "nothing trades before the venue answers: look at the network",
            );
        }
    };
    let found = format!("{offset:+} us from ours, give or take {doubt}");
    // What the way there and back may have made of it is no fault of the clock.
    match offset.saturating_abs() - doubt {
        off if off >= OFFSET_FAIL_US => {
            Finding::fail(CHECK, found, "set the clock: chronyc makestep, and keep chrony running")
        }
        off if off >= OFFSET_WARN_US => Finding::warn(CHECK, found, ADVICE),
        _ => Finding::ok(CHECK, found),
    }
}

fn source(machine: &Machine) -> Finding {
    const CHECK: &str = "clock source";
    match machine.read("sys/devices/system/clocksource/clocksource0/current_clocksource") {
        Some(source) if source == "tsc" => Finding::ok(CHECK, source),
        Some(source) => {
            let advice = "reading it costs a system call: boot with clocksource=tsc tsc=reliable";
            Finding::warn(CHECK, source, advice)
        }
        None => Finding::warn(CHECK, "the kernel does not tell", "look at its boot messages"),
    }
}

fn counter(machine: &Machine) -> Finding {
    const CHECK: &str = "time-stamp counter";
    let cpus = machine.read("proc/cpuinfo").unwrap_or_default();
    let flags = cpus.lines().find_map(|line| line.strip_prefix("flags")).unwrap_or_default();
    let has = |flag: &str| flags.split_whitespace().any(|found| found == flag);
    match (has("constant_tsc"), has("nonstop_tsc")) {
        (true, true) => Finding::ok(CHECK, "constant, never stops"),
        (true, false) => Finding::warn(CHECK, "stops in deep sleep", "boot with intel_idle.max_cstate=1"),
        (false, _) => {
            Finding::warn(CHECK, "its rate may change", "pin the frequency, or use another machine")
        }
    }
}

/// `chronyc`'s own account, one line of values; `None` where chrony does not run.
fn chrony() -> Option<String> {
    let output = Command::new("chronyc").args(["-n", "-c", "tracking"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether systemd knows the clock to be synchronised: `yes` or `no`; `None` where it does not run.
fn systemd() -> Option<String> {
    let output =
        Command::new("timedatectl").args(["show", "-p", "NTPSynchronized", "--value"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn offset(machine: &Machine, chrony: Option<&str>, systemd: Option<&str>) -> Finding {
    const CHECK: &str = "clock offset";
    if let Some(micros) = chrony.and_then(offset_of) {
        let found = format!("{micros} us, says chrony");
        return match micros.abs() {
            off if off >= OFFSET_FAIL_US => {
                Finding::fail(CHECK, found, "signed requests will be refused: chronyc makestep")
            }
            off if off >= OFFSET_WARN_US => Finding::warn(CHECK, found, ADVICE),
            _ => Finding::ok(CHECK, found),
        };
    }
    let synchronised = systemd == Some("yes") || machine.exists("run/systemd/timesync/synchronized");
    match synchronised {
        true => Finding::ok(CHECK, "synchronised, says systemd"),
        false => Finding::warn(CHECK, "nothing here tells how far the clock is off", ADVICE),
    }
}

/// The fifth value of chrony's line: seconds that the system clock is ahead; in microseconds. `None` when chrony
/// follows no source (stratum 0).
fn offset_of(line: &str) -> Option<i64> {
    let values: Vec<&str> = line.split(',').collect();
    let (stratum, seconds) = (values.get(2)?, values.get(4)?);
    if *stratum == "0" {
        return None;
    }
    let (sign, digits) = seconds.strip_prefix('-').map_or((1, *seconds), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    Some(sign * (whole.parse::<i64>().ok()? * 1_000_000 + micros))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Level;

    #[test]
    fn chronys_offset_decides_where_it_is_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let machine = Machine::new(folder.path());
        let line = |seconds: &str| {
            format!("A29FC87B,162.159.200.123,4,1690000000.1,{seconds},0.0001,0.0002,1,0,0,0,0,64,Normal")
        };
        let level = |seconds: &str| offset(&machine, Some(&line(seconds)), None).level;
        assert_eq!((level("0.000012"), level("-0.006"), level("1.5")), (Level::Ok, Level::Warn, Level::Fail));
        assert_eq!(offset_of(&line("-0.006120")), Some(-6_120));
        assert_eq!(offset_of("7F7F0101,,0,0.0,0.0,0.0"), None, "it follows nothing");
        assert_eq!(offset(&machine, None, Some("yes")).level, Level::Ok);
        assert_eq!(offset(&machine, Some("nonsense"), Some("no")).level, Level::Warn);
    }

    #[test]
    fn the_venues_clock_is_judged_less_what_the_way_there_leaves_in_doubt() {
        let level = |offset: i64, doubt: i64| {
            against(Ok((Nanos::from_millis(offset), Nanos::from_millis(doubt)))).level
        };
        assert_eq!((level(4, 1), level(-4, 1), level(-100, 120)), (Level::Ok, Level::Ok, Level::Ok));
        assert_eq!((level(7, 1), level(-100, 20)), (Level::Warn, Level::Warn));
        assert_eq!((level(501, 1), level(-700, 20)), (Level::Fail, Level::Fail));
        let silent = against(Err("https://api: no route".to_owned()));
        assert_eq!((silent.level, silent.found.as_str()), (Level::Fail, "https://api: no route"));
    }

    #[test]
    fn a_counter_that_changes_its_rate_is_told_of() {
        let folder = tempfile::tempdir().expect("a folder");
        let machine = Machine::new(folder.path());
        std::fs::create_dir_all(folder.path().join("proc")).expect("made");
        for (flags, level) in [
            ("flags\t\t: fpu constant_tsc nonstop_tsc sse", Level::Ok),
            ("flags\t\t: fpu constant_tsc", Level::Warn),
            ("flags\t\t: fpu tsc", Level::Warn),
        ] {
            std::fs::write(folder.path().join("proc/cpuinfo"), flags).expect("written");
            assert_eq!(counter(&machine).level, level);
        }
        assert_eq!(source(&machine).level, Level::Warn);
    }
}
