"""What every config model shares: frozen, no unknown key, loaded from YAML with dotted overrides.

Left out on purpose: anything that imports Beam or torch. Reading a config must be instant.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError


class ConfigError(ValueError):
    """The user's configuration or command is wrong; the message says what was expected and what was found."""


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=Strict)


def load_config(path: str | Path | None, schema: type[Model], overrides: list[str] | None = None) -> Model:
    """Values of the YAML file at `path` (defaults where None), then each `section.key=value` of `overrides`.

    Raises ConfigError naming the file, the key, what was expected and what was found.
    """
    values = _read_yaml(Path(path)) if path is not None else {}
    for override in overrides or []:
        apply_override(values, override)
    return parse_config(values, schema, str(path or "defaults"))


def parse_config(values: dict[str, Any], schema: type[Model], place: str) -> Model:
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        found = [(".".join(map(str, e["loc"])) or "(root)", e["msg"], e["input"]) for e in error.errors()]
        lines = [f"{key}: {expected}, found {value!r}" for key, expected, value in found]
        raise ConfigError(f"{place}: " + "; ".join(lines)) from error


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: expected a readable YAML file: {error}") from error
    if values is not None and not isinstance(values, dict):
        raise ConfigError(f"{path}: expected a mapping at the top, found {type(values).__name__}")
    return values or {}


def apply_override(values: dict[str, Any], override: str) -> None:
    """Sets one `section.key=value` in nested `values`, the value read as YAML. Raises ConfigError."""
    dotted, equals, text = override.partition("=")
    if not equals or not all(dotted.split(".")):
        raise ConfigError(f"--set expects section.key=value, found {override!r}")
    *sections, key = dotted.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigError(f"--set {override!r}: {section!r} is a value, not a section")
    try:
        values[key] = yaml.safe_load(text) if text else ""
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override!r}: expected a YAML value: {error}") from error
