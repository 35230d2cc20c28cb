//! The operator's halts: by name, across restarts, and while other commands hold the lock.

use super::*;
use crate::config::places::DataDirs;

fn world() -> (tempfile::TempDir, Places, IpcPaths) {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let places =
        Places { instance: "t".into(), ipc: at("ipc"), data: at("data"), apart: DataDirs::default() };
    let ipc = IpcPaths::new(&places.ipc);
    (folder, places, ipc)
}

fn named<T>(rows: Vec<(T, &str)>) -> Vec<(T, String)> {
    rows.into_iter().map(|(key, name)| (key, name.to_owned())).collect()
}

fn state(ipc: &IpcPaths, source: u16, instrument: u32) -> HaltState {
    HaltReader::attach(&ipc.halts(OWNER)).expect("a page").state(SourceId(source), instrument)
}

fn log(places: &Places, scope: Scope, state: HaltState) {
    std::fs::create_dir_all(&places.data).expect("made");
    let entry = Entry::now(Act::Halt { scope, state }, None, &Environment::default());
    OperatorLog::new(&places.owned_by("operator")).append(&entry).expect("written");
}

#[test]
fn a_halt_needs_no_engine_and_survives_the_loss_of_shared_memory() {
    let (_folder, places, ipc) = world();
    let environment = Environment::default();
    apply(&places, &Scope::Global, HaltState::Halted, None, &environment).expect("halted");
    assert_eq!(state(&ipc, 0, 0), HaltState::Halted);
    std::fs::remove_dir_all(&places.ipc).expect("a reboot");
    ipc.create().expect("made");
    let table = Table { instruments: &[], sources: &[] };
    assert_eq!(restore(&places, &ipc, table).expect("restored"), HaltState::Halted);
    assert_eq!(state(&ipc, 0, 0), HaltState::Halted);
    apply(&places, &Scope::Global, HaltState::Active, None, &environment).expect("resumed");
    assert_eq!(state(&ipc, 0, 0), HaltState::Active);
    assert_eq!(restore(&places, &ipc, table).expect("restored"), HaltState::Active);
}

#[test]
fn a_halt_follows_its_name_to_another_index() {
    let (_folder, places, ipc) = world();
    ipc.create().expect("made");
    log(&places, Scope::Symbol("ETH".into()), HaltState::Halted);
    log(&places, Scope::Strategy("mm".into()), HaltState::ReduceOnly);
    log(&places, Scope::Strategy("mm/BTC".into()), HaltState::Active);
    let sources = named(vec![(SourceId(2), "mm/BTC"), (SourceId(3), "mm/ETH"), (SourceId(4), "mmx/ETH")]);
    for (instruments, eth, btc) in
        [(named(vec![(0, "ETH"), (1, "BTC")]), 0, 1), (named(vec![(0, "BTC"), (1, "ETH")]), 1, 0)]
    {
        restore(&places, &ipc, Table { instruments: &instruments, sources: &sources }).expect("restored");
        assert_eq!(state(&ipc, 2, eth), HaltState::Halted);
        assert_eq!(state(&ipc, 2, btc), HaltState::Active, "the later line for mm/BTC");
        assert_eq!(state(&ipc, 3, btc), HaltState::ReduceOnly);
        assert_eq!(state(&ipc, 4, btc), HaltState::Active, "mmx is not mm");
    }
}

#[test]
fn a_halt_waits_for_no_hung_command_and_what_lets_go_does() {
    let (_folder, places, ipc) = world();
    let _hung = OperatorLock::take(&places.owned_by("operator")).expect("free");
    let environment = Environment::default();
    let done = apply(&places, &Scope::Global, HaltState::Halted, None, &environment).expect("halted");
    assert!(done.warning.expect("told").contains("operator.lock"));
    assert_eq!(state(&ipc, 0, 0), HaltState::Halted);
    assert!(apply(&places, &Scope::Global, HaltState::Active, None, &environment).is_err());
    assert_eq!(state(&ipc, 0, 0), HaltState::Halted);
    drop(_hung);
    // It is not in the log, and still outlives the engine.
    let table = Table { instruments: &[], sources: &[] };
    assert_eq!(restore(&places, &ipc, table).expect("restored"), HaltState::Halted);
}

