//! Tests of the host over real rings and journals.

use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::counters::HistogramReader;
use crate::domain::Price;
use crate::message::report::{OrderState, ReportKind};
use crate::message::{Intent, IntentKind, Tick};
use crate::tick_to_trade::strategy::hosted::Activity;
use crate::tick_to_trade::strategy::registry;
use crate::tick_to_trade::strategy::testing::world::{Echo, NOW, World, at, heard};
use crate::tick_to_trade::strategy::testing::{CAPACITY, instrument, report_of, top_tick};

#[test]
fn each_strategy_hears_of_its_own_instruments_and_orders_only() {
    let mut world = World::new();
    let (first, second) = (world.echo("first", 2, &[0]), world.echo("second", 5, &[0, 1]));
    assert_eq!((world.host.next_deadline(), world.host.do_work(NOW)), (Nanos::ZERO, 2));
    assert_eq!((heard(&first), heard(&second).len()), (vec!["start 10000000000 0".to_owned()], 1));
    world.ticks.publish(&at(top_tick(10_000, 10_010), 1));
    world.ticks.publish(&at(top_tick(10_000, 10_010), 7));
    assert_eq!(world.host.do_work(NOW), 2);
    assert_eq!((heard(&first), heard(&second)), (vec![], vec!["tick 1 of 1 holding 0".to_owned()]));
    assert_eq!(world.sent(0), []);
    let intent = world.sent(1)[0];
    assert_eq!((intent.id.source, intent.stamp, intent.decided), (SourceId(5), 7, NOW));
    world.report(&report_of(&intent, ReportKind::Accepted, OrderState::Open, 0));
    let mut stranger = report_of(&intent, ReportKind::Accepted, OrderState::Open, 0);
    stranger.id.source = SourceId(6);
    world.report(&stranger);
    stranger.id.source = SourceId(60_000);
    world.report(&stranger);
    assert_eq!(world.host.do_work(NOW), 3);
    assert_eq!((heard(&first), heard(&second)), (vec![], vec!["report 2 of 1".to_owned()]));
    assert_eq!(world.host.do_work(NOW), 0, "nothing changed");
}

#[test]
fn the_time_of_every_followed_tick_is_recorded_and_of_no_other() {
    let mut world = World::new();
    let path = world.folder.path().join("histograms");
    let histograms = Histograms::create(&path, &STRATEGY_STAGES, 1).expect("made");
    world.host.time_in(Stopwatch::calibrate(), histograms);
    let _told = world.echo("echo", 2, &[0]);
    for instrument in [0, 1, 1, 0, 0, 1] {
        world.ticks.publish(&Tick { instrument, ..top_tick(10_000, 10_010) });
    }
    world.host.do_work(NOW);
    assert_eq!(world.host.do_work(NOW), 0, "which leaves time to record them");
    let times = HistogramReader::attach(&path).expect("attached").get("strategy").expect("a stage");
    assert_eq!(times.count, 3);
    assert!(times.min > 0, "nothing takes no time: {times:?}");
}

/// A host that has begun, and what it records times in, by a stopwatch that has run for a while.
fn timed() -> (World, Receiver<String>, Stopwatch, HistogramReader) {
    let mut world = World::new();
    let (path, stopwatch) = (world.folder.path().join("histograms"), Stopwatch::aged());
    world.host.time_in(stopwatch, Histograms::create(&path, &STRATEGY_STAGES, 1).expect("made"));
    let told = world.echo("echo", 2, &[0]);
    world.host.do_work(NOW);
    (world, told, stopwatch, HistogramReader::attach(&path).expect("attached"))
}

