"""Config of the classifier and of knowledge density: every field is documented, what cannot be meant is refused."""

import pytest

from configs.schema.classifier import ClassifierConfig
from configs.schema.knowledge import KnowledgeRules
from configs.schema.strict import ConfigError, load_config, parse_config
from tests.configs.test_caption import sections
from tests.configs.test_caption import test_every_value_is_documented as check_documented

FIELDS = [
    (section, name)
    for schema in (ClassifierConfig, KnowledgeRules)
    for section in sections(schema)
    for name in section.model_fields
]


def test_every_field_is_documented():
    for section, name in FIELDS:
        check_documented(section, name)


def test_values_come_from_the_command_line():
    cfg = load_config(None, ClassifierConfig, ["head.kind=mlp", "head.l2=[0.1, 1]", "labelling.uncertainty=entropy"])
    assert (cfg.head.kind, cfg.head.l2, cfg.labelling.uncertainty) == ("mlp", (0.1, 1.0), "entropy")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"head": {"l2": []}}, r"head.l2: .*at least 1 item"),
        ({"head": {"l2": [0.0]}}, r"head.l2.0: .*greater than 0, found 0.0"),
        ({"head": {"folds": 1}}, "head.folds: .*greater than or equal to 2, found 1"),
        ({"head": {"kind": "tree"}}, "head.kind: .*'linear' or 'mlp', found 'tree'"),
        ({"heads": {}}, "heads: .*not permitted"),
    ],
)
def test_wrong_values_say_where(values, message):
    with pytest.raises(ConfigError, match=message):
        parse_config(values, ClassifierConfig, "here")


def test_knowledge_needs_a_class():
    with pytest.raises(ConfigError, match="classes: .*at least 1 item"):
        parse_config({"classes": []}, KnowledgeRules, "here")
