#!/usr/bin/env python3
"""Makes the Grafana dashboards: what repeats is said once here, what is shown stands in `boards()`.

    dashboards/generate.py            writes dashboards/json/*.json
    dashboards/generate.py --check    fails when a file there is not what this makes
"""

import json
import sys
from pathlib import Path

OUT = Path(__file__).parent / "json"
SOURCE = {"type": "prometheus", "uid": "prometheus"}
WIDTH = 24
GREEN, YELLOW, ORANGE, RED = "green", "yellow", "orange", "red"

# A metric's unit, told once: panels say what they show and look here.
SECONDS, BYTES, RATIO, REQUESTS, PER_SECOND, COUNT = "s", "bytes", "percentunit", "reqps", "suffix:/s", "short"

# How far an axis reaches at least: a line at zero shall not stand under a hundred.
REACH = {SECONDS: 0.001, RATIO: 0.01, REQUESTS: 1, PER_SECOND: 1, COUNT: 1}


def thresholds(*steps):
    """Colours from a value on: (None, GREEN), (1, RED)."""
    return {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]}


CALM = thresholds((None, GREEN))
ZERO_IS_GOOD = thresholds((None, GREEN), (1, RED))
ONE_IS_GOOD = thresholds((None, RED), (1, GREEN))
NEAR_LIMIT = thresholds((None, GREEN), (0.7, YELLOW), (0.9, RED))
STALE = thresholds((None, GREEN), (1, YELLOW), (2, RED))


def targets(queries, instant, heatmap=False):
    made = []
    for letter, (expression, legend) in zip("ABCDEFGH", queries):
        target = {"refId": letter, "datasource": SOURCE, "editorMode": "code", "expr": expression}
        target["legendFormat"] = legend
        target["instant"] = instant
        target["range"] = not instant
        target["format"] = "heatmap" if heatmap else "time_series"
        made.append(target)
    return made


def panel(kind, title, queries, unit, says, options, *, height=8, width=8, steps=CALM, custom=None, instant=False,
          mappings=None, decimals=None):
    defaults = {"unit": unit, "thresholds": steps, "color": {"mode": "palette-classic"}, "mappings": mappings or []}
    if kind in ("stat", "gauge", "bargauge"):
        defaults["color"] = {"mode": "thresholds"}
    if custom is not None:
        defaults["custom"] = custom
    if decimals is not None:
        defaults["decimals"] = decimals
    return {
        "type": kind,
        "title": title,
        "description": says,
        "datasource": SOURCE,
        "gridPos": {"h": height, "w": width, "x": 0, "y": 0},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": targets(queries, instant, kind == "heatmap"),
    }


def lines(title, queries, unit, says, *, width=8, height=8, steps=CALM, stacked=False, log=False, zero=True):
    custom = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 25 if stacked else 8,
        "showPoints": "never",
        "spanNulls": True,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "scaleDistribution": {"type": "log", "log": 10} if log else {"type": "linear"},
    }
    made = panel("timeseries", title, queries, unit, says, {
        # As a list: a table shows two rows in a panel of this height.
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }, width=width, height=height, steps=steps, custom=custom)
    if zero and not log:
        made["fieldConfig"]["defaults"]["min"] = 0
        reach = 1 if steps is NEAR_LIMIT else REACH.get(unit)
        if reach is not None:
            made["fieldConfig"]["defaults"]["custom"]["axisSoftMax"] = reach
    return made


def number(title, queries, unit, says, *, width=3, steps=CALM, mappings=None, decimals=None):
    return panel("stat", title, queries, unit, says, {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "background",
        "graphMode": "area",
        "justifyMode": "auto",
        "textMode": "value_and_name" if any(legend for _, legend in queries) else "value",
        "orientation": "auto",
    }, height=4, width=width, steps=steps, mappings=mappings, decimals=decimals)


def heat(title, expression, says, *, width=12):
    return panel("heatmap", title, [(expression, "{{le}}")], SECONDS, says, {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Turbo", "steps": 64, "exponent": 0.5, "reverse": False},
        "yAxis": {"axisPlacement": "left", "unit": SECONDS},
        "tooltip": {"mode": "single", "yHistogram": True},
        "legend": {"show": True},
    }, width=width, height=9, custom={"scaleDistribution": {"type": "linear"}})


def words(**names):
    """Shows numbers as words: words(_0="fine")."""
    options = {key.lstrip("_"): {"text": text, "index": place} for place, (key, text) in enumerate(names.items())}
    return [{"type": "value", "options": options}]


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": 0}}


