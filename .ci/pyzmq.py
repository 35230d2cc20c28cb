"""The ZeroMQ ports, asked by a client that we did not write (pyzmq): subscribe, place an order, see its report, change a
limit, halt, resume; slow subscribers, floods, broken messages and half-open peers disturb nobody."""

import json
import socket
import sys
import time

import zmq

sys.path.insert(0, "docs")
from python_strategy import Requests  # noqa: E402

PORT = int(sys.argv[1])
context = zmq.Context()


def endpoint(place):
    return f"tcp://127.0.0.1:{PORT + place}"


def until(what, done, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = done()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"never: {what}")


def subscribe(topic, **options):
    sub = context.socket(zmq.SUB)
    sub.linger = 0
    for name, value in options.items():
        setattr(sub, name, value)
    sub.connect(endpoint(0))
    sub.subscribe(topic)
    return sub


def receive(sub):
    assert sub.poll(30_000), "no message"
    topic, payload = sub.recv_multipart()
    return topic.decode(), json.loads(payload)


def refused(requests, code, op, **fields):
    reply = requests.ask(op, **fields)
    assert not reply["ok"] and reply["error"]["code"] == code, reply


# A new subscriber gets the last value of a topic that speaks once a second, and a sequence without holes.
bbo = subscribe("bbo/BTCUSDT/")
sequence = [receive(bbo)[1]["seq"] for _ in range(50)]
assert all(after - before in (0, 1) for before, after in zip(sequence, sequence[1:])), sequence
assert receive(subscribe("status/"))[0] == "status/"

orders, risk, strategies = (Requests(context, endpoint(place)) for place in (1, 2, 3))
orders.done("subscribe")


def resting(quantity="0.001"):
    bid = float(receive(bbo)[1]["bid"])
    return {"symbol": "BTCUSDT", "side": "BUY", "quantity": quantity, "price": f"{bid * 0.98:.2f}", "valid_for_ms": 60_000}


def place(**order):
    def let_through():
        reply = orders.ask("order.place", **order)
        return reply if reply["ok"] or reply["error"]["code"] not in ("NO_REF", "STALE_MD", "LINK_DOWN") else None

    reply = until("an order is let through", let_through)
    assert reply["ok"], reply
    return reply["result"]["order_id"]


def state(order_id, wanted):
    return until(f"{order_id} is {wanted}", lambda: orders.done("order.get", order_id=order_id)["state"] == wanted)


# An order, its report, its end.
order_id = place(client_id="first", **resting())
state(order_id, "OPEN")


def kinds():
    # A push may come after the answer that tells the same.
    orders.done("status")
    return [push["data"]["kind"] for push in orders.pushes if push["data"]["order"]["order_id"] == order_id]


until("its reports are pushed", lambda: kinds()[:2] == ["SENT", "ACCEPTED"])
orders.done("order.cancel", client_id="first")
state(order_id, "CANCELED")
refused(orders, "UNKNOWN_ORDER", "order.cancel", order_id=order_id)

# A limit: tighter at once, looser to the start's.
limit = risk.done("limits.get")["limits"]["BTCUSDT.max_notional"]
risk.done("limits.set", key="BTCUSDT.max_notional", value="50")
refused(orders, "MAX_NOTIONAL", "order.place", **resting("0.002"))
assert risk.done("check", **resting("0.002"))["verdict"] == "MAX_NOTIONAL"
refused(risk, "CEILING", "limits.set", key="BTCUSDT.max_notional", value="999999999")
risk.done("limits.set", key="BTCUSDT.max_notional", value=limit["ceiling"])

# A halt holds until it is lifted.
assert risk.done("halt", reason="a test")["state"] == "HALTED"
until("orders are refused", lambda: orders.ask("order.place", **resting("0.0011")).get("error", {}).get("code") == "HALTED")
assert risk.done("resume")["pages"]["risk/service"] == "ACTIVE"
order_id = until("orders pass again", lambda: orders.ask("order.place", **resting("0.0012")).get("result"))["order_id"]
state(order_id, "OPEN")
assert order_id in orders.done("order.cancel_all")["canceled"]
state(order_id, "CANCELED")
assert isinstance(strategies.done("strategies"), list)

# Whoever misbehaves gets errors, and disturbs nobody.
slow = subscribe("", rcvhwm=1, rcvbuf=4_096)
half_open = [socket.create_connection(("127.0.0.1", PORT + place)) for place in range(4)]
broken = Requests(context, endpoint(2))
for frames in ([b"nonsense"], [b"{}"], [b"a", b"b", b"c"], [b'{"id":7,"op":"status"}'], [b"\xff\xfe"], [b"[" * 2_000]):
    broken.socket.send_multipart(frames)
    assert broken.socket.poll(10_000)
    assert broken.socket.recv_json()["error"]["code"] == "BAD_REQUEST", frames
broken.socket.send(b" " * (64 << 10) + b"x")
assert broken.socket.poll(10_000) and broken.socket.recv_json()["error"]["code"] == "TOO_LARGE"
flood = context.socket(zmq.DEALER)
flood.linger = 0
flood.connect(endpoint(2))
for _ in range(6_000):
    flood.send(b'{"id":"f","op":"status"}')
slowest = 0
for _ in range(50):
    started = time.monotonic()
    risk.done("risk.state")
    slowest = max(slowest, time.monotonic() - started)
codes = set()
while flood.poll(1_000):
    reply = flood.recv_json()
    codes.add(reply["ok"] or reply["error"]["code"])
assert "RATE_LIMIT" in codes, codes
counters = risk.done("status")["counters"]
assert counters["malformed"] >= 6 and counters["oversized"] == 1 and counters["throttled"] > 0, counters
before = receive(bbo)[1]["seq"]
assert until("market data flows on", lambda: receive(bbo)[1]["seq"] > before + 20)
for peer in half_open:
    peer.close()
print(f"pyzmq {zmq.__version__}: all as the contract says; the slowest reply beside a flood took {slowest * 1e3:.1f} ms")
