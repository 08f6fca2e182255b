"""What the deployment promises, each asked of the running one."""

import json
import os
import re
import subprocess
import time
import uuid
from collections.abc import Callable

import account
from client import Answer
from engine import DOCKER, ROOT, Engine, Failed
from stack import LIMITS, PROJECT, REPLICAS, VERSION, Stack

# Longer than nginx keeps the answer of a name, and a failed replica aside.
FOUND_AGAIN = 12

# A suite that has lost its cases is green too.
SUITE_LEAST = 80


def refuses_the_example(stack: Stack) -> str:
    """Nothing starts with a value of the example, and no volume is written."""
    stack.write_settings(stack.with_example())
    status, said = stack.attempt("up", "--detach", "--no-build", limit=180)
    running = [name for name in ("postgres", "redis", "collector", "nginx", "prometheus") if any(_runs(stack, one) for one in stack.containers(name))]
    if status == 0 or running:
        raise Failed(f"`up` with change-me ends with status {status}, and {running or 'nothing'} runs: {said[-800:]}")
    [settings] = stack.containers("settings")
    told = _logs(stack.engine, settings)
    if "change-me" not in told:
        raise Failed(f"the service settings does not say why: {told}")
    url = "postgresql://postgres:change-me@postgres:5432/analytics"
    options = ("--name", f"{PROJECT}-example", "--env", "APP_ENV=production", "--env", f"DATABASE_URL={url}", "--env", "REDIS_URL=redis://redis:6379")
    status, out, err = stack.engine.attempt([DOCKER, "run", *options, f"analytics/processor:{VERSION}"], 60)
    stack.engine.docker("rm", "--force", f"{PROJECT}-example")
    if status == 0 or "DATABASE_URL: its password is a placeholder" not in out + err:
        raise Failed(f"a processor with change-me ends with status {status}: {(out + err)[-800:]}")
    stack.write_settings(stack.with_own())
    return "`up` fails, no server was started, and a role alone refuses it too"


def comes_up(stack: Stack) -> str:
    """Everything is healthy, as often and as large as the file says, and can write nowhere."""
    began = time.monotonic()
    stack.compose("up", "--detach", "--no-build")
    stack.wait_healthy([*REPLICAS, "nginx", "redis", "redis-cache", "postgres", "prometheus"])
    took = time.monotonic() - began
    for role, replicas in REPLICAS.items():
        containers = stack.containers(role)
        if len(containers) != replicas:
            raise Failed(f"{role} runs {len(containers)} times, not {replicas}")
        host = stack.inspect(containers[0])["HostConfig"]
        if role in LIMITS and (host["Memory"], host["NanoCpus"]) != LIMITS[role]:
            raise Failed(f"{role} may take {host['Memory']} bytes and {host['NanoCpus']} billionths of a processor")
        if not host["ReadonlyRootfs"] or host["CapDrop"] != ["ALL"]:
            raise Failed(f"{role} may write or has rights: {host['ReadonlyRootfs']}, {host['CapDrop']}")
        user = stack.engine.docker("exec", containers[0], "id", "-u").strip()
        if user == "0":
            raise Failed(f"{role} runs as root")
    for name in ("settings", "migrate", "grafana-reader"):
        state = stack.inspect(stack.containers(name)[0])["State"]
        if state["Status"] != "exited" or state["ExitCode"] != 0:
            raise Failed(f"{name} did not end well: {state}")
    return f"all healthy after {took:.0f} s"


def has_one_door(stack: Stack) -> str:
    """nginx with two ports, and what it does without TLS and with metrics."""
    if stack.published() != {"nginx": ["443/tcp", "80/tcp"]}:
        raise Failed(f"published is {stack.published()}, and has to be nginx with 80 and 443")
    plain = stack.door.ask_plain("GET", "/health")
    if plain.status != 308 or not plain.headers["location"].startswith("https://"):
        raise Failed(f"without TLS /health is answered {plain.status}")
    for path, status in (("/health", 200), ("/metrics", 404), ("/api/trends?range=7d", 401)):
        answer = stack.door.ask("GET", path)
        if answer.status != status:
            raise Failed(f"{path} without a key is answered {answer.status}, not {status}: {answer.body}")
    return "80 and 443 of nginx; 308 without TLS, 404 for /metrics, 401 without a key"


