//! The keeper on virtual time, with a feed over rings.

use engine::domain::Market;
use engine::ring::spsc;
use engine::venue::replay::TapeReader;

use super::*;
use crate::assembly::Link;

const LISTING: (&str, &[u8]) = ("http://venue/api/v3/exchangeInfo", b"{\"symbols\":[]}");

/// A keeper with its feed, the venue behind it, and a clock.
struct Desk {
    folder: tempfile::TempDir,
    feed: HostFeed,
    keeper: Keeper,
    venue: FeedWriter,
    wishes: spsc::Consumer<u64>,
    now: Nanos,
}

impl Desk {
    fn new(most: u64) -> Self {
        Self::at(tempfile::tempdir().expect("a folder"), most)
    }

    fn at(folder: tempfile::TempDir, most: u64) -> Self {
        let ipc = IpcPaths::new(folder.path().join("ipc"));
        ipc.create().expect("made");
        let (feed, venue, wishes) = Link::feed(&ipc, 64, 1).expect("rings");
        let shelf = Shelf {
            directory: folder.path().join("tapes"),
            venue: Venue::Simulated,
            most,
            listing: (LISTING.0.to_owned(), LISTING.1.to_vec()),
        };
        let now = Nanos::from_secs(1_000);
        let feed = VenueFeed::Link(Box::new(feed));
        let (feed, keeper) = shelf.keep((&ipc, 1), (feed, 2), now).expect("kept");
        Self { folder, feed: HostFeed::Kept(Box::new(feed)), keeper, venue, wishes, now }
    }

    /// The venue sends `payload`, and ingest and keeper take it.
    fn hear(&mut self, payload: &str) {
        let payload = payload.as_bytes();
        let frame = Frame { received: self.now, market: Market::Spot, source: Source::Stream, payload };
        self.venue.write(&frame).expect("room");
        self.cycle();
    }

    fn cycle(&mut self) {
        self.feed.poll(self.now, &mut |_| {});
        self.keeper.do_work(self.now);
    }

    fn pass(&mut self, time: Nanos) {
        self.now = self.now.saturating_add(time);
        self.cycle();
        self.cycle();
    }

    /// Snapshots that were asked for.
    fn wished(&mut self) -> Vec<u64> {
        std::iter::from_fn(|| self.wishes.poll()).collect()
    }

    /// The streams' frames on each tape, oldest first, after the listing that each must begin with.
    fn tapes(&self) -> Vec<Vec<String>> {
        let entries = fs::read_dir(self.folder.path().join("tapes")).expect("there").flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths.iter().map(|path| read(path)).collect()
    }
}

fn read(path: &Path) -> Vec<String> {
    let mut reader = TapeReader::open(path).expect("opens");
    let first = reader.next().expect("whole").expect("a line");
    assert_eq!((first.source, first.payload), (TapeSource::Rest(LISTING.0), LISTING.1));
    let mut lines = Vec::new();
    while let Some(line) = reader.next().expect("whole") {
        lines.push(String::from_utf8(line.payload.to_vec()).expect("text"));
    }
    lines
}

#[test]
fn a_tape_can_be_read_while_it_is_written_and_each_begins_with_snapshots() {
    let mut desk = Desk::new(1 << 30);
    desk.hear("a");
    desk.pass(SEALED_WITHIN);
    assert_eq!(desk.tapes(), [["a"]]);
    assert_eq!(desk.wished(), [0; 0], "ingest asks for the first ones itself");
    desk.pass(LENGTH);
    assert_eq!(desk.wished(), [0, 1]);
    desk.hear("b");
    desk.pass(SEALED_WITHIN);
    assert_eq!(desk.tapes(), [["a"], ["b"]]);
    desk.hear("c");
    let Desk { folder, keeper, .. } = desk;
    let second = keeper.tape.as_ref().map(|tape| tape.path.clone()).expect("a tape");
    keeper.finish();
    assert_eq!(read(&second), ["b", "c"]);
    drop(folder);
}

#[test]
fn old_tapes_go_when_there_is_no_room() {
    let mut desk = Desk::new(64);
    for name in ["a", "b", "c"] {
        desk.hear(name);
        desk.pass(SEALED_WITHIN);
    }
    assert_eq!(desk.tapes(), [[""; 0]], "every tape alone takes more");
}

#[test]
fn a_tape_that_cannot_be_begun_is_tried_again_and_the_feed_goes_on() {
    let mut desk = Desk::new(1 << 30);
    let directory = desk.folder.path().join("tapes");
    fs::remove_dir_all(&directory).expect("removed");
    fs::write(&directory, "in the way").expect("written");
    desk.pass(LENGTH);
    let mut heard = 0;
    let frame = Frame { received: desk.now, market: Market::Spot, source: Source::Stream, payload: b"x" };
    desk.venue.write(&frame).expect("room");
    desk.feed.poll(desk.now, &mut |_| heard += 1);
    desk.cycle();
    assert_eq!((heard, desk.wished()), (1, Vec::new()));
    fs::remove_file(&directory).expect("removed");
    desk.pass(AGAIN);
    desk.hear("y");
    desk.pass(SEALED_WITHIN);
    assert_eq!(desk.wished(), [0, 1]);
    assert_eq!(desk.tapes(), [["y"]]);
}

#[test]
fn a_disk_that_takes_no_tape_from_the_start_stops_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("tapes");
    fs::write(&directory, "in the way").expect("written");
    let mut desk = Desk::at(folder, 1 << 30);
    desk.hear("x");
    fs::remove_file(&directory).expect("removed");
    desk.pass(AGAIN);
    // It cannot be told on a tape, and ends none.
    desk.hear("");
    desk.hear("y");
    desk.pass(SEALED_WITHIN);
    assert_eq!((desk.wished(), desk.tapes()), (vec![0, 1], vec![vec!["y".to_owned()]]));
}

#[test]
fn frames_for_which_there_was_no_room_make_the_books_begin_again() {
    let mut desk = Desk::new(1 << 30);
    let big = "x".repeat(1 << 20);
    for _ in 0..9 {
        let frame = Frame {
            received: desk.now,
            market: Market::Spot,
            source: Source::Stream,
            payload: big.as_bytes(),
        };
        desk.venue.write(&frame).expect("room");
        desk.feed.poll(desk.now, &mut |_| {});
    }
    desk.feed.poll(desk.now, &mut |_| {});
    assert_eq!(desk.wished(), [0, 1]);
}
