"""One run at a time on one output, and never a lock that outlives its run for long."""

import json
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from pipelines import lock as lock_module
from pipelines.errors import OutputBusy
from pipelines.lock import STALE_SECONDS, OutputLock, machine_id, started_at, this_process
from tests.pipelines.small_run import write_pool
from tests.pipelines.whole_runs import QUICK, ROOT, arguments, run_apart
from tests.waiting import wait_until
from transforms.storage import LocalStorage


def locks(output: Path) -> list[str]:
    return sorted(path.name for path in (output / "work" / "lock").glob("*.json"))


def leave_lock(output: Path, number: int = 1, **changes: object) -> None:
    """The lock of a run that ended without a word."""
    owner = msgspec.structs.replace(this_process(time.time()), **changes)
    (output / "work" / "lock").mkdir(parents=True, exist_ok=True)
    (output / "work" / "lock" / f"{number:06d}.json").write_bytes(msgspec.json.encode(owner))


def test_a_second_run_is_refused_and_told_of_the_first(tmp_path):
    with (
        OutputLock(str(tmp_path)),
        pytest.raises(OutputBusy, match=r"expected no other run, found one of process \d+ on .*, last seen \d+ s ago"),
        OutputLock(str(tmp_path)),
    ):
        pass


def test_the_lock_is_gone_with_the_run_and_with_an_error(tmp_path):
    with OutputLock(str(tmp_path)):
        assert locks(tmp_path) == ["000001.json"]
    assert locks(tmp_path) == []
    with pytest.raises(RuntimeError, match="boom"), OutputLock(str(tmp_path)):
        raise RuntimeError("boom")
    assert locks(tmp_path) == []


def test_a_dead_process_of_this_machine_is_taken_over_at_once(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    leave_lock(tmp_path, 3, pid=dead.pid, started="1")
    with OutputLock(str(tmp_path)):
        assert locks(tmp_path) == ["000003.json", "000004.json"]
    assert locks(tmp_path) == []


def test_another_process_that_got_the_same_id_is_not_the_owner(tmp_path):
    leave_lock(tmp_path, started="1")  # our own id, of a process that started at another time
    with OutputLock(str(tmp_path)):
        assert locks(tmp_path) == ["000001.json", "000002.json"]
    assert locks(tmp_path) == []


@pytest.mark.parametrize(("age", "refused"), [(STALE_SECONDS - 5, True), (STALE_SECONDS + 5, False)])
def test_a_run_on_another_machine_is_dead_after_a_minute_of_silence(age, refused, tmp_path):
    leave_lock(tmp_path, machine="elsewhere", host="node7", beat=time.time() - age)
    if refused:
        with pytest.raises(OutputBusy, match=r"on node7, .*start again 60 s after its end"), OutputLock(str(tmp_path)):
            pass
    else:
        with OutputLock(str(tmp_path)) as held:
            held.check()


def test_one_of_many_wins_also_over_a_dead_one(tmp_path):
    leave_lock(tmp_path, started="1")
    barrier, refused = threading.Barrier(8), threading.Semaphore(0)

    def try_it(_: int) -> bool:
        barrier.wait()
        try:
            with OutputLock(str(tmp_path)):
                return all(refused.acquire(timeout=10) for _ in range(7))
        except OutputBusy:
            refused.release()
            return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(try_it, range(8))) == 1


def test_a_lock_that_goes_between_listing_and_opening_is_none(tmp_path, monkeypatch):
    leave_lock(tmp_path)
    lock, storage, listed = OutputLock(str(tmp_path)), LocalStorage(), []

    def list_and_lose(folder: str) -> list:
        found = storage.list(folder)
        if not listed:
            (tmp_path / "work" / "lock" / "000001.json").unlink()
        listed.append(found)
        return found

    monkeypatch.setattr(lock._storage, "list", list_and_lose)
    with lock:
        assert [len(found) for found in listed] == [1, 0, 1]
        assert locks(tmp_path) == ["000001.json"]


def test_a_living_run_renews_its_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(lock_module, "BEAT_SECONDS", 0.01)
    path = tmp_path / "work" / "lock" / "000001.json"
    with OutputLock(str(tmp_path)):
        first = json.loads(path.read_bytes())["beat"]
        wait_until(lambda: json.loads(path.read_bytes())["beat"] != first, "a later beat", 10)


def test_a_run_that_stood_still_and_was_taken_over_notices(tmp_path):
    with OutputLock(str(tmp_path)) as held:
        held.check()
        leave_lock(tmp_path, 2, machine="elsewhere", host="node7", token="another")
        with pytest.raises(OutputBusy, match="on node7"):
            held.check()


def test_who_this_is():
    assert machine_id() == machine_id()
    assert started_at(1) not in ("", started_at(this_process(0.0).pid))
    assert started_at(2**22 + 1) == ""


@pytest.mark.beam
@pytest.mark.slow
def test_two_runs_on_one_output(tmp_path):
    pool, output = write_pool(tmp_path / "pool"), tmp_path / "out"
    command = arguments([str(pool / "*.tar")], output, *QUICK, "--set", "output.max_failure_rate=1")
    first = subprocess.Popen([sys.executable, "-m", "pipelines.cli", *command], cwd=ROOT, stdout=subprocess.DEVNULL)
    while not locks(output):
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)  # so that the second one surely meets it
    second = run_apart(command)
    first.send_signal(signal.SIGCONT)
    assert second.returncode == 2
    told = second.stderr.splitlines()[-1]
    assert told.startswith(f"OutputBusy: {output}: expected no other run, found one of process {first.pid} on")
    assert first.wait(60) == 0
    assert locks(output) == []
    assert run_apart(["verify", "--clean", str(output)]).returncode == 0
