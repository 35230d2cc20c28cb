//! What was halted before an engine starts: it holds before anything may be approved, whatever became of shared memory.

use engine::counters::HaltState;
use engine::domain::{Instruments, SourceId};
use engine::error::SetupError;
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::assembly::StrategySlot;

use crate::config::Places;
use crate::operator::page::Names;
use crate::{gateway, operator, zmq};

/// Sets the pages of the operator, of the gateway and of port 5557 by their logs, for an engine with these instruments
/// and strategies. Gives their names, and what the operator says of everything; where the operator is another user, whose
/// page this process cannot write, it says nothing here.
///
/// # Errors
/// When nobody knows what was halted.
pub fn restore(
    (ipc, places): (&IpcPaths, &Places),
    instruments: &Instruments,
    strategies: &[StrategySlot],
) -> Result<(Names, HaltState), SetupError> {
    let numbered =
        (0..).zip(strategies).map(|(number, slot)| (SourceId::strategy(number), slot.name.clone()));
    let names = Names {
        instruments: instruments.iter().map(|(index, facts)| (index, facts.symbol.to_string())).collect(),
        sources: numbered.chain(zmq::halts::people()).collect(),
    };
    let state = match places.apart("operator") {
        None => operator::restore(places, ipc, names.table())?,
        Some(_) => HaltState::Active,
    };
    zmq::halts::restore(ipc, places, &names)?;
    gateway::halts::restore(ipc, places, &names)?;
    Ok((names, state))
}
