"""``--metrics-addr``: what the engine does and how fast, for Prometheus.

Imported when it is asked for, so that nobody else has the client library in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

import uvicorn
from prometheus_client import CollectorRegistry, Gauge, Histogram, ProcessCollector, make_asgi_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from drayman import __version__
from drayman.idle_server import IdleServer

# Seconds. A start takes milliseconds, a stop as long as its container likes.
ACTION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
REQUEST_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class Metrics:
    """The registry, and who is to be told of what is measured."""

    def __init__(self, states: Callable[[], dict[str, int]]) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(States(states))
        ProcessCollector(registry=self.registry)
        info = Gauge("drayman_engine_info", "The engine.", ["version"], registry=self.registry)
        info.labels(__version__).set(1)
        self._actions = Histogram(
            "drayman_action_seconds",
            "How long what was done to containers took, by clients or by policies.",
            ["action", "result"],
            buckets=ACTION_BUCKETS,
            registry=self.registry,
        )
        self._requests = Histogram(
            "drayman_request_seconds",
            "From a request to the head of its answer, by the template of its path.",
            ["method", "route", "status"],
            buckets=REQUEST_BUCKETS,
            registry=self.registry,
        )

    def acted(self, action: str, result: str, seconds: float) -> None:
        """Count an action of the engine."""
        self._actions.labels(action, result).observe(seconds)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer of the API."""
        self._requests.labels(method, route, status).observe(seconds)


class States(Collector):
    """How many containers are in which state, counted when it is asked."""

    def __init__(self, states: Callable[[], dict[str, int]]) -> None:
        self._states = states

    def collect(self) -> Iterable[Metric]:
        """Every state, those of no container too."""
        family = GaugeMetricFamily(
            "drayman_containers", "Containers by their state.", labels=["state"]
        )
        for state, count in self._states().items():
            family.add_metric([state], count)
        yield family


class MetricsServer(IdleServer):
    """Answers scrapes, whatever their path, until it is told to stop."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(
            uvicorn.Config(
                make_asgi_app(metrics.registry),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
            )
        )

    @contextlib.asynccontextmanager
    async def serving(self, sockets: Sequence[socket.socket]) -> AsyncIterator[None]:
        """Answer on these sockets while the caller is at it."""
        task = asyncio.ensure_future(self.serve(list(sockets)))
        try:
            yield
        finally:
            self.force_exit = True
            self.stop()
            await task

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the engine's own server."""
        yield
