//! The path assembled: every ring, page and journal of the four agents.
//!
//! One builder an agent: it makes the files that the agent owns and attaches to those of its peers. Within
//! one process the agents are made in the order in which they attach ([`Path`]). [Apart](apart), each in a process of
//! its own, they come in any order, die alone, and go on where they were.

pub mod apart;
mod builders;
mod config;
mod journals;
mod path;
mod timeline;

pub use builders::{LOGGED_HALTS, RISK_SERVICE};
pub use config::{PathConfig, RingSizes, StrategySlot};
pub use journals::{JournalSet, journal_directory};
pub use path::{Path, PathParts};
pub use timeline::Timeline;
