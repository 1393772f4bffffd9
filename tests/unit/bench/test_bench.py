"""The bench's table and its line form: what is wrong is named, nothing is guessed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.bench import (
    COMMANDS,
    LONGEST_DURATION_MS,
    LONGEST_LINE_BYTES,
    BenchError,
    answer_line,
    duration_text,
    error_line,
    help_table,
    parse_call,
    parse_duration_ms,
    parse_volume_nL,
    request_id,
)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("0ms", 0),
        ("500ms", 500),
        ("90s", 90_000),
        ("5m", 300_000),
        ("5min", 300_000),
        ("1h30m", 5_400_000),
        ("77d", 6_652_800_000),
        ("11w", 6_652_800_000),
        ("1w2d3h4m5s6ms", 788_645_006),
    ],
)
def test_durations(text: str, ms: int) -> None:
    assert parse_duration_ms(text) == ms


@pytest.mark.parametrize("text", ["", "5", "d", "1.5h", "-1d", "01d", "1d 2h", "1h1d", "1h1h", "5m5min", "1y", "٣d", "1D", "99999999w"])
def test_texts_that_are_no_duration(text: str) -> None:
    with pytest.raises(BenchError) as caught:
        parse_duration_ms(text)
    assert caught.value.kind == "bad-argument"


@given(st.integers(0, LONGEST_DURATION_MS))
def test_a_duration_is_read_back_from_its_text(ms: int) -> None:
    assert parse_duration_ms(duration_text(ms)) == ms


def test_a_negative_duration_has_no_text() -> None:
    with pytest.raises(ValueError, match="negative"):
        duration_text(-1)


@pytest.mark.parametrize(
    ("text", "nL"), [("38mL", 38_000_000), ("2.1 mL", 2_100_000), ("0.000001mL", 1), ("500uL", 500_000), ("30nL", 30), ("0mL", 0)]
)
def test_volumes(text: str, nL: int) -> None:
    assert parse_volume_nL(text) == nL


@pytest.mark.parametrize(
    "text", ["", "38", "38.0mL", ".5mL", "5.mL", "1,5mL", "1e2mL", "-1mL", "05mL", "38 ml", "38  mL", "0.0000001mL", "1.5nL", "2L"]
)
def test_texts_that_are_no_volume(text: str) -> None:
    with pytest.raises(BenchError):
        parse_volume_nL(text)


def call(**request: object) -> bytes:
    return json.dumps(request).encode()


def test_a_call_has_the_tables_types() -> None:
    parsed = parse_call(call(command="pair", arguments={"programmer": "00" * 8, "role": "clinician", "key": "FF" * 32}, id=[7]))
    assert parsed.command is COMMANDS["pair"]
    assert parsed.arguments == {"programmer": bytes(8), "role": "clinician", "key": b"\xff" * 32}
    assert parsed.id == [7]
    assert parse_call(call(command="advance", arguments={"for": "77d"})).arguments == {"for": 6_652_800_000}
    assert parse_call(call(command="advance", arguments={"for": 5})).arguments == {"for": 5}
    assert parse_call(call(command="refill", arguments={"fill_nL": "38 mL"})).arguments == {"fill_nL": 38_000_000}
    assert parse_call(call(command="truth")).arguments == {}


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        (b"advance 77d", "bad-line", "not JSON"),
        (b"[" * 5000, "bad-line", "not JSON"),
        (b"[1]", "bad-line", "not a JSON object"),
        (b" " * (LONGEST_LINE_BYTES + 1), "bad-line", "longer than"),
        (call(command="truth", argument={}), "bad-line", "unknown key 'argument'"),
        (call(command="truth", arguments=[]), "bad-line", "arguments"),
        (call(), "bad-command", "None is no bench command"),
        (call(command="explode"), "bad-command", "there are: advance"),
        (call(command="advance"), "bad-argument", "needs the argument 'for'"),
        (call(command="advance", arguments={"for": "1d", "by": 1}), "bad-argument", "no argument 'by'"),
        (call(command="advance", arguments={"for": 1.0}), "bad-argument", "argument 'for'"),
        (call(command="advance", arguments={"for": True}), "bad-argument", "argument 'for'"),
        (call(command="advance", arguments={"for": -1}), "bad-argument", "outside 0"),
        (call(command="advance", arguments={"for": LONGEST_DURATION_MS + 1}), "bad-argument", "outside 0"),
        (call(command="power", arguments={"action": "off"}), "bad-argument", "cut, on, cycle"),
        (call(command="power", arguments={"action": 1}), "bad-argument", "not text"),
        (call(command="pair", arguments={"programmer": "0g" * 8, "role": "clinician", "key": "00" * 32}), "bad-argument", "'programmer'"),
        (
            call(command="pair", arguments={"programmer": "00" * 8, "role": "clinician", "key": "00" * 31}),
            "bad-argument",
            "31 bytes, not 32",
        ),
        (call(command="battery", arguments={"permille": 1001}), "bad-argument", "outside 0 to 1000"),
        (call(command="refill", arguments={"fill_nL": "38.0 mL"}), "bad-argument", "'fill_nL'"),
    ],
)
def test_what_is_wrong_is_named(line: bytes, kind: str, words: str) -> None:
    with pytest.raises(BenchError, match=words) as caught:
        parse_call(line)
    assert caught.value.kind == kind


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_line_is_a_call_or_a_bench_error(line: bytes) -> None:
    with pytest.raises(BenchError):
        parse_call(line)
    request_id(line)


@given(
    st.dictionaries(
        st.sampled_from(["command", "arguments", "id", "x"]),
        st.sampled_from([*COMMANDS, 1, None]) | st.dictionaries(st.sampled_from(["for", "role", "action"]), st.integers() | st.text()),
    )
)
def test_any_object_is_a_call_or_a_bench_error(request: dict[str, object]) -> None:
    line = json.dumps(request).encode()
    assert request_id(line) == request.get("id")
    try:
        parsed = parse_call(line)
    except BenchError as error:
        answer = json.loads(error_line(error, request.get("id")))
    else:
        answer = {"ok": True, "id": parsed.id}
        assert parsed.command.name == request["command"]
    assert answer["id"] == request.get("id")


def test_answers_carry_the_id_and_one_line() -> None:
    assert json.loads(answer_line({"text": "two\nlines", "µ": 1}, 3)) == {"ok": True, "result": {"text": "two\nlines", "µ": 1}, "id": 3}
    assert answer_line({"text": "two\nlines"}, 3).count(b"\n") == 1
    wrong = json.loads(error_line(BenchError("no", kind="bad-argument", argument="for"), "a"))
    assert wrong == {"ok": False, "error": {"kind": "bad-argument", "message": "no", "argument": "for"}, "id": "a"}


@pytest.mark.parametrize("value", [b"bytes", float("nan"), {1, 2}])
def test_an_answer_that_json_cannot_carry_is_an_error(value: object) -> None:
    with pytest.raises(BenchError, match="JSON"):
        answer_line({"value": value}, None)


def test_help_explains_every_command_and_argument() -> None:
    table = help_table()
    assert set(table) == set(COMMANDS)
    for command in COMMANDS.values():
        assert command.doc
        assert all(argument.doc for argument in command.arguments)
    json.dumps(table)
