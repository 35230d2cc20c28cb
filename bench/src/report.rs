//! What a run found: one row a measurement and placement, as a table or as JSON.

use serde_json::{Value, json};

use crate::histogram::{Histogram, SHOWN};
use crate::machine::Machine;
use crate::rig::{Outcome, Placement};
use crate::series::{Samples, Series};

/// What a ratio must come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Target {
    /// Whether `value` reaches it.
    #[must_use]
    pub fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }
}

/// A figure held against a floor or a peer of the same run.
#[derive(Clone, Debug)]
pub struct Ratio {
    /// What it is held against, and which of the row's figures is.
    pub to: String,
    /// How many times that; NaN where that was not measured.
    pub value: f64,
    /// What it must come to, where the project promises something.
    pub target: Option<Target>,
}

impl Ratio {
    /// A ratio that nothing is promised of.
    #[must_use]
    pub fn plain(to: impl Into<String>, value: f64) -> Self {
        Self { to: to.into(), value, target: None }
    }

    /// A ratio with a promise.
    #[must_use]
    pub fn promised(to: impl Into<String>, value: f64, target: Target) -> Self {
        Self { to: to.into(), value, target: Some(target) }
    }

    /// What became of the target, if there is one.
    fn verdict(&self) -> Option<Verdict> {
        let target = self.target?;
        Some(match self.value {
            value if value.is_nan() => Verdict::Unmeasured,
            value if target.is_met(value) => Verdict::Met,
            _ => Verdict::Missed,
        })
    }
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    /// The suite it belongs to.
    pub suite: &'static str,
    /// What was measured.
    pub name: String,
    /// Where the cores stood.
    pub placement: Placement,
    /// Unit of the figures.
    pub unit: &'static str,
    /// The times.
    pub times: Box<Histogram>,
    /// What they are held against.
    pub ratios: Vec<Ratio>,
    /// How many of what grows there were, where that is what the row is about.
    pub size: Option<usize>,
}

impl Row {
    /// A row of times.
    #[must_use]
    pub fn times(
        suite: &'static str,
        name: impl Into<String>,
        placement: Placement,
        times: Histogram,
    ) -> Self {
        let (name, times) = (name.into(), Box::new(times));
        Self { suite, name, placement, unit: "ns", times, ratios: Vec::new(), size: None }
    }

    /// Says of how many.
    #[must_use]
    pub fn of_size(self, size: usize) -> Self {
        Self { size: Some(size), ..self }
    }

    /// Adds what it is held against.
    #[must_use]
    pub fn with(mut self, ratio: Ratio) -> Self {
        self.ratios.push(ratio);
        self
    }

    fn to_json(&self) -> Value {
        let mut row = json!({
            "suite": self.suite, "name": self.name, "placement": self.placement.as_str(), "unit": self.unit,
        });
        let times = &self.times;
        let figures = json!({
            "count": times.count(), "min": times.min(), "p50": times.at(0.5), "p90": times.at(0.9),
            "p99": times.at(0.99), "p99.9": times.at(0.999), "max": times.max(),
        });
        let ratio = |ratio: &Ratio| {
            let mut value = json!({ "to": ratio.to, "value": ratio.value });
            match ratio.target {
                Some(Target::AtMost(most)) => value["at_most"] = json!(most),
                Some(Target::AtLeast(least)) => value["at_least"] = json!(least),
                None => {}
            }
            if let Some(verdict) = ratio.verdict() {
                value["met"] = json!(verdict.met());
            }
            value
        };
        row["ratios"] = self.ratios.iter().map(ratio).collect();
        if let (Value::Object(row), Value::Object(figures)) = (&mut row, figures) {
            row.extend(figures);
        }
        row
    }
}

/// What became of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Met,
    Missed,
    /// Nothing was measured to hold the figure against.
    Unmeasured,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "MISSED",
            Self::Unmeasured => "not measured",
        }
    }

    /// Whether it was met; `None` when nobody knows.
    const fn met(self) -> Option<bool> {
        match self {
            Self::Met => Some(true),
            Self::Missed => Some(false),
            Self::Unmeasured => None,
        }
    }
}

/// Everything that a run found.
#[derive(Debug, Default)]
pub struct Report {
    /// The rows, in the order in which they were measured.
    pub rows: Vec<Row>,
    /// What a reader of the rows must know.
    pub notes: Vec<String>,
}

impl Report {
    /// Adds a row.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds a note.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Adds a row for each placement of `series`; `ratios` tells what each is held against.
    pub fn push_series(
        &mut self,
        suite: &'static str,
        name: &str,
        series: &Series,
        ratios: &dyn Fn(Placement, &Samples) -> Vec<Ratio>,
    ) {
        for (placement, samples) in series.iter() {
            let mut row = Row::times(suite, name, placement, samples.times.clone());
            row.ratios = ratios(placement, samples);
            self.push(row);
        }
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self, machine: &Machine, outcome: Outcome) -> Value {
        json!({
            "machine": machine.to_json(), "notes": self.notes,
            "rows": self.rows.iter().map(Row::to_json).collect::<Vec<_>>(),
            "repeated": { "moved": outcome.moved, "preempted": outcome.preempted,
                "kept_preempted": outcome.kept_preempted, "given_up": outcome.given_up },
        })
    }

