"""What is fitted after training so that `p_call` means what it says: temperature, bias, and the threshold that ships.

They minimise the likelihood loss of margins against labels on validation rows (Platt 1999; temperature alone: Guo et
al. 2017): a bias because the base rate differs, as where options let a model be right by luck. The threshold follows a
stated rule. A fit is judged on rows it has not seen; what ships may be fitted on those as well. Questions that neither
way answers have no label: they count for accuracy and cost alone. Intervals are percentile bootstraps over pictures,
because questions about one picture hang together.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field

from policies.train.recipe import ThresholdRule
from tools.errors import UsageError

BINS = 10
RESAMPLES = 1000
COLDEST, HOTTEST = 0.05, 50.0
FEWEST = 10  # rows of each label below which nothing is fitted


class Decided(BaseModel):
    """One decision: `margin` (logit of call less answer), whether a call was needed (None: neither way was right, so
    nobody can say), and what each way gave.

    `right` and `cost` are (direct, with experts); a cost is in calls plus thousands of tokens. `group` is the picture.
    """

    margin: float
    needed: bool | None
    right: tuple[bool, bool]
    cost: tuple[float, float]
    group: str


class Figure(BaseModel):
    """An estimate with its 95% interval."""

    value: float
    low: float
    high: float


class Report(BaseModel):
    """How decisions fare on some rows at a temperature and threshold: accuracy and cost on all that was `asked`, all
    else on the `n` with a label."""

    asked: int
    n: int
    needed: int
    ece: Figure
    nll: float
    balanced_accuracy: Figure
    called_needed: float
    called_not_needed: float
    accuracy: Figure
    cost: float


class Fit(BaseModel):
    """Temperature and bias (from `n` rows with a label) and threshold; `before` and `after` are of a fit on a part of
    the rows, judged on the others. `policy.json` holds this."""

    threshold: float
    temperature: float
    bias: float = Field(description="the margin from which a call is needed more often than not")
    rule: ThresholdRule
    data_sha256: str = Field(description="of the rows it was fitted on")
    n: int
    before: Report = Field(description="on rows held out from that fit, at temperature 1, bias 0 and threshold 0.5")
    after: Report = Field(description="on the same rows, as fitted on the others")
    curve: list[tuple[float, float, float, float]] = Field(
        description="threshold, calls, cost, accuracy; of all that was asked"
    )


def probabilities(margins: np.ndarray, temperature: float, bias: float = 0.0) -> np.ndarray:
    """`p_call` of margins `[N]`."""
    return 1 / (1 + np.exp(-np.clip((np.asarray(margins, float) - bias) / temperature, -60, 60)))


def nll(margins: np.ndarray, needed: np.ndarray, temperature: float, bias: float = 0.0) -> float:
    """Mean negative log-likelihood of the labels `[N]`, numerically exact for large margins."""
    z = (np.asarray(margins, float) - bias) / temperature
    return float(np.mean(np.logaddexp(0.0, np.where(needed, -z, z))))


def fit_temperature(margins: np.ndarray, needed: np.ndarray) -> float:
    """The temperature of least `nll` from `COLDEST` to `HOTTEST`; the loss is convex in 1/T, so one minimum is all.

    Rows that the margins part without a mistake have no finite best temperature: it then stays at 1 at least, because
    more certainty than the model has is not to be had from so few rows.
    """
    margins, needed = np.asarray(margins, float), np.asarray(needed, bool)
    separable = margins[needed].min(initial=np.inf) > max(0.0, margins[~needed].max(initial=-np.inf))
    separable &= margins[~needed].max(initial=-np.inf) < 0
    low, high = (0.0 if separable else np.log(COLDEST)), np.log(HOTTEST)
    return float(np.exp(golden_section(lambda t: nll(margins, needed, float(np.exp(t))), low, high)))


def fit_scale(margins: np.ndarray, needed: np.ndarray) -> tuple[float, float]:
    """Temperature and bias of least `nll`; the bias is one of the margins seen, or between them. The best loss at each
    bias has one minimum, because the loss is convex in 1/T and bias/T."""
    margins, needed = np.asarray(margins, float), np.asarray(needed, bool)

    def loss(bias: float) -> float:
        return nll(margins, needed, fit_temperature(margins - bias, needed), bias)

    bias = golden_section(loss, float(margins.min()), float(margins.max()))
    return fit_temperature(margins - bias, needed), bias


def golden_section(loss: Callable[[float], float], low: float, high: float, tolerance: float = 1e-4) -> float:
    """Where a function with one minimum between `low` and `high` is least."""
    part = (np.sqrt(5) - 1) / 2
    a, b = high - part * (high - low), low + part * (high - low)
    at_a, at_b = loss(a), loss(b)
    while high - low > tolerance:
        if at_a <= at_b:
            high, b, at_b = b, a, at_a
            a = high - part * (high - low)
            at_a = loss(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + part * (high - low)
            at_b = loss(b)
    return float((low + high) / 2)


def calibration_error(p: np.ndarray, needed: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error over bins of equal width: how far p is from how often it came true, on average."""
    p, needed = np.asarray(p, float), np.asarray(needed, float)
    number = np.minimum((p * bins).astype(int), bins - 1)
    gap = np.bincount(number, weights=p - needed, minlength=bins)
    return float(np.abs(gap).sum() / len(p))


