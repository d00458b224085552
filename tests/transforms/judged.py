"""Captions judged under limits that are written out, and the captions of the real pools."""

import tarfile
from pathlib import Path

from configs.schema.caption import CaptionRules
from transforms.caption_quality import check_caption, measure_caption
from transforms.records import Text

DATA = Path(__file__).parents[3] / "shared" / "data"


# Written out, so that a better default does not break a test.
RULES = CaptionRules(
    min_characters=6,
    max_characters=4000,
    min_words=3,
    max_words=800,
    max_file_name_share=0.5,
    max_url_share=0.5,
    max_repeated_characters=9,
    max_repeated_words=0.5,
    max_control_characters=0,
)


def check(value, rules=RULES):
    return check_caption(Text(value, measures=measure_caption(value)), rules)


def rule(value, rules=RULES):
    drop = check(value, rules)
    return drop and drop.rule


def real_captions():
    for path in sorted(DATA.glob("caption_pairs/*.tar")):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.name.endswith(".txt"):
                    yield archive.extractfile(member).read().decode()
