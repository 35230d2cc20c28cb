//! What is listed: `exchangeInfo` and the filters.

use std::fmt::Write;

use engine::domain::{Instrument, InstrumentIndex, Nanos};
use engine::venue::exchange::{
    ALGO_ORDERS_MAX, AMENDS_MAX, ICEBERG_ORDERS_MAX, ICEBERG_PARTS_MAX, ORDER_LISTS_MAX, TRAILING_DELTA,
};

use super::super::failure::Failure;
use super::super::history::value_json;
use super::super::json::{price, quantity, text};
use super::super::limits::orders_json;
use super::super::params::{Params, names};
use super::super::render::{TimeUnit, list};
use super::Desk;
use super::tickers::wanted_status;

/// What every symbol has in common.
const COMMON: &str = concat!(
    r#""orderTypes":["LIMIT","LIMIT_MAKER","MARKET","STOP_LOSS","STOP_LOSS_LIMIT","TAKE_PROFIT","TAKE_PROFIT_LIMIT"],"#,
    r#""icebergAllowed":true,"ocoAllowed":true,"otoAllowed":true,"opoAllowed":false,"#,
    r#""quoteOrderQtyMarketAllowed":true,"allowTrailingStop":true,"cancelReplaceAllowed":true,"amendAllowed":true,"#,
    r#""pegInstructionsAllowed":false,"isSpotTradingAllowed":true,"isMarginTradingAllowed":false"#,
);
/// The permission that lists every symbol, and all there are.
const PERMISSION: &str = "SPOT";

/// The status of a symbol.
pub(super) const fn status(instrument: &Instrument) -> &'static str {
    if instrument.untradable.is_none() { "TRADING" } else { "BREAK" }
}

/// The modes that are allowed, and the one that holds without a word.
const STP: &str = concat!(
    r#""defaultSelfTradePreventionMode":"EXPIRE_MAKER","#,
    r#""allowedSelfTradePreventionModes":["NONE","EXPIRE_TAKER","EXPIRE_MAKER","EXPIRE_BOTH","DECREMENT","TRANSFER"]"#,
);

impl Desk {
    pub(super) fn exchange_info(
        &self,
        params: &Params,
        now: Nanos,
        unit: TimeUnit,
    ) -> Result<String, Failure> {
        let instruments = self.exchange.instruments();
        let wanted = self.wanted(params)?;
        let sets = params.flag("showPermissionSets")? != Some(false);
        let allowed = self.limits.allowed();
        let symbols = wanted.iter().filter_map(|&index| {
            instruments.get(index).map(|instrument| self.symbol_json(index, instrument, sets))
        });
        Ok(format!(
            "{{\"timezone\":\"UTC\",\"serverTime\":{},\"rateLimits\":[{{\"rateLimitType\":\"REQUEST_WEIGHT\",\"interval\":\"MINUTE\",\"intervalNum\":1,\"limit\":{}}},{},{{\"rateLimitType\":\"RAW_REQUESTS\",\"interval\":\"MINUTE\",\"intervalNum\":5,\"limit\":{}}}],\"exchangeFilters\":[],\"symbols\":{}}}",
            unit.show(now),
            allowed.weight,
            orders_json(&allowed, None),
            allowed.raw,
            list(symbols)
        ))
    }

    /// The symbols that are asked for: by name, or all with a status and a permission.
    fn wanted(&self, params: &Params) -> Result<Vec<InstrumentIndex>, Failure> {
        let (one, several) = (params.maybe("symbol")?, params.maybe("symbols")?);
        let status = wanted_status(params)?;
        let permissions = params.maybe("permissions")?;
        let by_kind = status.is_some() || permissions.is_some();
        match (one, several) {
            (Some(_), Some(_)) => Err(Failure::new(-1128, "Combination of optional parameters invalid.")),
            (Some(_), _) | (_, Some(_)) if by_kind => {
                Err(Failure::new(-1128, "Combination of optional parameters invalid."))
            }
            (Some(symbol), _) => Ok(vec![self.symbol(symbol)?]),
            (_, Some(symbols)) => self.symbols(symbols),
            (None, None) => {
                let permitted = match permissions {
                    None => true,
                    Some(list) if list.starts_with('[') => {
                        names("permissions", list)?.iter().any(|name| name == PERMISSION)
                    }
                    Some(name) => name == PERMISSION,
                };
                let all = self.exchange.instruments().iter().map(|(index, _)| index);
                Ok(all.filter(|index| permitted && self.has_status(*index, status).is_ok()).collect())
            }
        }
    }

