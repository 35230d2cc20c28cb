//! How a process that is no strategy acts: it puts intents into the ring of its source, and risk decides on them like
//! on any other. [`intents`] writes them, [`session`] waits for the answers: for the command line. Port 5556 serves
//! many clients at once from one [`intents::Intents`].

pub mod intents;
pub mod pair;
pub mod commands;
pub mod sweep;
pub mod session;
