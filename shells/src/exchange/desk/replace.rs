//! Cancel one order and place another, in one request (binance.md §6).

use engine::domain::Nanos;
use engine::venue::exchange::{AccountIndex, CancelOrder, OrderName};

use super::super::failure::Failure;
use super::new_order::ALONE;
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
        // Parameters, filters and the order count are judged before anything is cancelled.
        let (new, detail) = self.new_order(params, &ALONE)?;
        let cancel_id = self.client_id(params, "cancelNewClientOrderId")?;
        let cancel_only = match params.maybe("orderRateLimitExceededMode")? {
            None | Some("DO_NOTHING") => false,
            Some("CANCEL_ONLY") => true,
            Some(_) => return Err(Failure::illegal("orderRateLimitExceededMode")),
        };
        self.exchange.judge_filters(now, account, &new)?;
        let exhausted = self.limits.may_order(account, now, 1).err();
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
        let status = exhausted.as_ref().filter(|_| stops).map(|failure| failure.status);
        let placed = match (&cancelled, exhausted) {
            (Err(_), exhausted) if stops => {
                // What was not attempted counts all the same.
                if exhausted.is_none() {
                    self.limits.ordered(account, now, 1);
                }
                None
            }
            (_, Some(failure)) => Some(Err(failure)),
            _ => Some(self.carry_out(account, &new, detail, now, call.unit)),
        };
        settle(&cancelled, placed.as_ref(), status)
    }
}

/// The answer to both halves; `None` is a new order that was not attempted. `status` is that of a failure where the
/// order count, and not the halves, says it.
fn settle(
    cancelled: &Result<String, Failure>,
    placed: Option<&Result<String, Failure>>,
    status: Option<u16>,
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
    let failed = |code, message, otherwise| Failure {
        data: Some(body.clone()),
        ..Failure::new(code, message).with_status(status.unwrap_or(otherwise))
    };
    match (cancelled.is_ok(), placed.is_some_and(Result::is_ok)) {
        (true, true) => Ok(body),
        (false, false) => Err(failed(-2022, "Order cancel-replace failed.", 400)),
        _ => Err(failed(-2021, "Order cancel-replace partially failed.", 409)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_of_halves_has_the_status_and_code_of_the_venues_table() {
        let (ok, failed) = (Ok("{}".to_owned()), Err(Failure::new(-2010, "no")));
        for (cancelled, placed, limited, outcome) in [
            (&ok, Some(&ok), None, None),
            (&failed, None, None, Some((400, -2022))),
            (&ok, Some(&failed), None, Some((409, -2021))),
            (&failed, Some(&failed), None, Some((400, -2022))),
            (&failed, Some(&ok), None, Some((409, -2021))),
            // The count of orders is exhausted, and only a cancel was asked for then.
            (&failed, None, Some(429), Some((429, -2022))),
            (&ok, Some(&failed), Some(429), Some((429, -2021))),
        ] {
            let told = settle(cancelled, placed, limited).err().map(|failure| (failure.status, failure.code));
            assert_eq!(told, outcome, "{cancelled:?} {placed:?}");
        }
    }
}