def balanced_accuracy(called: np.ndarray, needed: np.ndarray) -> float:
    """Mean of two rates: called where needed, not called where not; a half for always and for never."""
    return float((called[needed].mean() + (~called[~needed]).mean()) / 2) if 0 < needed.sum() < len(needed) else 0.5


def choose_threshold(rows: Sequence[Decided], temperature: float, rule: ThresholdRule, bias: float = 0.0) -> float:
    """The threshold that `rule` likes best, in the middle of the widest stretch of p_call that is equally good."""
    margins, needed, right, cost = _arrays(labelled(rows) if rule.kind == "balanced" else rows)
    cuts = np.unique(margins)
    between = [cuts[0] - 1.0, *((cuts[1:] + cuts[:-1]) / 2), cuts[-1] + 1.0]

    def worth(cut: float) -> float:
        called = margins >= cut
        if rule.kind == "balanced":
            return balanced_accuracy(called, needed)
        taken = np.arange(len(margins)), called.astype(int)
        return float(np.mean(right[taken] - rule.price * cost[taken]))

    worths = np.array([worth(cut) for cut in between])
    ends = probabilities(np.array([-np.inf, *cuts, np.inf]), temperature, bias)
    best, widest = 0.5, -1.0
    start = None
    for i, good in enumerate([*(worths >= worths.max() - 1e-12), False]):
        if good and start is None:
            start = i
        if not good and start is not None:
            low, high = ends[start], ends[i]  # cuts of stretch start..i-1 lie between these margins
            if high - low > widest:
                best, widest = float((low + high) / 2), float(high - low)
            start = None
    return best


def report(rows: Sequence[Decided], temperature: float, threshold: float, bias: float = 0.0, seed: int = 0) -> Report:
    """How a temperature, threshold and bias fare on `rows`."""
    told = labelled(rows)
    margins, needed, _, _ = _arrays(told)
    p = probabilities(margins, temperature, bias)
    called = p >= threshold
    every, _, right, cost = _arrays(rows)
    taken = (np.arange(len(rows)), (probabilities(every, temperature, bias) >= threshold).astype(int))

    def figure(of: Callable[[np.ndarray], float]) -> Figure:
        return bootstrap(of, [row.group for row in told], seed)

    return Report(
        asked=len(rows),
        n=len(told),
        needed=int(needed.sum()),
        ece=figure(lambda i: calibration_error(p[i], needed[i])),
        nll=nll(margins, needed, temperature, bias),
        balanced_accuracy=figure(lambda i: balanced_accuracy(called[i], needed[i])),
        called_needed=float(called[needed].mean()) if needed.any() else 0.0,
        called_not_needed=float(called[~needed].mean()) if (~needed).any() else 0.0,
        accuracy=bootstrap(lambda i: float(right[taken][i].mean()), [row.group for row in rows], seed),
        cost=float(cost[taken].mean()),
    )


