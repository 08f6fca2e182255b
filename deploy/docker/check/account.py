"""What clients were told and what is stored: events with ids of their own, sent again until they are acknowledged."""

import http.client
import random
import threading
import time
import uuid
from collections import Counter
from urllib.parse import quote

from client import Door
from engine import Failed

EVENTS_A_BATCH = 5
# What an honest client sends again: nobody took it, or nobody knows.
AGAIN = (429, 502, 503, 504)


class Load:
    """Clients that post until they are told to stop."""

    def __init__(self, door: Door, write_key: str, clients: int) -> None:
        self._door = door
        self._key = write_key
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.acknowledged: set[str] = set()
        self.statuses: Counter[str] = Counter()
        self._wrong: list[str] = []
        self._threads = [threading.Thread(target=self._client, args=(number,), daemon=True) for number in range(clients)]

    def start(self) -> None:
        """Begins."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends when each client's last batch is acknowledged."""
        self._stop.set()
        for thread in self._threads:
            thread.join(180)
        if self._wrong or any(thread.is_alive() for thread in self._threads):
            raise Failed(f"a batch was not acknowledged in the end: {self._wrong[:3] or 'it still waits'}")

    def _client(self, number: int) -> None:
        pause = random.Random(number)
        while not self._stop.is_set():
            ids = [str(uuid.uuid4()) for _ in range(EVENTS_A_BATCH)]
            events = [
                {"id": name, "session_id": f"client-{number}", "event_type": "account", "event_action": f"batch-{number}"} for name in ids
            ]
            if not self._send_until_taken(events):
                return
            with self._lock:
                self.acknowledged.update(ids)
            time.sleep(pause.uniform(0.02, 0.1))

    def _send_until_taken(self, events: list[dict[str, str]]) -> bool:
        until = time.monotonic() + 150
        while time.monotonic() < until:
            try:
                answer = self._door.ask("POST", "/collect", self._key, {"events": events}, limit=20)
                told = str(answer.status)
            except (OSError, http.client.HTTPException) as error:
                answer, told = None, type(error).__name__
            with self._lock:
                self.statuses[told] += 1
            if answer is not None and answer.status == 202:
                return answer.body["accepted"] == len(events) or self._complain(f"accepted is {answer.body}")
            if answer is not None and answer.status not in AGAIN:
                return self._complain(f"{answer.status}: {answer.body}")
            time.sleep(0.3)
        return self._complain("150 s without an acknowledgement")

    def _complain(self, sentence: str) -> bool:
        with self._lock:
            self._wrong.append(sentence)
        return False


def settle(door: Door, admin_key: str, limit: float = 120) -> dict[str, object]:
    """Waits until nothing is in flight and nothing new comes; the account of the project."""
    until = time.monotonic() + limit
    before, calm = None, 0
    while time.monotonic() < until:
        answer = door.ask("GET", "/api/integrity", admin_key)
        if answer.status == 200:
            seen = (answer.body["in_flight"], answer.body["received"])
            calm = calm + 1 if seen[0] == 0 and seen == before else 0
            before = seen
            if calm == 3:
                return answer.body
        time.sleep(0.7)
    raise Failed(f"the queue is not empty after {limit} s: {before}")


def stored(door: Door, admin_key: str) -> list[str]:
    """The id of every stored event of the load, repeats included."""
    ids: list[str] = []
    cursor = ""
    while True:
        page = door.ask("GET", f"/api/events?limit=5000&event_type=account{cursor}", admin_key)
        if page.status != 200:
            raise Failed(f"/api/events is answered {page.status}: {page.body}")
        ids += [event["id"] for event in page.body["results"]]
        after = page.body["meta"].get("next_cursor")
        if not after:
            return ids
        cursor = f"&cursor={quote(after)}"
        time.sleep(0.05)


def balance(load: Load, account: dict[str, object], ids: list[str]) -> str:
    """Holds what is stored against what was acknowledged; a sentence of how much it was."""
    missing = load.acknowledged - set(ids)
    twice = [name for name, times in Counter(ids).items() if times > 1]
    invented = set(ids) - load.acknowledged
    if missing or twice or invented:
        raise Failed(f"{len(missing)} acknowledged events are lost, {len(twice)} stored twice, {len(invented)} never sent")
    if account["drift"] != 0:
        raise Failed(f"rollups drift from raw rows: {account['drift']}")
    duplicates = sum(day["duplicate"] for day in account["received"])
    return f"{len(ids)} events acknowledged and stored once ({duplicates} duplicates dropped); answers: {dict(load.statuses)}"
