"""``--metrics-addr``: what the engine does and how fast, for Prometheus.

Imported when it is asked for, so that nobody else has the client library in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

import uvicorn
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    make_asgi_app,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from drayman import __version__
from drayman.idle_server import IdleServer

# Seconds. A start takes milliseconds, a stop as long as its container likes.
ACTION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
REQUEST_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


# How many there are of each kind.
Counted = Callable[[], dict[str, int]]


class Metrics:
    """The registry, and who is to be told of what is measured."""

    def __init__(self, states: Counted, healths: Counted) -> None:
        self.registry = CollectorRegistry()
        for name, meaning, label, counted in (
            ("drayman_containers", "Containers by their state.", "state", states),
            (
                "drayman_containers_checked",
                "Running containers with health checks, by what these found.",
                "health",
                healths,
            ),
        ):
            self.registry.register(Containers(name, meaning, label, counted))
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

        self._moved = Counter(
            "drayman_moved_bytes",
            "Tars out of containers, files of tars into them, tars between them.",
            ["way"],
            registry=self.registry,
        )

    def acted(self, action: str, result: str, seconds: float) -> None:
        """Count an action of the engine."""
        self._actions.labels(action, result).observe(seconds)

    def moved(self, way: str, size_bytes: int) -> None:
        """Count bytes that a copy or an export moved."""
        self._moved.labels(way).inc(size_bytes)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer of the API."""
        self._requests.labels(method, route, status).observe(seconds)


class Containers(Collector):
    """How many containers are of each kind, counted when it is asked."""

    def __init__(self, name: str, meaning: str, label: str, counted: Counted) -> None:
        self._name = name
        self._meaning = meaning
        self._label = label
        self._counted = counted

    def collect(self) -> Iterable[Metric]:
        """Every kind, those of no container too."""
        family = GaugeMetricFamily(self._name, self._meaning, labels=[self._label])
        for kind, count in self._counted().items():
            family.add_metric([kind], count)
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
