"""A session of ccxt, unmodified, against simulated_exchange: requests, then sockets. Usage: session_ccxt.py KEYS REST_URL"""
import asyncio
import json
import sys

import ccxt.pro

keys = json.load(open(sys.argv[1]))
rest_url = sys.argv[2]
socket_url = rest_url.replace("http", "ws", 1)
SYMBOL = "BTC/USDT"


def must(condition, what):
    if not condition:
        sys.exit(f"ccxt: {what}")
    print(f"ccxt: {what}: ok")


def point_here(client):
    """Only Spot is offered: the hosts of futures and options are left alone, and their markets are not loaded."""
    addresses = client.urls["api"]
    addresses.update(public=rest_url + "/api/v3", private=rest_url + "/api/v3", sapi=rest_url + "/sapi/v1")
    if "ws" in addresses:
        addresses["ws"]["spot"] = socket_url + "/ws"
        addresses["ws"]["ws-api"]["spot"] = socket_url + "/ws-api/v3"
    return client


def options():
    return {"apiKey": keys["hmac"]["api_key"], "secret": keys["hmac"]["secret"],
            "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}}}


def market_session(client):
    must(client.load_markets()[SYMBOL]["precision"]["price"] == 0.01, "markets")
    must("BTC" in client.fetch_currencies(), "currencies")
    must(client.fetch_status()["status"] == "ok", "status")
    must(client.fetch_order_book(SYMBOL, 5)["bids"], "order book")
    must(client.fetch_ticker(SYMBOL)["last"] and client.fetch_tickers()["ETH/USDT"], "tickers")
    must(client.public_get_ticker({"symbol": "BTCUSDT", "windowSize": "1h"})["lastPrice"], "rolling window")
    must(client.fetch_trades(SYMBOL) and client.fetch_ohlcv(SYMBOL, "1m"), "trades and bars")
    must(client.fetch_balance()["USDT"]["free"] > 0, "balance")
    must(client.fetch_trading_fees()[SYMBOL]["taker"] == 0.001, "fees")


def order_session(client):
    bid = client.fetch_ticker(SYMBOL)["bid"]
    low, high = round(bid * 0.9, 2), round(bid * 1.1, 2)
    placed = client.create_order(SYMBOL, "limit", "buy", 0.01, low)
    must(placed["status"] == "open", "place")
    must(client.fetch_order(placed["id"], SYMBOL)["remaining"] == 0.01, "query")
    must([order["id"] for order in client.fetch_open_orders(SYMBOL)] == [placed["id"]], "open orders")
    edited = client.edit_order(placed["id"], SYMBOL, "limit", "buy", 0.02, low)
    must(edited["amount"] == 0.02 and edited["id"] != placed["id"], "edit")
    must(client.cancel_order(edited["id"], SYMBOL)["status"] == "canceled", "cancel")
    market = client.create_order(SYMBOL, "market", "buy", 0.01)
    must(market["status"] == "closed" and market["fee"]["cost"] > 0, "market order")
    must(client.create_market_buy_order_with_cost(SYMBOL, 100)["cost"] <= 100, "market order by cost")
    must(client.fetch_my_trades(SYMBOL)[0]["order"] == market["id"], "my trades")
    for params in ({"postOnly": True}, {"stopLossPrice": low}, {"takeProfitPrice": high}):
        side, price = ("buy", low) if "postOnly" in params else ("sell", next(iter(params.values())))
        must(client.create_order(SYMBOL, "limit", side, 0.01, price, params)["id"], f"order with {next(iter(params))}")
    must(len(client.cancel_all_orders(SYMBOL)) == 3, "cancel all")
    for attempt, expected in (
            (lambda: client.cancel_order("987654321", SYMBOL), ccxt.OrderNotFound),
            (lambda: client.create_order(SYMBOL, "limit", "buy", 100, low), ccxt.InsufficientFunds),
            (lambda: client.create_order(SYMBOL, "limit", "buy", 0.01, 10), ccxt.InvalidOrder)):
        try:
            attempt()
            sys.exit(f"ccxt: no {expected.__name__}")
        except expected as error:
            must(True, f"error ({type(error).__name__})")


async def socket_session(client):
    async def first(watch):
        return await asyncio.wait_for(watch, 30)

    must((await first(client.watch_order_book(SYMBOL)))["bids"], "socket: order book")
    must(await first(client.watch_trades(SYMBOL)), "socket: trades")
    must(await first(client.watch_ohlcv(SYMBOL, "1m")), "socket: bars")
    must((await first(client.watch_ticker(SYMBOL)))["last"], "socket: ticker")
    must(await first(client.watch_tickers()), "socket: all tickers")
    must((await first(client.watch_bids_asks([SYMBOL])))[SYMBOL]["bid"], "socket: best levels")
    heard = [asyncio.create_task(first(watch)) for watch in (client.watch_orders(), client.watch_my_trades())]
    # Asked for on the same connection, so that the subscription to user data is made before the order. This version of
    # ccxt reads the answer as that of futures, and leaves it in `info`.
    must((await first(client.fetch_balance_ws()))["info"]["balances"], "socket: balance")
    placed = await first(client.create_order_ws(SYMBOL, "market", "buy", 0.01))
    must(placed["status"] == "closed", "socket: place")
    orders, trades = await asyncio.gather(*heard)
    must(orders[-1]["id"] == placed["id"] and trades[-1]["order"] == placed["id"], "socket: user data")
    await client.close()


requests = point_here(ccxt.binance(options()))
market_session(requests)
order_session(requests)


async def sockets():
    await socket_session(point_here(ccxt.pro.binance(options())))

asyncio.run(sockets())
