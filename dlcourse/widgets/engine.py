"""What every engine has: parameters that are checked, steps, a snapshot for the view, a sentence, a string to share.

An engine is plain Python and torch: no widget, no browser. It can be read, tested and used without either.
"""

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from dlcourse.widgets.params import Param
from dlcourse.widgets.snapshot import Snapshot

LONGEST = 200_000  # bytes of JSON that a share string may hold; it comes from strangers


class Engine:
    """`params`: what may be set. `actions`: names of methods that a view may call, and no others."""

    name: ClassVar[str]
    version: ClassVar[int] = 1  # of the share string: raise it when an old string would mean something else
    params: ClassVar[Mapping[str, Param]]
    actions: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, /, **values: Any) -> None:
        """Raises ValueError for an unknown parameter or a value out of range."""
        self.values: dict[str, Any] = {name: param.default for name, param in self.params.items()}
        self.values |= self._checked(values)

    def set(self, /, **values: Any) -> None:  # "/", or a stranger's setting named "self" would be no plain error
        """Set parameters, all or none: ValueError changes nothing."""
        fresh = {name: value for name, value in self._checked(values).items() if value != self.values[name]}
        if fresh:
            before = self.values
            self.values = before | fresh
            try:
                self.changed(frozenset(fresh))
            except BaseException:
                self.values = before
                raise

    def changed(self, names: frozenset[str]) -> None:
        """Called after parameters have changed."""

    def reset(self) -> None:
        """Back to the beginning, with the parameters as they are."""

    def step(self, n: int = 1) -> None:
        """Go on by n steps. An engine that only shows something has none."""

    @property
    def running(self) -> bool:
        """Whether another step makes sense."""
        return False

    @property
    def pauses(self) -> bool:
        """Whether play should stop at this very step, though another would make sense."""
        return False

    def snapshot(self) -> Snapshot:
        """All that a view needs to draw the present state, at most `snapshot.LIMIT` bytes."""
        raise NotImplementedError

    def describe(self) -> str:
        """The present state in a few plain sentences, for people who do not see the picture."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """What `restore` needs to come back here, as JSON."""
        return {"params": dict(self.values)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over a checked copy of a `state`. Raises ValueError when it does not fit."""
        self.set(**_mapping(state, "params"))

    def share(self) -> str:
        """A short string from which `from_share` makes the same engine in the same state."""
        text = json.dumps(self.state(), separators=(",", ":"), allow_nan=False)
        packed = base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")
        return f"{self.name}.{self.version}.{packed}"

    @classmethod
    def from_share(cls, text: str) -> Self:
        """The engine that `share` described. Raises ValueError for a damaged or foreign string."""
        engine, state = cls(), cls.opened(text)
        try:
            engine.restore(state)
        except (LookupError, TypeError, AttributeError, ArithmeticError) as error:
            raise ValueError(f"this share string does not hold what a {cls.name} needs ({error!r}).") from error
        return engine

    @classmethod
    def opened(cls, text: str) -> dict[str, Any]:
        """The state inside a share string: data only, nothing of it is run."""
        if not isinstance(text, str):
            raise ValueError(f"a share string was wanted, and {type(text).__name__} came.")
        name, _, rest = text.strip().partition(".")
        version, _, packed = rest.partition(".")
        if name != cls.name or version != str(cls.version):
            raise ValueError(
                f"this string begins with {text.strip()[:24]!r}, and what this widget shares in this edition with "
                f"'{cls.name}.{cls.version}.': it is no share string, or one of another widget or edition. "
                "Copy the whole string from its Share box."
            )
        try:
            raw = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
            opener = zlib.decompressobj()
            data = opener.decompress(raw, LONGEST)
            if not opener.eof:
                raise ValueError("cut short, or too long")
            state = json.loads(data, parse_constant=_refuse)
        except (binascii.Error, zlib.error, ValueError, RecursionError) as error:
            raise ValueError(f"this share string is damaged ({error}). Copy all of it, from '{cls.name}' on.") from None
        if not isinstance(state, dict):
            raise ValueError("this share string is damaged (it holds no settings).")
        return state

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        for name in values:
            if name not in self.params:
                raise ValueError(f"{self.name} has no parameter {name!r}; it has {', '.join(self.params)}.")
        return {name: self.params[name].check(name, value) for name, value in values.items()}


def _refuse(word: str) -> None:
    raise ValueError(f"it holds {word}")


def _mapping(state: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = state.get(key, {})
    if not isinstance(value, dict):
        raise ValueError(f"this share string is damaged (its {key!r} is no table).")
    return value
