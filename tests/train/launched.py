"""Ranks as torchrun starts them: by the environment, with a store that outlives them. They may be killed."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.train.ranks import PRELOAD

LOADED = [*PRELOAD, "train.loop", "train.pretrain", "tests.train.toy_captions"]


def launch(work: Callable, size: int, folder: Path, *args) -> list[int]:
    """Exit codes of `work(rank, *args)` on each rank; what a rank says, and its error, is in folder/said-RANK."""
    import torch.distributed as dist

    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    ranks = [context.Process(target=_work, args=(work, rank, size, store.port, folder, args)) for rank in range(size)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(100)
        rank.kill()
        rank.join()
    return [rank.exitcode for rank in ranks]


def _work(work, rank, size, port, folder, args) -> None:
    import torch

    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size)}
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"said-{rank}", "a") as said:
        try:
            work(rank, lambda text: print(text, file=said, flush=True), *args)
        except Exception as error:
            print(f"{type(error).__name__}: {error}", file=said, flush=True)
            os._exit(2)


def kill_me() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
