"""nginx: which role answers what, what is never sent twice, and what is told to nobody."""

import re
from collections.abc import Iterator
from typing import Any

import crossplane

import reference
from files import Files, laid_out, run, tool
from findings import Broken, Finding

FOLDER = "deploy/nginx"
CONFIG = f"{FOLDER}/nginx.conf"

Directive = dict[str, Any]

# The upstream of each location; None where nobody is asked.
ROUTES = {
    "= /collect": "collector",
    "/api/": "api",
    "= /api/export": "api",
    "= /realtime": "realtime",
    "/realtime/": "realtime",
    "= /metrics": None,
    "/metrics/": None,
    "/": "api",
}
UNBUFFERED = ("= /collect", "= /api/export", "= /realtime", "/realtime/")
LASTING = ("= /realtime", "/realtime/")

# How long a role keeps a connection without a request (shared/host): nginx has to close first.
IDLE_SECONDS = 75

# Variables that hold a key, a person or an address.
PRIVATE = re.compile(r"\$(request|request_uri|args|query_string|arg_\w+|remote_addr|binary_remote_addr|remote_user|http_\w+|cookie_\w+|proxy_add_\w+)\b")

HEADERS = {
    "X-Forwarded-For": "$remote_addr",
    "X-Real-IP": "$remote_addr",
    "X-Forwarded-Proto": "$scheme",
    "X-Request-Id": "$request_name",
    "Host": "$http_host",
}


class Block:
    """A block's directives, with what is included in their places."""

    def __init__(self, directives: list[Directive]) -> None:
        self.directives = directives

    def all(self, name: str) -> list[list[str]]:
        """The arguments of each directive of this name."""
        return [directive["args"] for directive in self.directives if directive["directive"] == name]

    def one(self, name: str) -> list[str]:
        """The arguments of the only one; none where it is not there."""
        found = self.all(name)
        return found[-1] if found else []

    def blocks(self, name: str) -> Iterator[tuple[str, "Block"]]:
        """The blocks of this name with their arguments."""
        for directive in self.directives:
            if directive["directive"] == name and "block" in directive:
                yield " ".join(directive["args"]), Block(directive["block"])

    def deep(self) -> Iterator[Directive]:
        """Every directive at any depth."""
        for directive in self.directives:
            yield directive
            if "block" in directive:
                yield from Block(directive["block"]).deep()


def read(files: Files) -> Block:
    """The configuration as nginx sees it, includes in their places."""
    with laid_out(files) as root:
        payload = crossplane.parse(str(root / CONFIG), combine=True, check_ctx=False, check_args=False)
    if payload["status"] != "ok":
        raise Broken(f"{CONFIG} cannot be read: {payload['errors']}")
    return Block(payload["config"][0]["parsed"])


def check(files: Files) -> Iterator[Finding]:
    """What can be seen without nginx."""
    top = read(files)
    [(_, http)] = list(top.blocks("http"))
    servers = [server for _, server in http.blocks("server")]
    secure = [server for server in servers if "ssl" in " ".join(map(" ".join, server.all("listen")))]
    if len(secure) != 1:
        yield Finding("tls", CONFIG, "there is one server for TLS")
        return
    yield from _upstreams(http)
    yield from _locations(secure[0])
    yield from _tls(secure[0])
    yield from _plain(server for server in servers if server is not secure[0])
    yield from _log(top, http)
    yield from _everywhere(top)


def check_with_tools(files: Files) -> Iterator[Finding]:
    """What nginx says of it, with a certificate of its own."""
    with laid_out(files) as root:
        folder = root / FOLDER
        (folder / "tls").mkdir()
        asked = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost")
        status, said = run("openssl", *asked, "-keyout", "tls/tls.key", "-out", "tls/tls.crt", cwd=folder)
        if status != 0:
            raise Broken(f"openssl makes no certificate: {said}")
        said = tool("nginx", "-t", "-p", f"{folder}/", "-c", "nginx.conf", cwd=folder)
        if said is not None:
            yield Finding("nginx -t", CONFIG, said)


def _upstreams(http: Block) -> Iterator[Finding]:
    """Each role's replicas are found by name, again and again, and used evenly."""
    found = dict(http.blocks("upstream"))
    for role in ("collector", "api", "realtime"):
        upstream = found.get(role, Block([]))
        if not upstream.all("least_conn") or not upstream.all("zone"):
            yield Finding("balance", role, "an upstream is least_conn, over a zone that all workers share")
        servers = upstream.all("server")
        if [server[0] for server in servers] != [f"{role}:{reference.PORTS[role]}"]:
            yield Finding("upstream", role, f"its servers are {servers}, and have to be {role}:{reference.PORTS[role]}")
        if not all("resolve" in server for server in servers) or not any(part.startswith("valid=") for part in upstream.one("resolver")):
            yield Finding("resolve", role, "names are asked again: `resolve`, and a resolver with `valid`")
        kept = upstream.one("keepalive_timeout")
        if upstream.all("keepalive") and (not kept or _seconds(kept[0]) >= IDLE_SECONDS):
            yield Finding("keep-alive", role, f"connections are kept for less long than the role keeps them, {IDLE_SECONDS} s")


