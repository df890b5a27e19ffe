"""The pods' network: 10.244.N.0/24, this machine as 10.244.N.1, and the few of its services pods can reach there."""

import ipaddress
import json
import re
import shutil
import subprocess
from ipaddress import IPv4Network
from pathlib import Path

from outrider_local import cache
from outrider_local.errors import StartFailed

FORWARDED = ("kubernetes", "s3", "storage")
"""Ports of the stack pods can reach: the API server, the objects, the service that hands out access to them."""
PODS = IPv4Network("10.244.0.0/16")


def subnet(number: int) -> IPv4Network:
    """The pod network with that number."""
    return list(PODS.subnets(new_prefix=24))[number]


def gateway(number: int) -> str:
    """Address of this machine as pods of that network see it."""
    return str(subnet(number)[1])


def add_gateway(number: int) -> None:
    """Have the address, whether there are pods or not."""
    address = f"{gateway(number)}/32"
    if ipaddress.ip_network(address) not in _addresses():
        cache.run(("ip", "address", "add", address, "dev", "lo"))


def remove_gateway(number: int) -> None:
    """Have the address no more."""
    for line in json.loads(cache.run(("ip", "-json", "address", "show", "dev", "lo"))):
        if any(info["local"] == gateway(number) for info in line["addr_info"]):
            cache.run(("ip", "address", "del", f"{gateway(number)}/32", "dev", "lo"))


def used_networks() -> list[IPv4Network]:
    """All IPv4 networks and addresses this machine knows a way to, its default route apart."""
    routes = json.loads(cache.run(("ip", "-json", "-4", "route", "show", "table", "all")))
    found = (route["dst"] for route in routes if route["dst"] != "default")
    return [ipaddress.IPv4Network(destination) for destination in found]


def require_forwarding() -> None:
    """Raise StartFailed where the firewall would drop what one pod says to another."""
    if shutil.which("iptables") is None:
        return
    rules = subprocess.run(["iptables", "-S", "FORWARD"], capture_output=True, text=True, check=False).stdout
    if drops_pods(rules):
        raise StartFailed(
            "this machine's firewall drops what it forwards (Docker sets it so), so pods can't reach one another.\n"
            f"Let them:  sudo iptables -I FORWARD -s {PODS} -d {PODS} -j ACCEPT"
        )


def drops_pods(rules: str) -> bool:
    """Say whether *rules*, as `iptables -S FORWARD` prints them, drop packets between pods."""
    accepted = re.search(rf"^-A FORWARD -s {PODS} -d {PODS} -j ACCEPT$", rules, re.MULTILINE)
    return "-P FORWARD DROP" in rules.splitlines() and accepted is None


def plugin_configuration(name: str, number: int, directory: Path) -> str:
    """Configuration for the container runtime: one veth pair per pod, addresses kept in *directory*."""
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": str(subnet(number))}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": str(directory),
    }
    plugin = {"type": "ptp", "ipMasq": False, "ipam": addresses}
    return json.dumps({"cniVersion": "0.4.0", "name": name, "plugins": [plugin]}, indent=1)


def _addresses() -> list[IPv4Network]:
    shown = json.loads(cache.run(("ip", "-json", "-4", "address", "show", "dev", "lo")))
    return [IPv4Network(info["local"]) for line in shown for info in line["addr_info"]]
