"""Loaders of one rank over a small mixture, and what they give."""

from tests.train.data.toy_set import text_of
from train.data.decoding import Workers
from train.data.loader import Given, Loader, LoaderRules, OpenMixture
from train.data.state import Place

ONCE = LoaderRules(rounds=1)
WORKERS = [
    Workers(0),
    Workers(1, chunk=3, ahead=6),
    Workers(2, chunk=2, ahead=8),
    Workers(3, chunk=1, ahead=2),
]


def all_keys() -> set[str]:
    return {*(f"a{i}" for i in range(23)), *(f"b{i}" for i in range(8))}


def take(loader: Loader, count: int | None = None) -> list[Given]:
    found, items = [], iter(loader)
    while count is None or len(found) < count:
        if (one := next(items, None)) is None:
            break
        found.append(one)
    return found


def loader_of(mixed: OpenMixture, place: Place, workers: Workers = WORKERS[0], **rules) -> Loader:
    return Loader(mixed, text_of, place, LoaderRules(workers=workers, **{"rounds": 1, **rules}))