def _locations(server: Block) -> Iterator[Finding]:
    """Each path goes where it belongs, in the way that it needs."""
    # What only nginx itself sends requests to is no route.
    found = {name: location for name, location in server.blocks("location") if not name.startswith("@") and not location.all("internal")}
    for name in found.keys() ^ ROUTES.keys():
        yield Finding("route", name, "is a location or is to be one, and not both; the table of routes is in deploy/check")
    for name, location in found.items():
        target = ROUTES.get(name)
        if location.one("proxy_pass") != ([f"http://{target}"] if target else []):
            yield Finding("route", name, f"{location.one('proxy_pass')} is asked; it has to be {target}")
        if target is None:
            if location.one("return") != ["404"]:
                yield Finding("closed", name, "has to be answered 404")
            continue
        headers = {header[0]: header[1] for header in location.all("proxy_set_header")}
        for header, value in HEADERS.items():
            if headers.get(header) != value:
                yield Finding("header", name, f"{header} has to be {value}, and is {headers.get(header)}")
        if not location.all("limit_req"):
            yield Finding("limit", name, "what one address may ask has a limit: limit_req")
        if name in UNBUFFERED and location.one("proxy_buffering") != ["off"]:
            yield Finding("buffering", name, "what is answered goes on as it comes: proxy_buffering off")
        if name in LASTING and [location.one(f"proxy_{way}_timeout") for way in ("read", "send")] != [["86400s"]] * 2:
            yield Finding("lasting", name, "proxy_read_timeout and proxy_send_timeout have to be 86400s")
    if found.get("= /collect", Block([])).one("client_max_body_size") != ["1m"]:
        yield Finding("body", "= /collect", "client_max_body_size has to be 1m, as the collector's own limit")
    upgrade = {header[0]: header[1] for header in found.get("= /realtime", Block([])).all("proxy_set_header")}
    if upgrade.get("Upgrade") != "$http_upgrade" or upgrade.get("Connection") != "$connection_header":
        yield Finding("upgrade", "= /realtime", "Upgrade and Connection have to be passed on")


def _tls(server: Block) -> Iterator[Finding]:
    if set(server.one("ssl_protocols")) != {"TLSv1.2", "TLSv1.3"}:
        yield Finding("tls", CONFIG, "ssl_protocols has to be TLSv1.2 and TLSv1.3, and no older")
    if server.one("http2") != ["on"]:
        yield Finding("tls", CONFIG, "http2 has to be on")
    sent = {header[0] for header in server.all("add_header")}
    if not {"Strict-Transport-Security", "X-Request-Id"} <= sent:
        yield Finding("header", CONFIG, "answers carry Strict-Transport-Security and X-Request-Id")
    for name, location in server.blocks("location"):
        own = {header[0] for header in location.all("add_header")}
        if own and not {"Strict-Transport-Security", "X-Request-Id"} <= own:
            yield Finding("header", name, "an add_header of its own takes the server's away: repeat them")


def _plain(servers: Iterator[Block]) -> Iterator[Finding]:
    """Without TLS nothing is answered but where it is."""
    for server in servers:
        for name, location in server.blocks("location"):
            if location.all("proxy_pass") or (name == "/" and location.one("return")[:1] != ["308"]):
                yield Finding("plain-http", name, "a request without TLS is sent to https with 308, and nowhere else")


def _log(top: Block, http: Block) -> Iterator[Finding]:
    """Logs hold no keys and no persons."""
    for form in http.all("log_format"):
        private = PRIVATE.findall(" ".join(form[1:]))
        if private:
            yield Finding("private-log", form[0], f"${', $'.join(private)} may hold a key or a person")
    everywhere = list(top.deep())
    for log in (directive["args"] for directive in everywhere if directive["directive"] == "access_log"):
        if len(log) < 2 or log[1] not in {form[0] for form in http.all("log_format")}:
            yield Finding("private-log", " ".join(log), "the log has to have the form `analytics`: nginx' own holds addresses and keys")
    errors = [directive["args"] for directive in everywhere if directive["directive"] == "error_log"]
    if not errors or any(log[1:] not in (["crit"], ["alert"], ["emerg"]) for log in errors):
        yield Finding("private-log", CONFIG, "error_log has to be crit: what is below holds the request's line")


def _everywhere(top: Block) -> Iterator[Finding]:
    """What must be nowhere."""
    for directive in top.deep():
        name, arguments = directive["directive"], directive["args"]
        if name == "proxy_next_upstream" and set(arguments) - {"error", "timeout"}:
            yield Finding("sent-twice", name, f"{arguments}: a POST that was sent to one replica must not be sent to another")
        if name == "proxy_cache" and arguments != ["off"]:
            yield Finding("cache", name, "a cache between would give one key's answers to another")


def _seconds(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)?", text).groups()
    return int(number) * {"ms": 0.001, None: 1, "s": 1, "m": 60, "h": 3600}[unit]