#[test]
fn the_first_tick_begins_at_the_moment_that_is_handed_on_and_no_other_does() {
    let (mut world, _told, stopwatch, times) = timed();
    (0..2).for_each(|_| world.ticks.publish(&top_tick(10_000, 10_010)));
    let mut moment = Moment::at(Nanos::ZERO);
    let before = stopwatch.elapsed();
    world.host.do_work_from(NOW, &mut moment);
    let after = stopwatch.elapsed();
    let own = (after - before).0.unsigned_abs();
    world.host.record_times();
    let told = times.get("strategy").expect("a stage");
    assert!(told.count == 2 && told.max >= before.0.unsigned_abs() && told.min <= own, "{told:?}");
    let left = moment.or_read(&stopwatch);
    assert!(left > before && left <= after, "{before:?} {left:?} {after:?}");
    // The cycle after that begins by itself.
    world.ticks.publish(&top_tick(10_000, 10_010));
    world.host.do_work(NOW);
    world.host.record_times();
    let next = times.get("strategy").expect("a stage");
    assert_eq!((next.count, next.max), (3, told.max));
}

#[test]
fn no_tick_begins_before_a_report_or_what_else_came_first_and_nobody_begins_before_a_timer() {
    let (mut world, _told, stopwatch, times) = timed();
    let before = stopwatch.elapsed().0.unsigned_abs();
    let cycle = |world: &mut World, now| {
        let mut moment = Moment::at(Nanos::ZERO);
        world.host.do_work_from(now, &mut moment);
        moment
    };
    assert_eq!(cycle(&mut world, NOW), Moment::UNKNOWN, "it took nothing");
    world.ticks.publish(&Tick { instrument: 1, ..top_tick(10_000, 10_010) });
    assert_eq!(cycle(&mut world, NOW), Moment::UNKNOWN, "it took nothing that anybody follows");
    world.ticks.publish(&top_tick(10_000, 10_010));
    world.report(&Report::default());
    assert_ne!(cycle(&mut world, NOW), Moment::UNKNOWN);
    world.ticks.publish(&top_tick(10_000, 10_010));
    world.decide(Intent::default(), RejectCode::None);
    assert_ne!(cycle(&mut world, NOW), Moment::UNKNOWN);
    (0..=CAPACITY).for_each(|_| world.ticks.publish(&top_tick(10_000, 10_010)));
    assert_ne!(cycle(&mut world, NOW), Moment::UNKNOWN, "behind those that it missed");
    assert!(world.host.missed() > 0);
    while world.host.do_work(NOW) > 0 {}
    world.ticks.publish(&top_tick(10_000, 10_010));
    assert!(times.get("strategy").is_some_and(|times| times.max < before), "each began by itself");
    // It asked for its timer a second after the tick before.
    assert_eq!(cycle(&mut world, NOW + Nanos::from_secs(1)), Moment::UNKNOWN);
}

#[test]
fn rows_wait_for_a_cycle_that_takes_nothing_but_not_for_long() {
    // Whoever writes them leaves no moment.
    let (mut world, _told, ..) = timed();
    let mut is_written = |millis| {
        let mut moment = Moment::UNKNOWN;
        world.ticks.publish(&top_tick(10_000, 10_010));
        world.host.do_work_from(NOW + Nanos::from_millis(millis), &mut moment);
        moment == Moment::UNKNOWN
    };
    assert_eq!([99, 100, 109, 110, 111].map(&mut is_written), [false, false, false, true, false]);
}

#[test]
fn a_fill_is_known_before_the_tick_of_the_same_cycle() {
    let mut world = World::new();
    let told = world.echo("echo", 1, &[0]);
    world.ticks.publish(&top_tick(10_000, 10_010));
    world.host.do_work(NOW);
    let intent = world.sent(0)[0];
    world.ticks.publish(&top_tick(10_000, 10_010));
    world.report(&report_of(&intent, ReportKind::Fill, OrderState::Filled, 10));
    heard(&told);
    world.host.do_work(NOW);
    assert_eq!(heard(&told), ["report 3 of 1", "tick 1 of 0 holding 10"]);
}