/// Asks for `stricter` while another command holds the lock, which lets go of everything and of the lock once the page
/// says it; whether that came before the command gave the lock up.
fn is_set_while_another_holds_the_lock(stricter: HaltState) -> bool {
    let (_folder, places, ipc) = world();
    let environment = Environment::default();
    apply(&places, &Scope::Global, HaltState::Active, None, &environment).expect("logged");
    let busy = OperatorLock::take(&places.owned_by(OWNER)).expect("free");
    let done = std::thread::scope(|scope| {
        let asked = scope.spawn(|| apply(&places, &Scope::Global, stricter, None, &environment));
        while state(&ipc, 0, 0) != stricter && !asked.is_finished() {
            std::thread::yield_now();
        }
        HaltPage::reopen(&ipc.halts(OWNER)).expect("a page").set_global(HaltState::Active);
        drop(busy);
        asked.join().expect("it ends")
    });
    assert!(done.is_err() || state(&ipc, 0, 0) == stricter, "what another let go of is set again");
    done.is_ok_and(|done| done.warning.is_none())
}

#[test]
fn what_is_stricter_is_on_the_page_before_the_lock_is_free() {
    for stricter in [HaltState::ReduceOnly, HaltState::Halted] {
        // On a machine that is busy enough the lock may be given up before this thread looks.
        assert!(
            (0..5).any(|_| is_set_while_another_holds_the_lock(stricter)),
            "{stricter} waits for the lock"
        );
    }
}

#[test]
fn reduce_only_is_no_halt_lowered_before_it_is_logged() {
    let (_folder, places, ipc) = world();
    let environment = Environment::default();
    apply(&places, &Scope::Global, HaltState::Halted, None, &environment).expect("halted");
    let hung = OperatorLock::take(&places.owned_by(OWNER)).expect("free");
    assert!(apply(&places, &Scope::Global, HaltState::ReduceOnly, None, &environment).is_err());
    assert_eq!(state(&ipc, 0, 0), HaltState::Halted);
    drop(hung);
    apply(&places, &Scope::Global, HaltState::ReduceOnly, None, &environment).expect("logged");
    assert_eq!(state(&ipc, 0, 0), HaltState::ReduceOnly);
}

#[test]
fn a_resume_leaves_a_halt_that_came_while_it_was_logged() {
    let (_folder, places, ipc) = world();
    let environment = Environment::default();
    apply(&places, &Scope::Global, HaltState::Halted, None, &environment).expect("halted");
    // In the place of one that is kept while the resume's line is synced: no line's time is behind it.
    let act = Act::Halt { scope: Scope::Global, state: HaltState::Halted };
    let later = Entry { time_ns: i64::MAX, ..Entry::now(act, None, &environment) };
    let _told = own_log(&places, &ipc).keep(&later, &SetupError::Invalid("hung".to_owned()));
    let done = apply(&places, &Scope::Global, HaltState::Active, None, &environment).expect("logged");
    assert_eq!(state(&ipc, 0, 0), HaltState::Halted);
    assert_eq!(done.warning.as_deref(), Some("everything is HALTED: that was asked for meanwhile"));
}

