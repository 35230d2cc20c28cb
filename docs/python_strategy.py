"""A strategy over ZeroMQ: buys a little when the book leans to the bid, and sells it again when it leans to the ask.

    python3 docs/python_strategy.py --symbol BTCUSDT --quantity 0.001 --trades 4

It needs pyzmq and nothing else. Its orders go through risk like any other; docs/python.md explains it line by line.
"""

import argparse
import json
import time
from decimal import Decimal

import zmq


class Requests:
    """A DEALER socket that speaks the envelope: one reply for each request, pushes in between."""

    def __init__(self, context, endpoint):
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(endpoint)
        self.next, self.pushes = 0, []

    def ask(self, op, **fields):
        self.next += 1
        name = str(self.next)
        self.socket.send_json({"id": name, "op": op, **fields})
        while True:
            if not self.socket.poll(5_000):
                raise TimeoutError(f"{op}: no reply; what became of it is not known")
            message = self.socket.recv_json()
            if "push" in message:
                self.pushes.append(message)
            elif message["id"] == name:
                return message

    def done(self, op, **fields):
        reply = self.ask(op, **fields)
        if not reply["ok"]:
            raise RuntimeError(f"{op}: {reply['error']['code']}: {reply['error']['message']}")
        return reply["result"]


def lean(book):
    """Share of the quantity on the first five levels that stands on the bid; None for a book not to be trusted."""
    if not book["trusted"] or not book["bids"] or not book["asks"]:
        return None
    bid = sum(Decimal(quantity) for _, quantity in book["bids"][:5])
    ask = sum(Decimal(quantity) for _, quantity in book["asks"][:5])
    return bid / (bid + ask)


def trade(arguments):
    context = zmq.Context()
    books = context.socket(zmq.SUB)
    books.setsockopt(zmq.CONFLATE, 0)
    books.connect(f"tcp://{arguments.host}:{arguments.port}")
    books.subscribe(f"book/{arguments.symbol}/")
    orders = Requests(context, f"tcp://{arguments.host}:{arguments.port + 1}")
    orders.done("subscribe")
    holding, trades, seq = False, 0, None
    deadline = time.monotonic() + arguments.seconds
    while trades < arguments.trades:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{trades} of {arguments.trades} trades in {arguments.seconds} s")
        if not books.poll(1_000):
            continue
        book = json.loads(books.recv_multipart()[1])
        if seq is not None and book["seq"] > seq + 1:
            print(f"{book['seq'] - seq - 1} books were missed: this one is newer")
        seq, share = book["seq"], lean(book)
        if share is None or (share < arguments.lean if not holding else share > 1 - arguments.lean):
            continue
        side = "SELL" if holding else "BUY"
        reply = orders.ask("order.place", symbol=arguments.symbol, side=side, type="MARKET",
                           quantity=arguments.quantity, valid_for_ms=arguments.valid_for_ms)
        if not reply["ok"]:
            print(f"{side} refused: {reply['error']['code']}")
            time.sleep(0.2)
            continue
        end = wait_for_end(orders, reply["result"]["order_id"])
        print(f"{side} {end['filled']} at {end.get('average_price')}: {end['state']}")
        if Decimal(end["filled"]) > 0:
            holding, trades = not holding, trades + 1
    print(f"{trades} trades")


def wait_for_end(orders, order_id):
    """The order once nothing more can come of it."""
    while True:
        if not orders.pushes:
            if not orders.socket.poll(5_000):
                raise TimeoutError(f"{order_id}: no report")
            orders.pushes.append(orders.socket.recv_json())
        order = orders.pushes.pop(0)["data"]["order"]
        if order["order_id"] == order_id and order["state"] in ("FILLED", "CANCELED", "EXPIRED", "REJECTED"):
            return order


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5555, help="of market data; orders are on the next")
    parser.add_argument("--symbol", default="BTCUSDT")
    parser.add_argument("--quantity", default="0.001")
    parser.add_argument("--lean", type=Decimal, default=Decimal("0.6"))
    parser.add_argument("--trades", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--valid-for-ms", type=int, default=1_000)
    trade(parser.parse_args())
