"""Who a client is to a registry."""

from __future__ import annotations

from drayman.model.go_json import Wire


class AuthConfig(Wire, frozen=True, kw_only=True):
    """Credentials: a name with a password, or a token that a login got before."""

    username: str = ""
    password: str = ""
    server_address: str = ""
    identity_token: str = ""
