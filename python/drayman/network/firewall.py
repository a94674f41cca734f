"""Letting a bridge's packets pass a host firewall made with iptables.

To accept a packet in a table of one's own is no more than not to drop it there: where
``ip filter FORWARD`` drops by policy (ufw does, and so does another engine of Docker's
kind), the bridge has to be let through in that chain, as Docker itself does.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from drayman.errors import System
from drayman.network.nft import Nftables
from drayman.network.rules import quote, table_of

_CHAIN = "ip filter FORWARD"


def let_through(nftables: Nftables, bridge: str) -> None:
    """Put two rules in front of the host's chain, unless they, or the chain, are not there.

    Raises System when nftables refuses them.
    """
    chain = _host_chain(nftables)
    if not chain or _ours(chain, bridge):
        return
    comment = quote(table_of(bridge))
    nftables.run(
        "".join(
            f"insert rule {_CHAIN} {direction} {quote(bridge)} counter accept comment {comment}\n"
            for direction in ("iifname", "oifname")
        )
    )


def let_through_no_more(nftables: Nftables, bridge: str) -> None:
    """Take the rules of `let_through` away, as far as they are there."""
    handles = _ours(_host_chain(nftables), bridge)
    # Whoever flushed the chain just now did our work.
    with suppress(System):
        nftables.run("".join(f"delete rule {_CHAIN} handle {handle}\n" for handle in handles))


def _host_chain(nftables: Nftables) -> list[dict[str, Any]]:
    try:
        return nftables.list(f"chain {_CHAIN}")
    except System:
        return []


def _ours(chain: list[dict[str, Any]], bridge: str) -> list[int]:
    rules = [one["rule"] for one in chain if "rule" in one]
    return [rule["handle"] for rule in rules if rule.get("comment") == table_of(bridge)]
