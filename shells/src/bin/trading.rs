//! `trading`: the operator's command line, and the whole system in one process.

use std::process::ExitCode;

use clap::Parser;
use engine::counters::HaltState;
use shells::cli::args::{Cli, Command};
use shells::cli::{acting, config, doctor, halt, journal, looking, top, trace};
use shells::config::Environment;

pub(crate) fn main() -> ExitCode {
    let environment = Environment::of_process();
    // Bad usage ends in the parser with exit code 2.
    let outcome = match Cli::parse().command {
        Command::Run(args) => shells::run::run(&args, &environment),
        Command::Engine(args) => shells::host::run(&args, &environment),
        Command::Record(args) => shells::venue::record::run(&args, &environment),
        Command::Replay(args) => shells::replay::run(&args, &environment),
        Command::Simulate(args) => shells::simulate::run(&args, &environment),
        Command::Journal(command) => journal::run(&command, &environment),
        Command::Latency(args) => looking::latency(&args, &environment),
        Command::Counters(args) => looking::counters(&args, &environment),
        Command::Book(args) => looking::book(&args, &environment),
        Command::Status(args) => looking::status::status(&args, &environment),
        Command::Top(args) => top::run(&args, &environment),
        Command::Orders(args) => looking::account::orders(&args, &environment),
        Command::Fills(args) => looking::account::fills(&args, &environment),
        Command::Positions(args) => looking::account::positions(&args, &environment),
        Command::Pnl(args) => looking::account::pnl(&args, &environment),
        Command::Risk(args) => looking::account::risk(&args, &environment),
        Command::Trace(args) => trace::run(&args, &environment),
        Command::Order(command) => acting::orders::place(&command, &environment),
        Command::Amend(args) => acting::orders::amend(&args, &environment),
        Command::Replace(args) => acting::orders::replace(&args, &environment),
        Command::Cancel(args) => acting::orders::cancel(&args, &environment),
        Command::CancelAll(args) => acting::orders::cancel_all(&args, &environment),
        Command::Flatten(args) => acting::orders::flatten(&args, &environment),
        Command::Limits(command) => acting::services::limits(&command, &environment),
        Command::Strategy(command) => acting::services::strategy(&command, &environment),
        Command::Halt(args) => halt::run(HaltState::Halted, &args, &environment),
        Command::ReduceOnly(args) => halt::run(HaltState::ReduceOnly, &args, &environment),
        Command::Resume(args) => halt::run(HaltState::Active, &args, &environment),
        Command::Doctor(args) => doctor::run(&args, &environment),
        Command::Token(command) => shells::cli::token::run(&command, &environment),
        Command::Completions(args) => shells::cli::completions(args.shell),
        Command::Config(command) => config::run(&command, &environment),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trading: {error}");
            ExitCode::FAILURE
        }
    }
}