def bootstrap(of: Callable[[np.ndarray], float], groups: Sequence[str], seed: int = 0) -> Figure:
    """A figure of all rows, and its interval over resampled groups; `of` takes row numbers."""
    numbers: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        numbers.setdefault(group, []).append(row)
    units = [np.array(found) for found in numbers.values()]
    rng = np.random.default_rng(seed)
    drawn = [of(np.concatenate([units[k] for k in rng.integers(0, len(units), len(units))])) for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Figure(value=of(np.arange(len(groups))), low=float(low), high=float(high))


def curve(
    rows: Sequence[Decided], temperature: float, bias: float = 0.0, points: int = 21
) -> list[tuple[float, float, float, float]]:
    """The accuracy-cost curve: (threshold, part of questions that call, mean cost, accuracy) from never to always."""
    margins, _, right, cost = _arrays(rows)
    p = probabilities(margins, temperature, bias)
    cuts = [1.01, *np.quantile(p, np.linspace(1, 0, points - 2)), 0.0]
    out: set[tuple[float, float, float, float]] = set()
    for cut in map(float, cuts):
        called = p >= cut
        taken = (np.arange(len(p)), called.astype(int))
        means = (round(float(values.mean()), 4) for values in (called, cost[taken], right[taken]))
        out.add((round(cut, 5), *means))  # type: ignore[arg-type]
    return sorted(out, reverse=True)


def choose(rows: Sequence[Decided], rule: ThresholdRule) -> tuple[float, float, float]:
    """Temperature, threshold and bias. Raises `UsageError` where there are too few rows of a label."""
    check_enough(rows, "fit")
    margins, needed, _, _ = _arrays(labelled(rows))
    temperature, bias = (round(value, 4) for value in fit_scale(margins, needed))
    return temperature, round(choose_threshold(rows, temperature, rule, bias), 9), bias


def fit(half: Sequence[Decided], others: Sequence[Decided], rule: ThresholdRule, data_sha256: str) -> Fit:
    """What ships, fitted on all rows, with the report on what a fit on `half` of them does on the `others`. Raises
    `UsageError` where either has too few rows of a label."""
    check_enough(others, "judge")
    rows = [*half, *others]
    judged, (temperature, threshold, bias) = choose(half, rule), choose(rows, rule)
    return Fit(
        threshold=threshold,
        temperature=temperature,
        bias=bias,
        rule=rule,
        data_sha256=data_sha256,
        n=len(labelled(rows)),
        before=report(others, 1.0, 0.5),
        after=report(others, *judged),
        curve=curve(rows, temperature, bias),
    )


def check_enough(rows: Sequence[Decided], what: str) -> None:
    """Raises `UsageError` where a label has so few rows that nothing can be said of it."""
    labels = [row.needed for row in rows]
    fewest = min(labels.count(True), labels.count(False))
    if fewest < FEWEST:
        raise UsageError(
            f"only {fewest} of {len(rows)} rows have one label, too few to {what} p_call on: ask more questions"
        )


def labelled(rows: Sequence[Decided]) -> list[Decided]:
    """The rows of which is known whether a call was needed."""
    return [row for row in rows if row.needed is not None]


def write_policy(folder: Path, found: Fit) -> Path:
    """Writes `policy.json` of a weights folder; it appears whole or not at all."""
    path = folder / "policy.json"
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(json.dumps(found.model_dump(mode="json"), indent=1) + "\n")
        os.replace(part, path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    return path


def _arrays(rows: Sequence[Decided]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.array([row.margin for row in rows], float),
        np.array([bool(row.needed) for row in rows], bool),
        np.array([row.right for row in rows], float),
        np.array([row.cost for row in rows], float),
    )
