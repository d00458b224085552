"""The tokenizer: what it must have, and that no text of a user ever becomes a special token."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.schema.strict import ConfigError
from tests.train.tokenizer import BASE_SPECIAL, SPECIAL, save_toy_tokenizer, toy_tokenizer
from train.chat.tokenizer import ChatTokenizer, TokensMissing, load_tokenizer, needed_tokens

TOY = ChatTokenizer(toy_tokenizer(), "glm-4.1v")
SPECIAL_IDS = set(TOY.ids.values())


def test_a_folder_a_file_and_their_ids(tmp_path):
    folder = save_toy_tokenizer(tmp_path)
    for source in (folder, f"{folder}/tokenizer.json"):
        loaded = load_tokenizer(source, "glm-4.1v")
        assert (loaded.ids, loaded.vocabulary) == (TOY.ids, TOY.vocabulary)
        assert loaded.text("a red circle").tolist() == TOY.text("a red circle").tolist()


def test_transformers_opens_the_same_file_and_gives_the_same_ids(tmp_path):
    from transformers import PreTrainedTokenizerFast

    theirs = PreTrainedTokenizerFast(tokenizer_file=f"{save_toy_tokenizer(tmp_path)}/tokenizer.json")
    text = "<think>图中有三个 circles, it's 42.</think>\n<answer>3</answer>"
    assert theirs(text)["input_ids"] == TOY.response(text).tolist()


@pytest.mark.parametrize("name", ["/nowhere", "missing.json", "."])
def test_no_tokenizer_says_where(name):
    with pytest.raises(ConfigError, match=f"tokenizer '{name}': expected"):
        load_tokenizer(name, None)


def test_a_broken_file_says_so(tmp_path):
    (tmp_path / "tokenizer.json").write_text('{"model": 1}')
    with pytest.raises(ConfigError, match="expected one that can be read, found"):
        load_tokenizer(str(tmp_path), None)


@pytest.mark.parametrize("name", SPECIAL[2:])
def test_each_missing_token_is_named(name):
    without = toy_tokenizer(tuple(one for one in SPECIAL if one != name))
    needed = name in needed_tokens("glm-4.1v")
    if not needed:
        assert name in ("[sMASK]", "<eop>", "<|video|>")
        return
    with pytest.raises(TokensMissing) as found:
        ChatTokenizer(without, "glm-4.1v", "toy")
    assert str(found.value).startswith(f"tokenizer 'toy': expected one special token each, found {name} (")


def test_a_base_tokenizer_is_enough_for_documents_and_can_be_completed(tmp_path):
    folder = save_toy_tokenizer(tmp_path, BASE_SPECIAL)
    assert "<think>" not in load_tokenizer(folder, None).ids
    with pytest.raises(TokensMissing, match="<think> .*add_missing_tokens=true"):
        load_tokenizer(folder, "glm-4.1v")
    completed = load_tokenizer(folder, "glm-4.1v", add_missing=True)
    assert completed.decode(completed.response("<think>a</think>b")) == "<think>a</think>b"
    assert completed.vocabulary == load_tokenizer(folder, None).vocabulary + 7
    assert load_tokenizer(folder, "glm-4.5v", add_missing=True).ids.keys() == completed.ids.keys() - {
        "<answer>",
        "</answer>",
    }


@settings(max_examples=200)
@given(st.lists(st.sampled_from([*SPECIAL, "<|", "|>", " ", "\n", "image", "图", "é", "a red circle", "\0"])))
def test_special_tokens_in_a_users_text_stay_text(parts):
    text = "".join(parts)
    ids = TOY.text(text)
    assert SPECIAL_IDS.isdisjoint(ids.tolist())
    assert TOY.decode(ids) == text


@given(st.text())
def test_any_text_comes_back(text):
    assert TOY.decode(TOY.text(text)) == text


def test_of_a_response_only_its_tags_are_special():
    text = "<think>look at <|image|>\n</think><answer><|begin_of_box|>3<|end_of_box|></answer><|user|>/nothink"
    ids = TOY.response(text)
    assert [name for name in SPECIAL if TOY.ids[name] in ids] == [
        "<think>", "</think>", "<answer>", "</answer>", "<|begin_of_box|>", "<|end_of_box|>",
    ]  # fmt: skip
    assert TOY.decode(ids) == text


def test_a_worker_needs_neither_transformers_nor_torch_nor_beam():
    root = Path(__file__).resolve().parents[2]
    code = "import sys, train.chat.samples; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert {"transformers", "torch", "apache_beam"} & set(done.stdout.split()) == set()


def test_another_kind_of_tokenizer_is_refused():
    from tokenizers import AddedToken, Tokenizer, models

    words = Tokenizer(models.WordLevel({"a": 0}, "a"))
    words.add_special_tokens([AddedToken(name, special=True) for name in SPECIAL])
    with pytest.raises(ConfigError, match="tokenizer 'words': expected BPE, found WordLevel"):
        ChatTokenizer(words, "glm-4.1v", "words")
