"""The official OpenAI SDK, configured as users do it: by OPENAI_BASE_URL alone."""

import asyncio
import json

import openai
from common import ASYNC_HOOKS, HOOKS, INPUT, equal, raises, run, source

MODEL = "gpt-6.1-sol"
SCHEMA = {"name": "read", "parameters": {"type": "object", "properties": {"path": {"type": "string"}}}}
CHAT_TOOL = {"type": "function", "function": SCHEMA}
RESPONSES_TOOL = {"type": "function", "strict": False, **SCHEMA}
HELLO = "Hi \u00e9\u2192\U0001f600"


def client(**settings):
    return openai.OpenAI(http_client=openai.DefaultHttpxClient(event_hooks=HOOKS), **settings)


def async_client(**settings):
    return openai.AsyncOpenAI(http_client=openai.DefaultAsyncHttpxClient(event_hooks=ASYNC_HOOKS), **settings)


def chat_request(text=HELLO, **more):
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}


def chat():
    answer = client().chat.completions.create(**chat_request(temperature=0.0))
    equal((answer.choices[0].message.content, answer.choices[0].finish_reason), ("ok", "stop"))
    assert answer.usage.prompt_tokens > 0
    equal(answer._request_id, "req_test")
    raw = client().chat.completions.with_raw_response.create(**chat_request())
    equal(raw.headers["x-headroom-decision"], "forwarded")
    equal(raw.parse().choices[0].message.content, "ok")


def chat_stream():
    usage = {"stream_options": {"include_usage": True}}
    chunks = list(client().chat.completions.create(**chat_request(), stream=True, **usage))
    texts = [choice.delta.content for chunk in chunks for choice in chunk.choices]
    equal([text for text in texts if text], ["o", "k"])
    assert chunks[-1].usage.prompt_tokens > 0
    with client().chat.completions.stream(**chat_request(), **usage) as events:
        kinds = [event.type for event in events]
        final = events.get_final_completion()
    equal(kinds.count("content.delta"), 2)
    equal(final.choices[0].message.content, "ok")


def chat_tools():
    """Three turns of tool calls, asked for in one piece and as a stream by turns."""
    messages = [{"role": "user", "content": "Read."}]
    for turn in range(3):
        request = chat_request(tools=[CHAT_TOOL]) | {"messages": messages}
        if turn % 2:
            with client().chat.completions.stream(**request) as events:
                message = events.get_final_completion().choices[0].message
        else:
            message = client().chat.completions.create(**request).choices[0].message
        (call,) = message.tool_calls
        equal((call.function.name, json.loads(call.function.arguments)), ("read", INPUT))
        calls = [{"id": call.id, "type": "function", "function": call.function.model_dump(include={"name", "arguments"})}]
        messages += [
            {"role": "assistant", "content": None, "tool_calls": calls},
            {"role": "tool", "tool_call_id": call.id, "content": source(turn)},
        ]
        request = chat_request(tools=[CHAT_TOOL]) | {"messages": messages}
        raw = client().chat.completions.with_raw_response.create(**request)
        equal(raw.headers["x-headroom-decision"], "compressed")
        equal(raw.parse().choices[0].message.content, "ok")


def responses():
    answer = client().responses.create(model=MODEL, input=HELLO, store=False)
    equal((answer.output_text, answer.status), ("ok", "completed"))
    assert answer.usage.input_tokens > 0
    raw = client().responses.with_raw_response.create(model=MODEL, input=HELLO)
    equal(raw.headers["x-headroom-decision"], "forwarded")


def responses_stream():
    events = list(client().responses.create(model=MODEL, input=HELLO, stream=True))
    equal([event.delta for event in events if event.type == "response.output_text.delta"], ["o", "k"])
    equal([event.sequence_number for event in events], list(range(len(events))))
    with client().responses.stream(model=MODEL, input=HELLO) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    equal((kinds[0], kinds[-1]), ("response.created", "response.completed"))
    equal(final.output_text, "ok")


