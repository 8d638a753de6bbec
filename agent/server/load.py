"""Load on a running server: many clients that ask, wait and ask again, and what became of every question.

    python -m agent.server.load http://127.0.0.1:8080 --clients 32 --seconds 60

A client that gets 429 waits as long as `Retry-After` says. Every question is a conversation of its own, and at the end
the server must know each answered one as a single turn with the answer that was sent: lost, doubled and mixed-up
answers are seen. Each client has its own picture.
"""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from pydantic import BaseModel

QUESTIONS = ("What is the total?", "Which date is given?", "What is the name of the company?", "What is the number?")
GRACE_S = 130.0  # for what is under way at the end


class Outcome(BaseModel):
    """One question: the status (0: no reply), seconds until it, the answer's identity."""

    status: int
    seconds: float
    id: str | None = None
    thread: str = ""
    text: str = ""


class Report(BaseModel):
    """What became of all questions. `lost` had no reply, `doubled` more than one, or one elsewhere.

    `memory_mb` is what the server held before, and the most that it has held since it began.
    """

    clients: int
    seconds: float
    statuses: dict[str, int]
    answered: int
    lost: int
    doubled: int
    per_second: float
    p50_s: float
    p95_s: float
    max_s: float
    memory_mb: tuple[float, float] | None = None


async def load(
    url: str, pictures: list[bytes], seconds: float, model: str, token: str | None
) -> tuple[list[Outcome], int, float]:
    """(what became of every question asked in `seconds`, answers that are not in their place, seconds until the last
    reply), a client a picture.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    outcomes: list[Outcome] = []
    limits = httpx.Limits(max_connections=len(pictures))
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=GRACE_S, limits=limits) as client:
        began = time.monotonic()
        until = began + seconds

        async def work(number: int) -> None:
            asked, data = 0, "data:image/png;base64," + base64.b64encode(pictures[number]).decode()
            while time.monotonic() < until:
                thread = f"load-{os.getpid()}-{number}-{asked}"
                question = QUESTIONS[(number + asked) % len(QUESTIONS)]
                body = {"model": model, "question": question, "picture": data, "thread_id": thread}
                outcome, pause = await once(client, body, thread)
                outcomes.append(outcome)
                asked += 1
                await asyncio.sleep(min(pause, max(0.0, until - time.monotonic())))

        await asyncio.gather(*(work(number) for number in range(len(pictures))))
        took = time.monotonic() - began
        kept = [await in_place(client, outcome, model) for outcome in outcomes if outcome.status == 200]
    return outcomes, kept.count(False), took


async def once(client: httpx.AsyncClient, body: dict[str, Any], thread: str) -> tuple[Outcome, float]:
    """(what became of a question, seconds to wait before the next one)."""
    began = time.monotonic()
    try:
        reply = await client.post("/v1/ask", json=body)
    except httpx.HTTPError:
        return Outcome(status=0, seconds=time.monotonic() - began), 0.5
    outcome = Outcome(status=reply.status_code, seconds=time.monotonic() - began)
    if reply.status_code == 200:
        told = reply.json()
        outcome.id, outcome.thread, outcome.text = told["id"], thread, told["answer"]["text"]
    return outcome, float(reply.headers.get("Retry-After", 0))


async def in_place(client: httpx.AsyncClient, outcome: Outcome, model: str) -> bool:
    """Whether the conversation of an answer holds that answer and no other; it is deleted."""
    path = f"/v1/conversations/{outcome.thread}"
    turns = (await client.get(path, params={"model": model})).json().get("turns", [])
    await client.delete(path, params={"model": model})
    return [turn["answer"] for turn in turns] == [outcome.text]


def report(outcomes: list[Outcome], misplaced: int, clients: int, seconds: float) -> Report:
    answered = [outcome for outcome in outcomes if outcome.status == 200]
    times = sorted(outcome.seconds for outcome in answered) or [0.0]
    statuses = Counter(str(outcome.status) for outcome in outcomes)
    return Report(
        clients=clients,
        seconds=round(seconds, 1),
        statuses=dict(sorted(statuses.items())),
        answered=len(answered),
        lost=statuses["0"],
        doubled=misplaced + len(answered) - len({outcome.id for outcome in answered}),
        per_second=round(len(answered) / seconds, 3),
        p50_s=round(times[len(times) // 2], 2),
        p95_s=round(times[int(len(times) * 0.95)], 2),
        max_s=round(times[-1], 2),
    )


def memory_mb(pid: int, name: str) -> float:
    """A line of a process's status in MB (Linux): `VmRSS` is resident memory, `VmHWM` its peak."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024 / 1e6


def main(
    url: Annotated[str, typer.Argument(help="The server.")] = "http://127.0.0.1:8080",
    picture: Annotated[
        Path | None, typer.Option(help="The picture to ask about; default: a drawn page for each client.")
    ] = None,
    clients: Annotated[int, typer.Option(min=1)] = 32,
    seconds: Annotated[float, typer.Option(min=0.1)] = 60.0,
    model: Annotated[str, typer.Option()] = "nano",
    token_env: Annotated[str | None, typer.Option(help="Environment variable with the token.")] = None,
    pid: Annotated[int | None, typer.Option(help="The server's process, to tell its memory.")] = None,
) -> None:
    """Ask a running server and print what became of every question, as JSON. Exit code 1 when an answer was lost."""
    pictures = [picture.read_bytes() if picture else drawn(number) for number in range(clients)]
    before = memory_mb(pid, "VmRSS") if pid else 0.0
    token = os.environ.get(token_env) if token_env else None
    outcomes, misplaced, took = asyncio.run(load(url, pictures, seconds, model, token))
    found = report(outcomes, misplaced, clients, took)
    if pid:
        found.memory_mb = (round(before, 1), round(memory_mb(pid, "VmHWM"), 1))
    print(found.model_dump_json(indent=1))
    if found.lost or found.doubled:
        raise typer.Exit(1)


def drawn(number: int) -> bytes:
    """A page of a few lines, another one for each number."""
    import io

    from PIL import Image, ImageDraw

    page, out = Image.new("RGB", (900, 500), "white"), io.BytesIO()
    lines = (
        "Harbour Supplies Ltd.",
        f"Invoice {20_000 + number}",
        "14 March 2023",
        "Kettle 34.90",
        "Total 1,249.50 EUR",
    )
    for number, line in enumerate(lines):
        ImageDraw.Draw(page).text((60, 40 + 70 * number), line, fill="black", font_size=28)
    page.save(out, "PNG")
    return out.getvalue()


if __name__ == "__main__":
    typer.run(main)
