//! Requests about an account.

use engine::domain::Nanos;
use engine::venue::exchange::{AccountIndex, Fill};

use super::super::failure::Failure;
use super::super::json::{amount, text};
use super::super::limits::orders_json;
use super::super::method::Method;
use super::super::render::list;
use super::{Call, Desk};

/// A rate of millionths, with eight decimals.
pub(super) fn rate(millionths: i32) -> String {
    amount(i128::from(millionths) * 100).to_string()
}

impl Desk {
    pub(super) fn about_account(&mut self, call: &Call, now: Nanos) -> Result<String, Failure> {
        let account = Self::owner(call)?;
        match call.method {
            Method::Account => self.balances(account, call),
            Method::MyTrades => self.my_trades(account, call),
            Method::Prevented => self.prevented(account, call),
            Method::Allocations => {
                self.symbol(call.params.need("symbol")?)?;
                // Smart order routing is not offered, so nothing was ever allotted.
                Ok("[]".to_owned())
            }
            Method::OrderRate => {
                let used = self.limits.usage(call.address, Some(account), now).orders;
                Ok(format!("[{}]", orders_json(&self.limits.allowed(), used)))
            }
            Method::Commission => {
                let symbol = call.params.need("symbol")?;
                self.symbol(symbol)?;
                Ok(format!("{{\"symbol\":{},{}}}", text(symbol), self.commission_rates(account)))
            }
            _ => {
                let instrument = self.symbol(call.params.need("symbol")?)?;
                let filters = self.filters_json(instrument);
                Ok(format!("{{\"exchangeFilters\":[],\"symbolFilters\":{filters},\"assetFilters\":[]}}"))
            }
        }
    }

    /// The members that tell an account's rates.
    pub(super) fn commission_rates(&self, account: AccountIndex) -> String {
        let (maker, taker) =
            self.exchange.account(account).map_or((0, 0), |view| (view.maker.0, view.taker.0));
        let none = rate(0);
        let zeros = format!("{{\"maker\":{none},\"taker\":{none},\"buyer\":{none},\"seller\":{none}}}");
        format!(
            "\"standardCommission\":{{\"maker\":{},\"taker\":{},\"buyer\":{none},\"seller\":{none}}},\"specialCommission\":{zeros},\"taxCommission\":{zeros},\"discount\":{{\"enabledForAccount\":false,\"enabledForSymbol\":false,\"discountAsset\":\"BNB\",\"discount\":\"0.25000000\"}}",
            rate(maker),
            rate(taker)
        )
    }

    fn balances(&self, account: AccountIndex, call: &Call) -> Result<String, Failure> {
        let view = self.exchange.account(account).ok_or_else(|| Failure::new(-1000, "Internal error."))?;
        let omit = call.params.flag("omitZeroBalances")? == Some(true);
        let held = self.exchange.assets().iter().zip(view.balances);
        let balances = held.filter(|(_, balance)| !omit || balance.total() != 0).map(|(asset, balance)| {
            format!(
                "{{\"asset\":{},\"free\":{},\"locked\":{}}}",
                text(asset),
                amount(balance.free),
                amount(balance.locked)
            )
        });
        let (maker, taker, none) = (view.maker.0, view.taker.0, rate(0));
        Ok(format!(
            "{{\"makerCommission\":{},\"takerCommission\":{},\"buyerCommission\":0,\"sellerCommission\":0,\"commissionRates\":{{\"maker\":{},\"taker\":{},\"buyer\":{none},\"seller\":{none}}},\"canTrade\":true,\"canWithdraw\":false,\"canDeposit\":false,\"brokered\":false,\"requireSelfTradePrevention\":false,\"preventSor\":false,\"updateTime\":{},\"accountType\":\"SPOT\",\"balances\":{},\"permissions\":[\"SPOT\"],\"uid\":{}}}",
            maker / 100,
            taker / 100,
            rate(maker),
            rate(taker),
            call.unit.show(view.updated),
            list(balances),
            u64::from(account) + 1
        ))
    }

    fn my_trades(&self, account: AccountIndex, call: &Call) -> Result<String, Failure> {
        let params = &call.params;
        let instrument = self.symbol(params.need("symbol")?)?;
        let order = params.integer("orderId")?.map(|id| u64::try_from(id).unwrap_or(0));
        let from = params.integer("fromId")?.map(|id| u64::try_from(id).unwrap_or(0));
        let (start, end) = (params.time("startTime")?, params.time("endTime")?);
        let most = usize::try_from(params.integer("limit")?.unwrap_or(500)).unwrap_or(0).min(1_000);
        let wanted = |fill: &&Fill| {
            let at = fill.time.0 / 1_000_000;
            fill.instrument == instrument
                && order.is_none_or(|order| fill.order == order)
                && from.is_none_or(|from| fill.facts.trade_id >= from)
                && start.is_none_or(|start| at >= start)
                && end.is_none_or(|end| at <= end)
        };
        let view = self.exchange.account(account).ok_or_else(|| Failure::new(-1000, "Internal error."))?;
        let render = self.render(call);
        let fills = view.fills.iter().filter(wanted);
        if from.is_some() || start.is_some() {
            return Ok(list(fills.take(most).map(|fill| render.fill(fill))));
        }
        let mut newest: Vec<&Fill> = fills.rev().take(most).collect();
        newest.reverse();
        Ok(list(newest.into_iter().map(|fill| render.fill(fill))))
    }
}
