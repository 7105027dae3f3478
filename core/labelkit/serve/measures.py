"""The metrics of a server for Prometheus; no label holds a text or a user."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from labelkit.serve.models import ServedModels

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class ServerMetrics:
    """Counts requests, and reads the counts of the models when it is asked for them."""

    def __init__(self, models: ServedModels) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_ModelMetrics(models))
        labels = ("route", "status")
        self._requests = Counter("labelkit_requests", "Answered requests.", labels, registry=self._registry)
        self._seconds = Histogram(
            "labelkit_request_seconds", "Seconds from the headers of a request to the end of its answer.", ("route",),
            buckets=_BUCKETS, registry=self._registry,
        )  # fmt: skip

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request.

        :param route: the path of its operation, with parameters in braces.
        """
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self._registry)


class _ModelMetrics(Collector):
    """The counts of the models; those of a run begin again when another run takes its place."""

    def __init__(self, models: ServedModels) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of all models."""
        counters = {
            "records": "Labelled records.",
            "words": "Labelled words, or texts.",
            "batches": "Batches of records that were labelled together.",
            "failures": "Requests whose texts could not be labelled.",
            "busy_seconds": "Seconds of tokenization and inference, of all streams.",
        }
        for name, help_ in counters.items():
            family = CounterMetricFamily(f"labelkit_model_{name}", help_, labels=("model", "run"))
            for model in self._models:
                family.add_metric((model.name, model.run), getattr(model.batcher.counts, name))
            yield family
        swaps = CounterMetricFamily("labelkit_model_swaps", "Runs that took the place of another.", labels=("model",))
        waiting = GaugeMetricFamily("labelkit_model_waiting_characters", "Open requests.", labels=("model",))
        for model in self._models:
            swaps.add_metric((model.name,), model.swaps)
            waiting.add_metric((model.name,), model.batcher.waiting)
        yield from (swaps, waiting)
