"""Answers that are not asked for twice: by question and by who was asked, batch by batch, whatever lies there."""

from transforms.remembered import Memory, encode_answer
from transforms.sidecars import create_sidecar, read_records
from transforms.storage import LocalStorage

STORAGE = LocalStorage()


def memory(folder, scope="model-1", **more) -> Memory:
    return Memory(STORAGE, f"{folder}/unit.arrow", f"{folder}/parts", scope, **more)


def test_what_a_batch_was_told_is_known_to_the_next_run(tmp_path):
    first = memory(tmp_path)
    digests = [first.digest(("picture", n)) for n in range(3)]
    first.add([(digests[0], ["a"]), (digests[1], None)])
    again = memory(tmp_path)
    assert [digest in again for digest in digests] == [True, True, False]
    assert (again[digests[0]], again[digests[1]]) == (["a"], None)
    assert again.others(digests[:1]) == [(digests[1], None)]


def test_another_model_or_question_is_not_known(tmp_path):
    first = memory(tmp_path)
    first.add([(first.digest("q"), 1)])
    other = memory(tmp_path, "model-2")
    assert other.digest("q") not in other and first.digest("r") not in memory(tmp_path)


def test_the_units_own_sidecar_is_remembered_and_the_parts_go(tmp_path):
    first = memory(tmp_path)
    digest = first.digest("q")
    first.add([(digest, "part")])
    with create_sidecar(STORAGE, f"{tmp_path}/unit.arrow", "made-by") as sidecar:
        sidecar.append(encode_answer(4, "whole", digest))
        sidecar.append(encode_answer(-1, "of no row", first.digest("r")))
    assert len(list(read_records(STORAGE, f"{tmp_path}/unit.arrow"))) == 2
    first.forget_parts()
    assert list(tmp_path.glob("parts/*")) == []
    again = memory(tmp_path)
    assert again[digest] == "whole" and again[first.digest("r")] == "of no row"


def test_what_is_not_final_is_told_now_and_asked_again_later(tmp_path):
    first = memory(tmp_path, is_final=lambda answer: answer != "time-out")
    digests = [first.digest(n) for n in range(2)]
    first.add(zip(digests, ["time-out", "text"], strict=True))
    assert first[digests[0]] == "time-out"
    again = memory(tmp_path, is_final=lambda answer: answer != "time-out")
    assert [digest in again for digest in digests] == [False, True]


def test_a_batch_without_answers_leaves_no_file(tmp_path):
    memory(tmp_path).add([])
    assert list(tmp_path.glob("**/*")) == []


def test_a_sidecar_of_a_visit_that_remembers_nothing_is_passed_over(tmp_path):
    with create_sidecar(STORAGE, f"{tmp_path}/unit.arrow", "old") as sidecar:
        sidecar.append(b"\x92\x01\xa1x")  # (1, "x")
    assert memory(tmp_path).others([]) == []
