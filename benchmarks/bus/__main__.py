"""The bench of the bus: its runners beside raw clients, FastStream and loops written by hand.

Same broker, same records, one run. Starts a Kafka and a PostgreSQL of its own by the code of `outrider up` and stops
them afterwards (or uses a running stack, --home). Rounds are interleaved; medians are printed, and ratios to what is
aimed for. Progress goes to stderr.
"""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from benchmarks.bus import effect, fairness, lanes, latency, replay
from benchmarks.bus.effort import Effort
from benchmarks.bus.findings import Section, table
from benchmarks.bus.stand import Stand, open_stand

Part = Callable[[Stand, Effort], Section]
PARTS: Mapping[str, Part] = {
    "effect": effect.measure,
    "lanes": lanes.measure,
    "fairness": fairness.measure,
    "latency": latency.measure,
    "replay": replay.measure,
}
_EXAMPLES = """examples:
  python -m benchmarks.bus                        everything, three rounds
  python -m benchmarks.bus effect --rounds 5      one part only
  python -m benchmarks.bus --quick                a tenth of the records, one round: does it run?
  python -m benchmarks.bus --json > bench.json    figures for a script
  python -m benchmarks.bus --home .outrider       on the stack that is up

exit codes: 0 done, 1 a contender failed, 2 usage, 3 done but an aim was missed (with --strict)
"""


def main() -> int:
    """Run the parts that were asked for."""
    options = _parse()
    effort = Effort(1 if options.quick else options.rounds, options.quick)
    signal.signal(signal.SIGTERM, _interrupt)
    sections: list[Section] = []
    with open_stand(options.home) as stand:
        for name in options.parts or PARTS:
            effort.say(f"{name} …")
            sections.append(PARTS[name](stand, effort))
            if not options.json:
                print(table(sections[-1]), end="\n\n", flush=True)
    if options.json:
        json.dump([asdict(section) for section in sections], sys.stdout, indent=2)
    missed = any(not aim.reached for section in sections for aim in section.aims)
    return 3 if missed and options.strict else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bus",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"what to measure: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each contender runs (default 3)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the records, one round")
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    parser.add_argument("--strict", action="store_true", help="exit with 3 where an aim is missed")
    parser.add_argument("--home", type=Path, help="home of a running stack, instead of one of the bench's own")
    options = parser.parse_args()
    if unknown := [name for name in options.parts if name not in PARTS]:
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main())
