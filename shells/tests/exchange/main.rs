//! `simulated_exchange` over real sockets, as clients see it.

mod support;
mod replace;
mod rest;
mod websocket;
mod streams;
mod sbe;
mod statistics;
mod clients;
mod faults;
mod orders;
mod together;
mod stand_in;
mod time;
mod paper;
mod feed;
mod tape;
mod garbage;
mod lists;
mod triggers;
mod hidden;
