//! Where orders go (`TRADING_VENUE`), and what real money asks for.

use std::fmt;
use std::str::FromStr;

/// A venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Venue {
    /// The embedded exchange, or one on loopback.
    Simulated,
    /// Live public data, simulated fills.
    Paper,
    /// Binance's testnet.
    BinanceTestnet,
    /// Binance's demo mode.
    BinanceDemo,
    /// Binance: real money.
    Binance,
}

impl Venue {
    /// Every venue.
    pub const ALL: [Self; 5] =
        [Self::Simulated, Self::Paper, Self::BinanceTestnet, Self::BinanceDemo, Self::Binance];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Simulated => "simulated",
            Self::Paper => "paper",
            Self::BinanceTestnet => "binance-testnet",
            Self::BinanceDemo => "binance-demo",
            Self::Binance => "binance",
        }
    }

    /// Whether orders there are signed with the user's key.
    #[must_use]
    pub const fn needs_credentials(self) -> bool {
        matches!(self, Self::BinanceTestnet | Self::BinanceDemo | Self::Binance)
    }

    /// Whether orders there cost real money.
    #[must_use]
    pub const fn is_real_money(self) -> bool {
        matches!(self, Self::Binance)
    }
}

impl fmt::Display for Venue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Venue {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|venue| venue.name() == text)
            .ok_or_else(|| format!("{text:?} is no venue: {}", Self::ALL.map(Self::name).join(", ")))
    }
}
