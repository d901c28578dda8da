"""The metrics as Prometheus reads them: families with a name, a type, a help text and samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from censusd import __version__, metrics


@dataclass(frozen=True, slots=True)
class Family:
    """One metric of the exposition.

    Attributes:
        name: as queries have it: with _total if it is a counter.
        type: counter, gauge or histogram.
        help: what it means.
        samples: its series.
    """

    name: str
    type: str
    help: str
    samples: tuple[Sample, ...]

    @property
    def labels(self) -> frozenset[str]:
        """The labels of its series, without a histogram's ``le``."""
        return frozenset(label for sample in self.samples for label in sample.labels) - {"le"}

    def values(self, label: str) -> list[str]:
        """The values of a label, each once, in the order in which they come."""
        return list(dict.fromkeys(sample.labels[label] for sample in self.samples if label in sample.labels))


def parse(text: str) -> list[Family]:
    """The families of censusd in an exposition in Prometheus's text format."""
    return list(_families(text))


def families() -> list[Family]:
    """The families of censusd in this process."""
    return parse(generate_latest(REGISTRY).decode())


@contextmanager
def declared() -> Iterator[list[Family]]:
    """The families of censusd as they are while a repository, its loop and the port are there."""
    name = "of a test"
    metrics.prepare(name)
    metrics.LOOP_AGE.labels(name)
    metrics.HTTP_REQUESTS.labels(name, "200")
    metrics.BUILD.info({"version": __version__})
    try:
        yield families()
    finally:
        metrics.forget(name)
        metrics.HTTP_REQUESTS.remove(name, "200")


def _families(text: str) -> Iterable[Family]:
    for family in text_string_to_metric_families(text):
        if family.name.startswith("censusd_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            yield Family(name, family.type, family.documentation, tuple(family.samples))
