"""``docker login``: whether a registry takes a client's credentials.

As the distribution specification has it: ``GET /v2/`` answers 401 with a challenge; to ``Basic``
the credentials are the answer, to ``Bearer`` a token of the server that it names is.
"""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

from drayman.errors import System, Unauthorized
from drayman.model.registry import AuthConfig
from drayman.registry.address import endpoints, host_of, is_local

if TYPE_CHECKING:
    import httpx2

_TIMEOUT_S = 15.0
# Of a token and what comes along.
_ANSWER_MAX_BYTES = 1 << 20
_CLIENT = "docker"


def login(auth: AuthConfig, agent: str) -> str:
    """Try the credentials; the identity token that is to be used from now on, "" for none.

    Blocks. Raises Unauthorized when they are refused, InvalidParameter for an address that is
    none, System when the registry cannot be asked, in Docker's words.
    """
    # Nobody else needs its memory.
    import httpx2

    host = host_of(auth.server_address)
    failure: Exception | None = None
    for endpoint in endpoints(host):
        url = f"{endpoint}/v2/"
        # A certificate that nobody signed is as good as none, and none will do there.
        with httpx2.Client(
            verify=not is_local(host),
            timeout=_TIMEOUT_S,
            follow_redirects=True,
            headers={"User-Agent": agent},
        ) as client:
            try:
                return _Attempt(client, url, auth).run()
            except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
                failure = System(f'Get "{url}": {error}')
    assert failure is not None
    raise failure


class _Attempt:
    """One try at one endpoint."""

    def __init__(self, client: httpx2.Client, url: str, auth: AuthConfig) -> None:
        self._client = client
        self._url = url
        self._auth = auth

    def run(self) -> str:
        asked = self._client.get(self._url)
        if asked.status_code == 200:
            # It wants no credentials.
            return ""
        challenges = challenges_of(asked.headers.get_list("www-authenticate"))
        identity = ""
        if "bearer" in challenges:
            token, identity = self._token(challenges["bearer"])
            headers = {"Authorization": f"Bearer {token}"}
            answer = self._client.get(self._url, headers=headers)
        elif "basic" in challenges:
            pair = (self._auth.username, self._auth.password)
            answer = self._client.get(self._url, auth=pair)
        else:
            answer = asked
        if answer.status_code != 200:
            text = (
                f"login attempt to {self._url} failed with status:"
                f" {answer.status_code} {answer.reason_phrase}"
            )
            raise (Unauthorized if answer.status_code in (401, 403) else System)(text)
        return identity

    def _token(self, parameters: dict[str, str]) -> tuple[str, str]:
        """An access token, and the identity token that can be had for the next one."""
        realm, service = parameters.get("realm", ""), parameters.get("service", "")
        # A password is not sent in clear on behalf of a registry that has TLS.
        schemes = ("https://",) if self._url.startswith("https://") else ("https://", "http://")
        if not realm.startswith(schemes):
            raise System(f"{self._url}: no server of tokens in its challenge: {realm!r:.80}")
        if self._auth.identity_token:
            form = {
                "grant_type": "refresh_token",
                "refresh_token": self._auth.identity_token,
                "service": service,
                "client_id": _CLIENT,
            }
            request = self._client.build_request("POST", realm, data=form)
            told = self._document(request, None)
        else:
            query = {
                "account": self._auth.username,
                "client_id": _CLIENT,
                "offline_token": "true",
                "service": service,
            }
            request = self._client.build_request("GET", realm, params=query)
            told = self._document(request, (self._auth.username, self._auth.password))
        token = told.get("access_token") or told.get("token")
        if not isinstance(token, str):
            raise System(f"{realm}: authorization server did not include a token in the response")
        identity = told.get("refresh_token", self._auth.identity_token)
        return token, identity if isinstance(identity, str) else ""

    def _document(self, request: httpx2.Request, pair: tuple[str, str] | None) -> dict[str, Any]:
        answer = self._client.send(request, auth=pair, stream=True)
        try:
            text = b""
            for part in answer.iter_bytes():
                text += part
                if len(text) > _ANSWER_MAX_BYTES:
                    raise System(f"{request.url}: the answer is too long")
        finally:
            answer.close()
        if answer.status_code in (401, 403):
            raise Unauthorized(f'Get "{self._url}": unauthorized: incorrect username or password')
        try:
            told = json.loads(text)
        except ValueError:
            told = None
        if answer.status_code != 200 or not isinstance(told, dict):
            raise System(
                f"{request.url}: failed with status: {answer.status_code} {answer.reason_phrase}"
            )
        return told


def challenges_of(headers: list[str]) -> dict[str, dict[str, str]]:
    """The challenges of ``WWW-Authenticate`` (RFC 9110, 11.6.1): parameters by scheme."""
    found: dict[str, dict[str, str]] = {}
    scheme = ""
    for header in headers:
        for item in urllib.request.parse_http_list(header):
            head, _, rest = item.strip().partition(" ")
            if "=" not in head:
                scheme, item = head.lower(), rest.strip()
                found.setdefault(scheme, {})
            name, equals, value = item.strip().partition("=")
            if equals and scheme:
                found[scheme][name.lower()] = value.strip('"')
    return found
