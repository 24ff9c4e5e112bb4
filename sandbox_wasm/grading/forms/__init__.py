"""The forms in which public data sets write a ground truth, each a small class with its source."""

from sandbox_wasm.grading.forms.reader import FORMS, parse_check

__all__ = ["FORMS", "parse_check"]