def takes_answers_and_tells(stack: Stack) -> str:
    """An event goes from the post to an answer and to a live socket, and never to another project."""
    door = stack.door
    live = door.socket(stack.read_key)
    if live.status != 101 or live.hear()["type"] != "welcome":
        raise Failed(f"a live socket is answered {live.status}")
    live.say({"type": "subscribe", "id": "a", "events": {"filters": [["is", "event_type", ["hello"]]]}})
    time.sleep(1)
    name = str(uuid.uuid4())
    event = {"id": name, "session_id": "s1", "event_type": "hello", "event_action": "post", "metadata": {"price": 10.5}}
    _expect(door.ask("POST", "/collect", stack.write_key, {"events": [event]}), 202)
    _expect(door.ask("POST", "/collect", stack.other_write_key, {"session_id": "s1", "event_type": "secret", "event_action": "post"}), 202)
    _expect(door.ask("POST", "/collect", "not-a-key-of-anybody", {"events": [event]}), 401)
    heard = live.hear()
    live.close()
    if heard["type"] != "event" or heard["event"]["id"] != name:
        raise Failed(f"the live socket tells {heard}")
    question = {"metrics": ["events", "sum:metadata.price"], "date_range": "7d", "dimensions": ["event_type"]}
    _until(lambda: _rows(stack, stack.read_key, question) == [(["hello"], [1, 10.5])], "the project's answer")
    # The same session id, and each sees its own.
    _until(lambda: [row[0] for row in _rows(stack, stack.other_key, question)] == [["secret"]], "the other project's answer")
    for path in ("/api/events", "/api/sessions/s1", "/api/export?format=ndjson"):
        if "secret" in json.dumps(_expect(door.ask("GET", path, stack.read_key), 200).body):
            raise Failed(f"{path} shows another project's event")
    _expect(door.ask("POST", "/api/dead-letters/replay", stack.read_key, {}), 403)
    return "post, question, live socket; two projects see nothing of each other"


def answers_by_the_contract(stack: Stack) -> str:
    """The black-box suite that every form is held to, through nginx with TLS."""
    asked = [os.environ.get("CARGO", "cargo"), "test", "--package", "analytics-blackbox", "--test", "blackbox", "--"]
    environment = {**os.environ, "ANALYTICS_DOOR": f"https://localhost:{stack.door.secure}", "ANALYTICS_DOOR_CERTIFICATE": str(stack.certificate), "RUST_BACKTRACE": "0"}
    done = subprocess.run([*asked, "door::", "--ignored", "--test-threads", "4"], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=3600, check=False)
    told = re.search(r"test result: ok\. (\d+) passed; 0 failed; 0 ignored", done.stdout)
    if done.returncode != 0 or told is None or int(told[1]) < SUITE_LEAST:
        raise Failed(f"the suite ends with status {done.returncode}: {done.stdout[-12000:]}{done.stderr[-1500:]}")
    return f"{told[1]} cases of the black-box suite are green"


def is_watched(stack: Stack) -> str:
    """Prometheus finds every replica by name."""
    expected = {role: float(replicas) for role, replicas in REPLICAS.items()}
    ask = ["exec", stack.containers("prometheus")[0], "wget", "-q", "-O", "-", "http://127.0.0.1:9090/api/v1/query?query=sum%20by%20(job)(up)"]

    def found() -> bool:
        result = json.loads(stack.engine.docker(*ask))["data"]["result"]
        return {one["metric"]["job"]: float(one["value"][1]) for one in result} == expected

    _until(found, "each replica in Prometheus", 90)
    return f"{sum(REPLICAS.values())} replicas are scraped"


