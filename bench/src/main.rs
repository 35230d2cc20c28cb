//! Measurements, side by side with peers, on pinned cores.
//!
//! ```text
//! cargo run --release -p bench -- SUITE [--json] [--quick] [--plot DIR]
//! ```

mod histogram;
mod rig;
mod series;
mod machine;
mod report;
mod plot;
mod frames;
mod peers;
mod desk;
mod suites;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use engine::error::SetupError;

use crate::machine::Machine;
use crate::report::Report;
use crate::rig::{Rig, Scale, Wait};
use crate::suites::{Bench, Suite};

/// Measures the engine beside its peers.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110)]
struct Cli {
    /// What to measure
    #[arg(value_enum)]
    suite: Suite,
    /// End with one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// All suites in under a minute, with less certainty
    #[arg(long, conflicts_with = "tiny")]
    quick: bool,
    /// Show only that everything works; the figures mean nothing
    #[arg(long, hide = true)]
    tiny: bool,
    /// The two cores to measure on, by number
    #[arg(long, value_name = "A,B", value_delimiter = ',', num_args = 2)]
    cores: Option<Vec<usize>>,
    /// Write percentiles, and what more instruments cost, as SVG files into a folder
    #[arg(long, value_name = "DIR")]
    plot: Option<PathBuf>,
    /// Spin without the processor's pause instruction
    #[arg(long)]
    bare_spin: bool,
}

/// The other process of a measurement between two.
#[derive(Debug, Parser)]
struct Answer {
    /// The core to be on
    #[arg(long)]
    core: usize,
    /// How to wait
    #[arg(long, value_enum)]
    wait: Wait,
    /// What to answer: a transport or a kind of frame, by its name
    name: String,
    /// Where its files lie
    place: PathBuf,
}

fn main() -> ExitCode {
    // Not a subcommand of the visible ones: nobody but this program calls it.
    let mut arguments = std::env::args_os();
    let outcome = if arguments.nth(1).is_some_and(|first| first == "answer") {
        answer(&Answer::parse_from(std::env::args_os().skip(1)))
    } else {
        run(&Cli::parse())
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn answer(task: &Answer) -> Result<(), SetupError> {
    if !core_affinity::set_for_current(core_affinity::CoreId { id: task.core }) {
        return Err(SetupError::Invalid(format!("core {}: cannot be pinned to", task.core)));
    }
    suites::answer(&task.name, &task.place, task.wait)
}

fn run(cli: &Cli) -> Result<(), SetupError> {
    let scale = match (cli.tiny, cli.quick) {
        (true, _) => Scale::Tiny,
        (_, true) => Scale::Quick,
        _ => Scale::Full,
    };
    let cores = cli.cores.as_deref().and_then(|cores| <[usize; 2]>::try_from(cores).ok());
    let rig = Rig::new(cores, scale, if cli.bare_spin { Wait::Bare } else { Wait::Pause })?;
    let machine = Machine::look(rig.cores(), rig.allowed());
    let mut report = Report::default();
    let place = shells::config::places::shared_memory();
    let scratch = tempfile::Builder::new()
        .prefix("trading-bench-")
        .tempdir_in(&place)
        .map_err(|error| SetupError::io(place, "making a directory in it", error))?;
    suites::run(cli.suite, &mut Bench { rig: &rig, report: &mut report, scratch: scratch.path() })?;
    if let Some(directory) = &cli.plot {
        let count = plot::write(&report, &machine, directory)?;
        report.note(format!("{count} plots are in {}", directory.display()));
    }
    if cli.json {
        println!("{}", report.to_json(&machine, rig.outcome()));
    } else {
        report.print(&machine, rig.outcome());
    }
    Ok(())
}
