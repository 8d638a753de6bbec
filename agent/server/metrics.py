"""Prometheus metrics of one server: requests, the queue, time by phase, expert calls, tokens, refusals.

With several worker processes (`PROMETHEUS_MULTIPROC_DIR` is set by `run.py`) any of them reports for all.
"""

from __future__ import annotations

import os
from typing import Any

from agent.types import Ledger

BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)


class Metrics:
    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = own = CollectorRegistry()
        gauge: dict[str, Any] = {"registry": own, "multiprocess_mode": "livesum"}
        self.requests = Counter("p2g_requests", "HTTP requests", ["route", "status"], registry=own)
        self.rejected = Counter("p2g_rejected", "Requests that were refused", ["code"], registry=own)
        self.running = Gauge("p2g_questions_running", "Questions being worked on", **gauge)
        self.waiting = Gauge("p2g_questions_waiting", "Questions in the queue", **gauge)
        self.questions = Counter("p2g_questions", "Questions by how they ended", ["model", "outcome"], registry=own)
        self.phase = Histogram(
            "p2g_phase_seconds", "Seconds of a question by phase", ["phase"], buckets=BUCKETS, registry=own
        )
        self.experts = Counter("p2g_expert_calls", "Expert calls", ["expert", "outcome"], registry=own)
        self.tokens = Counter("p2g_tokens", "Tokens by kind", ["kind"], registry=own)

    def answered(self, ledger: Ledger) -> None:
        """Counts what a question cost."""
        for phase, ms in ledger.ms.items():
            self.phase.labels(phase).observe(ms / 1000)
        for cost in ledger.experts:
            outcome = "error" if cost.error else "cached" if cost.cached else "ok"
            self.experts.labels(cost.expert, outcome).inc()
        for kind in ("prompt", "visual", "cached", "generated"):
            self.tokens.labels(kind).inc(getattr(ledger.usage, f"{kind}_tokens"))

    def text(self) -> bytes:
        """The exposition, of all worker processes where there are several."""
        from prometheus_client import CollectorRegistry, generate_latest, multiprocess

        if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
