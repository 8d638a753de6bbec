"""OpenAI's own Python client against the running server."""

from __future__ import annotations

import pytest

pytest.importorskip("openai")
pytest.importorskip("fastapi")
import openai

from tests.agent.server.serving import PICTURE, Streaming, Thinking, png, served, until, url_of


@pytest.fixture(scope="module")
def running():
    with served(Streaming()) as found:
        yield found


def client(url: str, key: str = "none"):
    return openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=20)


def message(text: str, picture: str | None = PICTURE) -> dict:
    image = [{"type": "image_url", "image_url": {"url": picture}}] if picture else []
    return {"role": "user", "content": [*image, {"type": "text", "text": text}]}


def test_a_completion_carries_the_answer_its_usage_and_what_it_rests_on(running):
    reply = client(running.url).chat.completions.create(model="tiny", messages=[message("What colour?")])
    assert reply.choices[0].message.content == "What colour? after []: ['rgb 200 10 20']"
    assert reply.choices[0].finish_reason == "stop"
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (40, 5, 45)
    assert reply.p2g["evidence"][0]["box"] == [0, 0, 60, 40]
    assert reply.p2g["decision"]["p_call"] == 0.9
    assert [cost["expert"] for cost in reply.p2g["ledger"]["experts"]] == ["look"]
    assert reply.p2g["picture"]["width"] == 60
    assert reply.p2g["trace_id"] in reply.id


