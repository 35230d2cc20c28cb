//! Where the market comes from: a generator or tapes, at their own pace or another.

use std::path::PathBuf;
use std::sync::Arc;

use engine::domain::{Instruments, Market, Nanos};
use engine::error::SetupError;
use engine::simulation::source::{FrameSource, GeneratedFrames, TapeFrames};
use engine::venue::binance::exchange_info;
use engine::venue::binance::frames::FrameDecoder;
use engine::venue::exchange::Exchange;
use engine::venue::generated::GeneratedMarket;
use engine::venue::replay::merge::TapeSet;

use crate::replay::instruments::Table;

/// How the market's time follows the exchange's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// This many times as fast, in thousandths.
    Times(i64),
    /// Only when the operator says so.
    Stepped,
}

/// The market.
pub struct Source {
    frames: Box<dyn FrameSource + Send>,
    decoder: FrameDecoder,
    pace: Pace,
    /// A moment of the exchange's time, and the market's time then.
    anchor: (Nanos, Nanos),
    next: Nanos,
    /// How far a stepped market may go.
    allowed: Nanos,
    /// Frames that could not be read.
    pub unreadable: u64,
    /// Why there is no more market, if the tape broke.
    pub failure: Option<SetupError>,
}

impl Source {
    /// A generated market that begins `before` the present, so that there is a past to look at.
    ///
    /// # Errors
    /// When a symbol cannot be generated.
    pub fn generated(
        symbols: &[&str],
        seed: u64,
        rate: u32,
        now: Nanos,
        before: Nanos,
        pace: Pace,
    ) -> Result<(Self, Arc<Instruments>), SetupError> {
        let start = now - before;
        let market = GeneratedMarket::new(symbols, seed, start, rate)?.prompt();
        let instruments = exchange_info::instruments(&market.exchange_info(), Market::Spot)?;
        let instruments = Arc::new(Instruments::new(instruments)?);
        let next = market.next_time();
        let names: Vec<String> = symbols.iter().map(|&symbol| symbol.to_owned()).collect();
        let frames = Box::new(GeneratedFrames::new(market, &names, &instruments));
        Ok((Self::of(frames, &instruments, pace, (start, start), next), instruments))
    }

    /// The market of tapes. Its books begin with the tapes' first snapshots.
    ///
    /// # Errors
    /// When a tape cannot be read.
    pub fn tapes(paths: &[PathBuf], now: Nanos, pace: Pace) -> Result<(Self, Arc<Instruments>), SetupError> {
        let table = Table::of(paths, None)?;
        let mut tapes = TapeSet::open(paths)?;
        let next = tapes.next_time()?;
        let frames = Box::new(TapeFrames::new(tapes));
        Ok((Self::of(frames, &table.instruments, pace, (now, next), next), table.instruments))
    }

    fn of(
        frames: Box<dyn FrameSource + Send>,
        instruments: &Arc<Instruments>,
        pace: Pace,
        anchor: (Nanos, Nanos),
        next: Nanos,
    ) -> Self {
        Self {
            frames,
            decoder: FrameDecoder::new(Arc::clone(instruments)),
            pace,
            anchor,
            next,
            allowed: anchor.1,
            unreadable: 0,
            failure: None,
        }
    }

    /// Lets a stepped market go on by `span`.
    pub fn step(&mut self, span: Nanos) {
        self.allowed = self.allowed.saturating_add(span);
    }

    /// The market's time at `now` of the exchange's.
    fn market_time(&self, now: Nanos) -> Nanos {
        match self.pace {
            Pace::Stepped => self.allowed,
            Pace::Times(thousandths) => {
                let passed = i128::from(now.0 - self.anchor.0.0) * i128::from(thousandths) / 1_000;
                Nanos(i64::try_from(i128::from(self.anchor.1.0) + passed).unwrap_or(i64::MAX))
            }
        }
    }

    /// The exchange's time at `at` of the market's.
    fn exchange_time(&self, at: Nanos) -> Nanos {
        match self.pace {
            Pace::Stepped => Nanos::NEVER,
            Pace::Times(thousandths) => {
                let passed =
                    i128::from(at.0.saturating_sub(self.anchor.1.0)) * 1_000 / i128::from(thousandths.max(1));
                Nanos(i64::try_from(i128::from(self.anchor.0.0) + passed).unwrap_or(i64::MAX))
            }
        }
    }

    /// Plays what is due by `now`. Returns when the next is.
    pub fn play(&mut self, now: Nanos, exchange: &mut Exchange) -> Nanos {
        let until = self.market_time(now);
        while self.next <= until && self.next != Nanos::NEVER {
            let at = match self.pace {
                Pace::Stepped => now,
                Pace::Times(_) => self.exchange_time(self.next).min(now),
            };
            if let Err(error) = self.one(at, exchange) {
                self.failure = Some(error);
                self.next = Nanos::NEVER;
            }
        }
        if self.next == Nanos::NEVER { Nanos::NEVER } else { self.exchange_time(self.next) }
    }

    fn one(&mut self, at: Nanos, exchange: &mut Exchange) -> Result<(), SetupError> {
        let Self { frames, decoder, next, unreadable, .. } = self;
        frames.next(&mut |frame| {
            decoder.decode(frame, |read| match read {
                Ok(event) => exchange.on_market(at, event),
                Err(_) => *unreadable += 1,
            });
        })?;
        *next = frames.next_time()?;
        Ok(())
    }
}
