//! The engine: a pure core. No sockets, no async runtime, no config files, no clock of its own.
//!
//! ```text
//! venue ──bytes──▶ ingest ──Tick──▶ strategy ──Intent──▶ risk ──Order──▶ route ──bytes──▶ venue
//!                    │ broadcast        ▲                  ▲ │              │
//!                    │                  └──────Report──────┴─│──────────────┘ (the tail of route's journal)
//!                    ▼                                       ▼              ▼
//!                 book cells                    counters, histograms, journals
//! ```
//!
//! Modules stand bottom-up: each uses only those above it (the `tidy` test holds that).

// Floats belong to strategies alone, each of which says so; what a test computes reaches nobody.
#![cfg_attr(not(test), deny(clippy::float_arithmetic))]

mod hint;
pub mod primitive;
pub mod limits;
pub mod room;
pub mod wire;
pub mod error;
pub mod crash;
pub mod domain;
pub mod clock;
pub mod shm;
pub mod ring;
pub mod counters;
pub mod message;
pub mod agent;
pub mod book;
pub mod journal;
pub mod ledger;
pub mod venue;
pub mod tick_to_trade;
pub mod simulation;