#[test]
fn refusals_come_from_risks_journal_and_silence_is_one_in_the_end() {
    let mut world = World::new();
    let told = world.echo("echo", 1, &[0]);
    world.ticks.publish(&top_tick(10_000, 10_010));
    world.ticks.publish(&top_tick(10_000, 10_010));
    world.host.do_work(NOW);
    let sent = world.sent(0);
    world.decide(sent[0], RejectCode::MaxPosition);
    world.decide(sent[1], RejectCode::None);
    heard(&told);
    assert_eq!(world.host.do_work(NOW), 2);
    assert_eq!(heard(&told), ["refused 1 MAX_POS"]);
    // The timer at 11 s, then nobody answers the second: valid until 11 s, a second of grace.
    assert_eq!(world.host.next_deadline(), NOW + Nanos::from_secs(1));
    world.host.do_work(NOW + Nanos::from_secs(1));
    assert_eq!(world.host.next_deadline(), NOW + Nanos::from_secs(2));
    world.host.do_work(NOW + Nanos::from_secs(2));
    assert_eq!(heard(&told), ["timer 11000000000", "refused 2 EXPIRED"]);
    assert_eq!(world.host.next_deadline(), Nanos::NEVER);
}

#[test]
fn a_late_host_hears_what_was_reported_before_it_calls_an_intent_lost() {
    let mut world = World::new();
    let told = world.echo("echo", 1, &[0]);
    world.ticks.publish(&top_tick(10_000, 10_010));
    world.host.do_work(NOW);
    let intent = world.sent(0)[0];
    // More reports than a batch stand before the one that answers.
    let mut stranger = report_of(&intent, ReportKind::Accepted, OrderState::Open, 0);
    stranger.id.source = SourceId(9);
    (0..POLL_BATCH).for_each(|_| world.report(&stranger));
    world.report(&report_of(&intent, ReportKind::Accepted, OrderState::Open, 0));
    heard(&told);
    let late = NOW + Nanos::from_secs(60);
    world.host.do_work(late);
    world.host.do_work(late);
    assert_eq!(heard(&told), ["timer 70000000000", "report 2 of 1"]);
}

#[test]
fn a_lapped_reader_takes_every_book_for_untrusted() {
    let mut world = World::new();
    let (first, second) = (world.echo("first", 1, &[0]), world.echo("second", 2, &[0, 1]));
    world.host.do_work(NOW);
    heard(&first);
    heard(&second);
    for _ in 0..3 * CAPACITY {
        world.ticks.publish(&at(top_tick(10_000, 10_010), 0));
    }
    world.host.do_work(NOW);
    let (first, second) = (heard(&first), heard(&second));
    assert_eq!(first[0], "tick 5 of 0 holding 0");
    assert_eq!(second[..2], ["tick 5 of 0 holding 0", "tick 5 of 1 holding 0"]);
    while world.host.do_work(NOW) > 0 {}
    assert!(world.host.missed() as usize >= 2 * CAPACITY, "{}", world.host.missed());
}

#[test]
fn stopping_cancels_and_goes_on_cancelling_until_nothing_works() {
    let mut world = World::new();
    let told = world.echo("echo", 1, &[0]);
    world.ticks.publish(&top_tick(10_000, 10_010));
    world.host.do_work(NOW);
    let order = world.sent(0)[0];
    world.report(&report_of(&order, ReportKind::Accepted, OrderState::Open, 0));
    world.host.do_work(NOW);
    world.host.get_mut("echo").expect("hosted").stop(NOW);
    let cancel = world.sent(0)[0];
    assert_eq!((cancel.kind, cancel.target), (IntentKind::Cancel.code(), order.id));
    // The cancel fails; while stopped it hears of its order, of no tick and no timer.
    world.report(&report_of(&order, ReportKind::CancelRejected, OrderState::Open, 0));
    world.ticks.publish(&top_tick(10_000, 10_010));
    heard(&told);
    world.host.do_work(NOW);
    assert_eq!((heard(&told), world.sent(0)), (vec!["report 8 of 1".to_owned()], vec![]));
    let sweep = world.host.next_deadline();
    assert_eq!(sweep, NOW + Nanos::from_secs(1));
    world.host.do_work(sweep);
    assert_eq!(world.sent(0)[0].target, order.id);
    world.report(&report_of(&order, ReportKind::Canceled, OrderState::Canceled, 0));
    world.host.do_work(sweep);
    assert_eq!(world.host.next_deadline(), Nanos::NEVER);
    let hosted = world.host.get_mut("echo").expect("hosted");
    assert_eq!(hosted.activity(), Activity::Stopped);
    hosted.start().expect("may start");
    heard(&told);
    world.host.do_work(sweep);
    assert_eq!(heard(&told), ["start 11000000000 0"]);
}

