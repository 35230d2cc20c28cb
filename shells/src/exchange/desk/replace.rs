//! Cancel one order and place another, in one request (binance.md §6).

use engine::domain::Nanos;
use engine::venue::exchange::{AccountIndex, CancelOrder, OrderName};

use super::super::failure::Failure;
use super::orders::restriction;
use super::{Call, Desk};

impl Desk {
    pub(super) fn cancel_replace(
        &mut self,
        account: AccountIndex,
        call: &Call,
        now: Nanos,
    ) -> Result<String, Failure> {
        let params = &call.params;
        let instrument = self.symbol(params.need("symbol")?)?;
        let stops = match params.need("cancelReplaceMode")? {
            "STOP_ON_FAILURE" => true,
            "ALLOW_FAILURE" => false,
            _ => return Err(Failure::illegal("cancelReplaceMode")),
        };
        let id = params.integer("cancelOrderId")?.map(|id| u64::try_from(id).unwrap_or(0));
        let client_id = params.maybe("cancelOrigClientOrderId")?;
        if id.is_none() && client_id.is_none() {
            return Err(Failure::new(
                -1102,
                "Param 'cancelOrigClientOrderId' or 'cancelOrderId' must be sent, but both were empty/null!",
            ));
        }
        // Parameters and the order count are judged before anything is cancelled.
        let (new, detail) = self.new_order(params, "")?;
        let cancel_id = self.client_id(params, "cancelNewClientOrderId")?;
        let cancel_only = match params.maybe("orderRateLimitExceededMode")? {
            None | Some("DO_NOTHING") => false,
            Some("CANCEL_ONLY") => true,
            Some(_) => return Err(Failure::illegal("orderRateLimitExceededMode")),
        };
        let exhausted = self.limits.may_order(account, now).err();
        if let Some(failure) = exhausted.clone().filter(|_| !cancel_only) {
            return Err(failure);
        }
        let name = OrderName { id, client_id };
        let cancel =
            CancelOrder { instrument, name, cancel_id: cancel_id.clone(), restriction: restriction(params)? };
        let cancelled = self.exchange.cancel(now, account, &cancel).map_err(Failure::from).and_then(|id| {
            let order = self.exchange.order(id).ok_or_else(|| Failure::new(-1000, "Internal error."))?;
            Ok(self.render(call).cancelled(order, &cancel_id))
        });
        let placed = match (&cancelled, exhausted) {
            (_, Some(failure)) => Some(Err(failure)),
            (Err(_), None) if stops => None,
            _ => Some(self.carry_out(account, &new, detail, now, call.unit)),
        };
        settle(&cancelled, placed.as_ref())
    }
}

/// The answer to both halves; `None` is a new order that was not attempted.
fn settle(
    cancelled: &Result<String, Failure>,
    placed: Option<&Result<String, Failure>>,
) -> Result<String, Failure> {
    let told = |half: &Result<String, Failure>| match half {
        Ok(body) => ("SUCCESS", body.clone()),
        Err(failure) => ("FAILURE", failure.body()),
    };
    let (cancel_result, cancel_body) = told(cancelled);
    let (new_result, new_body) = placed.map_or(("NOT_ATTEMPTED", "null".to_owned()), told);
    let body = format!(
        "{{\"cancelResult\":\"{cancel_result}\",\"newOrderResult\":\"{new_result}\",\"cancelResponse\":{cancel_body},\"newOrderResponse\":{new_body}}}"
    );
    let limited = placed.is_some_and(|half| half.as_ref().is_err_and(|failure| failure.status == 429));
    let failed = |code, message, status| Failure {
        data: Some(body.clone()),
        ..Failure::new(code, message).with_status(status)
    };
    match (cancelled.is_ok(), placed.is_some_and(Result::is_ok)) {
        (true, true) => Ok(body),
        (false, false) => Err(failed(-2022, "Order cancel-replace failed.", 400)),
        _ => {
            let status = if limited { 429 } else { 409 };
            Err(failed(-2021, "Order cancel-replace partially failed.", status))
        }
    }
}
