"""`key=value key="another value"`: how a line says several things, so that people and programs can read it. Pure."""

import json
from collections.abc import Mapping


def pairs(values: Mapping[str, object]) -> str:
    """The values as text, one line whatever is in them: what isn't one plain word is in JSON's quotes, and
    yes and no are JSON's words."""
    return " ".join(f"{key}={_word(value)}" for key, value in values.items())


def _word(value: object) -> str:
    text = json.dumps(value) if isinstance(value, bool) else str(value)
    if text and text.isprintable() and not any(character in ' "=\\' for character in text):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())
