"""The caption config: every YAML loads, every field is documented, and values that cannot be meant are refused."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from configs.schema.caption import CaptionConfig
from configs.schema.sft import SftConfig
from configs.schema.strict import ConfigError, Strict, load_config, parse_config
from configs.schema.web import WebConfig

ROOT = Path(__file__).parents[2]
SCHEMAS = {"caption": CaptionConfig, "interleaved_web": WebConfig, "sft": SftConfig}
"""By the name of the YAML under configs/pipelines."""
YAMLS = sorted((ROOT / "configs" / "pipelines").glob("*.yaml"))


def sections(schema: type[Strict]) -> Iterator[type[Strict]]:
    yield schema
    for field in schema.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Strict):
            yield from sections(field.annotation)


FIELDS = [
    (section, name) for schema in SCHEMAS.values() for section in sections(schema) for name in section.model_fields
]


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.name)
def test_every_yaml_loads(path):
    load_config(path, SCHEMAS[path.stem])


def test_every_schema_has_its_yaml():
    assert [path.stem for path in YAMLS] == sorted(SCHEMAS)


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.name)
def test_every_key_of_a_yaml_is_one_people_may_override(path):
    for section, values in yaml.safe_load(path.read_text()).items():
        for key, value in values.items():
            load_config(path, SCHEMAS[path.stem], [f"{section}.{key}={value}"])


@pytest.mark.parametrize(("section", "name"), FIELDS, ids=lambda part: getattr(part, "__name__", part))
def test_every_value_is_documented(section, name):
    field = section.model_fields[name]
    is_section = isinstance(field.annotation, type) and issubclass(field.annotation, Strict)
    switch = name == "enabled" or is_section  # named by its section
    assert switch or len(field.description or "") > 10, (
        f"{section.__name__}.{name}: expected a docstring below the field"
    )


def test_concepts_need_a_vocabulary():
    with pytest.raises(ConfigError, match="concepts.vocabulary: expected a file"):
        parse_config({"concepts": {"enabled": True}}, CaptionConfig, "here")


def test_the_papers_number_is_the_default():
    assert CaptionConfig().relevance.min_score == 0.3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"relevance": {"min_scor": 0.3}}, "relevance.min_scor: .*not permitted, found 0.3"),
        ({"relevance": {"min_score": 1.1}}, "relevance.min_score: .*less than or equal to 1, found 1.1"),
        ({"duplicates": {"of": "looks"}}, "duplicates.of: .*'bytes' or 'pixels', found 'looks'"),
        ({"output": {"samples_per_shard": 0}}, "output.samples_per_shard: .*greater than or equal to 1, found 0"),
        ({"image": {"min_short_side": 1.5}}, "image.min_short_side: .*integer.*, found 1.5"),
        ({"boilerplate": {"max_pictures": None}}, "boilerplate.max_pictures: .*integer, found None"),
        ({"seeds": 1}, "seeds: .*not permitted, found 1"),
        (
            {"recaption": {"captioner": {"server": {"url": "http://me:key@h/v1"}}}},
            "server.url: .*without user, password",
        ),
        ({"recaption": {"captioner": {"server": {"url": "http://h/v1?key=x"}}}}, "server.url: .*or query: a key comes"),
        ({"recaption": {"captioner": {"server": {"api_key": "x"}}}}, "server.api_key: .*not permitted"),
    ],
)
def test_a_wrong_value_names_key_expected_and_found(values, message):
    with pytest.raises(ConfigError, match=message):
        parse_config(values, CaptionConfig, "caption.yaml")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"caption": {"min_characters": 9, "max_characters": 8}},
            "caption.*_characters: expected min <= max, found 9 > 8",
        ),
        ({"caption": {"min_words": 9, "max_words": 8}}, "caption.*_words: expected min <= max, found 9 > 8"),
        (
            {"image": {"min_pixel_count": 9, "max_pixel_count": 8}},
            "image.*_pixel_count: expected min <= max, found 9 > 8",
        ),
    ],
)
def test_bounds_that_cross_are_refused(values, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        parse_config(values, CaptionConfig, "caption.yaml")


def test_a_resolved_config_loads_again():
    found = load_config(YAMLS[0], CaptionConfig)
    assert parse_config(found.model_dump(mode="json"), CaptionConfig, "manifest.json") == found
