"""Measure the budgets of codex-server on this machine and print them as one table: `python -m bench`.

Every row is a ratio to a reference taken in the same run, or a number with an absolute budget. Measures the
`codex-server` on PATH, which should be installed as users install it, with a real codex and a scripted model. Needs the
`dev` extra, Linux, and an otherwise idle machine. Exit code: 0, or 1 where a budget was missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import crowd, directory, gateway, idling, listing, reading, shared, startup, streaming, watching
from bench.scale import FULL, QUICK, Scale
from bench.table import Row, machine, markdown, replace_between_marks
from bench.world import BenchError, World

_README = Path(__file__).parent.parent / "README.md"
_BENCHES: dict[str, Callable[[World, Scale], Iterator[Row]]] = {
    "new": startup.new,
    "turn": startup.turn,
    "reading": reading.reading,
    "memory": streaming.memory,
    "stream": streaming.stream,
    "latency": streaming.latency,
    "directory": directory.directory,
    "crowd": crowd.crowd,
    "status": startup.status,
    "list-turns": listing.list_turns,
    "list": listing.list_threads,
    "usage": listing.usage,
    "idle": idling.idle,
    "watch": watching.watching,
    "shared-turn": shared.turn,
    "shared-crowd": shared.crowd,
    "shared-memory": shared.memory,
    "shared-idle": shared.idle,
    "gateway": gateway.gateway,
}


def main() -> int:
    """Run the selected benchmarks; the table goes to stdout, progress to stderr."""
    options = _parse()
    rows: list[Row] = []
    try:
        with World(options.codex) as world:
            versions = world.versions()
            for name in options.only or _BENCHES:
                print(f"bench: {name}", file=sys.stderr)
                rows += _BENCHES[name](world, QUICK if options.quick else FULL)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    report = f"{machine(versions)}\n{markdown(rows)}"
    print(report, end="")
    if options.write_readme:
        _README.write_text(replace_between_marks(_README.read_text(encoding="utf-8"), report), encoding="utf-8")
    return 0 if all(row.is_ok for row in rows) else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the budgets on this machine.")
    parser.add_argument("--only", nargs="+", choices=_BENCHES, metavar="NAME", help=f"some of: {' '.join(_BENCHES)}")
    parser.add_argument("--quick", action="store_true", help="few samples and short streams: is all in order?")
    parser.add_argument("--codex", type=Path, metavar="PATH", help="the codex to run; default: what codex-server finds")
    parser.add_argument("--write-readme", action="store_true", help="put the table into README.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
