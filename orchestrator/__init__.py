"""Orders images from AI APIs in bulk, and never loses or repeats a paid request in silence."""

__all__ = ["__version__"]

__version__ = "0.1.0"
