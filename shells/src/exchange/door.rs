//! The door: who a request is from, and whether it is in time (binance.md §5).

use std::sync::Arc;

use engine::domain::Nanos;
use engine::venue::exchange::AccountIndex;

use super::clock::Clock;
use super::failure::Failure;
use super::keys::{Accounts, Key};
use super::params::{Params, is_micros};

/// Longest `recvWindow`, in milliseconds.
const WINDOW_MAX: i64 = 60_000;
/// The window of a request that names none.
const WINDOW_USUAL: i64 = 5_000;
/// How far ahead of the exchange a request's clock may be.
const AHEAD_MAX: Nanos = Nanos::from_millis(1_000);
/// 2017-01-01: an earlier timestamp is none.
const EARLIEST: Nanos = Nanos::from_secs(1_483_228_800);

/// Checks keys, signatures and times.
#[derive(Clone)]
pub struct Door {
    /// The accounts.
    pub accounts: Arc<Accounts>,
    /// The exchange's clock.
    pub clock: Clock,
}

fn unknown_key() -> Failure {
    Failure::new(-2015, "Invalid API-key, IP, or permissions for action.").with_status(401)
}

impl Door {
    /// The key of this name.
    ///
    /// # Errors
    /// When there is none (-2015), or it cannot be one (-2014).
    pub fn key(&self, name: Option<&str>) -> Result<&Key, Failure> {
        match name {
            None | Some("") => Err(Failure::new(-2014, "API-key format invalid.").with_status(401)),
            Some(name) => self.accounts.key(name).ok_or_else(unknown_key),
        }
    }

    /// Checks a signed request; `text` is what its signature covers.
    ///
    /// # Errors
    /// When the key, the signature or the time is wrong.
    pub fn signed(&self, key: Option<&str>, params: &Params, text: &str) -> Result<AccountIndex, Failure> {
        let key = self.key(key)?;
        self.in_time(params)?;
        let signature = params.need("signature")?;
        if !key.signed(text, signature) {
            return Err(Failure::new(-1022, "Signature for this request is not valid."));
        }
        Ok(key.account)
    }

    /// Checks a request's time.
    ///
    /// # Errors
    /// When it has none, or is too early or too late (-1021).
    pub fn in_time(&self, params: &Params) -> Result<(), Failure> {
        let stamp = params.need_integer("timestamp")?;
        let window = match params.maybe("recvWindow")? {
            None => Nanos::from_millis(WINDOW_USUAL),
            Some(text) => window(text)?,
        };
        let now = self.clock.now();
        let unit = if is_micros(stamp) { 1_000 } else { 1_000_000 };
        let at = Nanos(stamp.saturating_mul(unit));
        if at < EARLIEST {
            return Err(Failure::illegal("timestamp"));
        }
        if at.0 >= now.0 + AHEAD_MAX.0 {
            return Err(Failure::new(
                -1021,
                "Timestamp for this request was 1000ms ahead of the server's time.",
            ));
        }
        if now.0 - at.0 > window.0 {
            return Err(Failure::new(-1021, "Timestamp for this request is outside of the recvWindow."));
        }
        Ok(())
    }
}

/// Milliseconds with up to three decimals.
fn window(text: &str) -> Result<Nanos, Failure> {
    let scale = engine::domain::Scale::new(3).unwrap_or(engine::domain::Scale::ZERO);
    let micros =
        engine::domain::decimal::parse(text.as_bytes(), scale).map_err(|_| Failure::illegal("recvWindow"))?;
    if micros > WINDOW_MAX * 1_000 {
        return Err(Failure::told(-1131, format!("recvWindow must be less than {WINDOW_MAX}")));
    }
    if micros < 0 {
        return Err(Failure::illegal("recvWindow"));
    }
    Ok(Nanos::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_out_of_time_are_refused() {
        let (clock, _set) = Clock::new();
        let door = Door { accounts: Arc::new(Accounts::default()), clock };
        let now = door.clock.now().0 / 1_000_000;
        let check =
            |text: String| door.in_time(&Params::of_form(&text, "").expect("read")).map_err(|f| f.code);
        assert_eq!(check(format!("timestamp={now}")), Ok(()));
        assert_eq!(check(format!("timestamp={}", now * 1_000)), Ok(()));
        assert_eq!(check(format!("timestamp={}", now - 6_000)), Err(-1021));
        assert_eq!(check(format!("timestamp={}&recvWindow=20000.5", now - 6_000)), Ok(()));
        assert_eq!(check(format!("timestamp={}", now + 5_000)), Err(-1021));
        assert_eq!(check(format!("timestamp={now}&recvWindow=60001")), Err(-1131));
        assert_eq!(check("timestamp=5".to_owned()), Err(-1100));
        assert_eq!(check("timestamp=x".to_owned()), Err(-1100));
        assert_eq!(check("recvWindow=5".to_owned()), Err(-1102));
    }
}