def test_a_stream_says_the_same_piece_by_piece(running):
    asked = {"model": "tiny", "messages": [message("What colour?")]}
    whole = client(running.url).chat.completions.create(**asked)
    chunks = list(
        client(running.url).chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    words = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert len(words) > 3
    assert "".join(words) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage == whole.usage
    assert chunks[-2].p2g["evidence"] == whole.p2g["evidence"]


def test_the_last_picture_is_the_picture_and_what_was_said_is_the_history(running):
    messages = [
        {"role": "system", "content": "Be brief."},
        message("What colour is the first?"),
        {"role": "assistant", "content": "red"},
        message("And this?", url_of(png((1, 2, 3)))),
        {"role": "assistant", "content": "dark"},
        {"role": "user", "content": "Are you sure?"},
    ]
    reply = client(running.url).chat.completions.create(model="tiny", messages=messages)
    said = "Are you sure? after ['What colour is the first?', 'And this?']: ['rgb 1 2 3']"
    assert reply.choices[0].message.content == said


def test_a_mode_is_part_of_the_models_name(running):
    assert [model.id for model in client(running.url).models.list()] == ["tiny", "tiny:direct", "tiny:always"]
    assert client(running.url).models.retrieve("tiny:direct").owned_by == "p2g"
    reply = client(running.url).chat.completions.create(model="tiny:direct", messages=[message("What?")])
    assert reply.p2g["ledger"]["experts"] == []


def test_options_threshold_and_regions_go_in_the_extension(running):
    asked = {"model": "tiny", "messages": [message("Which?")]}
    chosen = client(running.url).chat.completions.create(**asked, extra_body={"p2g": {"options": ["red", "blue"]}})
    assert (chosen.choices[0].message.content, chosen.p2g["choice"]) == ("blue", 1)
    cheap = client(running.url).chat.completions.create(**asked, extra_body={"p2g": {"threshold": 0.95}})
    assert cheap.p2g["ledger"]["experts"] == []
    given = {"regions": [{"box": [1, 2, 3, 4], "text": "torch"}]}
    assert "torch" in client(running.url).chat.completions.create(**asked, extra_body={"p2g": given}).p2g["text"]


def test_parameters_without_effect_are_accepted(running):
    how = {"temperature": 0.2, "max_tokens": 5, "top_p": 0.5, "seed": 1, "user": "me", "presence_penalty": 0}
    reply = client(running.url).chat.completions.create(model="tiny", messages=[message("What?")], **how)
    assert reply.choices[0].message.content


TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
BAD = [
    ({"model": "huge"}, "NotFoundError", "there is no model 'huge'"),
    ({"messages": []}, "BadRequestError", "messages"),
    ({"messages": [{"role": "user", "content": "What?"}]}, "BadRequestError", "no picture"),
    ({"messages": [message("  ")]}, "BadRequestError", "question"),
    ({"messages": [message("What?"), {"role": "assistant", "content": "x"}]}, "BadRequestError", "last message"),
    ({"messages": [message("What?", "data:image/png;base64,!!!!")]}, "BadRequestError", "base64"),
    ({"messages": [message("What?", url_of(b"no picture"))]}, "BadRequestError", "not a picture"),
    ({"messages": [message("What?", url_of(png()[:80]))]}, "BadRequestError", "truncated|broken"),
    ({"messages": [message("What?", "http://127.0.0.1/x.png")]}, "BadRequestError", "does not fetch"),
    ({"messages": [message("What?", "file:///etc/passwd")]}, "BadRequestError", "data URL"),
    ({"messages": [message("x" * 5000)]}, "BadRequestError", "characters"),
    ({"n": 2}, "BadRequestError", "n: one answer"),
    ({"tools": [TOOL]}, "BadRequestError", "its own experts"),
    ({"response_format": {"type": "json_object"}}, "BadRequestError", "text"),
    ({"extra_body": {"p2g": {"mode": "fast"}}}, "BadRequestError", "p2g.mode"),
    ({"extra_body": {"p2g": {"box": [500, 500, 600, 600]}}}, "BadRequestError", "part"),
    ({"extra_body": {"p2g": {"options": ["one"]}}}, "BadRequestError", "options"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("changed", "kind", "said"), BAD)
def test_what_cannot_be_asked_is_the_right_error(running, changed, kind, said, stream):
    asked = {"model": "tiny", "messages": [message("What?")], "stream": stream, **changed}
    with pytest.raises(openai.APIStatusError, match=said) as caught:
        client(running.url).chat.completions.create(**asked)
    assert type(caught.value).__name__ == kind
    assert caught.value.code
    assert caught.value.body["message"]


def test_a_bug_is_a_500_that_tells_nothing_and_a_stream_that_has_begun_ends_with_the_error(running):
    asked = {"model": "tiny", "messages": [message("fail")]}
    with pytest.raises(openai.InternalServerError, match="its log says why") as caught:
        client(running.url).chat.completions.create(**asked)
    assert "bug of the controller" not in str(caught.value)
    with pytest.raises(openai.APIError, match="its log says why"):
        list(client(running.url).chat.completions.create(**asked, stream=True))


def test_a_server_that_loads_says_so():
    with served(ready=False) as loading, pytest.raises(openai.InternalServerError, match="still loading") as caught:
        client(loading.url).chat.completions.create(model="tiny", messages=[message("What?")])
    assert caught.value.status_code == 503
    assert caught.value.response.headers["retry-after"] == "2"


def test_a_wrong_token_is_an_authentication_error():
    import hashlib

    tokens = (("ann", hashlib.sha256(b"sesame-open").hexdigest()), ("ben", hashlib.sha256(b"open-sesame").hexdigest()))
    with served(tokens=tokens) as guarded:
        for key in ("none", "ann", tokens[0][1]):
            with pytest.raises(openai.AuthenticationError, match="token is missing or wrong"):
                client(guarded.url, key).chat.completions.create(model="tiny", messages=[message("What?")])
        for key in ("sesame-open", "open-sesame"):
            assert client(guarded.url, key).chat.completions.create(model="tiny", messages=[message("What?")]).choices
        thread = {"extra_body": {"p2g": {"thread_id": "t"}}}
        client(guarded.url, "sesame-open").chat.completions.create(model="tiny", messages=[message("Mine?")], **thread)
        with pytest.raises(openai.BadRequestError, match="no picture"):  # another caller's conversation is not theirs
            client(guarded.url, "open-sesame").chat.completions.create(
                model="tiny", messages=[{"role": "user", "content": "And?"}], **thread
            )


def test_a_full_server_is_a_rate_limit_error_with_a_time_to_come_back():
    from concurrent.futures import ThreadPoolExecutor

    with served(running=1, waiting=0) as full, ThreadPoolExecutor() as pool:
        ask = client(full.url).chat.completions.create
        first = pool.submit(ask, model="tiny", messages=[message("wait")])
        until(lambda: full.controller.seen)
        with pytest.raises(openai.RateLimitError, match="busy") as caught:
            ask(model="tiny", messages=[message("What?")])
        assert int(caught.value.response.headers["retry-after"]) >= 1
        full.controller.gate.set()
        assert first.result().choices[0].message.content.startswith("wait")


def test_a_stream_does_not_say_what_is_cleaned_away_later():
    with served(Thinking()) as running:
        asked = {"model": "tiny", "messages": [message("What colour?")]}
        whole = client(running.url).chat.completions.create(**asked)
        chunks = list(client(running.url).chat.completions.create(**asked, stream=True))
    assert whole.choices[0].message.content == "red"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "red"
