"""Images under the names that Dockerfile and compose file say, made of Debian's packages: no registry of images is asked.

What they are not is said in docs/deploy-compose.md: they show that our files work, and not that those images do.
"""

import shutil
import subprocess
import tarfile
from pathlib import Path

from engine import ROOT, Engine, Failed

BASE = "debian:bookworm-slim"
RUST = "rust:1.95-bookworm"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

_APT = "apt-get update -qq && apt-get install -y -qq --no-install-recommends {} >/dev/null && rm -rf /var/lib/apt/lists/*"

_REDIS = f"""FROM {BASE}
RUN {_APT.format("redis-server redis-tools")} && install -d -o redis -g redis /data
USER redis
WORKDIR /data
VOLUME /data
"""

_PROMETHEUS = f"""FROM {BASE}
RUN {_APT.format("prometheus wget")} && install -d -o 65534 -g 65534 /prometheus
USER 65534
VOLUME /prometheus
ENTRYPOINT ["/usr/bin/prometheus"]
"""

# The nginx of scripts/python-deploy.txt: Debian's own is older than 1.27.3. It names no user and no folder of its own.
_NGINX = f"""FROM {BASE}
RUN {_APT.format("wget")} && groupadd --system nobody && install -d /etc/nginx /var/www/acme
COPY nginx /usr/sbin/nginx
STOPSIGNAL SIGQUIT
CMD ["nginx", "-p", "/etc/nginx/", "-c", "/etc/nginx/nginx.conf", "-g", "daemon off;"]
"""

# The unpacked PostgreSQL knows its libraries by the folder that it lies in.
_POSTGRES = f"""FROM {BASE}
COPY tree {{folder}}
COPY start /usr/local/bin/docker-entrypoint.sh
RUN useradd --uid 70 --user-group --home-dir /var/lib/postgresql postgres \\
    && install -d -m 700 -o postgres -g postgres /var/lib/postgresql/data && install -d -m 1777 /var/run/postgresql
ENV PATH={{folder}}/usr/lib/postgresql/17/bin:$PATH
USER postgres
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]
"""

_POSTGRES_START = """#!/bin/sh
# What the image's own does, as far as the compose file asks it: a first database with a password.
set -eu
data=/var/lib/postgresql/data
if [ ! -e $data/PG_VERSION ]; then
  printf '%s' "$POSTGRES_PASSWORD" >/tmp/password
  initdb --pgdata=$data --username="$POSTGRES_USER" --pwfile=/tmp/password --auth=scram-sha-256 --auth-local=trust \\
    --locale=C.UTF-8 --encoding=UTF8 >/dev/null
  rm /tmp/password
  echo "host all all all scram-sha-256" >>$data/pg_hba.conf
  printf "listen_addresses = '*'\\nshared_preload_libraries = 'timescaledb'\\ntimescaledb.telemetry_level = off\\n" >>$data/postgresql.conf
  pg_ctl --pgdata=$data --wait --silent --options="-c listen_addresses=''" start
  psql --quiet --host=/var/run/postgresql --username="$POSTGRES_USER" --dbname=postgres --command="CREATE DATABASE \\"$POSTGRES_DB\\""
  pg_ctl --pgdata=$data --wait --silent --mode=fast stop
fi
exec postgres -D $data
"""

_BUILDER = f"""FROM {BASE}
RUN {_APT.format("gcc g++ libc6-dev make")}
COPY toolchain /usr/local/rust
ENV PATH=/usr/local/rust/bin:$PATH CARGO_HOME=/usr/local/cargo
"""


def make(engine: Engine, tools: Path, servers: Path) -> None:
    """Makes what is not there: a Debian, and of it each server."""
    if not engine.has(BASE):
        _debian(engine)
    _image(engine, "redis:7-alpine", {"Dockerfile": _REDIS})
    _image(engine, "prom/prometheus:v3.5.0", {"Dockerfile": _PROMETHEUS})
    _image(engine, "nginx:1.28-alpine", {"Dockerfile": _NGINX, "nginx": (tools / "nginx").resolve()})
    tree = (servers / "postgresql-17-timescaledb").resolve()
    files = {"Dockerfile": _POSTGRES.format(folder=tree), "start": _POSTGRES_START, "tree": tree}
    _image(engine, "timescale/timescaledb:latest-pg17", files)


def make_builder(engine: Engine) -> None:
    """Makes the image that programs are built in, of this machine's own toolchain."""
    toolchain = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    _image(engine, RUST, {"Dockerfile": _BUILDER, "toolchain": Path(toolchain)})


def _mirror() -> str:
    """Where this machine takes Debian 12 from: the first of its sources that offers `main`."""
    offered = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(CODENAME) $(COMPONENT) $(CREATED_BY)"],
        capture_output=True, text=True, check=True,
    ).stdout
    for site, *words in map(str.split, filter(None, offered.splitlines())):
        if words[-2:] == ["main", "Packages"] and "bookworm" in words[:2]:
            return site
    raise Failed("no apt source of this machine offers Debian 12's main: the base of the images cannot be made")


def _debian(engine: Engine) -> None:
    tree = engine.folder / "bookworm"
    if not (tree / "etc/debian_version").exists():
        shutil.rmtree(tree, ignore_errors=True)
        print("compose-check: a Debian 12 by debootstrap", flush=True)
        command = ["debootstrap", "--variant=minbase", "--include=ca-certificates,tzdata", "bookworm", str(tree), _mirror()]
        engine.run(command, 1800)
        # What this machine believes: there may be a certificate of its own between it and what it reaches.
        shutil.copy(CERTIFICATES, tree / CERTIFICATES.relative_to("/"))
    archive = engine.folder / "bookworm.tar"
    engine.run(["tar", "-C", str(tree), "--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*", "-cf", str(archive), "."], 600)
    engine.docker("import", "--change", 'CMD ["bash"]', str(archive), BASE)
    archive.unlink()


def _image(engine: Engine, name: str, files: dict[str, str | Path]) -> None:
    """Builds an image of texts, files and folders, where it is not there."""
    if engine.has(name):
        return
    print(f"compose-check: a stand-in for {name}", flush=True)
    context = engine.folder / "context.tar"
    with tarfile.open(context, "w", format=tarfile.GNU_FORMAT) as archive:
        for path, what in files.items():
            if isinstance(what, Path):
                archive.add(what, path, filter=lambda entry: None if entry.name.endswith("/share/doc") else entry)
            else:
                written = engine.folder / "written"
                written.write_text(what, encoding="utf-8")
                written.chmod(0o755)
                archive.add(written, path)
                written.unlink()
    with context.open("rb") as archive:
        # The network of this machine: packages come by its ways.
        status, out, err = engine.attempt(["/usr/bin/docker", "build", "--quiet", "--network", "host", "--tag", name, "-"], 1800, stdin=archive)
    context.unlink()
    if status != 0:
        raise Failed(f"{name} cannot be made: {(out + err)[-2000:]}")
