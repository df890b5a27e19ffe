"""Each stack has a pod network of its own, and a firewall that would cut pods off is noticed before they are."""

from outrider_local.kubernetes.network import drops_pods, gateway, subnet

DOCKER = "-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n-A FORWARD -o docker0 -j DOCKER"


def test_networks_of_two_stacks_share_no_address() -> None:
    assert not subnet(0).overlaps(subnet(1))
    assert (gateway(0), gateway(255)) == ("10.244.0.1", "10.244.255.1")


def test_a_firewall_that_drops_what_it_forwards_cuts_pods_off() -> None:
    assert drops_pods(DOCKER)
    assert not drops_pods("-P FORWARD ACCEPT")


def test_the_rule_that_is_advised_is_enough() -> None:
    assert not drops_pods(f"{DOCKER}\n-A FORWARD -s 10.244.0.0/16 -d 10.244.0.0/16 -j ACCEPT")
