//! The services hosting their agents, each in a process of its own, at a `simulated_exchange` over sockets: started in any
//! order, each killed in turn while trading, and found again.

mod stack;

use rustix::process::Signal;
use serde_json::json;
use stack::hosting::{SERVICES, exchange, fills, hosting, ready};
use stack::{Client, Home, PATIENCE_WITH_FILLS, get, until, until_within};

/// As in the deployment: risk, the operator and the gateway keep their data where no other writes it.
fn apart(home: &Home) -> [String; 2] {
    let at = |owner: &str| format!("{owner}={}", home.path().join(owner).display());
    ["--data-dirs".to_owned(), ["risk", "operator", "gateway"].map(at).join(",")]
}

#[test]
fn the_order_port_waits_for_no_agent_but_its_own_and_says_what_it_cannot_tell_yet() {
    let home = Home::new();
    let exchange = exchange(&home);
    let start = |place: usize| hosting(&home, &exchange, SERVICES[place], &[]);
    let mut services = [3, 2].map(start);
    let [_, (endpoint, _)] = [0, 1].map(|place: usize| ready(&mut services[place]));
    let mut client = Client::connect(&zmq::Context::new(), &endpoint);
    assert_eq!(client.refused("orders.open", json!({})), "NOT_READY");

    let mut later = [1, 0].map(start);
    later.iter_mut().for_each(|service| _ = ready(service));
    until("orders are known", || (client.ask("orders.open", json!({}))["ok"] == json!(true)).then_some(()));
}

#[test]
fn services_trade_with_their_own_agents_and_each_may_be_killed() {
    let home = Home::new();
    let exchange = exchange(&home);
    let apart = apart(&home);
    let apart = apart.each_ref().map(String::as_str);
    let mut services = SERVICES.map(|binary| hosting(&home, &exchange, binary, &apart));
    for service in &mut services {
        let (_, http) = ready(service);
        assert_eq!(get(http, "/ready").0, 200);
    }
    until("the strategies trade", || (fills(&home) > 0).then_some(()));
    let sessions = std::fs::read_dir(home.path().join("risk/default/sessions")).expect("risk's own").count();
    assert_eq!(sessions, 1, "risk's journal lies apart");

    for (place, binary) in SERVICES.into_iter().enumerate() {
        services[place].signal(Signal::KILL);
        until("it is dead", || (!services[place].is_running()).then_some(()));
        services[place] = hosting(&home, &exchange, binary, &apart);
        ready(&mut services[place]);
        let before = fills(&home);
        assert!(before > 0, "what was filled before is known still");
        until_within(PATIENCE_WITH_FILLS, "trading goes on", || (fills(&home) > before).then_some(()));
    }
    for service in services {
        service.signal(Signal::TERM);
        let (code, error) = service.wait();
        assert_eq!(code, Some(0), "{error}");
    }
}

#[test]
fn services_trade_on_market_data_in_sbe() {
    let home = Home::new();
    let exchange = exchange(&home);
    let flags = ["--market-data-format", "sbe"];
    let mut services = SERVICES.map(|binary| hosting(&home, &exchange, binary, &flags));
    services.iter_mut().for_each(|service| _ = ready(service));
    until("the strategies trade", || (fills(&home) > 0).then_some(()));
    // Only who follows SBE has a stream of this name.
    exchange.admin("POST", "/admin/faults?fault=duplicate-frame&stream=@bestBidAsk&count=1");
    until("a frame of SBE comes twice", || {
        exchange.admin("GET", "/admin/faults").to_string().contains("\"hits\":1").then_some(())
    });
    for service in services {
        service.signal(Signal::TERM);
        let (code, error) = service.wait();
        assert_eq!(code, Some(0), "{error}");
    }
}
