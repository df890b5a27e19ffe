"""The process of one contender: reads what it is given from stdin, prints its figures as the last line of stdout."""

import asyncio
import importlib
import json
import logging
import sys
from collections.abc import Awaitable, Callable

import structlog
from outrider_bus.kafka import KafkaAddress

from benchmarks.bus.stand import Place

Contender = Callable[..., Awaitable[dict[str, float]]]


def main() -> None:
    """Run the contender that is named on the command line."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    module, function = sys.argv[1].split(":")
    contender: Contender = getattr(importlib.import_module(module), function)
    given = json.load(sys.stdin)
    place = Place(KafkaAddress(**given["place"]["kafka"]), given["place"]["dsn"])
    print(json.dumps(asyncio.run(_run(contender, place, given["parameters"]))))


async def _run(contender: Contender, place: Place, parameters: dict[str, object]) -> dict[str, float]:
    return await contender(place, **parameters)


if __name__ == "__main__":
    main()
