"""A session of the official Python client, unmodified, against simulated_exchange. Usage: session.py KEYS REST_URL"""
import asyncio
import json
import logging
import sys

from binance_common.configuration import (
    ConfigurationRestAPI, ConfigurationWebSocketAPI, ConfigurationWebSocketStreams)
from binance_sdk_spot.spot import Spot

logging.disable(logging.INFO)
keys = json.load(open(sys.argv[1]))
rest_url = sys.argv[2]
socket_url = rest_url.replace("http", "ws", 1)


def data(response):
    answer = response.data()
    return answer


def must(condition, what):
    if not condition:
        sys.exit(f"python: {what}")
    print(f"python: {what}: ok")


def top(client):
    ticker = data(client.ticker_book_ticker(symbol="BTCUSDT"))
    return getattr(ticker, "actual_instance", ticker)


def rest_session():
    client = Spot(config_rest_api=ConfigurationRestAPI(
        api_key=keys["hmac"]["api_key"], api_secret=keys["hmac"]["secret"], base_path=rest_url)).rest_api
    info = data(client.exchange_info(symbol="BTCUSDT"))
    must(info.symbols[0].symbol == "BTCUSDT", "exchange info")
    must(data(client.get_account(omit_zero_balances=True)).balances, "account")
    low = round(float(top(client).bid_price) * 0.9, 2)
    placed = data(client.new_order(symbol="BTCUSDT", side="BUY", type="LIMIT", time_in_force="GTC",
                                   quantity=0.01, price=low, new_client_order_id="py-1"))
    must(placed.status == "NEW", "place")
    must(len(data(client.get_open_orders(symbol="BTCUSDT"))) == 1, "open orders")
    amended = data(client.order_amend_keep_priority(
        symbol="BTCUSDT", new_qty=0.005, orig_client_order_id="py-1", new_client_order_id="py-1")).amended_order
    must((amended.order_id, float(amended.qty)) == (placed.order_id, 0.005), "amend")
    replaced = data(client.order_cancel_replace(
        symbol="BTCUSDT", side="BUY", type="LIMIT", cancel_replace_mode="STOP_ON_FAILURE", time_in_force="GTC",
        quantity=0.02, price=low, cancel_orig_client_order_id="py-1", new_client_order_id="py-2"))
    must(replaced.new_order_result == "SUCCESS", "cancel-replace")
    must(data(client.delete_order(symbol="BTCUSDT", orig_client_order_id="py-2")).status == "CANCELED", "cancel")
    partial = None
    for _ in range(50):  # the market moves between the look and the order
        ask = float(top(client).ask_price)
        partial = data(client.new_order(symbol="BTCUSDT", side="BUY", type="LIMIT", time_in_force="GTC",
                                        quantity=10, price=ask))
        if partial.status == "PARTIALLY_FILLED":
            break
        if partial.status == "NEW":
            client.delete_order(symbol="BTCUSDT", order_id=partial.order_id)
    must(partial.status == "PARTIALLY_FILLED" and float(partial.executed_qty) > 0, "partial fill")
    must(data(client.my_trades(symbol="BTCUSDT", order_id=partial.order_id)), "trades")
    data(client.delete_open_orders(symbol="BTCUSDT"))
    try:
        client.delete_order(symbol="BTCUSDT", order_id=987654321)
        sys.exit("python: an unknown order was cancelled")
    except Exception as error:  # the client has an exception of its own for each status
        must("Unknown order sent" in str(error), f"error ({type(error).__name__})")


async def socket_session():
    client = Spot(
        config_ws_api=ConfigurationWebSocketAPI(
            api_key=keys["ed25519"]["api_key"], private_key=keys["ed25519"]["private_key"],
            stream_url=socket_url + "/ws-api/v3"),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=socket_url))
    connection = await client.websocket_api.create_connection()
    await connection.session_logon()
    subscribed = await connection.user_data_stream_subscribe()
    events = []
    stream = subscribed.stream if hasattr(subscribed, "stream") else None
    if stream is not None:
        stream.on("message", lambda event: events.append(str(event)))
    book = data(await connection.ticker_book(symbol="ETHUSDT"))
    book = getattr(book, "actual_instance", book).result
    low = round(float(book.bid_price) * 0.9, 2)
    placed = data(await connection.order_place(symbol="ETHUSDT", side="BUY", type="LIMIT", time_in_force="GTC",
                                               quantity=0.1, price=low)).result
    must(placed.status == "NEW", "socket: place")
    must((data(await connection.order_cancel(symbol="ETHUSDT", order_id=placed.order_id)).result).status == "CANCELED",
         "socket: cancel")
    for _ in range(300):
        if any("executionReport" in event or "CANCELED" in event for event in events):
            break
        await asyncio.sleep(0.1)
    must(events, "socket: user data")
    await connection.close_connection(close_session=True)

    streams = await client.websocket_streams.create_connection()
    ticks = []
    ticker = await streams.book_ticker(symbol="btcusdt")
    ticker.on("message", lambda event: ticks.append(event))
    for _ in range(300):
        if ticks:
            break
        await asyncio.sleep(0.1)
    must(ticks, "streams: bookTicker")
    await streams.close_connection(close_session=True)


rest_session()
asyncio.run(socket_session())
