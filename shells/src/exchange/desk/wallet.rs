//! The few requests beside Spot's that common clients make before they trade: assets, fees by symbol, and what can be
//! traded on margin, which is nothing.

use super::super::failure::Failure;
use super::super::json::{amount, text};
use super::super::method::Method;
use super::super::render::list;
use super::account::rate;
use super::{Call, Desk};

impl Desk {
    pub(super) fn about_wallet(&self, call: &Call) -> Result<String, Failure> {
        match call.method {
            Method::SystemStatus => Ok(r#"{"status":0,"msg":"normal"}"#.to_owned()),
            Method::Coins => self.coins(call),
            Method::TradeFee => self.trade_fees(call),
            _ => Ok("[]".to_owned()),
        }
    }

    /// Assets: nothing can be deposited or withdrawn, so they have no networks.
    fn coins(&self, call: &Call) -> Result<String, Failure> {
        let view = self.exchange.account(Self::owner(call)?);
        let view = view.ok_or_else(|| Failure::new(-1000, "Internal error."))?;
        let held = self.exchange.assets().iter().zip(view.balances);
        Ok(list(held.map(|(asset, balance)| {
            let name = text(asset);
            format!(
                "{{\"coin\":{name},\"name\":{name},\"depositAllEnable\":false,\"withdrawAllEnable\":false,\"free\":{},\"locked\":{},\"freeze\":\"0\",\"withdrawing\":\"0\",\"ipoing\":\"0\",\"ipoable\":\"0\",\"storage\":\"0\",\"isLegalMoney\":false,\"trading\":true,\"networkList\":[]}}",
                amount(balance.free),
                amount(balance.locked)
            )
        })))
    }

    fn trade_fees(&self, call: &Call) -> Result<String, Failure> {
        let view = self.exchange.account(Self::owner(call)?);
        let view = view.ok_or_else(|| Failure::new(-1000, "Internal error."))?;
        let one = call.params.maybe("symbol")?.map(|symbol| self.symbol(symbol)).transpose()?;
        let all = self.exchange.instruments().iter();
        let wanted = all.filter(|(index, _)| one.is_none_or(|one| one == *index));
        Ok(list(wanted.map(|(_, listed)| {
            format!(
                "{{\"symbol\":{},\"makerCommission\":{},\"takerCommission\":{}}}",
                text(&listed.symbol),
                rate(view.maker.0),
                rate(view.taker.0)
            )
        })))
    }
}