    /// Prints the table.
    pub fn print(&self, machine: &Machine, outcome: Outcome) {
        println!("{machine}");
        let mut suite = "";
        for row in &self.rows {
            if row.suite != suite {
                suite = row.suite;
                println!("\n{suite}");
                let heads: String = SHOWN.iter().map(|&part| format!("{:>10}", head(part))).collect();
                println!("  {:<44} {:<5}{:>8} {heads}{:>11}  ratios", "", "place", "unit", "max");
            }
            println!("  {}", line(row));
        }
        let Outcome { moved, preempted, kept_preempted, given_up } = outcome;
        println!(
            "\nrepeated because the probes disagreed: {moved}, because a core was taken away: {preempted}"
        );
        println!("kept though a core was taken away: {kept_preempted}; given up: {given_up}");
        for note in &self.notes {
            println!("note: {note}");
        }
        let (met, missed, unmeasured) = self.verdicts();
        println!("targets met: {met}, missed: {}, not measured: {}", missed.len(), unmeasured.len());
        for (what, lines) in [("missed", missed), ("not measured", unmeasured)] {
            for line in lines {
                println!("  {what}: {line}");
            }
        }
    }

    /// How many targets were met, those that were not, and those that nothing was measured beside.
    fn verdicts(&self) -> (usize, Vec<String>, Vec<String>) {
        let (mut met, mut missed, mut unmeasured) = (0, Vec::new(), Vec::new());
        for row in &self.rows {
            for ratio in &row.ratios {
                let place = row.placement.as_str();
                let line = || format!("{} / {} ({place}): {}", row.suite, row.name, show_ratio(ratio));
                match ratio.verdict() {
                    Some(Verdict::Met) => met += 1,
                    Some(Verdict::Missed) => missed.push(line()),
                    Some(Verdict::Unmeasured) => unmeasured.push(line()),
                    None => {}
                }
            }
        }
        (met, missed, unmeasured)
    }
}

fn head(part: f64) -> String {
    format!("p{}", (part * 1_000.0).round() / 10.0)
}

fn line(row: &Row) -> String {
    let times = &row.times;
    let shown: String = SHOWN.iter().map(|&part| format!("{:>10}", show(times.at(part)))).collect();
    let ratios: Vec<_> = row.ratios.iter().map(show_ratio).collect();
    let (name, place, unit, max) = (&row.name, row.placement.as_str(), row.unit, show(times.max()));
    format!("{name:<44} {place:<5}{unit:>8} {shown}{max:>11}  {}", ratios.join("; "))
}

fn show_ratio(ratio: &Ratio) -> String {
    let bound = ratio.target.map(|target| match target {
        Target::AtMost(most) => format!("<= {most}"),
        Target::AtLeast(least) => format!(">= {least}"),
    });
    let word = ratio.verdict().map(Verdict::as_str);
    let verdict = bound.zip(word).map_or_else(String::new, |(bound, word)| format!(" [{bound} {word}]"));
    // The cores moved, and what it is held against was never seen where they stood.
    let value = if ratio.value.is_nan() { "?".to_owned() } else { show(ratio.value) };
    format!("{value}x {}{verdict}", ratio.to)
}

/// Three or four significant digits.
fn show(value: f64) -> String {
    let digits = match value.abs() {
        large if large >= 1_000.0 => 0,
        middle if middle >= 100.0 => 1,
        small if small >= 10.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::domain::Nanos;

    #[test]
    fn a_missed_target_is_told_and_a_met_one_counted() {
        let mut times = Histogram::default();
        times.record(Nanos(90));
        let row = Row::times("ring", "ours", Placement::Near, times)
            .with(Ratio::promised("raw", 0.8, Target::AtMost(0.85)))
            .with(Ratio::promised("rtrb", 1.5, Target::AtLeast(2.2)))
            .with(Ratio::promised("the raw one way", f64::NAN, Target::AtMost(1.1)))
            .with(Ratio::plain("ringbuf", 0.5));
        assert!(line(&row).contains("1.500x rtrb [>= 2.2 MISSED]"), "{}", line(&row));
        let json = row.to_json();
        assert_eq!((&json["ratios"][0]["met"], &json["placement"]), (&json!(true), &json!("near")));
        let mut report = Report::default();
        report.push(row);
        let (met, missed, unmeasured) = report.verdicts();
        assert_eq!((met, missed.len(), unmeasured.len()), (1, 1, 1));
        assert!(unmeasured[0].ends_with("?x the raw one way [<= 1.1 not measured]"), "{unmeasured:?}");
        assert!(missed[0].contains("ring / ours (near)"), "{missed:?}");
    }
}
