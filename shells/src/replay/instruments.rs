//! The instrument table of a replay: from an exchangeInfo, in the tape or given, else inferred from the tape.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::domain::{InstrumentIndex, Instruments, Market, Symbol};
use engine::error::SetupError;
use engine::venue::binance::exchange_info;
use engine::venue::replay::catalog::Catalog;
use engine::venue::replay::merge::market_of_tape;
use flate2::read::MultiGzDecoder;

/// The instruments of a replay.
pub struct Table {
    /// All of them.
    pub instruments: Arc<Instruments>,
    /// Those that the tapes' frames speak of.
    pub present: Vec<InstrumentIndex>,
    /// Symbols whose rules were inferred from the tape, not told by the venue.
    pub inferred: Vec<String>,
}

impl Table {
    /// Reads the tapes ahead; `given` is an exchangeInfo answer that beats what they hold.
    ///
    /// # Errors
    /// When a tape or the exchangeInfo cannot be read, or it does not list a symbol of the tapes.
    pub fn of(tapes: &[PathBuf], given: Option<&Path>) -> Result<Self, SetupError> {
        let catalog = Catalog::scan(tapes, exchange_info::instruments)?;
        let present = catalog.entries.iter().filter(|entry| entry.present);
        let seen: Vec<(Market, Symbol)> =
            present.map(|entry| (entry.instrument.market, entry.instrument.symbol)).collect();
        let inferred = catalog.entries.iter().filter(|entry| entry.inferred);
        let inferred: Vec<String> = inferred.map(|entry| entry.instrument.symbol.to_string()).collect();
        let Some(given) = given else {
            let instruments = Instruments::new(catalog.into_instruments())?;
            return Ok(Self::with(instruments, &seen, inferred));
        };
        let market = tapes.first().map_or(Ok(Market::Spot), |tape| market_of_tape(tape))?;
        let json = read(given)?;
        let listed = exchange_info::instruments(&json, market)
            .map_err(|error| SetupError::file(given, error.to_string()))?;
        let instruments = Instruments::new(listed)?;
        if let Some((_, symbol)) =
            seen.iter().find(|(market, symbol)| instruments.find(*market, symbol).is_none())
        {
            return Err(SetupError::file(given, format!("does not list {symbol} of the tape")));
        }
        Ok(Self::with(instruments, &seen, Vec::new()))
    }

    fn with(instruments: Instruments, seen: &[(Market, Symbol)], inferred: Vec<String>) -> Self {
        let present = seen.iter().filter_map(|(market, symbol)| instruments.find(*market, symbol)).collect();
        Self { instruments: Arc::new(instruments), present, inferred }
    }
}

/// Reads a JSON file, gzipped or plain.
fn read(path: &Path) -> Result<Vec<u8>, SetupError> {
    let io = |error| SetupError::io(path, "reading it", error);
    let bytes = std::fs::read(path).map_err(io)?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked).map_err(io)?;
    Ok(unpacked)
}
