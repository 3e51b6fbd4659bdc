"""Who may ask the server: tokens of any letters, beside cookies of any form."""

import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from mot_reid.app.runs import runs_in
from mot_reid.app.server import make_app
from mot_reid.cli.errors import UsageError
from mot_reid.cli.serve import _address, _listening, serve

from .conftest import make_run


@pytest.mark.parametrize("token", ["my secret", "gr\u00fcn", "a;b", 'a"b', "a+b%20c", "p,l a\\in"])
def test_a_token_of_any_letters_lets_in_by_its_cookie(tmp_path: Path, token: str) -> None:
    app = make_app(runs_in([make_run(tmp_path / "yard")]), token=token)
    stranger = TestClient(app, base_url="http://127.0.0.1")
    entered = stranger.get(f"/?token={quote(token)}", follow_redirects=False)
    assert entered.status_code == 303
    kept = entered.headers["set-cookie"].partition(";")[0]  # as a browser sends it back
    assert stranger.get("/api/runs", headers={"cookie": kept}).status_code == 200
    bearer = f"Bearer {token}".encode()
    assert stranger.get("/api/runs", headers={b"authorization": bearer}).status_code == 200
    assert TestClient(app, base_url="http://127.0.0.1").get("/api/runs").status_code == 401


@pytest.mark.parametrize("other", ['seen={"x": 1}', "two words=1", "", "=", "mot_reid_token=old"])
def test_cookies_of_other_servers_on_the_machine_do_not_lock_out(tmp_path: Path, other: str) -> None:
    app = make_app(runs_in([make_run(tmp_path / "yard")]), token="secret")
    client = TestClient(app, base_url="http://127.0.0.1")
    for cookies in (f"{other}; mot_reid_token=secret", f"mot_reid_token=secret; {other}"):
        assert client.get("/api/runs", headers={"cookie": cookies}).status_code == 200
    assert client.get("/api/runs", headers={"cookie": other}).status_code == 401


@pytest.mark.parametrize("token", ["", " "])
def test_an_empty_token_is_refused(token: str, tmp_path: Path) -> None:
    """A variable of the shell that is not set must not open the server to everybody."""
    run = make_run(tmp_path / "yard")
    with pytest.raises(UsageError, match="--token: expected a word that is not empty"):
        serve([run], host="0.0.0.0", token=token)


def test_an_address_that_cannot_be_listened_on_is_told(run: Any, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "yard")
    with socket.create_server(("127.0.0.1", 0)) as other:
        for host, port in (("zzz.invalid", 0), ("127.0.0.1", other.getsockname()[1])):
            done = run("serve", folder, "--host", host, "--port", port)
            assert (done.code, done.err.count("\n")) == (2, 1)
            assert done.err.startswith(f"error: --host {host} --port {port}: cannot listen there (")


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="has no IPv6")
def test_any_address_is_that_of_both_protocols() -> None:
    with _listening("::", 0) as server:
        socket.create_connection(("127.0.0.1", server.getsockname()[1]), timeout=5).close()


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("127.0.0.1", "http://localhost:8000/"),
        ("127.0.0.2", "http://127.0.0.2:8000/"),  # nobody listens at localhost then
        ("::1", "http://[::1]:8000/"),
        ("::", "http://[::]:8000/"),
        ("0.0.0.0", "http://0.0.0.0:8000/"),
    ],
)
def test_the_address_told_is_one_that_a_browser_opens(host: str, told: str) -> None:
    assert _address(host, 8000, "") == told
    assert _address(host, 8000, "a b") == f"{told}?token=a%20b"
