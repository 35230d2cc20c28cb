//! The children: each hosts one agent, or the venue, until it is killed.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use engine::agent::{Agent, Idle, IdleStrategy};
use engine::clock::Clock;
use engine::crash;
use engine::shm::paths::IpcPaths;
use engine::shm::{Bell, OwnerLock};
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
    let world_ipc = ipc.clone();
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
    // A process that ends while the others sleep must wake them when it comes again: bells are part of what is tested.
    let bell = Bell::of(&world_ipc, role, 1).expect("a bell");
    let mut idle = Idle::new(IdleStrategy::Backoff).with_bell(bell);
    // The parent kills us; should it die itself, nobody runs for ever.
    while Instant::now() < end {
        let now = clock.now();
        let work = agent.do_work(now);
        journals.drain().expect("written");
        idle.after(work, now, || agent.next_deadline());
    }
}
