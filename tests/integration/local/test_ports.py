"""Ports are free when they are picked, and a taken one is named."""

import socket
from pathlib import Path

import pytest
from outrider_local.errors import PortTaken
from outrider_local.ports import is_free
from outrider_local.stack import Stack


@pytest.fixture
def own(tmp_path: Path) -> Stack:
    return Stack.open(tmp_path / "home", tmp_path / "cache")


def test_a_picked_port_is_free_and_kept(own: Stack) -> None:
    port = own.ports.of("kafka")

    assert is_free(port)
    assert Stack.open(own.layout.home, own.layout.cache).ports.of("kafka") == port


def test_a_taken_port_is_named_with_what_to_do(own: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        own.ports.set("lineage", other.getsockname()[1])

        with pytest.raises(PortTaken, match="--port lineage="):
            own.ports.require_free("lineage")


def test_a_picked_port_others_took_meanwhile_is_picked_again(own: Stack) -> None:
    port = own.ports.of("lineage")
    with socket.create_server(("127.0.0.1", port)):
        own.ports.forget_taken()

        assert own.ports.of("lineage") != port


def test_two_stacks_pick_different_ports(own: Stack, tmp_path: Path) -> None:
    other = Stack.open(tmp_path / "other", tmp_path / "cache")

    assert own.ports.of("kafka") != other.ports.of("kafka")
