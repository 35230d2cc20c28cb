//! Agents that stall, and processes that freeze: told at once, given up when it lasts, survived when it does not.

mod stack;

use std::net::TcpStream;

use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::process::Signal;
use stack::exchange::Exchange;
use stack::hosting::{SERVICES, exchange, fills, hosting, ready, risk_counter};
use stack::{Home, Process, get, until};

/// The thread of a process that drives its agent, taken from the scheduler by the kernel: everything else runs on.
struct Stalled(Pid);

impl Stalled {
    fn plant(process: &Process, called: &str) -> Self {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", process.id())).expect("it lives");
        let agent = tasks.map(|task| task.expect("read").path()).find(|task| {
            std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim_end() == called)
        });
        let id = agent.as_deref().and_then(|task| task.file_name()?.to_str()?.parse().ok());
        let thread = Pid::from_raw(id.expect("a thread of that name"));
        ptrace::seize(thread, ptrace::Options::empty()).expect("a child's thread may be traced");
        ptrace::interrupt(thread).expect("traced");
        waitpid(thread, Some(WaitPidFlag::__WALL)).expect("stopped");
        Self(thread)
    }

    fn release(self) {
        ptrace::detach(self.0, None).expect("stopped");
    }

    /// Sees the thread's end, which its process's waits for.
    fn bury(self) {
        let look = Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG);
        until("its process ends", || {
            (waitpid(self.0, look).expect("a traced thread") != WaitStatus::StillAlive).then_some(())
        });
    }
}

impl Drop for Stalled {
    /// A traced thread would keep its process from ending, and a test that fails waits for that.
    fn drop(&mut self) {
        let _ = ptrace::detach(self.0, None);
    }
}

/// Starts everything and waits until it trades; gives the services in the order of [`SERVICES`], and the exchange.
fn trading(home: &Home) -> ([Process; 4], Exchange) {
    let exchange = exchange(home);
    let services = SERVICES.map(|binary| hosting(home, &exchange, binary, &[]));
    until("the strategies trade", || (fills(home) > 0).then_some(()));
    (services, exchange)
}

#[test]
fn a_stalled_agent_is_not_ready_then_recovers_or_is_given_up() {
    let home = Home::new();
    let ([strategies, mut risk, orders, market_data], exchange) = trading(&home);
    let (endpoint, http) = ready(&mut risk);
    let port = endpoint.trim_start_matches("tcp://").to_owned();
    assert!(TcpStream::connect(&port).is_ok());

    let not_ready = || {
        let (status, body) = get(http, "/ready");
        (status == 503).then(|| assert!(body.contains("risk stalled: its last beat is"), "{body}"))
    };
    let stalled = Stalled::plant(&risk, "engine");
    until("it is not ready", not_ready);
    until("its port is closed", || TcpStream::connect(&port).is_err().then_some(()));
    assert_eq!(get(http, "/health").0, 200, "its process lives");
    stalled.release();
    until("it is ready again", || (get(http, "/ready").0 == 200).then_some(()));
    let before = fills(&home);
    until("trading goes on", || (fills(&home) > before).then_some(()));

    let stalled = Stalled::plant(&risk, "engine");
    stalled.bury();
    let (code, error) = risk.wait();
    assert_eq!(code, Some(1));
    let last = error.lines().last().expect("a reason");
    assert!(last.starts_with("risk_management: risk stalled: its last beat is 10"), "{error}");

    // Whoever restarts processes does, and it goes on.
    let mut risk = hosting(&home, &exchange, SERVICES[1], &[]);
    ready(&mut risk);
    let before = fills(&home);
    until("trading goes on", || (fills(&home) > before).then_some(()));
    for service in [strategies, risk, orders, market_data] {
        service.signal(Signal::TERM);
        let (code, error) = service.wait();
        assert_eq!(code, Some(0), "{error}");
    }
}

#[test]
fn trading_stops_while_market_data_or_order_execution_is_frozen() {
    let home = Home::new();
    let ([_strategies, _risk, orders, market_data], _exchange) = trading(&home);
    for frozen in [&market_data, &orders] {
        let refused = risk_counter(&home, "rejected_LINK_DOWN");
        frozen.signal(Signal::STOP);
        // Strategies ask for more as long as they are fed: an operator's order asks in any case.
        until("risk refuses", || {
            buy(&home);
            (risk_counter(&home, "rejected_LINK_DOWN") > refused).then_some(())
        });
        let (approved, refused) = (risk_counter(&home, "orders"), risk_counter(&home, "rejected_LINK_DOWN"));
        until("risk refuses more", || {
            buy(&home);
            (risk_counter(&home, "rejected_LINK_DOWN") > refused + 2).then_some(())
        });
        assert_eq!(risk_counter(&home, "orders"), approved, "nothing was approved meanwhile");
        frozen.signal(Signal::CONT);
        let before = fills(&home);
        until("trading goes on", || (fills(&home) > before).then_some(()));
    }
}

#[test]
fn everything_in_one_process_is_given_up_when_an_agent_stalls() {
    for (placement, thread, stalled) in [("shared", "engine", "ingest"), ("dedicated", "risk", "risk")] {
        let home = Home::new();
        let start = || home.engine(&["--placement", placement]);
        let process = start();
        until("the strategies trade", || (fills(&home) > 0).then_some(()));
        let before = fills(&home);
        Stalled::plant(&process, thread).bury();
        let (code, error) = process.wait();
        assert_eq!(code, Some(1), "{error}");
        let last = error.lines().last().expect("a reason");
        assert!(last.starts_with(&format!("trading: {stalled} stalled: its last beat is 10")), "{error}");
        assert!(fills(&home) >= before, "what was filled is in the journals");

        // Whoever restarts processes does, and it goes on.
        let process = start();
        let sessions =
            || std::fs::read_dir(home.path().join("data/default/sessions")).expect("sessions").count();
        until("it trades again", || (sessions() == 2 && fills(&home) > 0).then_some(()));
        process.signal(Signal::INT);
        let (code, error) = process.wait();
        assert_eq!(code, Some(0), "{error}");
    }
}

/// An operator's order far from the market; what becomes of it is for risk to say.
fn buy(home: &Home) {
    let arguments = ["order", "buy", "BTCUSDT", "0.001", "--price", "1000", "--json"];
    home.start(env!("CARGO_BIN_EXE_trading"), &arguments).wait();
}
