//! Time between our order entry and the exchange: how old a request may be, and how far the clocks are apart.

use engine::clock::Clock;
use engine::domain::Nanos;
use engine::venue::{OrderEntry, VenueEventKind};
use shells::config::values::RecvWindow;
use shells::config::{AllFlags, Environment, Secrets, Settings};
use shells::venue::Way;

use crate::orders::{Desk, id, without_a_session};
use crate::support::{Exchange, now};

/// The clock that the exchange reads too.
struct Wall;

impl Clock for Wall {
    fn now(&mut self) -> Nanos {
        now()
    }
}

#[test]
fn the_venue_takes_a_request_no_longer_than_its_window() {
    let exchange = Exchange::start(&[]);
    for (key, secret) in [("ed25519", "private_key"), ("hmac", "secret")] {
        for session in [true, false] {
            let open = |window| {
                let mut desk = match session {
                    true => Desk::open(&exchange, key, secret, false),
                    false => Desk::open_at(&exchange, key, secret, false, without_a_session),
                };
                desk.entry = desk.entry.within(RecvWindow(window));
                if session {
                    desk.until_kind(VenueEventKind::Connected);
                }
                // As if it had been on its way for so long.
                desk.entry.query(0, id(9), now() - Nanos::from_secs(3)).expect("it leaves");
                desk.until(|event| event.id == id(9)).kind
            };
            assert_eq!(open(60_000), VenueEventKind::QueryNotFound, "{key}, {session}");
            // Refused with -1021: the question went unanswered.
            assert_eq!(open(1_000), VenueEventKind::Unknown, "{key}, {session}");
        }
    }
}

fn way(exchange: &Exchange, window: &str) -> Way {
    let endpoint = format!("ws://127.0.0.1:{}", exchange.running.address.port());
    let set =
        [("HOME", "/nowhere"), ("TRADING_EXCHANGE_ENDPOINT", &endpoint), ("TRADING_RECV_WINDOW", window)];
    let environment: Environment = set.into_iter().collect();
    let settings = Settings::resolve(&AllFlags::default(), &environment, Secrets::Withhold).expect("good");
    Way::of(&settings).expect("a way")
}

#[test]
fn what_may_be_taken_late_is_given_up_late() {
    let exchange = Exchange::start(&[]);
    for (window, seconds) in [("5000", 16), ("60000", 71)] {
        assert_eq!(way(&exchange, window).timing().conclusive, Nanos::from_secs(seconds));
    }
}

#[test]
fn an_exchange_whose_clock_is_wrong_is_found_out() {
    let exchange = Exchange::start(&[]);
    let way = way(&exchange, "5000");
    for hours in [0, 1, -1] {
        let skew = Nanos::from_secs(hours * 3_600);
        let fault = format!("/admin/faults?fault=clock-skew&ms={}", skew.0 / 1_000_000);
        assert_eq!(exchange.operator("POST", &fault).0, 200);
        let (offset, doubt) = way.ask_clock(&mut Wall).expect("an answer");
        assert!((offset - skew).0.abs() <= doubt.0, "{offset:?} at {skew:?}");
        // Order entry signs with the venue's time: it is let in, and takes note.
        let mut desk = Desk::open(&exchange, "ed25519", "private_key", false);
        desk.until_kind(VenueEventKind::Connected);
        let noted = desk.entry.clock_offset() - skew;
        assert!(noted.0.abs() < Nanos::from_secs(60).0, "{noted:?} off at {skew:?}");
    }
}
