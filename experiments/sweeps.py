"""``python -m experiments.sweeps``: what has been run, mended, shown and opened.

Reading a database needs no MLflow, so that commands which only read answer at once.
"""

import argparse
import json
import os
import re
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from experiments.commands import repeat_command
from experiments.ledger import ledgers
from experiments.startup import collect_garbage_seldom
from tracking import names, stale
from tracking.addresses import is_server, tracking_uri
from tracking.creation import artifact_root
from tracking.errors import TrackingError, without_secrets
from tracking.lookup import find_run, find_sweep
from tracking.record import RunUpdate, now_ms
from tracking.store import Store, find_stores
from tracking.sync import sync
from tracking.terminal import printable, printing
from tracking.view import runs_page, save_view

SHOWN_ID = 12
"""Characters of a run id in tables; its first twelve are the time in milliseconds."""

UI_PORTS = range(5000, 5020)

BEST = {"sweep": "latest", "by": "ert", "n": "10"}
"""What `best` can be told, and what it takes otherwise."""

ONE_CLICK = (
    'If MLflow shows its side for language models ("GenAI"): click on "Model training", at the upper left, once.\n'
    "Your browser keeps that. After a reload, this link brings the view back; so do those in all descriptions."
)

MADE_BY = ("git_commit", "git_dirty", "command", "versions", "python", "machine", "host", "pid", "engine", "launcher")
"""Tags of a sweep, or of a run by itself, that say what made it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except TrackingError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def sweep_states(stores: Sequence[Store]) -> list[dict[str, Any]]:
    """Say what has become of every sweep, oldest first; what ``status --json`` prints.

    A sweep's ``state`` is MLflow's status in lower case, or ``stale``: called running, while its process is dead. It
    has so many ``jobs``, of which it ``finished`` some, and found some finished before: they were ``reused``. The
    ``convergence_rate`` is that of all trials, None if none has finished; ``started`` is ISO 8601, local time;
    ``seconds`` is the duration, so far.
    """
    states = []
    for store in stores:
        dead = {run.run_id for run in stale.stale_runs(store)}
        sweeps = store.reader.sweeps()
        for sweep, ledger in zip(sweeps, ledgers(store, sweeps), strict=True):
            state = {
                "run_id": sweep.run_id,
                "name": sweep.name,
                "experiment": store.experiment,
                "state": "stale" if sweep.run_id in dead else sweep.status.lower(),
                **ledger.counts,
                "convergence_rate": ledger.convergence_rate,
                "started": _local_time(sweep.start_ms),
                "seconds": ((sweep.end_ms or now_ms()) - sweep.start_ms) / 1000,
            }
            states.append(state)
    return sorted(states, key=itemgetter("started"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.sweeps",
        description="What has been run in this folder's tracking store, or in the one that MLFLOW_TRACKING_URI names.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(run: Callable[[argparse.Namespace], int], about: str, more: str = "") -> argparse.ArgumentParser:
        added = commands.add_parser(run.__name__.lstrip("_"), help=about, description=more or None)
        added.set_defaults(run=run)
        return added

    status = command(_status, "a table of all sweeps: finished, failed, killed, running, stale")
    status.add_argument("--json", action="store_true", help="for scripts")
    command(_ls, "what sweeps there are, as they themselves say: newest last, without a look at their runs")
    repair = command(
        _repair,
        "end runs that are called running although their process is dead",
        "Marks as KILLED what is called RUNNING although its process on this machine is dead. Runs of live processes "
        "and of other machines are left alone, unless named here.",
    )
    repair.add_argument("runs", nargs="*", metavar="RUN", help="a run that you know to be dead, wherever it ran")
    ui = command(_ui, "open the MLflow UI on the newest sweep: its runs, its loss curves")
    another = "another sweep: its run id, or the beginning of it, or its name"
    ui.add_argument("sweep", nargs="?", metavar="RUN", help=another)
    ui.add_argument("--port", type=_port, help=f"default: the first free one from {UI_PORTS[0]}")
    best = command(_best, "the best and the worst conditions of a sweep, with intervals")
    best.add_argument("assignments", nargs="*", type=_assignment, metavar="KEY=VALUE", help=f"{', '.join(BEST)}")
    best.add_argument("--json", action="store_true", help="for scripts: all conditions")
    show = command(_show, "one run: the command that repeats it, its provenance, its result")
    show.add_argument("run_name", metavar="RUN", help="run id, the beginning of one, a run name, or latest")
    command(_sync, "upload runs that were kept on disk while the tracking server was away")
    return parser


def _status(options: argparse.Namespace) -> int:
    states = sweep_states(find_stores())
    if options.json:
        print(json.dumps(states, indent=2))
        return 0
    if not states:
        print(f"No sweeps yet in {without_secrets(tracking_uri())}.")
        return 0
    counts = ("jobs", "finished", "reused", "failed", "killed", "running")
    table = [["sweep", "experiment", "state", "jobs", "done", *counts[2:], "rate", "started", "took", "name"]]
    for state in states:
        identity = state["run_id"][:SHOWN_ID], printable(state["experiment"]), state["state"]
        rate = "" if state["convergence_rate"] is None else f"{state['convergence_rate']:.3f}"
        took = str(timedelta(seconds=round(state["seconds"])))
        when = state["started"].replace("T", " "), took
        table.append([*identity, *(f"{state[count]:,}" for count in counts), rate, *when, printable(state["name"])])
    _print_table(table, range(3, 10))
    if any(state["state"] == "stale" for state in states):
        print("\nstale: the process is dead. To say so in MLflow: python -m experiments.sweeps repair")
    return 0


def _ls(_: argparse.Namespace) -> int:
    """What status says, as far as the parents say it."""
    counts = ("jobs", "finished", "reused", "failed")
    table = [["sweep", "experiment", "state", *counts, "started", "name"]]
    found = [(store, sweep) for store in find_stores() for sweep in store.reader.sweeps()]
    for store, sweep in sorted(found, key=lambda pair: pair[1].start_ms):
        dead = sweep.status == "RUNNING" and stale.life(sweep.tags) is stale.Life.DEAD
        identity = sweep.run_id[:SHOWN_ID], printable(store.experiment), "stale" if dead else sweep.status.lower()
        counted = [f"{sweep.metrics[count]:,.0f}" if count in sweep.metrics else "?" for count in counts]
        table.append([*identity, *counted, _local_time(sweep.start_ms).replace("T", " "), printable(sweep.name)])
    if len(table) > 1:
        _print_table(table, range(3, 7))
    else:
        print(f"No sweeps yet in {without_secrets(tracking_uri())}.")
    return 0


def _best(options: argparse.Namespace) -> int:
    from experiments.conditions import of_sweep
    from experiments.leaderboard import as_records, leaderboard

    given = {**BEST, **dict(options.assignments)}
    store, sweep = find_sweep(find_stores(), given["sweep"])
    conditions = of_sweep(store, sweep)
    if not conditions:
        raise TrackingError(f"no run of sweep {sweep.run_id} ({printable(sweep.name)}) is finished")
    if options.json:
        print(json.dumps(as_records(conditions, given["by"]), indent=2))
        return 0
    print(f"sweep {sweep.run_id} in experiment {printable(store.experiment)}\n{printable(sweep.name)}")
    print(leaderboard(conditions, given["by"], int(given["n"]), given["sweep"]))
    return 0


def _repair(options: argparse.Namespace) -> int:
    stores = find_stores()
    for wanted in options.runs:
        store, run = find_run(stores, wanted)
        if run.status != "RUNNING":
            raise TrackingError(f"{printable(run.name)} ({run.run_id}) is {run.status}; there is nothing to mend")
        store.writer.update(run.run_id, RunUpdate(status="KILLED"), now_ms())
        print(f"KILLED  {run.run_id}  {printable(run.name)}")
    for store in stores:
        for stale_run in stale.repair(store):
            print(f"KILLED  {stale_run.run_id}  {printable(stale_run.name)} (process {stale_run.pid} is dead)")
        if removed := store.writer.remove_abandoned_files():
            killed = f"{removed:,} runs in {store.experiment} that were killed before they were stored"
            print(f"removed the files of {killed}")
    left = [(run, stale.life(run.tags)) for store in stores for run in store.reader.running()]
    print(f"{len(left):,} runs are under way." if left else "No run is under way.")
    for run, life in left:
        print(f"  {run.run_id}  {printable(run.name)}: {life.value}, {run.tags.get('host', 'unknown host')}")
    return 0


def _show(options: argparse.Namespace) -> int:
    stores = find_stores()
    store, run = find_run(stores, options.run_name)
    parent = store.reader.run(run.tags[names.SWEEP_ID]) if names.SWEEP_ID in run.tags else None
    origin = run if parent is None else parent
    took = "" if run.end_ms is None else f", {(run.end_ms - run.start_ms) / 1000:.1f} s"
    print(f"{printable(run.name)}: {run.status}, {_local_time(run.start_ms)}{took}")
    print(f"run {run.run_id} in experiment {printable(store.experiment)}")
    if parent is not None:
        print(f"of sweep {parent.run_id} ({printable(parent.name)})")
    print("\nTo repeat it:")
    if run.tags.get(names.KIND) == names.SWEEP:
        print(f"  {printable(run.tags.get('command', 'unknown'))}")
    else:
        print(f"  {repeat_command(run.params, experiment=store.experiment, engine=origin.tags.get('engine'))}")
    print("\nResult")
    _print_pairs({key: repr(value) for key, value in sorted(run.metrics.items())})
    if names.DIVERGED in run.tags:
        print(f"  diverged at epoch {run.tags[names.DIVERGED]}")
    print("\nProvenance" if parent is None else "\nProvenance, of its sweep")
    _print_pairs({key: origin.tags[key] for key in MADE_BY if key in origin.tags})
    print(f"\nFiles: {run.artifact_uri}")
    return 0


def _sync(_: argparse.Namespace) -> int:
    from experiments.conditions import revise

    count = 0
    for count, _kept in enumerate(sync(revise), start=1):
        if sys.stderr.isatty():
            print(f"\r{count:,} uploaded", end="", file=sys.stderr, flush=True)
    print(f"\r{count:,} uploaded" if count else "Nothing waits for an upload below this folder.")
    return 0


def _ui(options: argparse.Namespace) -> int:
    uri = tracking_uri()
    page = _ui_page(find_stores(), options.sweep)
    if is_server(uri):
        print(f"{without_secrets(uri).rstrip('/')}/{page}")
        return 0
    port = _free_port([options.port] if options.port else UI_PORTS)
    print(f"In some seconds, at\n\n  http://127.0.0.1:{port}/{page}\n\n{ONE_CLICK}\n\nCtrl-C ends it.\n", flush=True)
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    os.environ.setdefault("PYTHONWARNINGS", "ignore")  # of the server's own makers, to each other
    # Two workers: a single one meets Ctrl-C with a traceback.
    server = ["server", "--host", "127.0.0.1", "--port", str(port), "--workers", "2"]
    # Not among the arguments, which everybody on the machine can read: it may have a password in it.
    os.environ |= {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_REGISTRY_STORE_URI": uri}
    arguments = [sys.executable, "-m", "mlflow", *server, "--default-artifact-root", artifact_root()]
    return os.execv(sys.executable, arguments)  # noqa: S606


def _ui_page(stores: Sequence[Store], wanted: str | None) -> str:
    """Where to open the UI: the sweep that is meant, the newest one, or what there is."""
    if wanted is not None:
        store, sweep = find_run(stores, wanted)
        if sweep.tags.get(names.KIND) != names.SWEEP:
            return f"#/experiments/{store.experiment_id}/runs/{sweep.run_id}"
        return save_view(store, sweep)
    if any(store.reader.sweeps() for store in stores):
        return save_view(*find_sweep(stores, "latest"))
    return runs_page(stores[-1].experiment_id) if stores else "#/experiments"


def _assignment(text: str) -> tuple[str, str]:
    """Read an argument of `best` in the manner of the other commands: ``by=median``."""
    from experiments.conditions import RANKINGS

    key, _, value = text.partition("=")
    valid = {"sweep": "latest, a run id, the beginning of one, or a name", "by": ", ".join(RANKINGS), "n": "1 or more"}
    if key not in BEST:
        raise argparse.ArgumentTypeError(f"{text!r}: valid are {', '.join(f'{key}=...' for key in BEST)}")
    whole = re.fullmatch("[0-9]{1,6}", value) and int(value)
    if not {"sweep": value, "by": value in RANKINGS, "n": whole}[key]:
        raise argparse.ArgumentTypeError(f"{text!r}: valid is {valid[key]}")
    return key, value


def _port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or not 0 < int(text) < 2**16:
        raise argparse.ArgumentTypeError(f"{text!r}: valid is a whole number from 1 to 65535")
    return int(text)


def _free_port(ports: Sequence[int]) -> int:
    """Choose the first of some ports that can be listened at."""
    why = ""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                why = str(error.strerror)
            else:
                return port
    raise TrackingError(
        f"nothing can listen at port {' or '.join(map(str, ports[:20]))} ({why}); choose one with --port"
    )


def _print_table(table: Sequence[Sequence[str]], numbers: range) -> None:
    """Print rows below each other; the columns of numbers are flush right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    line = "  ".join(f"{{:{'>' if place in numbers else '<'}{width}}}" for place, width in enumerate(widths))
    for row in table:
        print(line.format(*row).rstrip())


def _print_pairs(pairs: Mapping[str, str]) -> None:
    width = max(map(len, pairs), default=0)
    for key, value in pairs.items():
        print(f"  {key.ljust(width)}  {printable(value)}")


def _local_time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000).astimezone().replace(tzinfo=None).isoformat(timespec="seconds")


if __name__ == "__main__":
    collect_garbage_seldom()
    with printing():
        code = main()
    sys.exit(code)
