"""Hypothesis strategies for records: arbitrary but well-formed, as any reader and any step could leave them."""

from hypothesis import strategies as st

from transforms.records import Box, Drop, Failure, Picture, Recipe, Sample, Span, Text

WHOLE = st.integers(-(2**63), 2**63 - 1)
NUMBERS = WHOLE | st.floats(allow_nan=False)
WORDS = st.text(max_size=12)
MEASURES = st.dictionaries(WORDS, NUMBERS | WORDS, max_size=3)
PLACES = st.integers(0, 2**63 - 1)
CONTAINERS = st.sampled_from(["tar", "tar.gz", "file", "parquet", "warc", "pdf", "video"])

SPANS = st.builds(Span, WORDS, PLACES, PLACES, CONTAINERS, WORDS)
RECIPES = st.builds(
    Recipe,
    WORDS,
    st.dictionaries(WORDS, WORDS | NUMBERS | st.booleans(), max_size=3),
    st.lists(SPANS, max_size=2).map(tuple),
)
BOXES = st.builds(Box, *[st.floats(0, 1)] * 4, st.integers(0, 9), WORDS)
DROPS = st.builds(Drop, WORDS, NUMBERS, NUMBERS, WORDS)
FAILURES = st.builds(Failure, WORDS, WORDS, WORDS)
PICTURES = st.builds(
    Picture,
    SPANS | RECIPES,
    st.sampled_from(["", "jpeg", "png"]),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**31 - 1),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=16, max_size=16),
    MEASURES,
    st.none() | DROPS,
    st.none() | FAILURES,
)
TEXTS = st.builds(
    Text, st.text(), st.sampled_from(["caption", "heading"]), MEASURES, st.lists(BOXES).map(tuple), st.none() | DROPS
)
SAMPLES = st.builds(
    Sample,
    WORDS,
    WORDS,
    st.integers(0, 2**31 - 1),
    PLACES,
    st.lists(PICTURES | TEXTS, max_size=4).map(tuple),
    WORDS,
    WORDS,
    MEASURES,
    st.none() | DROPS,
    st.none() | FAILURES,
)