def loses_nothing(stack: Stack) -> str:
    """A collector, a processor and Redis are killed under load and started again."""
    load = account.Load(stack.door, stack.write_key, clients=6)
    load.start()
    time.sleep(6)
    for service in ("collector", "processor", "redis"):
        victim = stack.containers(service)[0]
        stack.engine.docker("kill", victim)
        time.sleep(6)
        stack.engine.docker("start", victim)
        time.sleep(6)
    load.stop()
    stack.wait_healthy([*REPLICAS, "redis"])
    settled = account.settle(stack.door, stack.admin_key)
    ids = account.stored(stack.door, stack.admin_key)
    said = account.balance(load, settled, ids)
    # A balance that could not fail would say nothing: one event less, one twice.
    for broken in (ids[1:], [*ids, ids[0]]):
        try:
            account.balance(load, settled, broken)
        except Failed:
            continue
        raise Failed("the balance does not see an event that is lost or stored twice")
    return said


def is_found_again(stack: Stack) -> str:
    """Replicas that come back under other addresses are asked again, without a reload."""
    stack.compose("up", "--detach", "--no-build", "--no-deps", "--force-recreate", "--timeout", "20", "collector", "api")
    stack.wait_healthy(["collector", "api"])
    time.sleep(FOUND_AGAIN)
    began = time.monotonic()
    for number in range(40):
        event = {"id": str(uuid.uuid4()), "session_id": "again", "event_type": "again", "event_action": str(number)}
        _expect(stack.door.ask("POST", "/collect", stack.write_key, {"events": [event]}), 202)
        _expect(stack.door.ask("GET", "/api/properties", stack.read_key), 200)
        time.sleep(0.1)
    past = time.monotonic() - began + 2
    for path, role in (("/collect", "collector"), ("/api/properties", "api")):
        asked = stack.asked(path, past)
        now = {f"{_address(stack, one)}:{port}" for one in stack.containers(role) for port in (4001, 4002)}
        if len(asked) != REPLICAS[role] or not set(asked) <= now:
            raise Failed(f"{path} is asked of {dict(asked)}; the replicas are at {sorted(now)}")
    return "every new collector and api was asked, no request failed"


def ends_well(stack: Stack) -> str:
    """Told to stop, each role ends by itself."""
    stack.compose("stop", limit=180)
    for role in REPLICAS:
        for one in stack.containers(role):
            state = stack.inspect(one)["State"]
            if state["ExitCode"] != 0 or state["OOMKilled"]:
                raise Failed(f"a {role} ends with {state['ExitCode']}: {_logs(stack.engine, one)[-600:]}")
    return "every role ended with status 0"


PROMISES: tuple[Callable[[Stack], str], ...] = (
    refuses_the_example, comes_up, has_one_door, takes_answers_and_tells, answers_by_the_contract, is_watched, loses_nothing, is_found_again, ends_well,
)


def _runs(stack: Stack, container: str) -> bool:
    return stack.inspect(container)["State"]["Status"] == "running"


def _address(stack: Stack, container: str) -> str:
    [network] = stack.inspect(container)["NetworkSettings"]["Networks"].values()
    return network["IPAddress"]


def _logs(engine: Engine, container: str) -> str:
    _, out, err = engine.attempt([DOCKER, "logs", container], 60)
    return out + err


def _expect(answer: Answer, status: int) -> Answer:
    if answer.status != status:
        raise Failed(f"answered {answer.status}, not {status}: {answer.body}")
    return answer


def _rows(stack: Stack, key: str, question: dict[str, object]) -> list[tuple[list, list]]:
    answer = _expect(stack.door.ask("POST", "/api/query", key, question), 200)
    return [(row["dimensions"], row["metrics"]) for row in answer.body["results"]]


def _until(holds: Callable[[], bool], what: str, limit: float = 30) -> None:
    until = time.monotonic() + limit
    while time.monotonic() < until:
        if holds():
            return
        time.sleep(0.5)
    raise Failed(f"{what} does not come within {limit} s")