def responses_tools():
    items = [{"role": "user", "content": "Read."}]
    for turn in range(3):
        request = {"model": MODEL, "input": items, "tools": [RESPONSES_TOOL], "store": False}
        if turn % 2:
            with client().responses.stream(**request) as stream:
                stream.until_done()
                answer = stream.get_final_response()
        else:
            answer = client().responses.create(**request)
        (call,) = answer.output
        equal((call.type, call.name, json.loads(call.arguments)), ("function_call", "read", INPUT))
        items += [
            {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments},
            {"type": "function_call_output", "call_id": call.call_id, "output": source(turn)},
        ]
        raw = client().responses.with_raw_response.create(**request | {"input": items})
        equal(raw.headers["x-headroom-decision"], "compressed")
        equal(raw.parse().output_text, "ok")


def models():
    equal([model.id for model in client().models.list()], ["claude-test", "gpt-test"])


ERRORS = [
    (400, openai.BadRequestError),
    (401, openai.AuthenticationError),
    (403, openai.PermissionDeniedError),
    (404, openai.NotFoundError),
    (413, openai.APIStatusError),
    (429, openai.RateLimitError),
    (500, openai.InternalServerError),
    (503, openai.InternalServerError),
]


def errors():
    once = client(max_retries=0)
    for call in [
        lambda: once.chat.completions.create(**chat_request()),
        lambda: once.responses.create(model=MODEL, input=HELLO),
    ]:
        for status, kind in ERRORS:
            error = raises(kind, call)
            equal((error.status_code, error.message.split(" - ")[0]), (status, f"Error code: {status}"))
            equal(error.body, {"type": "t", "code": "c", "param": None, "message": f"status {status}"})
            equal(error.response.headers["x-ratelimit-remaining-requests"], "7")
            equal(error.request_id, f"req_{status}")


def stream_errors():
    """Before a stream begins, as an event in the middle, and by a connection that breaks."""
    once = client(max_retries=0)

    def text():
        return "".join(event.type for event in once.responses.create(model=MODEL, input=HELLO, stream=True))

    equal(raises(openai.RateLimitError, text).status_code, 429)
    equal(raises(openai.APIError, text).message, "overloaded")
    raises(openai.APIConnectionError, text)


def own_errors():
    """What the proxy itself says has the shape of the provider's errors."""
    error = raises(openai.APIStatusError, lambda: client().chat.completions.create(**chat_request("x" * 30_000)))
    equal(error.status_code, 413)
    assert "HEADROOM_MAX_BODY_BYTES" in error.body["message"], error.body


def provider_away():
    error = raises(openai.InternalServerError, lambda: client(max_retries=0).responses.create(model=MODEL, input=HELLO))
    equal(error.status_code, 502)
    assert error.body["message"], error.body


def retries():
    """Each request is answered well at the third try."""
    for _ in range(2):
        equal(client().chat.completions.create(**chat_request()).choices[0].message.content, "ok")
    equal(client().responses.create(model=MODEL, input=HELLO).output_text, "ok")


async def concurrent():
    async with async_client() as shared:

        async def one(number):
            text = f"Task {number}. {source(number, 15)}"
            if number % 4 == 0:
                answer = await shared.chat.completions.create(**chat_request(text))
                equal(answer.choices[0].message.content, "ok")
            elif number % 4 == 1:
                stream = await shared.chat.completions.create(**chat_request(text), stream=True)
                texts = [choice.delta.content async for chunk in stream for choice in chunk.choices]
                equal([text for text in texts if text], ["o", "k"])
            elif number % 4 == 2:
                equal((await shared.responses.create(model=MODEL, input=text)).output_text, "ok")
            else:
                async with shared.responses.stream(model=MODEL, input=text) as stream:
                    equal((await stream.get_final_response()).output_text, "ok")

        await asyncio.gather(*map(one, range(32)))


def base_urls():
    """A slash at the end changes nothing."""
    base = str(client().base_url).rstrip("/")
    for url in [base, f"{base}/"]:
        equal(client(base_url=url).responses.create(model=MODEL, input=HELLO).output_text, "ok")


run(globals())
