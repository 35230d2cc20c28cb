//! A session of the official Rust client, unmodified, against simulated_exchange. Usage: official-client KEYS REST_URL

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use binance_sdk::config::{
    ConfigurationRestApi, ConfigurationWebsocketApi, ConfigurationWebsocketStreams, PrivateKey,
};
use binance_sdk::spot::rest_api::{
    DeleteOpenOrdersParams, DeleteOrderParams, ExchangeInfoParams, GetAccountParams, GetOpenOrdersParams,
    NewOrderParams, NewOrderSideEnum, NewOrderTimeInForceEnum, NewOrderTypeEnum,
    OrderCancelReplaceCancelReplaceModeEnum, OrderCancelReplaceParams, OrderCancelReplaceSideEnum,
    OrderCancelReplaceTimeInForceEnum, OrderCancelReplaceTypeEnum,
};
use binance_sdk::spot::websocket_api::{
    OrderCancelParams, OrderPlaceParams, OrderPlaceSideEnum, OrderPlaceTimeInForceEnum, OrderPlaceTypeEnum,
    SessionLogonParams, UserDataStreamSubscribeParams,
};
use binance_sdk::spot::websocket_streams::BookTickerParams;
use binance_sdk::spot::{SpotRestApi, SpotWsApi, SpotWsStreams};
use rust_decimal::Decimal;

fn must(condition: bool, what: &str) {
    assert!(condition, "rust: {what}");
    println!("rust: {what}: ok");
}

/// A price in hundredths.
fn price(hundredths: i64) -> Decimal {
    Decimal::new(hundredths, 2)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let keys: serde_json::Value = serde_json::from_slice(&std::fs::read(&arguments[1])?)?;
    let text = |kind: &str, name: &str| keys[kind][name].as_str().unwrap_or_default().to_owned();
    let url = arguments[2].clone();
    rest(text("hmac", "api_key"), text("hmac", "secret"), url.clone()).await?;
    sockets(text("ed25519", "api_key"), text("ed25519", "private_key"), &url.replacen("http", "ws", 1)).await
}

async fn rest(key: String, secret: String, url: String) -> Result<(), Box<dyn std::error::Error>> {
    let configuration =
        ConfigurationRestApi::builder().api_key(key).api_secret(secret).base_path(url.clone()).build()?;
    let client = SpotRestApi::from_config(configuration);
    let info = client.exchange_info(ExchangeInfoParams::builder().symbol("BTCUSDT".to_owned()).build()?).await?;
    let listed = info.data().await?.symbols.unwrap_or_default();
    must(listed.len() == 1, "exchange info");
    let account = client.get_account(GetAccountParams::builder().omit_zero_balances(true).build()?).await?;
    must(!account.data().await?.balances.unwrap_or_default().is_empty(), "account");
    let low = price(4_500_000);
    let order = |quantity: Decimal, price: Decimal| {
        NewOrderParams::builder("BTCUSDT".to_owned(), NewOrderSideEnum::Buy, NewOrderTypeEnum::Limit)
            .time_in_force(NewOrderTimeInForceEnum::Gtc)
            .quantity(quantity)
            .price(price)
    };
    let placed =
        client.new_order(order(Decimal::new(1, 2), low).new_client_order_id("rs-1".to_owned()).build()?).await?;
    must(placed.data().await?.status.as_deref() == Some("NEW"), "place");
    let open = client.get_open_orders(GetOpenOrdersParams::builder().symbol("BTCUSDT".to_owned()).build()?).await?;
    must(open.data().await?.len() == 1, "open orders");
    let replace = OrderCancelReplaceParams::builder(
        "BTCUSDT".to_owned(),
        OrderCancelReplaceSideEnum::Buy,
        OrderCancelReplaceTypeEnum::Limit,
        OrderCancelReplaceCancelReplaceModeEnum::StopOnFailure,
    )
    .time_in_force(OrderCancelReplaceTimeInForceEnum::Gtc)
    .quantity(Decimal::new(2, 2))
    .price(low)
    .cancel_orig_client_order_id("rs-1".to_owned())
    .new_client_order_id("rs-2".to_owned());
    let replaced = client.order_cancel_replace(replace.build()?).await?;
    must(replaced.data().await?.new_order_result.as_deref() == Some("SUCCESS"), "cancel-replace");
    let cancel = DeleteOrderParams::builder("BTCUSDT".to_owned()).orig_client_order_id("rs-2".to_owned());
    let cancelled = client.delete_order(cancel.build()?).await?;
    must(cancelled.data().await?.status.as_deref() == Some("CANCELED"), "cancel");
    let partial = client.new_order(order(Decimal::new(12, 0), price(6_600_000)).build()?).await?;
    let partial = partial.data().await?;
    must(partial.fills.is_some_and(|fills| !fills.is_empty()), "fills");
    let all = client.delete_open_orders(DeleteOpenOrdersParams::builder("BTCUSDT".to_owned()).build()?).await;
    must(all.is_ok() || partial.status.as_deref() == Some("FILLED"), "cancel all");
    let unknown = DeleteOrderParams::builder("BTCUSDT".to_owned()).order_id(987_654_321);
    let error = client.delete_order(unknown.build()?).await.err().map(|error| format!("{error:?}"));
    must(error.is_some_and(|error| error.contains("Unknown order sent")), "error");
    Ok(())
}

async fn sockets(key: String, private: String, url: &str) -> Result<(), Box<dyn std::error::Error>> {
    let configuration = ConfigurationWebsocketApi::builder()
        .api_key(key)
        .private_key(PrivateKey::Raw(private.into_bytes()))
        .ws_url(format!("{url}/ws-api/v3"))
        .build()?;
    let api = SpotWsApi::from_config(configuration).connect().await?;
    api.session_logon(SessionLogonParams::default()).await?;
    let (_, user) = api.user_data_stream_subscribe(UserDataStreamSubscribeParams::default()).await?;
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    user.on_message(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let order = OrderPlaceParams::builder("ETHUSDT".to_owned(), OrderPlaceSideEnum::Buy, OrderPlaceTypeEnum::Limit)
        .time_in_force(OrderPlaceTimeInForceEnum::Gtc)
        .quantity(Decimal::new(1, 1))
        .price(price(150_000));
    let placed = api.order_place(order.build()?).await?;
    let placed = placed.data()?;
    must(placed.status.as_deref() == Some("NEW"), "socket: place");
    let cancel = OrderCancelParams::builder("ETHUSDT".to_owned()).order_id(placed.order_id.unwrap_or(0));
    must(api.order_cancel(cancel.build()?).await.is_ok(), "socket: cancel");
    for _ in 0..300 {
        if heard.load(Ordering::Relaxed) >= 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    must(heard.load(Ordering::Relaxed) >= 2, "socket: user data");
    api.disconnect().await?;

    let configuration = ConfigurationWebsocketStreams::builder().ws_url(url.to_owned()).build()?;
    let streams = SpotWsStreams::from_config(configuration).connect().await?;
    let stream = streams.book_ticker(BookTickerParams::builder("btcusdt".to_owned()).build()?).await?;
    let ticks = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ticks);
    stream.on_message(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    for _ in 0..300 {
        if ticks.load(Ordering::Relaxed) > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    must(ticks.load(Ordering::Relaxed) > 0, "streams: bookTicker");
    streams.disconnect().await?;
    Ok(())
}
