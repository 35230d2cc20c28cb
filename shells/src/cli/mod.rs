//! The operator's command line: what users type, and what they see.

pub mod args;
pub mod output;
pub mod table;
pub mod looking;
pub mod journal;
pub mod config;
pub mod halt;
