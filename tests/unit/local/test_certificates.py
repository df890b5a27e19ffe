"""The authority's certificates are believed by TLS itself, for the names they were made for and no others."""

import ssl
from pathlib import Path

import pytest
from outrider_local.kubernetes.certificates import Authority, Signed


def handshake(authority: Authority, server: Signed, name: str, directory: Path, user: Signed) -> None:
    """Shake hands in memory, as a client that calls the server *name* and is *user*."""
    accepts = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    accepts.verify_mode = ssl.CERT_REQUIRED
    asks = ssl.create_default_context(cadata=authority.pem.certificate)
    accepts.load_verify_locations(cadata=authority.pem.certificate)
    for context, signed, file in ((accepts, server, "server"), (asks, user, "user")):
        (directory / file).write_text(signed.certificate + signed.key)
        context.load_cert_chain(directory / file)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        accepts.wrap_bio(to_server, to_client, server_side=True),
        asks.wrap_bio(to_client, to_server, server_hostname=name),
    ]
    while sides:
        for side in list(sides):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            sides.remove(side)


def test_a_server_is_believed_by_its_names_alone(tmp_path: Path) -> None:
    authority = Authority.create()
    server = authority.sign_server("api", ["kubernetes.default.svc"], ["127.0.0.1"])
    user = authority.sign_client("alice", ["team-ads"])

    handshake(authority, server, "kubernetes.default.svc", tmp_path, user)
    handshake(authority, server, "127.0.0.1", tmp_path, user)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(authority, server, "10.244.0.1", tmp_path, user)


def test_another_authority_is_not_believed(tmp_path: Path) -> None:
    authority, impostor = Authority.create(), Authority.create()
    server = impostor.sign_server("api", ["kubernetes.default.svc"])

    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(authority, server, "kubernetes.default.svc", tmp_path, authority.sign_client("alice"))


def test_an_authority_that_was_kept_signs_on(tmp_path: Path) -> None:
    authority = Authority.create()
    again = Authority.load(authority.pem)
    server = again.sign_server("api", ["localhost"])

    handshake(authority, server, "localhost", tmp_path, authority.sign_client("alice"))
