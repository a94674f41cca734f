"""``docker login`` at a real registry that wants a name and a password."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from tests.engine.engines import EngineServer, until

NAME, PASSWORD = "carter", "dray&horse"


class Registry:
    """Debian's docker-registry on the loopback."""

    def __init__(self, place: Path, *, tls: bool) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{one.getsockname()[1]}"
        passwords = place / "passwords"
        made = subprocess.run(
            ["htpasswd", "-Bbn", NAME, PASSWORD], capture_output=True, check=True, text=True
        )
        passwords.write_text(made.stdout)
        options = [
            "version: 0.1",
            f"storage: {{filesystem: {{rootdirectory: {place}}}}}",
            f"auth: {{htpasswd: {{realm: stable, path: {passwords}}}}}",
            f"http: {{addr: '{self.host}'{self._certificate(place) if tls else ''}}}",
        ]
        configuration = place / "config.yml"
        configuration.write_text("\n".join(options))
        self._log = (place / "log").open("wb")
        self._process = subprocess.Popen(
            ["docker-registry", "serve", configuration], stdout=self._log, stderr=self._log
        )
        until(self._listens, lambda: (place / "log").read_text())

    def _certificate(self, place: Path) -> str:
        key, certificate = place / "key.pem", place / "certificate.pem"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", "/CN=registry", "-keyout", key, "-out", certificate),
            ],
            check=True,
            capture_output=True,
        )
        return f", tls: {{certificate: {certificate}, key: {key}}}"

    def _listens(self) -> bool:
        name, _, port = self.host.partition(":")
        with socket.socket() as one:
            return one.connect_ex((name, int(port))) == 0

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()


@pytest.fixture(scope="module", params=["plain", "tls"])
def registry(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    one = Registry(tmp_path_factory.mktemp("registry"), tls=request.param == "tls")
    try:
        yield one
    finally:
        one.close()


def docker_login(
    engine: EngineServer, config: Path, password: str, host: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["docker", "login", "-u", NAME, "--password-stdin", host],
        env={**os.environ, "DOCKER_HOST": engine.url, "DOCKER_CONFIG": str(config)},
        input=password.encode(),
        capture_output=True,
        check=False,
    )


def test_the_cli(engine_server: EngineServer, registry: Registry, tmp_path: Path) -> None:
    done = docker_login(engine_server, tmp_path, PASSWORD, registry.host)
    assert (done.returncode, b"Login Succeeded" in done.stdout) == (0, True), done
    assert registry.host in (tmp_path / "config.json").read_text()


def test_a_wrong_password(engine_server: EngineServer, registry: Registry, tmp_path: Path) -> None:
    done = docker_login(engine_server, tmp_path, "wrong", registry.host)
    assert done.returncode == 1
    assert b"failed with status: 401 Unauthorized" in done.stderr
    assert not (tmp_path / "config.json").exists()


def test_docker_py(engine_server: EngineServer, registry: Registry) -> None:
    client = engine_server.client()
    # docker-py looks into the files of a CLI first, unless it is told to ask again.
    told = client.login(NAME, PASSWORD, registry=registry.host, reauth=True)
    assert told == {"IdentityToken": "", "Status": "Login Succeeded"}
    with pytest.raises(docker.errors.APIError) as caught:
        client.login(NAME, "wrong", registry=registry.host, reauth=True)
    assert caught.value.response.status_code == 401


def test_nobody_is_there(engine_server: EngineServer) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{one.getsockname()[1]}"
        body = {"username": NAME, "password": PASSWORD, "serveraddress": host}
        status, answer = engine_server.api("POST", "/auth", body)
    assert status == 500
    assert answer["message"].startswith(f'Get "http://{host}/v2/": ')
    assert "refused" in answer["message"]


@pytest.mark.parametrize("address", ["a b", "x\ny", "a" * 400, "u@h", "h?q"])
def test_an_address_that_is_none(engine_server: EngineServer, address: str) -> None:
    status, answer = engine_server.api("POST", "/auth", {"serveraddress": address})
    assert status == 400
    assert answer["message"].startswith("invalid registry address: ")
