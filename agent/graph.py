"""The graph: `begin → decide → (answer | experts → focus → decide …) → answer`, at most `max_rounds` of experts.

A question that comes with its regions goes from `begin` straight to `answer`.

The nodes are in `agent/nodes.py`, the state is in `agent/state.py`. `make_graph` is the entry of `langgraph.json`, for
LangGraph's own tools: they bring their own checkpointer and give the picture by path.
"""

from __future__ import annotations

import asyncio
import os
from functools import cache
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agent.nodes import Context, Nodes
from agent.state import Limits, Output, Question, State
from agent.types import Controller
from tools.runner import Runner

Graph = CompiledStateGraph[State, Context, Question, Output]


def build_graph(
    controller: Controller, runner: Runner, limits: Limits | None = None, checkpointer: Any = None
) -> Graph:
    """The compiled graph. `checkpointer` is any LangGraph saver; without one nothing is remembered."""
    nodes = Nodes(controller, runner, limits or Limits())
    graph = StateGraph(State, context_schema=Context, input_schema=Question, output_schema=Output)
    for name in ("begin", "decide", "experts", "focus", "answer"):
        graph.add_node(name, getattr(nodes, name))
    graph.add_edge(START, "begin")
    graph.add_conditional_edges("begin", nodes.after_begin, ["decide", "answer"])
    graph.add_conditional_edges("decide", nodes.after_decide, ["experts", "answer"])
    graph.add_edge("experts", "focus")
    graph.add_conditional_edges("focus", nodes.after_focus, ["decide", "answer"])
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=checkpointer, name="p2g")


async def make_graph() -> Graph:
    """The graph of the profile named in `P2G_PROFILE` (default `nano`), for `langgraph.json`.

    LangGraph's server calls this on its event loop, for every run: the graph is made in a thread, and only once.
    """
    return await asyncio.to_thread(_graph_of, os.environ.get("P2G_PROFILE") or "nano")


@cache
def _graph_of(profile: str) -> Graph:
    from agent.agent import Agent

    return Agent.load(profile).graph()
