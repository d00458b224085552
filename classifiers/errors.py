"""The error every model wrapper raises."""


class ModelError(RuntimeError):
    """A model cannot be loaded or gave what no model may give; says what was expected and what was found.

    The run stops on it (law 7): a missing model is never replaced by another one.
    """
