//! Limits and venue: settings that can be read and still make no sense together.

use super::Finding;
use crate::config::amount::Amount;
use crate::config::values::MarketDataFormat;
use crate::config::{Settings, Venue};

pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    vec![limits(settings), venue(settings)]
}

fn limits(settings: &Settings) -> Finding {
    const CHECK: &str = "limits";
    let (position, loss) = (settings.max_position_size, settings.max_daily_loss);
    let found = format!("position {position}, daily loss {loss} {}", settings.account_currency);
    let zero = Amount::whole(0);
    if position == zero || loss == zero {
        Finding::fail(
            CHECK,
            found,
            "a limit of zero rejects every order: set MAX_POSITION_SIZE and MAX_DAILY_LOSS",
        )
    } else if loss > position {
        Finding::warn(CHECK, found, "a day may lose more than a whole position: lower MAX_DAILY_LOSS")
    } else {
        Finding::ok(CHECK, found)
    }
}

fn venue(settings: &Settings) -> Finding {
    const CHECK: &str = "venue";
    let venue = settings.venue;
    if venue.needs_credentials() && settings.credentials().is_err() {
        // An operator beside the services has none, and needs none.
        let advice = "set BINANCE_API_KEY_FILE and BINANCE_API_SECRET_FILE for who sends orders";
        return Finding::warn(CHECK, format!("{venue} signs orders, and here is no key"), advice);
    }
    // A simulated exchange tells its own.
    if venue != Venue::Simulated
        && settings.market_data_format == MarketDataFormat::Sbe
        && settings.market_data_key.is_none()
    {
        let advice = "set BINANCE_MARKET_DATA_KEY_FILE where market data are followed";
        return Finding::warn(
            CHECK,
            format!("{venue}: SBE streams are opened by a key, and here is none"),
            advice,
        );
    }
    match venue {
        Venue::Binance => {
            Finding::warn(CHECK, "binance: REAL MONEY", "be sure; `trading halt` stops it at once")
        }
        _ => Finding::ok(CHECK, venue.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Level;
    use crate::config::{AllFlags, Environment, Secrets};

    #[test]
    fn limits_and_keys_that_make_no_sense_are_told_of() {
        let levels = |settings: &[(&str, &str)]| {
            let environment: Environment = settings.iter().copied().chain([("HOME", "/nowhere")]).collect();
            let settings =
                Settings::resolve(&AllFlags::default(), &environment, Secrets::Read).expect("good");
            check(&settings).into_iter().map(|finding| finding.level).collect::<Vec<_>>()
        };
        assert_eq!(levels(&[]), [Level::Ok, Level::Ok]);
        assert_eq!(levels(&[("MAX_POSITION_SIZE", "0")]), [Level::Fail, Level::Ok]);
        assert_eq!(levels(&[("MAX_DAILY_LOSS", "20000")]), [Level::Warn, Level::Ok]);
        assert_eq!(levels(&[("TRADING_VENUE", "binance-demo")]), [Level::Ok, Level::Warn]);
        let sbe = [
            ("TRADING_VENUE", "binance-demo"),
            ("BINANCE_API_KEY", "k"),
            ("BINANCE_API_SECRET", "s"),
            ("TRADING_MARKET_DATA_FORMAT", "sbe"),
            ("BINANCE_MARKET_DATA_KEY", "m"),
        ];
        assert_eq!(levels(&sbe[..4]), [Level::Ok, Level::Warn]);
        assert_eq!(levels(&sbe), [Level::Ok, Level::Ok]);
        let paper = [("TRADING_VENUE", "paper"), sbe[3], sbe[4]];
        assert_eq!(levels(&paper[..2]), [Level::Ok, Level::Warn]);
        assert_eq!(levels(&paper), [Level::Ok, Level::Ok]);
    }
}
