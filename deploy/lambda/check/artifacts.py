"""What `sam build` made: programs that Lambda's system can run, and small enough to start quickly."""

import re
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import document
from findings import Broken, Finding

# The template as sam leaves it, with the folders of what it built.
BUILT = document.ROOT / ".aws-sam/build/template.yaml"

# Function and the most that its archive may weigh, in bytes.
PROGRAMS = {
    "CollectorFunction": 3_000_000,
    "ApiFunction": 8_000_000,
    "ProcessorFunction": 8_000_000,
    "MaintenanceFunction": 8_000_000,
}

# Amazon Linux 2023 has this version of the GNU C library, and provided.al2023 these libraries.
C_LIBRARY = (2, 34)
LIBRARIES = {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2", "librt.so.1"}
LOADER = "ld-linux-x86-64.so.2"


def check() -> Iterator[Finding]:
    """Every function has its program, and the maintenance function the processor's, built once."""
    if not BUILT.is_file():
        raise Broken(f"{BUILT.relative_to(document.ROOT)} is not there: run sam build")
    resources = document.read(BUILT)["Resources"]
    folders = {function: BUILT.parent / resources[function]["Properties"]["CodeUri"] for function in PROGRAMS}
    for function, most in PROGRAMS.items():
        program = folders[function] / "bootstrap"
        if not program.is_file():
            yield Finding("artifact", function, f"{program.relative_to(document.ROOT)} is not there: run sam build")
            continue
        yield from _runs_there(function, program)
        weight = len(zlib.compress(program.read_bytes(), 6))
        print(f"{function:<20} {program.stat().st_size / 1e6:6.2f} MB, {weight / 1e6:5.2f} MB zipped")
        if weight > most:
            yield Finding("artifact", function, f"weighs {weight} bytes zipped; at most {most}")
    if folders["MaintenanceFunction"] != folders["ProcessorFunction"]:
        yield Finding("artifact", "MaintenanceFunction", "was built once more, though its program is the processor's")


def _runs_there(function: str, program: Path) -> Iterator[Finding]:
    if "X86-64" not in _read_elf(program, "--file-header"):
        yield Finding("artifact", function, "is no program for x86-64")
    needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", _read_elf(program, "--dynamic")))
    for library in sorted(needed - LIBRARIES - {LOADER}):
        yield Finding("artifact", function, f"needs {library}, which provided.al2023 has not")
    versions = re.findall(r"GLIBC_(\d+)\.(\d+)", _read_elf(program, "--version-info"))
    for major, minor in sorted({(int(major), int(minor)) for major, minor in versions}):
        if (major, minor) > C_LIBRARY:
            newest = ".".join(map(str, C_LIBRARY))
            yield Finding("artifact", function, f"needs version {major}.{minor} of the C library; there is {newest}")


def _read_elf(program: Path, what: str) -> str:
    command = ["readelf", "--wide", what, str(program)]
    read = subprocess.run(command, capture_output=True, text=True, check=False)
    if read.returncode != 0:
        raise Broken(f"{program.name} cannot be read as a program: {read.stderr.strip()}")
    return read.stdout
