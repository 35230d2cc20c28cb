//! The exchange in this process: its market is generated, or Binance's own (paper); its fills are simulated.

use std::sync::Arc;

use engine::agent::{Observed, Published};
use engine::counters::{Counters, Heartbeat};
use engine::domain::{InstrumentIndex, Instruments, Nanos};
use engine::error::SetupError;
use engine::shm::paths::IpcPaths;
use engine::simulation::exchange::{ExchangePorts, SimulatedExchange};
use engine::simulation::source::{FrameSource, GeneratedFrames};
use engine::venue::{Frame, KeptFrame, MarketData};

use crate::binance::BinanceFeed;
use crate::cli::args::FillArgs;
use crate::trade::simulation;

/// The exchange as an agent whose figures are shown.
pub type House = Published<SimulatedExchange<HouseFrames>>;

/// Where its market comes from.
pub enum HouseFrames {
    /// It is generated.
    Generated(GeneratedFrames),
    /// It is Binance's.
    Live(Box<LiveFrames<BinanceFeed>>),
}

/// The exchange behind its ends of the link.
///
/// # Errors
/// When a setting of the fills is no good or a file cannot be made.
pub fn open(
    frames: HouseFrames,
    ports: ExchangePorts,
    instruments: &Arc<Instruments>,
    fills: &FillArgs,
    (ipc, epoch): (&IpcPaths, u32),
) -> Result<House, SetupError> {
    let (matching, latency) = (simulation(fills)?, fills.feed_latency.0);
    let exchange = SimulatedExchange::new(ports, frames, Arc::clone(instruments), matching, latency)?;
    let names = exchange.names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let counters = Counters::create(&ipc.counters("venue"), &names, epoch)?;
    let heartbeat = Heartbeat::create(&ipc.heartbeat("venue"), epoch)?;
    Ok(Published::new(exchange, counters).beating(heartbeat))
}

impl FrameSource for HouseFrames {
    fn next_time(&mut self) -> Result<Nanos, SetupError> {
        match self {
            Self::Generated(frames) => frames.next_time(),
            Self::Live(frames) => frames.next_time(),
        }
    }

    fn next(&mut self, on_frame: &mut dyn FnMut(&Frame<'_>)) -> Result<(), SetupError> {
        match self {
            Self::Generated(frames) => frames.next(on_frame),
            Self::Live(frames) => frames.next(on_frame),
        }
    }

    fn look(&mut self, now: Nanos) -> Option<Nanos> {
        match self {
            Self::Generated(frames) => frames.look(now),
            Self::Live(frames) => frames.look(now),
        }
    }

    fn request_snapshot(&mut self, instrument: InstrumentIndex, now: Nanos) {
        match self {
            Self::Generated(frames) => frames.request_snapshot(instrument, now),
            Self::Live(frames) => frames.request_snapshot(instrument, now),
        }
    }
}

/// Frames of a feed that nobody can foretell: one is kept until it is asked for.
pub struct LiveFrames<M> {
    feed: M,
    /// When it last looked: before the first look there is nothing.
    now: Option<Nanos>,
    kept: Option<KeptFrame>,
    /// Room of frames that were given away.
    spare: Vec<u8>,
}

impl<M: MarketData> LiveFrames<M> {
    /// The frames of `feed`.
    pub const fn new(feed: M) -> Self {
        Self { feed, now: None, kept: None, spare: Vec::new() }
    }

    fn due(&self) -> Nanos {
        self.kept.as_ref().map_or(Nanos::NEVER, |kept| kept.frame().received)
    }

    fn take(&mut self) {
        let Some(now) = self.now.filter(|_| self.kept.is_none()) else { return };
        let Self { feed, kept, spare, .. } = self;
        feed.poll(now, &mut |frame| {
            *kept = Some(KeptFrame::of(frame, std::mem::take(spare)));
        });
    }
}

impl<M: MarketData + Send> FrameSource for LiveFrames<M> {
    fn next_time(&mut self) -> Result<Nanos, SetupError> {
        self.take();
        Ok(self.due())
    }

    fn next(&mut self, on_frame: &mut dyn FnMut(&Frame<'_>)) -> Result<(), SetupError> {
        let Some(kept) = self.kept.take() else { return Ok(()) };
        on_frame(&kept.frame());
        self.spare = kept.into_spare();
        Ok(())
    }

    fn look(&mut self, now: Nanos) -> Option<Nanos> {
        self.now = Some(now);
        self.take();
        Some(self.due())
    }

    fn request_snapshot(&mut self, instrument: InstrumentIndex, now: Nanos) {
        self.feed.request_snapshot(instrument, now);
    }
}

#[cfg(test)]
mod tests {
    use engine::domain::Market;
    use engine::venue::Source;

    use super::*;

    /// A feed of numbered frames, each of which arrives at its number.
    struct Numbered(i64);

    impl MarketData for Numbered {
        fn poll(&mut self, now: Nanos, on_frame: &mut dyn FnMut(&Frame<'_>)) -> bool {
            if now.0 < self.0 {
                return false;
            }
            let payload = self.0.to_string();
            let source = if self.0 % 2 == 0 { Source::Stream } else { Source::Rest("u") };
            on_frame(&Frame { received: now, market: Market::Spot, source, payload: payload.as_bytes() });
            self.0 += 1;
            true
        }

        fn next_deadline(&self) -> Nanos {
            Nanos::NEVER
        }

        fn request_snapshot(&mut self, _instrument: InstrumentIndex, _now: Nanos) {}
    }

    #[test]
    fn every_frame_is_given_once_and_none_before_it_came() {
        let mut frames = LiveFrames::new(Numbered(1));
        assert_eq!(frames.next_time().expect("known"), Nanos::NEVER, "it does not know the time yet");
        assert_eq!(frames.look(Nanos(0)), Some(Nanos::NEVER));
        let mut given = Vec::new();
        for now in 1..=3 {
            assert_eq!(frames.look(Nanos(now)), Some(Nanos(now)));
            assert_eq!(frames.look(Nanos(now)), Some(Nanos(now)), "it is kept");
            frames
                .next(&mut |frame| given.push((frame.source == Source::Stream, frame.payload.to_vec())))
                .expect("given");
            assert_eq!(frames.next_time().expect("known"), Nanos::NEVER);
        }
        assert_eq!(given, [(false, b"1".to_vec()), (true, b"2".to_vec()), (false, b"3".to_vec())]);
    }
}
