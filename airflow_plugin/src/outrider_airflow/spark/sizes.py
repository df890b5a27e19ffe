"""How large a driver and its executors are, and so their pods. Pure."""

import re
from dataclasses import dataclass

_MEMORY = re.compile(r"([1-9][0-9]*)([mg])")
_LEAST_OVERHEAD_MIB = 384
_OVERHEAD = 0.4
"""Spark's own factor for Python: its workers' memory is not the JVM's."""


@dataclass(frozen=True)
class Sizes:
    """As the task asks for them. Memory as Spark writes it: "512m", "4g"."""

    executors: int
    executor_cores: int
    executor_memory: str
    driver_cores: int
    driver_memory: str
    executor_cpu: str = ""
    """What an executor asks of its node ("500m"), where that is not its cores."""
    driver_cpu: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError in the author's words."""
        for name in ("executors", "executor_cores", "driver_cores"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise ValueError(f"{name} must be a whole number, 1 or more; it is {getattr(self, name)!r}")
        mib(self.executor_memory)
        mib(self.driver_memory)

    @property
    def executor_request(self) -> str:
        """CPU an executor asks for."""
        return self.executor_cpu or str(self.executor_cores)

    @property
    def executor_overhead(self) -> int:
        """MiB of an executor's pod beyond its JVM's heap."""
        return overhead(mib(self.executor_memory))

    @property
    def driver_resources(self) -> dict[str, dict[str, str]]:
        """Of the driver's container."""
        return _resources(self.driver_cpu or str(self.driver_cores), mib(self.driver_memory))

    @property
    def executor_resources(self) -> dict[str, dict[str, str]]:
        """Of an executor's container, as Spark will ask for them."""
        return _resources(self.executor_request, mib(self.executor_memory))


def mib(memory: str) -> int:
    """Spark's spelling in MiB. Raises ValueError."""
    match = _MEMORY.fullmatch(memory)
    if match is None:
        raise ValueError(f"{memory!r} is no amount of memory; write '512m' or '4g'")
    return int(match[1]) * (1024 if match[2] == "g" else 1)


def overhead(heap_mib: int) -> int:
    """What a JVM of that heap needs besides it, with Python beside the JVM."""
    return max(int(heap_mib * _OVERHEAD), _LEAST_OVERHEAD_MIB)


def _resources(cpu: str, heap_mib: int) -> dict[str, dict[str, str]]:
    memory = f"{heap_mib + overhead(heap_mib)}Mi"
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}