def place(panels):
    """Sets panels side by side until a line is full, and numbers them."""
    x = y = tallest = 0
    for number_, made in enumerate(panels, 1):
        size = made["gridPos"]
        if x + size["w"] > WIDTH or made["type"] == "row":
            x, y, tallest = 0, y + tallest, 0
        size["x"], size["y"] = x, y
        x, tallest = x + size["w"], max(tallest, size["h"])
        made["id"] = number_
    return panels


def variable(name, label, query):
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "sort": 1,
        "hide": 0,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


SYMBOL = variable("symbol", "Symbol", "label_values(trading_book_trusted, symbol)")
SERVICE = variable("service", "Service", "label_values(up, service)")
STAGE = variable("stage", "Stage", "label_values(trading_stage_latency_seconds_count, stage)")


def dashboard(uid, title, says, variables, panels):
    return {
        "uid": uid,
        "title": title,
        "description": says,
        "tags": ["trading"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "5s",
        "time": {"from": "now-15m", "to": "now"},
        "timezone": "browser",
        "templating": {"list": variables},
        "annotations": {"list": []},
        "links": [{
            "title": "Trading dashboards", "type": "dashboards", "tags": ["trading"], "asDropdown": True, "icon": "external link",
            "includeVars": True, "keepTime": True, "targetBlank": False, "tooltip": "", "url": "",
        }],
        "panels": place(panels),
    }


def quantile(q, extra=""):
    """The recorded quantile of a stage; without the recording rule this is the histogram_quantile of its buckets."""
    return f"stage:trading_stage_latency_seconds:{q}{{{extra}}}"


def overview():
    up = words(_0="DOWN", _1="UP")
    trust = words(_0="UNTRUSTED", _1="TRUSTED")
    halted = words(_0="ACTIVE", _1="REDUCE ONLY", _2="CANCEL ONLY", _3="HALTED")
    return dashboard("trading-overview", "Trading System Overview", "Whether it trades, on what, and how it goes.", [SYMBOL], [
        number("Services", [('up{job="trading"}', "{{service}}")], COUNT, "Answering to Prometheus.", width=10, steps=ONE_IS_GOOD, mappings=up),
        number("Halts", [("max by (scope) (trading_halted)", "{{scope}}")], COUNT, "The strictest of all halt pages.", width=4, steps=ZERO_IS_GOOD, mappings=halted),
        number("Unknown orders", [("sum(trading_unknown_orders)", "")], COUNT, "Orders whose outcome nobody knows: they count in full.", steps=ZERO_IS_GOOD),
        number("Tick to order, p99", [(quantile("p99", 'stage="tick_to_order"'), "")], SECONDS, "From a frame's first byte to our order's last.", width=4),
        number("Day's loss used", [("trading_day_loss_used_ratio", "")], RATIO, "Of MAX_DAILY_LOSS.", steps=NEAR_LIMIT),
        row("Money"),
        lines("PnL", [('sum by (kind) (trading_pnl{symbol=~"$symbol"})', "{{kind}}")], COUNT, "Realised and unrealised, in the account's currency.", zero=False),
        lines("Position", [('sum by (symbol) (trading_position{symbol=~"$symbol"})', "{{symbol}}")], COUNT, "In base units.", zero=False),
        lines("Exposure", [('trading_exposure{symbol=~"$symbol"}', "{{symbol}}")], COUNT, "Worst case with all open orders filled, in the account's currency."),
        row("Orders"),
        lines("Orders", [("sum by (outcome) (rate(trading_orders_total[$__rate_interval]))", "{{outcome}}")], PER_SECOND, "By what became of them."),
        lines("Fills", [('sum by (symbol) (rate(trading_fills_total{symbol=~"$symbol"}[$__rate_interval]))', "{{symbol}}")], PER_SECOND, "Our trades."),
        lines("Rejections by risk", [("sum by (code) (rate(trading_risk_rejections_total[$__rate_interval])) > 0 or label_replace(sum(rate(trading_risk_rejections_total[$__rate_interval])), 'code', 'none', '', '')", "{{code}}")], PER_SECOND, "By the first control that failed."),
        lines("Open orders", [('sum by (symbol) (trading_open_orders{symbol=~"$symbol"})', "{{symbol}}")], COUNT, "Not proven ended."),
        lines("Fees", [('trading_fees_total{symbol=~"$symbol"}', "{{symbol}}")], COUNT, "Paid since start, in the account's currency.", zero=False),
        lines("Rate limits used", [("trading_rate_limit_used_ratio", "{{limit}}")], RATIO, "Of the venue's limits.", steps=NEAR_LIMIT),
        lines("Venue's clock", [("trading_venue_clock_offset_seconds", "")], SECONDS, "Less ours. Requests are stamped with the venue's time; latencies against its stamps are off by this.", zero=False),
        row("Market data"),
        number("Books", [('trading_book_trusted{symbol=~"$symbol"}', "{{symbol}}")], COUNT, "No order passes against a book that is not trusted.", width=8, steps=ONE_IS_GOOD, mappings=trust),
        lines("Ticks", [('sum by (symbol) (rate(trading_ticks_total{symbol=~"$symbol"}[$__rate_interval]))', "{{symbol}}")], PER_SECOND, "Changes that a decision may depend on."),
        lines("Age of books", [('trading_book_age_seconds{symbol=~"$symbol"}', "{{symbol}}")], SECONDS, "Since the last frame of the book."),
    ])


def services():
    return dashboard("trading-services", "Service Performance", "Requests, agents and rings of every process.", [SERVICE], [
        lines("Requests", [('sum by (service) (rate(http_requests_total{service=~"$service"}[$__rate_interval]))', "{{service}}")], REQUESTS, "HTTP requests, health checks and scrapes included."),
        lines("Request time, p99", [('histogram_quantile(0.99, sum by (service, le) (rate(http_request_duration_seconds_bucket{service=~"$service"}[5m])))', "{{service}}")], SECONDS, "Of HTTP requests."),
        lines("Requests by path", [('sum by (path) (rate(http_requests_total{service=~"$service"}[5m]))', "{{path}}")], REQUESTS, "Route templates, not what was asked for."),
        row("Agents"),
        lines("Heartbeat age", [("trading_agent_heartbeat_age_seconds", "{{agent}}")], SECONDS, "Since an agent's last duty cycle. Above two seconds trading stops.", width=12, steps=STALE),
        lines("Duty cycle", [("trading_agent_duty_cycle_seconds", "{{agent}}")], SECONDS, "The mean since the last scrape; a single long one shows in the heartbeat's age.", width=12),
        row("Rings and journals"),
        lines("Ring occupancy", [("trading_ring_occupancy", "{{ring}}")], RATIO, "Full is back-pressure: the intent is rejected, nothing is lost.", steps=NEAR_LIMIT),
        lines("Laps", [("sum by (ring, reader) (rate(trading_ring_lapped_total[$__rate_interval]))", "{{ring}} {{reader}}")], PER_SECOND, "Messages that a slow reader of a broadcast ring missed."),
        lines("Journal lag", [("trading_journal_durable_lag_seconds", "{{journal}}")], SECONDS, "Between committed in memory and synced to the disk."),
        row("Clients and venue"),
        lines("Dropped to slow subscribers", [("sum by (service) (rate(trading_zmq_dropped_total[$__rate_interval]))", "{{service}}")], PER_SECOND, "Messages dropped on ZeroMQ, oldest first.", width=12),
        lines("Reconnects", [("sum(trading_feed_reconnects_total)", "market data")], COUNT, "Of market data connections since start.", width=12),
    ])


def errors():
    return dashboard("trading-errors", "Error Rates", "What fails, and where.", [SERVICE], [
        lines("Failed requests", [('sum by (service) (rate(http_requests_total{service=~"$service",status=~"5.."}[5m]))', "{{service}}")], REQUESTS, "HTTP answers of 500 and above.", width=12),
        lines("Share of requests that fail", [('service:http_errors:ratio_rate5m{service=~"$service"}', "{{service}}")], RATIO, "Over five minutes.", width=12, steps=thresholds((None, GREEN), (0.01, YELLOW), (0.05, RED))),
        lines("Refused requests", [('sum by (status) (rate(http_requests_total{service=~"$service",status=~"4.."}[5m])) or label_replace(vector(0), "status", "none", "", "")', "{{status}}")], REQUESTS, "HTTP answers of 400 to 499.", width=12),
        lines("Rejections by risk", [("sum by (code) (rate(trading_risk_rejections_total[5m])) > 0 or label_replace(sum(rate(trading_risk_rejections_total[5m])), 'code', 'none', '', '')", "{{code}}")], PER_SECOND, "By the first control that failed.", width=12),
        row("Market data"),
        lines("Gaps", [("sum by (symbol) (increase(trading_book_gaps_total[5m]))", "{{symbol}}")], COUNT, "Missing diffs: the book is not trusted until the next snapshot."),
        lines("Silent streams", [("trading_feed_silent", "{{stream}}")], COUNT, "Connected, but nothing comes at the expected rate.", steps=ZERO_IS_GOOD),
        lines("Reconnects", [("sum(increase(trading_feed_reconnects_total[5m]))", "reconnects")], COUNT, "In five minutes."),
        row("Orders"),
        lines("Unknown orders", [("sum(trading_unknown_orders)", "unknown")], COUNT, "Awaiting an answer to a query.", width=12, steps=ZERO_IS_GOOD),
        lines("Orders by outcome", [("sum by (outcome) (increase(trading_orders_total[5m]))", "{{outcome}}")], COUNT, "In five minutes.", width=12),
    ])


def resources():
    return dashboard("trading-resources", "Resource Usage", "Processor, memory and files of every process.", [SERVICE], [
        lines("Memory", [('process_resident_memory_bytes{service=~"$service"}', "{{service}}")], BYTES, "Resident.", width=12),
        lines("Processor", [('rate(process_cpu_seconds_total{service=~"$service"}[1m])', "{{service}}")], RATIO, "Of one core, over a minute: processes count whole seconds.", width=12),
        lines("Open files", [('process_open_fds{service=~"$service"}', "{{service}}")], COUNT, "Sockets included."),
        lines("Threads", [('process_threads{service=~"$service"}', "{{service}}")], COUNT, "Of each process."),
        lines("Virtual memory", [('process_virtual_memory_bytes{service=~"$service"}', "{{service}}")], BYTES, "Mapped, not held."),
        row("Since start"),
        lines("Time since start", [('time() - process_start_time_seconds{service=~"$service"}', "{{service}}")], SECONDS, "Falls to zero at a restart.", width=12),
        number("Build", [("count by (version, build) (trading_build_info)", "{{version}} {{build}}")], COUNT, "Processes of each build: there should be one build.", width=12),
    ])


def latency():
    percentiles = [(quantile(q, 'stage=~"$stage"'), f"{{{{stage}}}} {q}") for q in ("p50", "p99")]
    shown = []
    for stage in ("tick_to_order", "order_to_ack"):
        shown += [
            heat(f"Heatmap: {stage}", f'sum by (le) (increase(trading_stage_latency_seconds_bucket{{stage="{stage}"}}[$__rate_interval]))', "Every measurement: nothing is sampled."),
            lines(f"Percentiles: {stage}", [(quantile(q, f'stage="{stage}"'), q) for q in ("p50", "p90", "p99", "p999")], SECONDS, "Over one minute.", width=12, height=9, log=True),
        ]
    return dashboard("trading-latency", "Latency", "Every stage, from histograms in shared memory.", [STAGE], [
        *shown,
        row("Every stage"),
        lines("p50 and p99", percentiles, SECONDS, "Over one minute.", width=12, height=10, log=True),
        lines("p99.9", [(quantile("p999", 'stage=~"$stage"'), "{{stage}}")], SECONDS, "Over one minute.", width=12, height=10, log=True),
        heat("Heatmap: chosen stages", 'sum by (le) (increase(trading_stage_latency_seconds_bucket{stage=~"$stage"}[$__rate_interval]))', "Every measurement of the chosen stages."),
        lines("Measurements", [('sum by (stage) (rate(trading_stage_latency_seconds_count{stage=~"$stage"}[$__rate_interval]))', "{{stage}}")], PER_SECOND, "How often each stage was passed.", width=12, height=9),
    ])


def boards():
    return {
        "trading-system-overview": overview(),
        "service-performance": services(),
        "error-rates": errors(),
        "resource-usage": resources(),
        "latency": latency(),
    }


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit("usage: generate.py [--check]")
    stale = []
    for name, board in boards().items():
        path = OUT / f"{name}.json"
        text = json.dumps(board, indent=1, ensure_ascii=False) + "\n"
        if check:
            if not path.is_file() or path.read_text() != text:
                stale.append(str(path))
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    known = {f"{name}.json" for name in boards()}
    stale += [str(path) for path in OUT.glob("*.json") if path.name not in known]
    if stale:
        sys.exit("not what dashboards/generate.py makes: " + ", ".join(stale))


if __name__ == "__main__":
    main()
