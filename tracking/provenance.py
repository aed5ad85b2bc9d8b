"""Where a run comes from: code, command, versions, machine, process."""

import hashlib
import logging
import os
import platform
import shlex
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from tracking import names
from tracking.errors import without_secrets
from tracking.record import LONGEST_TAG

log = logging.getLogger(__name__)

PACKAGES = ("convergence-atlas", "numpy", "numba", "hydra-core", "mlflow")

CODE = ("conf", "experiments", "hydra_plugins", "nn_core", "pyproject.toml", "requirements.lock", "tracking")
"""What can change a result; other changes to the checkout do not make it dirty."""

LARGEST_DIFF = 1_000_000
"""Bytes of a diff that are kept."""


@dataclass(frozen=True)
class Provenance:
    """Where a run comes from: its tags, and as a file what a dirty checkout adds to its commit."""

    tags: Mapping[str, str]
    artifacts: Mapping[str, bytes]


def provenance(*, engine: str, launcher: str) -> Provenance:
    """Describe the present process, and what trains (`engine`) and executes the jobs (`launcher`).

    Where there is no checkout, or git does not answer, ``git_commit`` and ``git_dirty`` are ``unknown``.
    """
    commit, diff = _checkout()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    tags = {
        "git_commit": commit or "unknown",
        "git_dirty": "unknown" if commit is None else "true" if diff else "false",
        "command": shlex.join(["python", *map(without_secrets, sys.orig_argv[1:])])[:LONGEST_TAG],
        "versions": ", ".join(f"{package} {_version(package)}" for package in PACKAGES),
        "python": platform.python_version(),
        "machine": f"{_processor()}, {cores} cores, {platform.system()} {platform.release()} {platform.machine()}",
        "host": socket.gethostname(),
        "pid": str(os.getpid()),
        "process": process_identity(os.getpid()) or "unknown",
        "engine": engine,
        "launcher": launcher,
    }
    if commit is not None:
        tags["mlflow.source.git.commit"] = commit  # the name under which MLflow's UI looks for it
    return Provenance(tags, {names.GIT_DIFF: diff} if diff else {})


def process_identity(pid: int) -> str | None:
    """Tell a process from any other that had, has or will have its pid: ``machine/boot/pid namespace/start``.

    None if there is no such process, or no ``/proc`` to ask.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = Path(f"/proc/{pid}/ns/pid").readlink().name
    except OSError:
        return None
    # The second field, the program's name, may itself contain spaces and parentheses; the start is the 22nd.
    state, *_, start = stat.rpartition(")")[2].split()[:20]
    if state in {"Z", "X"}:
        return None
    return f"{_machine_id()}/{boot}/{namespace}/{start}"


def _machine_id() -> str:
    """A digest, since the id itself is meant to stay on its machine."""
    try:
        text = Path("/etc/machine-id").read_bytes()
    except OSError:
        text = b""
    return hashlib.sha256(b"convergence-atlas" + text).hexdigest()[:12]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown processor"


def _checkout() -> tuple[str | None, bytes]:
    """Commit of the checkout that this code runs from, and what has been changed in it since."""
    spec = find_spec("nn_core")
    if spec is None or spec.origin is None:
        return None, b""
    root = Path(spec.origin).parent.parent
    try:
        # Installed as a copy, the code may well lie in somebody else's repository, which does not track it.
        _git(root, "ls-files", "--error-unmatch", "nn_core/__init__.py")
        commit = _git(root, "rev-parse", "HEAD").decode().strip()
        diff = _git(root, "diff", "HEAD", "--no-color", "--no-ext-diff", "--", *CODE)
        new = _git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", *CODE)
        for path in sorted(filter(None, new.split(b"\0"))):
            diff += b"untracked: " + path + b"\n"
            if len(diff) < LARGEST_DIFF:
                diff += (root / os.fsdecode(path)).read_bytes() + b"\n"
    except (OSError, subprocess.SubprocessError) as error:
        if (root / ".git").exists():
            reason = getattr(error, "stderr", b"") or str(error).encode()
            why = reason.decode(errors="replace").strip().partition("\n")[0]
            log.warning("Runs will not say which code made them, since git does not tell about %s: %s", root, why)
        return None, b""
    return commit, diff[:LARGEST_DIFF]


def _git(root: Path, *arguments: str) -> bytes:
    """Ask git; it is to trust a checkout of another owner, as whoever runs the code in it does."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-C", str(root), "-c", f"safe.directory={root}", "-c", "core.quotePath=false", *arguments]
    return subprocess.run(command, capture_output=True, check=True, env=environment, timeout=20).stdout  # noqa: S603
