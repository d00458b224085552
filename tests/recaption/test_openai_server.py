"""The server's client against a real HTTP server that misbehaves by rule: no row lost, every failure classified."""

import pickle
import threading
import time

import numpy as np
import pytest

from classifiers.errors import ModelError
from configs.schema.recaption import CaptionerRules
from recaption.captioner import Answer, CaptionerDown, Refusal, Request, spent
from recaption.openai_server import ServerCaptioner
from recaption.prompting import load_prompt
from tests.recaption.server import MODEL, serving, write_caption
from tests.waiting import free_port


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def rules(url, **server):
    quick = {"first_wait_seconds": 0.01, "longest_wait_seconds": 0.3, "attempts": 3, "read_seconds": 5, **server}
    return CaptionerRules.model_validate({"model": MODEL, "max_side": 64, "server": {"url": url, **quick}})


def request(caption, number=0, side=48):
    pixels = np.full((side, side + 2, 3), number % 200, np.uint8)
    return Request(f"k{number}", pixels, (caption,), "en")


def ask(served, captions, **server):
    captioner = ServerCaptioner(rules(served.url, **server))
    captioner.load()
    try:
        return captioner.predict([request(caption, n) for n, caption in enumerate(captions)])
    finally:
        captioner.close()


def test_a_server_that_quotes_the_key_does_not_bring_it_on_the_ledger(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-1")
    with serving(key="sk-secret-1") as served:
        [refused] = ask(served, ["quotekey"])
    assert refused.message == "expected status 200, found 400 bad request by Bearer [key]"


def test_an_answer_says_what_was_asked_and_what_it_cost():
    with serving() as served:
        [answer] = ask(served, ["A red door."])
    assert answer.text == "A red door. A picture of 50 by 48 in colour (0, 0, 0)."
    assert (answer.finish, answer.tokens_in, answer.tokens_out, answer.model) == ("stop", 100, 20, MODEL)
    assert answer.prompt == load_prompt("refine-1", "en").version
    [body] = served.bodies
    assert (body["temperature"], body["seed"], body["max_tokens"], body["model"]) == (0.0, 0, 512, MODEL)
    prices = CaptionerRules(price_in=2.0, price_out=10.0)
    assert spent([answer, answer, Refusal("CaptionerTimeout", "")], prices) == {
        "answers": 2, "refusals": 1, "tokens_in": 200, "tokens_out": 40, "cost": 0.0008,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("caption", "error", "attempts", "found"),
    [
        ("hang", "CaptionerTimeout", 3, "expected an answer in 0.3 s, found none"),
        ("busy", "CaptionerUnavailable", 3, "found 429 too many requests"),
        ("error", "CaptionerUnavailable", 3, "found 500 '<html>out of memory</html>'"),
        ("cut", "CaptionerUnavailable", 3, "disconnected"),
        ("half", "CaptionerTruncated", 3, "complete message body"),
        ("malformed", "CaptionerMalformed", 3, "expected a chat completion"),
        ("surrogate", "CaptionerMalformed", 3, "surrogates not allowed"),
        ("nochoice", "CaptionerMalformed", 3, "list index out of range"),
        ("toolong", "CaptionerTooLarge", 1, "expected at most 10000 bytes"),
        ("refused", "CaptionerRefused", 1, "found 400 picture has too many tokens"),
        ("filtered", "CaptionerRefused", 1, "content_filter"),
    ],
)
def test_each_way_to_fail_has_its_class(caption, error, attempts, found):
    with serving() as served:
        read = 0.3 if caption == "hang" else 5
        good, bad, other = ask(served, ["good", caption, "other"], read_seconds=read, max_reply_bytes=10_000)
    assert isinstance(good, Answer) and isinstance(other, Answer)
    assert (bad.error, bad.attempts, served.requests[caption]) == (error, attempts, attempts)
    assert found in bad.message


def test_a_total_limit_ends_the_attempts():
    with serving() as served:
        [bad] = ask(served, ["hang"], read_seconds=0.2, total_seconds=0.3)
    assert bad.error == "CaptionerTimeout" and served.requests["hang"] == 2


@pytest.mark.parametrize(("caption", "requests"), [("busy2", 3), ("error1", 2), ("cut1", 2), ("malformed1", 2)])
def test_what_passes_is_asked_again(caption, requests):
    with serving() as served:
        [answer] = ask(served, [caption])
    assert answer.text.startswith(f"{caption} A picture") and served.requests[caption] == requests


def test_retry_after_is_honoured():
    with serving() as served:
        ask(served, ["busy2"])
        first, second, third = (at for _, at in served.times)
    assert second - first >= 0.2 and third - second >= 0.2


def test_no_row_is_lost_and_the_order_is_the_requests():
    words = ["good", "slow", "busy1", "error1", "cut1", "half", "malformed", "refused", "length", "thinking"]
    captions = [f"{words[n % len(words)]} {n}" for n in range(100)]
    with serving() as served:
        first, again = (ask(served, captions, concurrency=c) for c in (16, 3))
        served.requests.clear()
        third = ask(served, captions, concurrency=16)
    assert len(first) == 100 and first == third
    assert first == again
    for caption, reply in zip(captions, first, strict=True):
        word = caption.split()[0]
        if word in ("half", "malformed", "refused"):
            assert isinstance(reply, Refusal)
        elif word == "thinking":
            assert reply.text == "A red door."
        elif word == "length":
            assert reply.finish == "length"
        else:
            assert reply.text.startswith(f"{caption} A picture")


def test_the_bytes_sent_do_not_change():
    with serving() as served:
        ask(served, ["good"])
        ask(served, ["good"])
        assert served.bodies[0] == served.bodies[1]
        assert "A picture of 50 by 48" in write_caption(served.bodies[0])


@pytest.mark.parametrize("limit", [1, 4, 16])
def test_as_many_at_once_as_allowed_and_never_more(limit):
    with serving(seconds=0.03 * limit) as served:  # long enough for all to ask, also on a busy machine
        ask(served, [f"good {n}" for n in range(3 * limit)], concurrency=limit)
    assert served.most == limit


def test_the_limit_holds_for_all_threads_of_a_process():
    with serving(seconds=0.12) as served:
        captioner = ServerCaptioner(rules(served.url, concurrency=4))
        captioner.load()
        batches = [[request(f"good {n}", n) for n in range(part, part + 8)] for part in (0, 8, 16)]
        threads = [threading.Thread(target=captioner.predict, args=(batch,)) for batch in batches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        captioner.close()
    assert served.most == 4 and sum(served.requests.values()) == 24


def test_nobody_who_listens_stops_the_run():
    with pytest.raises(CaptionerDown, match="expected somebody to listen"):
        ServerCaptioner(rules(f"http://127.0.0.1:{free_port()}/v1")).load()


def test_a_server_that_goes_away_stops_the_run():
    with serving() as served:
        captioner = ServerCaptioner(rules(served.url))
        captioner.load()
    with pytest.raises(CaptionerDown):
        captioner.predict([request(f"good {n}", n) for n in range(20)])
    captioner.close()


def test_rows_without_an_answer_stop_the_run_when_there_are_too_many_of_them_in_a_row():
    mixed = ["error 0", "error 1", "good", "error 2", "error 3", "refused", "error 4", "error 5"]
    with serving() as served:
        replies = ask(served, mixed, concurrency=1, most_unanswered=3)
        assert [isinstance(reply, Answer) for reply in replies] == [n == 2 for n in range(8)]
        with pytest.raises(CaptionerDown, match="no answer to 3 rows in a row, the last: CaptionerUnavailable"):
            ask(served, ["good", "error 0", "error 1", "error 2", "good"], concurrency=1, most_unanswered=3)


def test_a_batch_that_stopped_can_be_tried_again():
    with serving() as served:
        captioner = ServerCaptioner(rules(served.url, concurrency=2, most_unanswered=2))
        captioner.load()
        rows = [request(caption, n) for n, caption in enumerate(["error3", "error3 b", "busy1", "good"])]
        with pytest.raises(CaptionerDown):
            captioner.predict(rows)
        assert all(isinstance(reply, Answer) for reply in captioner.predict(rows))
        captioner.close()


def test_a_wrong_key_and_a_wrong_model_are_the_users_to_mend(monkeypatch):
    with serving(key="right") as served:
        with pytest.raises(ModelError, match="expected a valid key, expected status 200, found 401 wrong key"):
            ServerCaptioner(rules(served.url)).load()
        monkeypatch.setenv("OPENAI_API_KEY", "right")
        captioner = ServerCaptioner(rules(served.url))
        captioner.load()
        captioner.close()
        with pytest.raises(ModelError, match="expected one of stand-in, found 'other'"):
            ServerCaptioner(rules(served.url).model_copy(update={"model": "other"})).load()


def test_it_travels_without_its_connections_and_asks_for_load():
    captioner = ServerCaptioner(rules("http://127.0.0.1:1/v1"))
    again = pickle.loads(pickle.dumps(captioner))
    assert again == captioner
    with pytest.raises(ModelError, match="expected load"):
        again.predict([])


def test_the_fingerprint_covers_what_decides_an_answer_and_no_more():
    def made(**changes):
        return ServerCaptioner(CaptionerRules.model_validate({"model": MODEL, **changes})).fingerprint()

    same = made()
    assert made(server={"url": "http://other/v1", "concurrency": 3}, price_in=1.0) == same
    for change in ({"model": "m"}, {"prompt": "describe-1"}, {"temperature": 0.5}, {"seed": 1}, {"max_side": 512}):
        assert made(**change) != same


def test_a_large_picture_is_sent_small():
    with serving() as served:
        captioner = ServerCaptioner(rules(served.url))
        captioner.load()
        [answer] = captioner.predict([request("good", side=400)])
        captioner.close()
    assert "A picture of 64 by 64" in answer.text


def test_many_rows_take_their_share_of_the_time_only():
    with serving(seconds=0.05) as served:
        started = time.monotonic()
        ask(served, [f"good {n}" for n in range(64)], concurrency=32)
    assert time.monotonic() - started < 64 * 0.05 / 2
