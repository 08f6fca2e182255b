"""Asks ClickHouse's engine (chDB) for the benchmark of questions: a line of JSON in, a line of JSON out.

Called as `ask_chdb.py FOLDER ROWS`; the rows are those that query/clickhouse.rs writes.
"""

import json
import os
import sys
import time

TABLE = """
CREATE TABLE events (
    ts DateTime64(6, 'UTC'),
    session String,
    user Nullable(String),
    person String,
    type LowCardinality(String),
    action LowCardinality(String),
    metadata JSON
) ENGINE = MergeTree ORDER BY ts
"""


def load(session, rows):
    """Fills the table, merged to as few parts as it gets, and says what came of it."""
    began = time.perf_counter()
    session.query(TABLE)
    session.query(f"INSERT INTO events SELECT * FROM file('{rows}', 'TSV', '"
                  "ts DateTime64(6, \\'UTC\\'), session String, user Nullable(String), person String, "
                  "type String, action String, metadata JSON')")
    os.remove(rows)
    session.query("OPTIMIZE TABLE events FINAL")
    took = time.perf_counter() - began
    size = "SELECT sum(rows), sum(bytes_on_disk) FROM system.parts WHERE table = 'events' AND active"
    count, on_disk = map(int, str(session.query(size, "TSV")).split())
    version = str(session.query("SELECT version()", "TSV")).strip()
    about = f"ClickHouse {version}: {count} events loaded in {took:.0f} s, {on_disk / count:.0f} bytes an event"
    return {"about": about}


def ask(session, word):
    """The lines of the rows, and the milliseconds of each counted run."""
    def run():
        began = time.perf_counter()
        lines = str(session.query(word["ask"], "TSV"))
        return lines, (time.perf_counter() - began) * 1000

    lines, first = run()
    fitting = int(word["seconds"] * 1000 / max(first, 0.001))
    warm_ups = min(word["warm_ups"], fitting // 4)
    runs = min(word["runs"], fitting - warm_ups)
    if runs < 2:
        return {"lines": lines, "millis": [first]}
    millis = [run()[1] for _ in range(warm_ups + runs)]
    return {"lines": lines, "millis": millis[warm_ups:]}


def main():
    folder, rows = sys.argv[1:]

    def say(answer):
        print(json.dumps(answer), flush=True)

    try:
        from chdb import session as sessions
    except ImportError as error:
        say({"error": f"chDB is not there ({error}); run `cargo xtask setup`"})
        return
    session = sessions.Session(os.path.join(folder, "chdb"))
    say({})
    for line in sys.stdin:
        word = json.loads(line)
        try:
            say(load(session, rows) if "load" in word else ask(session, word))
        except Exception as error:  # Whatever it is, the table says it.
            say({"error": str(error)})


main()
