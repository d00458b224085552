"""Who is at fault when a job stands still: judged from signs, and told by real processes of which one is killed."""

import multiprocessing
import os
import socket
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tests.train.ranks import PRELOAD
from train.watch import LOST, Judge, Limits, Sign, Watch, is_connection
from transforms.storage import StoreUnavailable

LIMITS = Limits(lost=10, stalled=100)


def sign(beat: int, moved: int, phase: str = "step 3: data", *, done: bool = False) -> Sign:
    return Sign(beat, moved, phase, "node", 7, done)


def judged(*seen) -> str | None:
    """What is said last of (time, signs of all ranks)."""
    judge = Judge(LIMITS, world=2)
    return [judge.judge(dict(enumerate(signs)), at) for at, signs in seen][-1]


def test_ranks_that_move_are_left_alone():
    assert (
        judged((0, [sign(1, 1), sign(1, 1)]), (99, [sign(9, 2), sign(9, 2)]), (190, [sign(10, 3), sign(10, 3)])) is None
    )


def test_a_silent_rank_is_lost():
    told = judged((0, [sign(1, 1), sign(1, 1)]), (11, [sign(9, 2), sign(1, 1)]))
    assert told == "rank 1 (node, process 7) died or lost its network in step 3: data: no sign of life for 11 s"


def test_of_ranks_that_live_and_do_not_move_the_one_behind_is_named():
    waiting = sign(1, 5, "step 3: forward")
    told = judged((0, [waiting, sign(1, 4)]), (101, [waiting._replace(beat=9), sign(9, 4)]))
    assert told == "no rank has moved for 100 s: rank 1 (node, process 7) in step 3: data; 1 others wait"


def test_a_rank_that_is_done_is_neither():
    assert judged((0, [sign(1, 1), sign(1, 1, done=True)]), (500, [sign(9, 2), sign(1, 1, done=True)])) is None


def test_what_another_ranks_end_looks_like_is_no_cause():
    assert is_connection(RuntimeError("[gloo/pair.cc:525] Connection closed by peer"))
    assert not is_connection(ValueError("expected a manifest, found none"))
    assert not is_connection(StoreUnavailable("s3://sets: connection reset"))


def work(rank: int, folder: Path, port: int, how: str) -> None:
    import torch.distributed as dist

    import train.watch

    train.watch.PATIENCE = 0.2
    store = dist.TCPStore("127.0.0.1", port, is_master=rank == 0, wait_for_workers=False)
    limits = Limits(lost=1.5, stalled=1.5 if how == "hangs" else 60, every=0.1)
    with Watch(store, rank, 3, limits, (folder / str(rank)).write_text) as watch:
        watch.note("step 1: data")
        time.sleep(0.5)
        if rank == 2 and how == "fails":
            raise ValueError("expected a sound shard")
        if rank == 2 and how == "loses its store":
            raise StoreUnavailable("s3://sets: connection reset")
        if rank == 2 and how == "waits too long":
            raise RuntimeError("[gloo] Timed out waiting 1000ms for recv")
        if rank == 2 and how == "dies":
            os._exit(9)
        if rank != 2:
            watch.note("step 1: forward")
        time.sleep(60)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("dies", "died or lost its network in step 1: data"),
        ("fails", "rank 2 failed in step 1: data: ValueError: expected a sound shard"),
        ("loses its store", "rank 2 failed in step 1: data: StoreUnavailable: s3://sets: connection reset"),
        ("waits too long", "rank 2 failed in step 1: data: RuntimeError: [gloo] Timed out waiting"),
        ("hangs", "no rank has moved for 2 s: rank 2 ("),
    ],
)
def test_the_other_ranks_end_and_name_it(how, message, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    ranks = [context.Process(target=work, args=(rank, tmp_path, port, how), daemon=True) for rank in range(3)]
    for rank in ranks:
        rank.start()
    for rank in (0, 1):
        ranks[rank].join(40)
        assert ranks[rank].exitcode == LOST
        assert message in (tmp_path / str(rank)).read_text()
    ranks[2].kill()
