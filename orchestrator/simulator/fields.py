"""Checked reading of a request's fields, with complaints in the provider's own words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from orchestrator.simulator.refusal import Refusal

__all__ = ["Complaint", "Fields"]

NUMBER = re.compile(r"-?[0-9]{1,9}")


class Complaint(Protocol):
    """Makes a provider's refusal of one field; `code` is OpenAI's word for what is wrong."""

    def __call__(self, message: str, *, param: str, code: str) -> Refusal:
        """The refusal, to be raised."""


class Fields:
    """The fields of one request. All readers raise the provider's Refusal.

    A form has only texts, so `from_form` lets digits stand for numbers; in JSON a quoted number is an error.
    """

    def __init__(self, values: Mapping[str, Any], complaint: Complaint, *, from_form: bool = False) -> None:
        self._values = values
        self._complaint = complaint
        self._from_form = from_form

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def raw(self, name: str) -> Any:  # noqa: ANN401 -- whatever JSON the client sent
        """The value as it came, None where it is missing."""
        return self._values.get(name)

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Complain about the first field that is none of these."""
        for name in self._values:
            if name not in known:
                raise self._complaint(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")

    def text(self, name: str, *, default: str | None = None) -> str:
        """A text; complains when it is missing and has no default."""
        value = self._values.get(name)
        if value is None and default is not None:
            return default
        if value is None:
            raise self._complaint(f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")
        if not isinstance(value, str):
            raise self._wrong_type(name, "a string", value)
        return value

    def prompt(self, longest: int) -> str:
        """The prompt, not empty and at most `longest` characters."""
        prompt = self.text("prompt")
        if not prompt.strip():
            raise self._complaint("The prompt must not be empty.", param="prompt", code="empty_string")
        if len(prompt) > longest:
            raise self._complaint(
                f"Invalid 'prompt': string too long. Expected a string with maximum length {longest}, "
                f"but got a string with length {len(prompt)} instead.",
                param="prompt",
                code="string_above_max_length",
            )
        return prompt

    def choice(self, name: str, allowed: Collection[str], *, default: str) -> str:
        """A text out of a list."""
        value = self.text(name, default=default)
        if value not in allowed:
            supported = ", ".join(f"'{word}'" for word in allowed)
            raise self._complaint(
                f"Invalid value: '{value}'. Supported values are: {supported}.", param=name, code="invalid_value"
            )
        return value

    def flag(self, name: str) -> bool:
        """A yes or no; no where it is missing."""
        value = self._values.get(name)
        if self._from_form and isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if value is not None and not isinstance(value, bool):
            raise self._wrong_type(name, "a boolean", value)
        return bool(value)

    def integer(self, name: str, *, default: int, low: int, high: int) -> int:
        """A whole number between `low` and `high`."""
        value = self._values.get(name)
        if value is None:
            return default
        if self._from_form and isinstance(value, str) and NUMBER.fullmatch(value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong_type(name, "an integer", value)
        if not low <= value <= high:
            code = "integer_above_max_value" if value > high else "integer_below_min_value"
            raise self._complaint(f"Invalid '{name}': expected {low} to {high}, got {value}.", param=name, code=code)
        return value

    def _wrong_type(self, name: str, expected: str, value: object) -> Refusal:
        message = f"Invalid type for '{name}': expected {expected}, but got {type(value).__name__} instead."
        return self._complaint(message, param=name, code="invalid_type")
