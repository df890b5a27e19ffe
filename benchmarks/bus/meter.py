"""Measures one contender from inside its process: wall time, CPU time, resident memory."""

import time
from pathlib import Path

from outrider_chassis import collector


def resident_mib(field: str = "VmRSS") -> float:
    """Memory of this process that is resident now, or with "VmHWM" the most that ever was."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [size] = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return int(size) / 1024


class Meter:
    """Started when the contender is ready to read; `stop` gives the figures."""

    def __init__(self) -> None:
        collector.tune()  # as the chassis does for a service, and for every contender alike
        self._memory = resident_mib()
        self._cpu = time.process_time()
        self._wall = time.perf_counter()

    def stop(self, records: int) -> dict[str, float]:
        """What handling that many records took. Memory per record is what was needed at most above the start."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        peak = resident_mib("VmHWM")
        return {
            "records/s": records / wall,
            "CPU µs/record": cpu / records * 1e6,
            "peak MiB": peak,
            "bytes/record": max(0.0, peak - self._memory) * 2**20 / records,
        }
