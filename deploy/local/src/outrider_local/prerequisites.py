"""Programs the stack cannot fetch for itself: found, named with the command that installs them, or installed."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from outrider_local.errors import MissingPrerequisite
from outrider_local.layout import Layout

OLDEST_JAVA = 17
OLDEST_GO = (1, 26)


@dataclass(frozen=True)
class Prerequisite:
    """A program, how it is found, and the Debian packages that bring it, the first one known to apt being taken."""

    says: str
    find: Callable[[], str | None]
    packages: tuple[str, ...]
    elsewhere: str = "install it with your package manager (macOS: brew install openjdk@17 maven chromium)"
    """What to do where none of the packages is known."""


def find_java() -> str | None:
    """The `java` to use: of `$JAVA_HOME`, else on PATH; None when there is none or it is too old."""
    home = os.environ.get("JAVA_HOME")
    for candidate in (f"{home}/bin/java" if home else None, shutil.which("java")):
        if candidate and Path(candidate).exists() and _java_release(candidate) >= OLDEST_JAVA:
            return candidate
    return None


def find_jdk() -> str | None:
    """A `java` that compiles too: the one `find_java` finds, else one below /usr/lib/jvm."""
    beside = (path.with_name("java") for path in sorted(Path("/usr/lib/jvm").glob("*/bin/javac")))
    for candidate in (find_java(), *map(str, beside)):
        compiles = candidate and Path(candidate).resolve().with_name("javac").exists()
        if candidate and compiles and _java_release(candidate) >= OLDEST_JAVA:
            return candidate
    return None


def _java_release(java: str) -> int:
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


def find_chromium() -> str | None:
    """A Chromium or Chrome on PATH."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def find_go() -> str | None:
    """The `go` to use: on PATH, else where its installer or Debian's packages put it; None where all are too old."""
    packaged = map(str, sorted(Path("/usr/lib").glob("go-1.*/bin/go"), reverse=True))
    for candidate in (shutil.which("go"), "/usr/local/go/bin/go", *packaged):
        if candidate and Path(candidate).exists() and _go_release(candidate) >= OLDEST_GO:
            return candidate
    return None


def _go_release(go: str) -> tuple[int, int]:
    said = subprocess.run([go, "version"], capture_output=True, text=True, check=False, cwd="/").stdout
    found = re.search(r"go(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


JAVA = Prerequisite(
    says=f"a Java runtime, version {OLDEST_JAVA} or newer",
    find=find_java,
    packages=("openjdk-17-jre-headless", "openjdk-21-jre-headless", "openjdk-25-jre-headless"),
)
JDK = Prerequisite(
    says=f"a JDK, version {OLDEST_JAVA} or newer (for the example in Java)",
    find=find_jdk,
    packages=("openjdk-17-jdk-headless", "openjdk-21-jdk-headless", "openjdk-25-jdk-headless"),
)
MAVEN = Prerequisite(says="Maven (fetches Kafka once)", find=lambda: shutil.which("mvn"), packages=("maven",))
CHROMIUM = Prerequisite(says="Chromium (for the page test)", find=find_chromium, packages=("chromium",))
GO = Prerequisite(
    says=f"Go, version {'.'.join(map(str, OLDEST_GO))} or newer (builds Kubernetes once)",
    find=find_go,
    packages=("golang-1.26-go", "golang-1.27-go"),
    elsewhere="unpack the archive of https://go.dev/dl/ into /usr/local, or have `go` on PATH",
)


def find_network_plugins() -> str | None:
    """The directory with the container network plugins."""
    places = ("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni")
    return next((place for place in places if Path(place, "ptp").exists() and Path(place, "host-local").exists()), None)


CONTAINERD = Prerequisite(says="containerd", find=lambda: shutil.which("containerd"), packages=("containerd",))
RUNC = Prerequisite(says="runc", find=lambda: shutil.which("runc"), packages=("runc",))
NETWORK_PLUGINS = Prerequisite(
    says="the container network plugins", find=find_network_plugins, packages=("containernetworking-plugins",)
)
MMDEBSTRAP = Prerequisite(
    says="mmdebstrap (makes the images once)", find=lambda: shutil.which("mmdebstrap"), packages=("mmdebstrap",)
)
NODE = (CONTAINERD, RUNC, NETWORK_PLUGINS, MMDEBSTRAP)
"""What a node for pods needs, root apart."""


def of_kafka(layout: Layout) -> tuple[Prerequisite, ...]:
    """What the broker needs: Java, and Maven until its jars are in the cache."""
    fetched = any(layout.cache.glob("kafka-*/.complete"))
    return (JAVA,) if fetched else (JAVA, MAVEN)


def require(prerequisite: Prerequisite) -> str:
    """The program's path. Raises MissingPrerequisite naming the command that installs it."""
    if path := prerequisite.find():
        return path
    raise MissingPrerequisite(
        f"{prerequisite.says} is missing. On Debian or Ubuntu:\n"
        f"    sudo apt-get install -y --no-install-recommends {prerequisite.packages[0]}\n"
        f"Elsewhere {prerequisite.elsewhere}."
    )


def ensure(wanted: Iterable[Prerequisite], say: Callable[[str], None]) -> None:
    """Have all of *wanted*. What is missing is installed on Debian or Ubuntu as root, after saying so.

    Raises MissingPrerequisite where it may not be installed.
    """
    missing = [prerequisite for prerequisite in wanted if prerequisite.find() is None]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise MissingPrerequisite("\n".join(_told(prerequisite) for prerequisite in missing))
    _apt("update", "-q")
    packages = [_package(prerequisite) for prerequisite in missing]
    say(f"installing {', '.join(p.says for p in missing)}: apt-get install -y {' '.join(packages)}")
    _apt("install", "-y", "-q", "--no-install-recommends", *packages)
    for prerequisite in missing:
        require(prerequisite)


def _told(prerequisite: Prerequisite) -> str:
    try:
        return require(prerequisite)
    except MissingPrerequisite as missing:
        return str(missing)


def _package(prerequisite: Prerequisite) -> str:
    if known := next(filter(_known_to_apt, prerequisite.packages), None):
        return known
    raise MissingPrerequisite(f"{prerequisite.says} is missing, and apt knows none; {prerequisite.elsewhere}.")


def _known_to_apt(package: str) -> bool:
    return subprocess.run(["apt-cache", "show", package], capture_output=True, check=False).returncode == 0


def _apt(*arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(["apt-get", *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingPrerequisite(f"`apt-get {' '.join(arguments)}` failed:\n{done.stderr[-2000:]}")


def main(names: Sequence[str]) -> int:
    """`python -m outrider_local.prerequisites java maven chromium`: have them, or say how to get them."""
    known = {"java": JAVA, "jdk": JDK, "maven": MAVEN, "chromium": CHROMIUM, "go": GO}
    known |= {"containerd": CONTAINERD, "runc": RUNC, "network-plugins": NETWORK_PLUGINS, "mmdebstrap": MMDEBSTRAP}
    try:
        ensure([known[name] for name in names], lambda text: print(text, file=sys.stderr))
    except MissingPrerequisite as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
