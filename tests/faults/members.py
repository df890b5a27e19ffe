"""Starts worker processes and kills them; none outlives its test."""

import json
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from tests.faults.worker import Orders, main
from tests.integration.bus.real_world import eventually

_FORKS = multiprocessing.get_context("forkserver")  # what a worker imports is imported once
_FORKS.set_forkserver_preload(["tests.faults.worker"])


class Member:
    """One process and what it has told."""

    def __init__(self, orders: Orders) -> None:
        self.words: list[tuple[str, str]] = []
        self._pipe, theirs = _FORKS.Pipe(duplex=False)
        self._process = _FORKS.Process(target=main, args=(orders, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def told(self, word: str) -> set[str]:
        """What it has said under *word*."""
        with suppress(EOFError, OSError):
            while self._pipe.poll():
                self.words.append(tuple(json.loads(self._pipe.recv_bytes())))
        return {what for said, what in self.words if said == word}

    @property
    def lives(self) -> bool:
        return self._process.is_alive()

    def send(self, sign: int) -> None:
        """A signal to it."""
        assert self._process.pid
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, sign)

    async def end(self, sign: int = signal.SIGKILL, *, seconds: float = 30) -> None:
        """Signal it and wait until it is gone."""
        self.send(sign)
        await self.dies(seconds=seconds)

    async def dies(self, *, seconds: float = 60) -> None:
        """Wait until it is gone."""
        await eventually(lambda: not self.lives, seconds=seconds)


class Members:
    """The processes of one group."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self.all: list[Member] = []

    def begin(self, *, when: str = "", act: str = "", nth: int = 1, sign: int = signal.SIGKILL) -> Member:
        """One more; it falls at the named step, if any."""
        member = Member(replace(self._orders, when=when, act=act, nth=nth, sign=sign))
        self.all.append(member)
        return member

    async def start(self) -> Member:
        """One more; returns once it has its partitions."""
        member = self.begin()
        await eventually(lambda: member.told("hearing"), seconds=60)
        return member


@asynccontextmanager
async def members(orders: Orders) -> AsyncIterator[Members]:
    """Members that are gone afterwards, frozen ones too."""
    made = Members(orders)
    try:
        yield made
    finally:
        for member in made.all:
            await member.end()
