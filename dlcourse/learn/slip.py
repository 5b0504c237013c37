"""A slip in a cell: a letter that is no option, a name that nothing has."""


class Slip(ValueError):
    """What a cell asked for cannot be understood. Jupyter shows the message alone: there is no bug to trace."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]
