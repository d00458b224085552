"""Stars: of rows in an order of preference and pairs that are alike, who stays and whose copy each of the others is.

A row like one that stays goes; so no two that stay are alike, and each that goes is like the one it is a copy of: no
chain of likenesses joins unlike rows. Connected components, which would, are not needed.
Left out on purpose: what alike is (transforms/near_duplicates.py, transforms/semantic_duplicates.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

Numbers = np.ndarray[Any, np.dtype[np.int64]]


def greedy_stars(order: Numbers, pairs: tuple[Numbers, Numbers], apart: Numbers) -> Numbers:
    """For each row the row it is a copy of, or its own.

    `order` holds all rows, the most preferred first; `apart[i]` says how far apart pair i is. A row that goes is a copy
    of the nearest that stays among those preferred to it, of equally near ones the most preferred.
    """
    count = len(order)
    place = np.empty(count, np.int64)
    place[order] = np.arange(count)
    ends = place[pairs[0]], place[pairs[1]]
    better, worse = np.minimum(*ends), np.maximum(*ends)
    by_better = np.argsort(better, kind="stable")
    better, worse, apart = better[by_better], worse[by_better], apart[by_better]
    starts = np.searchsorted(better, np.arange(count + 1)).tolist()
    stays = np.ones(count, bool)
    for one in range(count):
        if stays[one]:
            stays[worse[starts[one] : starts[one + 1]]] = False
    asked = np.flatnonzero(stays[better] & ~stays[worse])
    ranked = asked[np.lexsort((better[asked], apart[asked], worse[asked]))]
    copies, first = np.unique(worse[ranked], return_index=True)
    middle = np.arange(count)
    middle[copies] = better[ranked][first]
    star = np.empty(count, np.int64)
    star[order] = order[middle]
    return star
