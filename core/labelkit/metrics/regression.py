"""The built-in metrics of numbers. Light to import: NumPy is imported when a score is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from labelkit.records import Counts, Metric, Predictions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: a variance that is smaller, relative to the squares that it is a difference of, is 0 but for rounding
_ROUNDING = 1e-12


def squared_error(gold: NDArray[Any], predicted: NDArray[Any]) -> float:
    """Return the mean squared error; 0 without texts."""
    return float(((gold - predicted) ** 2).mean()) if len(gold) else 0.0


def absolute_error(gold: NDArray[Any], predicted: NDArray[Any]) -> float:
    """Return the mean absolute error; 0 without texts."""
    return float(abs(gold - predicted).mean()) if len(gold) else 0.0


def pearson(gold: NDArray[Any], predicted: NDArray[Any]) -> float:
    """Return the Pearson correlation; 0 where either is constant."""
    return float(correlation_of_sums(moments(gold, predicted).sum(axis=0)))


def spearman(gold: NDArray[Any], predicted: NDArray[Any]) -> float:
    """Return the Spearman correlation: that of the ranks, where equal numbers share their mean rank."""
    return pearson(ranks(gold), ranks(predicted))


def ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the rank of each number, from 0; equal numbers have the mean of their ranks."""
    import numpy as np

    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: NDArray[np.float64] = (last - (counts + 1) / 2)[inverse]
    return mean


def moments(gold: NDArray[Any], predicted: NDArray[Any]) -> NDArray[np.float64]:
    """Return what sums up to a correlation, of shape (texts, 6); around fixed points, so that little is lost."""
    import numpy as np

    x, y = (values - (values[0] if len(values) else 0.0) for values in (gold, predicted))
    return np.stack((np.ones(len(x)), x, y, x * x, y * y, x * y), axis=1)


def correlation_of_sums(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Pearson correlation of summed :func:`moments`, of shape (..., 6); 0 where either is constant."""
    import numpy as np

    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    n = np.maximum(n, 1)
    spread_x, spread_y = xx / n - (x / n) ** 2, yy / n - (y / n) ** 2
    varies = (spread_x > _ROUNDING * xx / n) & (spread_y > _ROUNDING * yy / n)
    scale = np.sqrt(np.where(varies, spread_x * spread_y, 1.0))
    found: NDArray[np.float64] = np.where(varies, (xy / n - x * y / n**2) / scale, 0.0)
    return found


def error_counts(name: str, error: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[Predictions], Counts]:
    """Return a function of the counts of a mean error."""

    def counts(predictions: Predictions) -> Counts:
        import numpy as np

        gold, predicted = predictions.numbers
        rows = np.stack((error(gold - predicted), np.ones(len(gold))), axis=1)
        return Counts(rows=rows, figures=lambda sums: {name: sums[..., 0] / np.maximum(sums[..., 1], 1)})

    return counts


def pearson_counts(predictions: Predictions) -> Counts:
    """Return the counts of the Pearson correlation."""
    return Counts(rows=moments(*predictions.numbers), figures=lambda sums: {"pearson": correlation_of_sums(sums)})


def _metric(
    name: str,
    score: Callable[[NDArray[Any], NDArray[Any]], float],
    counts: Callable[[Predictions], Counts] | None,
    summary: str,
    *,
    higher: bool,
) -> Metric:
    def compute(predictions: Predictions) -> Mapping[str, Any]:
        return {name: score(*predictions.numbers)}

    return Metric(
        name=name, kind="text", numeric=True, compute=compute, key=name, counts=counts, higher_is_better=higher,
        summary=summary,
    )  # fmt: skip


METRICS = (
    _metric("mse", squared_error, error_counts("mse", lambda gap: gap**2), "mean squared error", higher=False),
    _metric("mae", absolute_error, error_counts("mae", abs), "mean absolute error", higher=False),
    _metric("pearson", pearson, pearson_counts, "Pearson correlation with the gold numbers", higher=True),
    _metric("spearman", spearman, None, "Spearman correlation with the gold numbers", higher=True),
)
