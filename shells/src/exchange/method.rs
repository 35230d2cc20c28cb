//! Every request there is: its REST form, its WebSocket form, what it costs and whether it is signed.

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Anyone.
    Public,
    /// Whoever signs.
    Signed,
    /// A session on a WebSocket; REST has no such request.
    Session,
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident $ws:literal $verb:literal $path:literal $security:ident $weight:literal),+ $(,)?) => {
        /// A request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Method { $($(#[$doc])* $name),+ }

        impl Method {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its WebSocket name; empty for none.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $ws),+ }
            }

            /// Its verb and path; empty for none.
            #[must_use]
            pub const fn path(self) -> (&'static str, &'static str) {
                match self { $(Self::$name => ($verb, $path)),+ }
            }

            /// Who may ask.
            #[must_use]
            pub const fn security(self) -> Security {
                match self { $(Self::$name => Security::$security),+ }
            }

            /// Its weight, where that does not depend on its parameters.
            #[must_use]
            pub const fn weight(self) -> u32 {
                match self { $(Self::$name => $weight),+ }
            }
        }
    };
}

methods! {
    /// Nothing, to see whether anyone is there.
    Ping "ping" "GET" "/api/v3/ping" Public 1,
    /// The exchange's clock.
    Time "time" "GET" "/api/v3/time" Public 1,
    /// What is listed.
    ExchangeInfo "exchangeInfo" "GET" "/api/v3/exchangeInfo" Public 20,
    /// A book.
    Depth "depth" "GET" "/api/v3/depth" Public 5,
    /// Recent trades.
    Trades "trades.recent" "GET" "/api/v3/trades" Public 25,
    /// Older trades.
    HistoricalTrades "trades.historical" "GET" "/api/v3/historicalTrades" Public 25,
    /// Aggregated trades.
    AggTrades "trades.aggregate" "GET" "/api/v3/aggTrades" Public 4,
    /// Bars.
    Klines "klines" "GET" "/api/v3/klines" Public 2,
    /// Bars for people.
    UiKlines "uiKlines" "GET" "/api/v3/uiKlines" Public 2,
    /// The average price.
    AvgPrice "avgPrice" "GET" "/api/v3/avgPrice" Public 2,
    /// The price that filters and execution rules refer to.
    ReferencePrice "referencePrice" "GET" "/api/v3/referencePrice" Public 2,
    /// How that price comes about.
    ReferenceCalculation "referencePrice.calculation" "GET" "/api/v3/referencePrice/calculation" Public 2,
    /// Rules that hold when orders trade.
    ExecutionRules "executionRules" "GET" "/api/v3/executionRules" Public 2,
    /// Block trades.
    BlockTrades "blockTrades.historical" "GET" "/api/v3/historicalBlockTrades" Public 25,
    /// Statistics of a span that ends now.
    TickerWindow "ticker" "GET" "/api/v3/ticker" Public 4,
    /// Statistics of the trading day.
    TickerToday "ticker.tradingDay" "GET" "/api/v3/ticker/tradingDay" Public 4,
    /// Statistics of the last 24 hours.
    Ticker24 "ticker.24hr" "GET" "/api/v3/ticker/24hr" Public 2,
    /// The last price.
    TickerPrice "ticker.price" "GET" "/api/v3/ticker/price" Public 2,
    /// The best bid and ask.
    TickerBook "ticker.book" "GET" "/api/v3/ticker/bookTicker" Public 2,
    /// Judges an order and places none.
    OrderTest "order.test" "POST" "/api/v3/order/test" Signed 1,
    /// Places an order.
    OrderPlace "order.place" "POST" "/api/v3/order" Signed 1,
    /// Tells of an order.
    OrderStatus "order.status" "GET" "/api/v3/order" Signed 4,
    /// Cancels an order.
    OrderCancel "order.cancel" "DELETE" "/api/v3/order" Signed 1,
    /// Cancels one order and places another.
    CancelReplace "order.cancelReplace" "POST" "/api/v3/order/cancelReplace" Signed 1,
    /// Makes an order smaller.
    Amend "order.amend.keepPriority" "PUT" "/api/v3/order/amend/keepPriority" Signed 4,
    /// The amendments of an order.
    Amendments "order.amendments" "GET" "/api/v3/order/amendments" Signed 4,
    /// Open orders.
    OpenOrders "openOrders.status" "GET" "/api/v3/openOrders" Signed 6,
    /// Cancels the open orders of a symbol.
    CancelAll "openOrders.cancelAll" "DELETE" "/api/v3/openOrders" Signed 1,
    /// All orders of a symbol.
    AllOrders "allOrders" "GET" "/api/v3/allOrders" Signed 20,
    /// Places two orders of which one cancels the other.
    OcoPlace "orderList.place.oco" "POST" "/api/v3/orderList/oco" Signed 1,
    /// The same as it was asked for before there were other lists.
    OcoPlaceOld "orderList.place" "POST" "/api/v3/order/oco" Signed 1,
    /// Places an order that places another.
    OtoPlace "orderList.place.oto" "POST" "/api/v3/orderList/oto" Signed 1,
    /// Places an order that places a pair.
    OtocoPlace "orderList.place.otoco" "POST" "/api/v3/orderList/otoco" Signed 1,
    /// Places an order that pays for another.
    OpoPlace "orderList.place.opo" "POST" "/api/v3/orderList/opo" Signed 1,
    /// Places an order that pays for a pair.
    OpocoPlace "orderList.place.opoco" "POST" "/api/v3/orderList/opoco" Signed 1,
    /// Places an order by smart order routing.
    SorPlace "sor.order.place" "POST" "/api/v3/sor/order" Signed 1,
    /// Judges such an order and places none.
    SorTest "sor.order.test" "POST" "/api/v3/sor/order/test" Signed 1,
    /// Tells of an order list.
    ListStatus "orderList.status" "GET" "/api/v3/orderList" Signed 4,
    /// Cancels an order list.
    ListCancel "orderList.cancel" "DELETE" "/api/v3/orderList" Signed 1,
    /// Open order lists.
    OpenLists "openOrderLists.status" "GET" "/api/v3/openOrderList" Signed 6,
    /// All order lists.
    AllLists "allOrderLists" "GET" "/api/v3/allOrderList" Signed 20,
    /// Balances and rates.
    Account "account.status" "GET" "/api/v3/account" Signed 20,
    /// Fills.
    MyTrades "myTrades" "GET" "/api/v3/myTrades" Signed 20,
    /// Matches that self-trade prevention kept from trading.
    Prevented "myPreventedMatches" "GET" "/api/v3/myPreventedMatches" Signed 20,
    /// What smart order routing allotted.
    Allocations "myAllocations" "GET" "/api/v3/myAllocations" Signed 20,
    /// How many orders the limits have counted.
    OrderRate "account.rateLimits.orders" "GET" "/api/v3/rateLimit/order" Signed 40,
    /// Rates of fees.
    Commission "account.commission" "GET" "/api/v3/account/commission" Signed 20,
    /// The filters that apply to the account.
    MyFilters "myFilters" "GET" "/api/v3/myFilters" Signed 40,
    /// Whether the exchange is up.
    SystemStatus "" "GET" "/sapi/v1/system/status" Public 1,
    /// Assets, and what the account holds of each.
    Coins "" "GET" "/sapi/v1/capital/config/getall" Signed 10,
    /// Rates of fees by symbol.
    TradeFee "" "GET" "/sapi/v1/asset/tradeFee" Signed 1,
    /// Pairs that can be traded on margin.
    MarginPairs "" "GET" "/sapi/v1/margin/allPairs" Public 1,
    /// Pairs that can be traded on isolated margin.
    IsolatedPairs "" "GET" "/sapi/v1/margin/isolated/allPairs" Signed 10,
    /// Starts user data of the session's account.
    UserSubscribe "userDataStream.subscribe" "" "" Session 2,
    /// Starts user data of the account that signs.
    UserSubscribeSigned "userDataStream.subscribe.signature" "" "" Signed 2,
    /// Ends user data.
    UserUnsubscribe "userDataStream.unsubscribe" "" "" Public 2,
    /// The connection's user data.
    Subscriptions "session.subscriptions" "" "" Public 2,
    /// Who the session is.
    SessionStatus "session.status" "" "" Public 2,
    /// Makes the connection a session of an account.
    SessionLogon "session.logon" "" "" Signed 2,
    /// Ends the session.
    SessionLogout "session.logout" "" "" Public 2,
}

impl Method {
    /// By WebSocket name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|method| method.name() == name)
    }

    /// By REST verb and path. `Err` says whether the path is known with another verb.
    ///
    /// # Errors
    /// When there is no such request.
    pub fn by_path(verb: &str, path: &str) -> Result<Self, bool> {
        let known = Self::ALL.iter().copied().filter(|method| method.path().1 == path && !path.is_empty());
        let mut other = false;
        for method in known {
            if method.path().0 == verb {
                return Ok(method);
            }
            other = true;
        }
        Err(other)
    }

    /// Whether it costs nothing where it succeeds (binance.md §3).
    #[must_use]
    pub const fn is_free_on_success(self) -> bool {
        matches!(
            self,
            Self::OrderPlace
                | Self::OrderCancel
                | Self::CancelReplace
                | Self::CancelAll
                | Self::OcoPlace
                | Self::OcoPlaceOld
                | Self::ListCancel
        )
    }
}
