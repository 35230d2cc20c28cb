//! The four agents between a venue's frame and our order: ingest, strategy, risk, route.

mod order_index;
pub mod commands;
pub mod ingest;
pub mod strategy;
pub mod risk;
pub mod route;
pub mod assembly;
