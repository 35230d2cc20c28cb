//! The fills of `paper`: the exchange in this process plays market data that come over sockets.

use std::sync::Arc;

use clap::Parser;
use engine::agent::Agent;
use engine::domain::{Instruments, Market};
use engine::shm::paths::IpcPaths;
use engine::venue::binance::exchange_info;
use engine::venue::{MarketData, Source};
use shells::assembly::Link;
use shells::binance::{BinanceFeed, Endpoints, Streams};
use shells::cli::args::FillArgs;
use shells::transport::TlsTrust;
use shells::venue::house::{self, HouseFrames, LiveFrames};

use crate::support::{Exchange, deadline, now};

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    fills: FillArgs,
}

#[test]
fn live_frames_and_wished_snapshots_pass_the_exchange_in_this_process() {
    let exchange = Exchange::start(&[]);
    let info = exchange.http("GET", "/api/v3/exchangeInfo", "", "").2.to_string();
    let table = exchange_info::instruments(info.as_bytes(), Market::Spot).expect("instruments");
    let instruments = Arc::new(Instruments::new(table).expect("a table"));
    let endpoints = Endpoints::at(&format!("ws://{}", exchange.running.address)).expect("a place");
    let (trust, streams) = (TlsTrust::public(), Streams::default());
    let feed = BinanceFeed::new(&endpoints, &trust, Arc::clone(&instruments), &streams, 1);
    let frames = HouseFrames::Live(Box::new(LiveFrames::new(feed.expect("a reactor"))));

    let folder = tempfile::tempdir().expect("a folder");
    let ipc = IpcPaths::new(folder.path());
    ipc.create().expect("made");
    let Link { mut feed, entry: _entry, venue } = Link::create(&ipc, 1_024, 1).expect("rings");
    let fills = Flags::parse_from(["paper"]).fills;
    let mut house = house::open(frames, venue, &instruments, &fills, (&ipc, 1)).expect("an exchange");

    feed.request_snapshot(0, now());
    let (mut streamed, mut snapshots) = (0, 0);
    let deadline = deadline();
    while streamed < 50 || snapshots == 0 {
        assert!(now() < deadline, "{streamed} frames, {snapshots} snapshots");
        house.do_work(now());
        while feed.poll(now(), &mut |frame| match frame.source {
            Source::Stream | Source::Sbe => streamed += 1,
            Source::Rest(url) => snapshots += u32::from(url.contains("/depth")),
        }) {}
    }
    assert_eq!(house.agent().counters.unreadable, 0);
    assert!(house.agent().counters.frames >= 51);
}
