#!/usr/bin/env python3
"""Asks a running Prometheus every question that the dashboards ask, and fails on an empty answer.

    dashboards/query.py http://localhost:9090            a table of panels and what each shows
    dashboards/query.py http://localhost:9090 --wait 60  asks the empty ones again for so many seconds

Fails also on a metric that nothing exports, and on an answer that is no number.
"""

import json
import math
import re
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

FOLDER = Path(__file__).parent / "json"
# What Grafana puts in for its variables when everything is chosen.
VARIABLES = {"$__rate_interval": "30s", "$symbol": ".*", "$service": ".*", "$stage": ".*"}
# Our metrics and recorded series, by their first word.
METRIC = re.compile(r"\b(?:(?:trading|http|process)_[a-z_]+|(?:stage|service):[a-z0-9_:]+)\b")


def get(base, path, **parameters):
    url = f"{base}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        body = json.load(answer)
    if body["status"] != "success":
        raise SystemExit(f"{url}: {body}")
    return body["data"]


def questions():
    for path in sorted(FOLDER.glob("*.json")):
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                expression = target["expr"]
                for name, value in VARIABLES.items():
                    expression = expression.replace(name, value)
                yield board["title"], panel["title"], expression
        for variable in board["templating"]["list"]:
            yield board["title"], f"variable {variable['name']}", variable["query"]["query"]


def answer(base, expression):
    """How many series answer, the newest value of the first, or why there is none."""
    asked = re.fullmatch(r"label_values\((\w+), (\w+)\)", expression)
    if asked:
        found = get(base, f"label/{asked[2]}/values", **{"match[]": asked[1]})
        return len(found), ", ".join(found[:4]), "" if found else "empty"
    found = get(base, "query", query=expression)["result"]
    if not found:
        return 0, "", "empty"
    values = [float(series["value"][1]) for series in found]
    shown = f"{values[0]:.6g}"
    # A quantile of nothing is no number: one series with a number is enough to draw.
    return len(found), shown, "" if any(not math.isnan(value) for value in values) else "no number"


def main():
    if len(sys.argv) not in (2, 4) or (len(sys.argv) == 4 and sys.argv[2] != "--wait"):
        sys.exit("usage: query.py URL [--wait SECONDS]")
    base = sys.argv[1].rstrip("/")
    end = time.monotonic() + (float(sys.argv[3]) if len(sys.argv) == 4 else 0)
    asked = list(questions())
    while True:
        answers = [(*question, *answer(base, question[2])) for question in asked]
        bad = [row for row in answers if row[5]]
        if not bad or time.monotonic() >= end:
            break
        time.sleep(2)
    for board, panel, _, series, shown, why in answers:
        print(f"{board:26} {panel:32} {series:4} series  {shown:24} {why}")
    known = set(get(base, "label/__name__/values"))
    used = {name for _, _, expression in asked for name in METRIC.findall(expression)}
    unknown = sorted(name for name in used if name not in known)
    print(f"{len(answers)} queries, {len(bad)} without data; {len(used)} metrics, {len(unknown)} that nothing exports")
    if unknown:
        print("nothing exports: " + ", ".join(unknown))
    if bad or unknown:
        sys.exit(1)


if __name__ == "__main__":
    main()