#[test]
fn a_resume_that_waited_lets_go_of_no_halt_that_came_meanwhile() {
    let (_folder, places, ipc) = world();
    let environment = Environment::default();
    apply(&places, &Scope::Global, HaltState::Halted, None, &environment).expect("halted");
    // Asked for when the log had no line; the halt is the first.
    let let_go_at = |seen| {
        let entry =
            Entry::now(Act::Halt { scope: Scope::Global, state: HaltState::Active }, None, &environment);
        let lock = OperatorLock::take(&places.owned_by(OWNER)).expect("the lock");
        let_go(&ipc, &own_log(&places, &ipc), &Scope::Global, (HaltState::Active, &entry, seen), &lock)
    };
    let refused = let_go_at(0).expect_err("halted meanwhile").to_string();
    assert!(refused.contains("everything was set to HALTED meanwhile"), "{refused}");
    assert_eq!(state(&ipc, 0, 0), HaltState::Halted);
    assert_eq!(let_go_at(1).expect("let go").warning, None);
    assert_eq!(state(&ipc, 0, 0), HaltState::Active);
}

#[test]
fn a_new_page_without_a_readable_log_halts_everything_and_says_so() {
    let (_folder, places, ipc) = world();
    let environment = Environment::default();
    log(&places, Scope::Global, HaltState::Active);
    let file = places.owned_by(OWNER).join("operator.log");
    std::fs::write(&file, "{\"no\":\"line of ours\"}\n").expect("damaged");
    let done = apply(&places, &Scope::Global, HaltState::ReduceOnly, None, &environment).expect("it holds");
    assert!(done.warning.is_some_and(|told| told.contains("everything is HALTED")), "told");
    assert_eq!(state(&ipc, 0, 0), HaltState::Halted);
}

#[test]
fn a_page_that_is_made_for_a_halt_is_as_strict_as_the_log_for_the_rest() {
    let (_folder, places, ipc) = world();
    log(&places, Scope::Global, HaltState::ReduceOnly);
    let raised = raise(&ipc, &Scope::Global, HaltState::ReduceOnly).expect("made");
    assert!(raised.made && state(&ipc, 0, 0) == HaltState::Halted, "until the log was read");
    std::fs::remove_file(ipc.halts(OWNER)).expect("there");
    let environment = Environment::default();
    apply(&places, &Scope::Global, HaltState::ReduceOnly, None, &environment).expect("set");
    assert_eq!(state(&ipc, 0, 0), HaltState::ReduceOnly);
}

#[test]
fn a_halt_that_could_not_be_logged_follows_its_name_until_it_is_let_go() {
    let (_folder, places, ipc) = world();
    ipc.create().expect("made");
    log(&places, Scope::Strategy("mm".into()), HaltState::Halted);
    let unlogged = Entry::now(
        Act::Halt { scope: Scope::Symbol("ETH".into()), state: HaltState::Halted },
        None,
        &Environment::default(),
    );
    let _told = own_log(&places, &ipc).keep(&unlogged, &SetupError::Invalid("full".to_owned()));
    let sources = named(vec![(SourceId(2), "mm/BTC")]);
    for (instruments, eth, btc) in
        [(named(vec![(0, "ETH"), (1, "BTC")]), 0, 1), (named(vec![(0, "BTC"), (1, "ETH")]), 1, 0)]
    {
        restore(&places, &ipc, Table { instruments: &instruments, sources: &sources }).expect("restored");
        assert_eq!((state(&ipc, 3, eth), state(&ipc, 3, btc)), (HaltState::Halted, HaltState::Active));
    }
    log(&places, Scope::Symbol("ETH".into()), HaltState::Active);
    let instruments = named(vec![(0, "ETH")]);
    restore(&places, &ipc, Table { instruments: &instruments, sources: &sources }).expect("restored");
    assert_eq!((state(&ipc, 3, 0), state(&ipc, 2, 0)), (HaltState::Active, HaltState::Halted));
}

#[test]
fn a_damaged_log_lets_nothing_start() {
    let (_folder, places, ipc) = world();
    ipc.create().expect("made");
    log(&places, Scope::Global, HaltState::Halted);
    std::fs::write(places.data.join("operator.log"), "{\"act\":\"halt\"}\n").expect("damaged");
    let table = Table { instruments: &[], sources: &[] };
    assert!(restore(&places, &ipc, table).is_err());
}
