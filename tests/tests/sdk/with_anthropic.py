"""The official Anthropic SDK, configured as users do it: by ANTHROPIC_BASE_URL alone."""

import asyncio

import anthropic
import httpx2
from common import ASYNC_HOOKS, HOOKS, INPUT, equal, raises, run, source, until_a_job_is_done

MODEL = "claude-opus-4-6"
READ = {
    "name": "read",
    "description": "Reads a file.",
    "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
}


def client(**settings):
    return anthropic.Anthropic(http_client=anthropic.DefaultHttpxClient(event_hooks=HOOKS), **settings)


def async_client(**settings):
    return anthropic.AsyncAnthropic(http_client=anthropic.DefaultAsyncHttpxClient(event_hooks=ASYNC_HOOKS), **settings)


def asked(text="Hi \u00e9\u2192\U0001f600", **more):
    return {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": text}], **more}


def create():
    message = client().messages.create(**asked(), metadata={"user_id": "u"}, extra_body={"temperature": 1.0})
    equal([block.text for block in message.content], ["ok"])
    equal((message.stop_reason, message.usage.output_tokens), ("end_turn", 1))
    assert message.usage.input_tokens > 0
    equal(message._request_id, "req_test")
    raw = client().messages.with_raw_response.create(**asked())
    equal(raw.headers["x-headroom-decision"], "forwarded")
    equal(raw.parse().content[0].text, "ok")


def stream():
    with client().messages.stream(**asked()) as events:
        texts = list(events.text_stream)
        final = events.get_final_message()
    equal(texts, ["o", "k"])
    equal((final.content[0].text, final.stop_reason, final.usage.output_tokens), ("ok", "end_turn", 2))
    assert final.usage.input_tokens > 0
    with client().messages.stream(**asked()) as events:
        kinds = [event.type for event in events]
    equal(kinds[0], "message_start")
    equal(kinds[-1], "message_stop")
    kinds = [event.type for event in client().messages.create(**asked(), stream=True)]
    equal(kinds.count("content_block_delta"), 2)


def tools():
    """Three turns of tool calls, asked for in one piece and as a stream by turns."""
    messages = [{"role": "user", "content": "Read."}]
    for turn in range(3):
        request = asked(tools=[READ]) | {"messages": messages}
        if turn % 2:
            with client().messages.stream(**request) as events:
                message = events.get_final_message()
        else:
            message = client().messages.create(**request)
        equal(message.stop_reason, "tool_use")
        (call,) = message.content
        equal((call.type, call.name, call.input), ("tool_use", "read", INPUT))
        result = {"type": "tool_result", "tool_use_id": call.id, "content": source(turn)}
        messages += [{"role": "assistant", "content": message.content}, {"role": "user", "content": [result]}]
        raw = client().messages.with_raw_response.create(**asked(tools=[READ]) | {"messages": messages})
        equal(raw.headers["x-headroom-decision"], "compressed")
        assert int(raw.headers["x-headroom-bytes-saved"]) > 1000 * (turn + 1)
        equal(raw.parse().content[0].text, "ok")


def deferred():
    """A large cold start goes out as it is, and smaller on a later turn."""
    messages = [{"role": "user", "content": "Read."}]
    for turn in range(4):
        call = {"type": "tool_use", "id": f"call_{turn}", "name": "read", "input": {}}
        result = {"type": "tool_result", "tool_use_id": f"call_{turn}", "content": source(turn)}
        messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    decisions = []
    while "compressed" not in decisions and len(decisions) < 100:
        with client().messages.stream(**asked(tools=[READ]) | {"messages": messages}) as events:
            equal(events.get_final_text(), "ok")
            decisions.append(events.response.headers["x-headroom-decision"])
        messages += [{"role": "assistant", "content": "ok"}, {"role": "user", "content": f"Go on {len(decisions)}."}]
        until_a_job_is_done(str(client().base_url).rstrip("/"))
    equal((decisions[0] in ("deferring", "deferred"), decisions[-1]), (True, "compressed"))


def count_tokens():
    request = asked()
    del request["max_tokens"]
    assert client().messages.count_tokens(**request).input_tokens > 10


def models():
    equal([model.id for model in client().models.list()], ["claude-test", "gpt-test"])


ERRORS = [
    (400, "invalid_request_error", anthropic.BadRequestError),
    (401, "authentication_error", anthropic.AuthenticationError),
    (403, "permission_error", anthropic.PermissionDeniedError),
    (404, "not_found_error", anthropic.NotFoundError),
    (413, "request_too_large", anthropic.RequestTooLargeError),
    (429, "rate_limit_error", anthropic.RateLimitError),
    (500, "api_error", anthropic.InternalServerError),
    (529, "overloaded_error", anthropic.OverloadedError),
]


def errors():
    for status, name, kind in ERRORS:
        error = raises(kind, lambda: client(max_retries=0).messages.create(**asked()))
        equal(error.status_code, status)
        equal(error.body, {"type": "error", "error": {"type": name, "message": f"status {status}"}})
        equal(error.response.headers["anthropic-ratelimit-requests-remaining"], "7")
        equal(error.request_id, f"req_{status}")


def stream_errors():
    """The same for streams: before they begin, as an event in the middle, and by a connection that breaks."""

    def text():
        with client(max_retries=0).messages.stream(**asked()) as events:
            return events.get_final_text()

    equal(raises(anthropic.OverloadedError, text).status_code, 529)
    equal(raises(anthropic.APIStatusError, text).body["error"]["type"], "overloaded_error")
    raises(httpx2.RemoteProtocolError, text)


def own_errors():
    """What the proxy itself says has the shape of the provider's errors."""
    error = raises(anthropic.RequestTooLargeError, lambda: client().messages.create(**asked("x" * 30_000)))
    equal(error.body["error"]["type"], "request_too_large")
    assert "HEADROOM_MAX_BODY_BYTES" in error.message, error.message


def provider_away():
    error = raises(anthropic.InternalServerError, lambda: client(max_retries=0).messages.create(**asked()))
    equal((error.status_code, error.body["type"], error.body["error"]["type"]), (502, "error", "api_error"))


def retries():
    """Each request is answered well at the third try."""
    for _ in range(3):
        equal(client().messages.create(**asked()).content[0].text, "ok")


async def concurrent():
    async with async_client() as shared:

        async def one(number):
            request = asked(f"Task {number}. {source(number, 15)}")
            if number % 3 == 0:
                message = await shared.messages.create(**request)
            elif number % 3 == 1:
                async with shared.messages.stream(**request) as events:
                    equal([text async for text in events.text_stream], ["o", "k"])
                    message = await events.get_final_message()
            else:
                await shared.messages.count_tokens(model=MODEL, messages=request["messages"])
                return
            equal(message.content[0].text, "ok")

        await asyncio.gather(*map(one, range(30)))


def base_urls():
    """A slash at the end changes nothing."""
    base = client().base_url
    equal(client(base_url=f"{base}/").messages.create(**asked()).content[0].text, "ok")


run(globals())
