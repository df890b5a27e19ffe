"""A cluster that is there already, named by a kubeconfig: used instead of one of the stack's own."""

import asyncio
from pathlib import Path

import yaml

from outrider_local.errors import StackError, StartFailed
from outrider_local.stack import Stack

_NOTE = "kubernetes.kubeconfig"
_SECONDS = 10


def use(stack: Stack, kubeconfig: Path) -> None:
    """Use the cluster of *kubeconfig* from the next start on, until the stack is taken down."""
    if not kubeconfig.is_file():
        raise StackError(f"there is no file {kubeconfig}; --kubeconfig (or OUTRIDER_KUBECONFIG) wants a kubeconfig.")
    if any(name.startswith("kubernetes-") for name in stack.processes.names()):
        raise StackError("this stack has a cluster of its own up; `outrider down kubernetes` ends it.")
    stack.state.note(_NOTE, str(kubeconfig.absolute()))


def kubeconfig(stack: Stack) -> Path | None:
    """The kubeconfig that was given; None where the stack has a cluster of its own."""
    noted = stack.state.now.notes.get(_NOTE)
    return Path(noted) if noted else None


def server(kubeconfig: Path) -> str:
    """URL of the API server that *kubeconfig* names."""
    told = yaml.safe_load(kubeconfig.read_text())
    context = next(named["context"] for named in told["contexts"] if named["name"] == told["current-context"])
    cluster = next(named["cluster"] for named in told["clusters"] if named["name"] == context["cluster"])
    return str(cluster["server"])


def forget(stack: Stack) -> None:
    """Have a cluster of the stack's own again."""
    if kubeconfig(stack):
        stack.state.note(_NOTE, "")


def answers(kubeconfig: Path) -> bool:
    """Say whether the cluster answers the user of *kubeconfig*."""
    try:
        require_answer(kubeconfig)
    except StartFailed:
        return False
    return True


def require_answer(kubeconfig: Path) -> None:
    """Raise StartFailed, with the reason, unless the cluster answers the user of *kubeconfig*."""
    # imported here: it takes a second, which whoever has no such cluster would pay with every command
    import aiohttp
    from kubernetes_asyncio import client, config

    async def ask() -> None:
        try:
            async with await config.new_client_from_config(str(kubeconfig)) as api:
                await client.VersionApi(api).get_code(_request_timeout=_SECONDS)
        except (config.ConfigException, client.ApiException, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise StartFailed(
                f"the cluster of {kubeconfig} does not answer: {error}\n"
                f"`kubectl --kubeconfig {kubeconfig} version` must work."
            ) from error

    asyncio.run(ask())