    /// The rules that hold when orders trade: none of any symbol.
    pub(super) fn execution_rules(&self, params: &Params) -> Result<String, Failure> {
        let instruments = self.exchange.instruments();
        let wanted = self.wanted(params)?.into_iter().filter_map(|index| instruments.get(index));
        let rules =
            list(wanted.map(|listed| format!("{{\"symbol\":{},\"rules\":[]}}", text(&listed.symbol))));
        Ok(format!("{{\"symbolRules\":{rules}}}"))
    }

    fn symbol_json(&self, index: InstrumentIndex, instrument: &Instrument, sets: bool) -> String {
        let status = status(instrument);
        let sets = if sets { r#"[["SPOT"]]"# } else { "[]" };
        format!(
            "{{\"symbol\":{},\"status\":\"{status}\",\"baseAsset\":{},\"baseAssetPrecision\":8,\"quoteAsset\":{},\"quotePrecision\":8,\"quoteAssetPrecision\":8,\"baseCommissionPrecision\":8,\"quoteCommissionPrecision\":8,{COMMON},\"filters\":{},\"permissions\":[],\"permissionSets\":{sets},{STP}}}",
            text(&instrument.symbol),
            text(&instrument.base),
            text(&instrument.quote),
            self.filters_json(index)
        )
    }

    /// The filters of a symbol, as the exchange enforces them.
    pub(super) fn filters_json(&self, index: InstrumentIndex) -> String {
        let Some(instrument) = self.exchange.instruments().get(index) else { return "[]".to_owned() };
        let filters = &instrument.filters;
        let p = |value| price(instrument, value);
        let q = |value| quantity(instrument, value);
        let lot = |name: &str, filter: &engine::domain::QuantityFilter| {
            format!(
                "{{\"filterType\":\"{name}\",\"minQty\":{},\"maxQty\":{},\"stepSize\":{}}}",
                q(filter.min),
                q(filter.max),
                q(filter.step)
            )
        };
        let mut out = format!(
            "[{{\"filterType\":\"PRICE_FILTER\",\"minPrice\":{},\"maxPrice\":{},\"tickSize\":{}}},{},{}",
            p(filters.min_price),
            p(filters.max_price),
            p(filters.tick),
            lot("LOT_SIZE", &filters.lot),
            lot("MARKET_LOT_SIZE", &filters.market_lot)
        );
        let notional = &filters.notional;
        // Writing to a string does not fail.
        if notional.min.is_some() || notional.max.is_some() {
            let _ = write!(
                out,
                ",{{\"filterType\":\"NOTIONAL\",\"minNotional\":{},\"applyMinToMarket\":{},\"maxNotional\":{},\"applyMaxToMarket\":{},\"avgPriceMins\":5}}",
                value_json(instrument, notional.min.unwrap_or(0)),
                notional.min_applies_to_market,
                value_json(instrument, notional.max.unwrap_or(i128::from(i64::MAX))),
                notional.max_applies_to_market
            );
        }
        let _ = write!(
            out,
            ",{{\"filterType\":\"PERCENT_PRICE_BY_SIDE\",\"bidMultiplierUp\":\"1.2\",\"bidMultiplierDown\":\"0.5\",\"askMultiplierUp\":\"2\",\"askMultiplierDown\":\"0.8\",\"avgPriceMins\":0}}"
        );
        if let Some(most) = filters.max_open_orders {
            let _ = write!(out, ",{{\"filterType\":\"MAX_NUM_ORDERS\",\"maxNumOrders\":{most}}}");
        }
        let [least, most] = TRAILING_DELTA;
        let _ = write!(
            out,
            ",{{\"filterType\":\"ICEBERG_PARTS\",\"limit\":{ICEBERG_PARTS_MAX}}},{{\"filterType\":\"TRAILING_DELTA\",\"minTrailingAboveDelta\":{least},\"maxTrailingAboveDelta\":{most},\"minTrailingBelowDelta\":{least},\"maxTrailingBelowDelta\":{most}}},{{\"filterType\":\"MAX_NUM_ALGO_ORDERS\",\"maxNumAlgoOrders\":{ALGO_ORDERS_MAX}}},{{\"filterType\":\"MAX_NUM_ICEBERG_ORDERS\",\"maxNumIcebergOrders\":{ICEBERG_ORDERS_MAX}}},{{\"filterType\":\"MAX_NUM_ORDER_AMENDS\",\"maxNumOrderAmends\":{AMENDS_MAX}}},{{\"filterType\":\"MAX_NUM_ORDER_LISTS\",\"maxNumOrderLists\":{ORDER_LISTS_MAX}}}]"
        );
        out
    }
}
