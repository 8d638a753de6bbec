"""Runs the server: one process, or several that share the port; each shuts down by finishing what it has begun."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing import get_context
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from agent.agent import Agent
from agent.profiles import Profile
from agent.server.app import build_app
from agent.server.service import Service
from agent.server.settings import ServerSettings
from agent.server.threads import FILE, Threads
from tools.remote.local import listen

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
ENDING = (signal.SIGINT, signal.SIGTERM)


class Protocol(H11Protocol):
    """HTTP/1.1 that does not wait for ever for a request to begin or for its headers to end."""

    header_s = 15.0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def _watch(self) -> None:
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self._timer is None:
            self._timer = self.loop.call_later(self.header_s, self._too_slow)
        elif not idle and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing():
            self.transport.close()


class Server(uvicorn.Server):
    """On the first SIGINT or SIGTERM new questions get 503 and running ones are finished; on the second all ends."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.service.closing:
            self.should_exit = self.force_exit = True
            return
        self.service.closing = True
        threading.Thread(target=self._drain, name="p2g-drain", daemon=True).start()

    def _drain(self) -> None:
        """Waits for the questions at the desks, for at most `drain_s`."""
        until = time.monotonic() + self.service.settings.drain_s
        while time.monotonic() < until and any(
            offer.desk and offer.desk.held for offer in self.service.offers.values()
        ):
            time.sleep(0.05)
        self.should_exit = True


def serve(
    profiles: list[Profile], settings: ServerSettings, host: str, port: int, workers: int = 1, say: Any = print
) -> None:
    """Serves until SIGINT or SIGTERM. Raises `UsageError` when the port is taken or the store cannot be used."""
    Threads(settings.store).close()  # said here once: a worker that cannot open it would be replaced for ever
    listener = listen(host, port)
    where = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    say(f"serving {', '.join(profile.name for profile in profiles)} at {where} (Ctrl-C ends)")
    loaders = {profile.name: loader(profile, settings) for profile in profiles}
    if workers == 1:
        work(loaders, settings, listener)
        return
    with tempfile.TemporaryDirectory(prefix="p2g-metrics-") as folder:
        os.environ[MULTIPROCESS] = folder
        Workers(workers, lambda: work(loaders, settings, listener)).run()


def work(profiles: dict[str, Callable[[], Agent]], settings: ServerSettings, listener: socket.socket) -> None:
    """One server process."""
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING)
    logging.getLogger("p2g.serve").setLevel(logging.INFO)
    service = Service(settings, profiles)
    Server(configure(service), service).run(sockets=[listener])


def configure(service: Service) -> uvicorn.Config:
    settings = service.settings
    protocol = type("LimitedProtocol", (Protocol,), {"header_s": settings.header_s})
    return uvicorn.Config(
        build_app(service),
        http=protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=settings.connections,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
    )


def loader(profile: Profile, settings: ServerSettings) -> Callable[[], Agent]:
    def load() -> Agent:
        return Agent.load(profile, checkpoint=settings.store / FILE if settings.store else None)

    return load


class Workers:
    """Keeps `count` processes running; one that dies is replaced, on SIGTERM all are told to end."""

    def __init__(self, count: int, target: Callable[[], None]) -> None:
        self.count, self.target = count, target
        self.closing = 0
        self._context = get_context("fork")  # nothing is loaded yet: the workers load for themselves

    def run(self) -> None:
        from prometheus_client.multiprocess import mark_process_dead

        processes = [self._start() for _ in range(self.count)]
        for number in ENDING:
            signal.signal(number, self._end)
        told = 0
        while not self.closing or any(process.is_alive() for process in processes):
            time.sleep(0.1)
            while told < self.closing:
                told += 1
                for process in processes:
                    process.terminate()
            for index, process in enumerate(processes):
                if not (self.closing or process.is_alive()):
                    mark_process_dead(process.pid)
                    print(f"a worker ended with {process.exitcode}; starting another", file=sys.stderr, flush=True)
                    time.sleep(1.0)
                    if not self.closing:
                        processes[index] = self._start()

    def _start(self) -> Any:
        process = self._context.Process(target=self._child)
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # until the child has let go of our handler
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        return process

    def _child(self) -> None:
        for number in ENDING:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        os.setpgid(0, 0)  # Ctrl-C in a terminal reaches the parent alone, which tells us
        parent = os.getppid()

        def watch() -> None:
            while os.getppid() == parent:
                time.sleep(1.0)
            os.kill(os.getpid(), signal.SIGTERM)  # the parent was killed

        threading.Thread(target=watch, name="p2g-watch", daemon=True).start()
        self.target()

    def _end(self, sig: int, frame: FrameType | None) -> None:
        self.closing += 1
