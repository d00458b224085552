"""Runs a function on N ranks of a gloo group, each a process; their answers in order.

From a fork server that has loaded torch and transformers once: ranks start in milliseconds, and without the threads of
the test's own process, with which a plain fork would hang.
"""

import multiprocessing
import queue
import tempfile
import traceback
from datetime import timedelta
from pathlib import Path

SECONDS = 120
PRELOAD = ["torch", "torch.distributed", "transformers.models.glm4v.modeling_glm4v", "tests.train.documents"]


def run_ranks(work, size: int, *args) -> list:
    """`work(rank, size, *args)` on each rank; what it gives must travel through a queue. Raises what a rank raised."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    answers = context.Queue()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "store")
        ranks = [context.Process(target=_work, args=(work, rank, size, place, answers, args)) for rank in range(size)]
        for rank in ranks:
            rank.start()
        try:
            told = dict(answers.get(timeout=SECONDS) for _ in ranks)
        except queue.Empty as error:
            raise TimeoutError(f"expected answers of {size} ranks within {SECONDS} s") from error
        finally:
            for rank in ranks:
                rank.join(5)
                rank.kill()
    for rank, (_, fault) in sorted(told.items()):
        assert fault is None, f"rank {rank}:\n{fault}"
    return [told[rank][0] for rank in range(size)]


def _work(work, rank, size, place, answers, args) -> None:
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{place}", rank=rank, world_size=size, timeout=timedelta(seconds=60)
    )
    try:
        answers.put((rank, (work(rank, size, *args), None)))
    except Exception:
        answers.put((rank, (None, traceback.format_exc())))
    finally:
        dist.destroy_process_group()
