"""Brings docker-compose.yml up on this machine and asks it for what it promises: `cargo xtask compose-check`."""

import argparse
import sys
import time
from pathlib import Path

import standins
from engine import Engine, Failed
from promises import PROMISES
from stack import TARGETS, VERSION, Stack, build_from_sources, build_programs_outside


def main() -> int:
    """Everything in its order; status 1 where a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the engine keeps images and volumes")
    parser.add_argument("--servers", type=Path, required=True, help="the folder of unpacked servers")
    parser.add_argument("--tools", type=Path, required=True, help="the folder of the tools of deploy/")
    parser.add_argument("--programs", type=Path, help="programs that are put into the images")
    parser.add_argument("--build", action="store_true", help="build them in the image, by the whole Dockerfile")
    parser.add_argument("--keep", action="store_true", help="leave the containers for a look; the engine ends all the same")
    chosen = parser.parse_args()
    try:
        with Engine(chosen.folder) as engine:
            standins.make(engine, chosen.tools, chosen.servers)
            if chosen.build:
                standins.make_builder(engine)
                build_from_sources(engine)
            elif chosen.programs is not None:
                build_programs_outside(engine, chosen.programs)
            for target in TARGETS:
                size = int(engine.docker("image", "inspect", "--format", "{{.Size}}", f"analytics/{target}:{VERSION}"))
                print(f"compose-check: the image {target} has {size / 1e6:.0f} MB", flush=True)
            with Stack(engine, chosen.keep) as stack:
                # Of a run that was ended in the middle.
                stack.compose("down", "--volumes", "--timeout", "5", limit=300)
                for promise in PROMISES:
                    began = time.monotonic()
                    said = promise(stack)
                    print(f"compose-check: {promise.__name__}: {said} ({time.monotonic() - began:.0f} s)", flush=True)
    except Failed as failure:
        print(f"compose-check: {failure}", file=sys.stderr)
        return 1
    print(f"compose-check: {len(PROMISES)} promises kept; grafana is in no Debian package and was left out")
    return 0


sys.exit(main())
