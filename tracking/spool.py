"""Finished runs kept on disk while their tracking server is away: one file each, no pickle, and uploaded later."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from tracking import names
from tracking.disk import explained
from tracking.errors import TrackingError
from tracking.record import Curve, RunRecord, RunUpdate

FOLDER = "spool"
"""Name of the folder, below the current one."""


@dataclass(frozen=True)
class Kept:
    """A finished run, or an update of a sweep's run, that waits for its upload.

    Its `id` is the tag ``spool_id`` of the uploaded run.
    """

    id: str  # 32 hexadecimal digits
    order: int  # nanoseconds since 1970; uploads go in this order
    experiment: str  # its name
    destination: str  # the tracking URI, without user and password
    run_id: str  # empty if that run is yet to be created
    content: RunRecord | RunUpdate

    @property
    def now_ms(self) -> int:
        """When it was kept, in milliseconds since 1970."""
        return self.order // 1_000_000

    @property
    def sweep_id(self) -> str:
        """The sweep that it belongs to; empty for a single run."""
        return self.run_id if isinstance(self.content, RunUpdate) else self.content.tags.get(names.SWEEP_ID, "")


def keep(folder: Path, kept: Kept) -> None:
    """Write a run or an update to a folder, whole or not at all; raises `TrackingError` if that fails."""
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{kept.id}"
        draft.write_bytes(_encode(kept))
        draft.replace(_path(folder, kept))


def waiting(folder: Path) -> Iterator[Kept]:
    """Read what is kept, oldest first, one by one; raises `TrackingError` where a file is not one of `keep`'s."""
    for path in sorted(folder.glob("*.npz")):
        yield _decode(path)


def forget(folder: Path, kept: Kept) -> None:
    """Remove what has been uploaded, and the folder with the last of it."""
    _path(folder, kept).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep a second upload of the same folder waiting."""
    if not folder.exists():
        yield
        return
    from filelock import FileLock

    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    with explained(folder):
        lock.acquire()
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _path(folder: Path, kept: Kept) -> Path:
    return folder / f"{kept.order:020d}-{kept.id}.npz"


def _encode(kept: Kept) -> bytes:
    """Write all fields as JSON, but for what is in arrays: of artifacts and curves only the names."""
    content = kept.content
    facts: dict[str, Any] = {"kind": type(content).__name__, **_fields(kept), **_fields(content)}
    del facts["content"]
    facts |= {key: dict(value) for key, value in facts.items() if isinstance(value, Mapping)}
    arrays: dict[str, Any] = {}
    for place, data in enumerate(content.artifacts.values()):
        arrays[f"artifact{place}"] = np.frombuffer(data, np.uint8)
    facts["artifacts"] = list(content.artifacts)
    if isinstance(content, RunRecord):
        for place, curve in enumerate(content.curves.values()):
            arrays |= {f"steps{place}": curve.steps, f"values{place}": curve.values}
        facts["curves"] = list(content.curves)
    buffer = io.BytesIO()
    np.savez(buffer, description=np.frombuffer(json.dumps(facts).encode(), np.uint8), **arrays)
    return buffer.getvalue()


def _decode(path: Path) -> Kept:
    try:
        with np.load(path) as arrays:
            facts = json.loads(arrays["description"].tobytes())
            facts["artifacts"] = {key: arrays[f"artifact{i}"].tobytes() for i, key in enumerate(facts["artifacts"])}
            curves = enumerate(facts.get("curves", ()))
            facts["curves"] = {key: Curve(arrays[f"steps{i}"], arrays[f"values{i}"]) for i, key in curves}
        make = RunRecord if facts["kind"] == RunRecord.__name__ else RunUpdate
        facts["content"] = make(**{field.name: facts[field.name] for field in fields(make)})
        kept = Kept(**{field.name: facts[field.name] for field in fields(Kept)})
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise TrackingError(f"{path} holds no finished run ({error}); move it away, then sync again") from error
    if _path(path.parent, kept) != path:
        raise TrackingError(f"{path} has been renamed; its name must be {_path(path.parent, kept).name}")
    return kept


def _fields(of: Kept | RunRecord | RunUpdate) -> dict[str, Any]:
    return {field.name: getattr(of, field.name) for field in fields(of)}
