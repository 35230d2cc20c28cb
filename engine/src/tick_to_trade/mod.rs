//! The four agents between a venue's frame and our order: ingest, strategy, risk, route.

pub mod ingest;
pub mod strategy;
pub mod risk;
pub mod route;
pub mod assembly;
