"""The files that are checked, as texts: read from the repository, and laid out for tools that want a folder."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from findings import Broken

ROOT = Path(__file__).resolve().parents[2]

# What is checked, and what it is checked against.
FOLDERS = ("deploy/prometheus", "deploy/grafana", "deploy/nginx", "deploy/k8s", "deploy/docker", "deploy/systemd", "deploy/debian")
PAGES = ("docs/metrics.md", "docs/configuration.md", "docs/operations.md", "docs/deploy-k8s.md")
# What has to lie at the top.
TOP = ("docker-compose.yml", "docker-compose.dev.yml", ".env.example")

Files = dict[str, str]


def read() -> Files:
    """Every file by its path in the repository."""
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")) if path.is_file() and path.suffix != ".pyc"]
    paths += [ROOT / page for page in (*PAGES, *TOP)]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths if path.exists()}


def under(files: Mapping[str, str], folder: str, *endings: str) -> Iterator[tuple[str, str]]:
    """Paths and texts of a folder."""
    for path, text in files.items():
        if path.startswith(f"{folder}/") and path.endswith(endings or ("",)):
            yield path, text


@contextlib.contextmanager
def laid_out(files: Mapping[str, str]) -> Iterator[Path]:
    """The files in a folder of their own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="analytics-deploy-check-") as folder:
        root = Path(folder)
        for path, text in files.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        yield root


def tool(name: str, *arguments: str, cwd: Path) -> str | None:
    """Runs a program that judges files; what it says where it refuses them, nothing where it is content."""
    status, said = run(name, *arguments, cwd=cwd)
    return None if status == 0 else said


def run(name: str, *arguments: str, cwd: Path, **options: Any) -> tuple[int, str]:
    """Runs a program of the system or of the tools' folder; its status and all that it said."""
    beside = Path(sys.executable).parent / name
    program = next((str(path) for path in (beside, Path("/usr/bin") / name, Path("/usr/sbin") / name) if path.exists()), None)
    if program is None:
        raise Broken(f"{name} is not installed: run `cargo xtask setup`")
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin", "HOME": str(cwd), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [program, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False, **options
    )
    return done.returncode, (done.stdout + done.stderr).replace(f"{cwd}/", "").strip()
