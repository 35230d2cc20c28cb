//! The children: each hosts one agent, or the venue, until it is killed.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use engine::agent::{Agent, IdleStrategy};
use engine::clock::Clock;
use engine::crash;
use engine::shm::OwnerLock;
use engine::shm::paths::IpcPaths;
use engine::tick_to_trade::assembly::JournalSet;

use crate::world::World;

const CAPACITY: usize = 16_384;

/// Plays `role` until killed.
pub fn play(role: &str) {
    let folder = PathBuf::from(std::env::var("PROCESS_FOLDER").expect("the parent's folder"));
    if let Ok(arm) = std::env::var("PROCESS_ARM") {
        let (point, nth) = arm.split_once(':').expect("POINT:NTH");
        crash::arm(point, nth.parse().expect("a number"));
    }
    if std::env::var("PROCESS_PLANT").is_ok() {
        crash::plant();
    }
    let ipc = IpcPaths::new(folder.join("ipc"));
    ipc.create().expect("directories");
    let _lock = OwnerLock::take(&ipc, role).expect("nobody else plays this role");
    let end = Instant::now() + Duration::from_secs(180);
    let world = World::new(ipc, folder.join("data"), CAPACITY, role == "venue");
    let mut clock = world.timeline.clock;
    let mut journals = JournalSet::new(CAPACITY);
    let mut agent: Box<dyn Agent> = match role {
        "venue" => Box::new(world.venue()),
        "ingest" => Box::new(world.ingest()),
        "strategy" => Box::new(world.strategy()),
        "risk" => Box::new(world.risk(&mut journals)),
        "route" => Box::new(world.route(&mut journals)),
        other => panic!("{other} is no role"),
    };
    let mut idle = engine::agent::idle::Idle::new(IdleStrategy::Backoff);
    // The parent kills us; should it die itself, nobody runs for ever.
    while Instant::now() < end {
        let work = agent.do_work(clock.now());
        journals.drain().expect("written");
        idle.after(work);
    }
}