#[test]
fn lost_reports_stop_every_strategy_for_good() {
    let mut world = World::new();
    let told = world.echo("echo", 1, &[0]);
    world.ticks.publish(&top_tick(10_000, 10_010));
    world.host.do_work(NOW);
    let order = world.sent(0)[0];
    let report = report_of(&order, ReportKind::Accepted, OrderState::Open, 0);
    world.report(&report);
    world.host.do_work(NOW);
    // The ring forgets reports that the host has not read, and there are no segments to read them from.
    for _ in 0..3 * CAPACITY {
        world.report(&report);
        assert!(world.route_drain.poll_held().is_some());
        world.route_drain.commit();
    }
    world.host.do_work(NOW);
    assert!(world.host.lost() > 0);
    assert_eq!(world.sent(0)[0].target, order.id, "its order is cancelled");
    let hosted = world.host.get_mut("echo").expect("hosted");
    assert_eq!(hosted.activity(), Activity::Stopped);
    let error = hosted.start().expect_err("what it knows may be wrong").to_string();
    assert_eq!(error, "strategy echo: reports of its orders were lost: restart the strategy engine");
    drop(told);
}

#[test]
fn names_sources_and_instruments_are_checked() {
    let mut world = World::new();
    let _told = world.echo("echo", 1, &[0]);
    for (name, source, instrument, reason) in [
        ("echo", 2, 0, "strategy echo: there is one of that name already"),
        ("other", 1, 0, "strategy other: source 1 is taken"),
        ("other", 64, 0, "strategy other: source 64 is not below 64"),
        ("other", 2, 9, "strategy other: there is no instrument 9"),
    ] {
        let outbox = world.outbox(source);
        let echo = Box::new(Echo { log: channel().0, timer: Nanos::NEVER, stuck: false });
        let error = world.host.add(Hosted::new(name, echo, outbox, vec![instrument])).expect_err("refused");
        assert_eq!(error.to_string(), reason);
    }
}

#[test]
fn parameters_reach_the_strategy_and_its_outbox() {
    let mut world = World::new();
    let outbox = world.outbox(3);
    let making =
        registry::create("market_making", 1, &instrument(), &registry::Settings::new()).expect("made");
    world.host.add(Hosted::new("making", making, outbox, vec![1])).expect("added");
    let hosted = world.host.get_mut("making").expect("hosted");
    hosted.set("gamma", "0.25").expect("valid");
    hosted.set("order_life", "5s").expect("valid");
    assert!(hosted.set("order_life", "never").is_err());
    assert!(hosted.set("gama", "0.25").is_err());
    let value = |key| hosted.parameters().into_iter().find(|row| row.key == key).map(|row| row.value);
    assert_eq!((value("gamma").as_deref(), value("order_life").as_deref()), (Some("0.25"), Some("5s")));
}

#[test]
fn market_making_lives_in_the_host() {
    let mut world = World::new();
    let settings = [("warm_up", "2s"), ("size_unit", "quantity"), ("order_size", "1"), ("max_position", "5")];
    let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let making = registry::create("market_making", 0, &instrument(), &settings).expect("made");
    let outbox = world.outbox(3);
    world.host.add(Hosted::new("making", making, outbox, vec![0])).expect("added");
    for n in 0..4 {
        world.ticks.publish(&top_tick(9_900 + n % 2 * 2, 10_100));
        world.host.do_work(NOW + Nanos::from_secs(n));
    }
    let sent = world.sent(0);
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|intent| intent.price > Price(9_900) && intent.price < Price(10_100)));
    assert_eq!(sent.iter().map(|intent| intent.side).collect::<Vec<_>>(), [1, 2]);
}
