//! The ZeroMQ ports: market data on 5555, and one envelope of requests, replies and pushes on 5556 (orders), 5557
//! (risk) and 5558 (strategies). Each port has a thread of its own and looks at shared memory; none of them is on
//! the path from a tick to an order.

pub mod option;
pub mod port;
pub mod desk;
pub mod router;
pub mod publisher;
pub mod looking;
pub mod market_data;
pub mod halts;
pub mod permitted;
pub mod commanding;
mod pairs;
pub mod order_entry;
pub mod order_execution;
pub mod risk_management;
pub mod strategy_engine;
