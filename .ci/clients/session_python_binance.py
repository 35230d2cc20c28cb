"""A session of python-binance, unmodified, against simulated_exchange. Usage: session_python_binance.py KEYS REST_URL"""
import asyncio
import json
import os
import sys

from binance import AsyncClient, BinanceSocketManager, Client, DepthCacheManager
from binance.exceptions import BinanceAPIException

keys = json.load(open(sys.argv[1]))
rest_url = sys.argv[2]
socket_url = rest_url.replace("http", "ws", 1)
SYMBOL = "BTCUSDT"
# The client has no parameter for its hosts; these are its own constants.
for client_class in (Client, AsyncClient):
    client_class.API_URL = rest_url + "/api"
    client_class.MARGIN_API_URL = rest_url + "/sapi"
    client_class.WS_API_URL = socket_url + "/ws-api/v3"
BinanceSocketManager.STREAM_URL = socket_url + "/"
KEYS = (keys["hmac"]["api_key"], keys["hmac"]["secret"])


def must(condition, what):
    if not condition:
        sys.exit(f"python-binance: {what}")
    print(f"python-binance: {what}: ok")


def rest_session(client):
    must(client.get_symbol_info(SYMBOL)["status"] == "TRADING", "symbol info")
    must(client.get_symbol_ticker_window(symbol=SYMBOL)["count"] > 0, "rolling window")
    must(client.get_historical_klines(SYMBOL, "1m", "5 minutes ago UTC"), "bars")
    must(list(client.aggregate_trade_iter(SYMBOL, start_str="1 minute ago UTC")), "aggregated trades")
    must(float(client.get_asset_balance(asset="BTC")["free"]) > 0, "balance")
    must(client.get_trade_fee(symbol=SYMBOL)[0]["symbol"] == SYMBOL, "fees")
    bid = float(client.get_orderbook_ticker(symbol=SYMBOL)["bidPrice"])
    low, high = f"{bid * 0.9:.2f}", f"{bid * 1.1:.2f}"
    placed = client.order_limit_buy(symbol=SYMBOL, quantity=0.01, price=low)
    must(placed["status"] == "NEW", "place")
    must(client.cancel_order(symbol=SYMBOL, orderId=placed["orderId"])["status"] == "CANCELED", "cancel")
    must(client.order_market_buy(symbol=SYMBOL, quoteOrderQty=100)["fills"], "market order by value")
    pair = client.create_oco_order(
        symbol=SYMBOL, side="SELL", quantity=0.001, aboveType="LIMIT_MAKER", abovePrice=high,
        belowType="STOP_LOSS_LIMIT", belowPrice=low, belowStopPrice=low, belowTimeInForce="GTC")
    must(len(pair["orderReports"]) == 2 and client.get_open_oco_orders(), "order list")
    must(client.get_prevented_matches(symbol=SYMBOL, orderId=placed["orderId"]) == [], "prevented matches")
    try:
        client.cancel_order(symbol=SYMBOL, orderId=987654321)
        sys.exit("python-binance: an unknown order was cancelled")
    except BinanceAPIException as error:
        must(error.code == -2011, "error")
    must(client.ws_get_trading_day_ticker(symbol=SYMBOL)["symbol"] == SYMBOL, "socket: trading day")
    placed = client.ws_order_limit_buy(symbol=SYMBOL, quantity="0.01", price=low)
    must(client.ws_cancel_order(symbol=SYMBOL, orderId=placed["orderId"])["status"] == "CANCELED", "socket: orders")


async def stream_session():
    client = await AsyncClient.create(*KEYS)
    streams = BinanceSocketManager(client)

    async def first(socket, what, wanted=lambda message: True):
        async with socket as stream:
            for _ in range(100):
                message = await asyncio.wait_for(stream.recv(), 30)
                if wanted(message):
                    must("error" not in message, what)
                    return
        must(False, what)

    await first(streams.depth_socket(SYMBOL), "streams: depth")
    await first(streams.kline_socket(SYMBOL), "streams: bars")
    await first(streams.miniticker_socket(), "streams: all tickers", lambda message: message[0]["s"] == SYMBOL)
    await first(streams.multiplex_socket(["btcusdt@trade", "ethusdt@bookTicker"]), "streams: combined")
    async with streams.user_socket() as user:
        await client.order_market_buy(symbol=SYMBOL, quantity=0.01)
        events = [await asyncio.wait_for(user.recv(), 30) for _ in range(2)]
        must(events[1]["X"] in ("FILLED", "PARTIALLY_FILLED"), "user data")
    async with DepthCacheManager(client, symbol=SYMBOL) as books:
        must((await asyncio.wait_for(books.recv(), 30)).get_bids(), "streams: a book of diffs")
    await client.close_connection()


rest_session(Client(*KEYS))
asyncio.run(stream_session())
sys.stdout.flush()
os._exit(0)  # the client has tasks of its own for its socket, and no way to end them
