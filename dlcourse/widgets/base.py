"""The notebook's side of a widget: traits for parameters, messages for everything that moves, one lock, no thread.

The view asks ("tick") and the kernel answers with one frame; while nobody looks, nobody asks, and nothing is computed.
Messages may be handled on the main thread or, while a cell runs, on another; the lock lets one at a time at the engine.

    view -> kernel   {kind: "hello"}                      a view has appeared: send it the present frame
                     {kind: "tick", id}                   while playing: some steps, then a frame
                     {kind: "act", id, name, args}        a method of the engine, by name, if the engine allows it
    kernel -> view   {kind: "frame", tick, header, arrays} + buffers      tick: the id, if it answers a tick
                     {kind: "answer", id, result}
                     {kind: "error", id, message, detail}

Every browser window hears every message; by the id each knows what answers its own question.
"""

import difflib
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Self

import anywidget
import traitlets

from dlcourse.plot.show import Picture
from dlcourse.widgets.engine import Engine
from dlcourse.widgets.guard import Guard, one_torch_thread
from dlcourse.widgets.params import Param
from dlcourse.widgets.runner import Runner, Tick
from dlcourse.widgets.snapshot import pack

log = logging.getLogger(__package__)

ALWAYS = frozenset({"reset", "step", "share", "load"})  # actions of every widget
TOOLBAR = ("play", "step", "back", "reset", "scrub", "speed", "share", "code")
SWITCH = 0.001  # seconds after which a busy cell lets another thread go on; a message changes threads a dozen times
IDLE_LIMIT = 600.0  # seconds without input after which a playing widget pauses


class ParamTrait(traitlets.TraitType):
    """A trait that takes what its parameter takes, and says so in the parameter's words."""

    def __init__(self, param: Param, **settings: Any):
        super().__init__(default_value=param.default, **settings)
        self.param = param

    def validate(self, obj: Any, value: Any) -> Any:
        try:
            return self.param.check(self.name, value)
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None


class BaseWidget(anywidget.AnyWidget):
    """What all widgets share. A subclass names its engine, its picture, its script and its style.

    Each parameter of the engine is a trait of the same name: `w.lr = 0.1` in a cell moves the control, and moving the
    control changes `w.lr`. `hide` names controls, buttons or parts that are not shown.
    """

    engine_class: ClassVar[type[Engine]]
    picture: ClassVar[Callable[[Any], Picture]]
    title: ClassVar[str]
    parts: ClassVar[tuple[str, ...]] = ()  # what else a teacher may hide, beside parameters and the toolbar's buttons

    playing = traitlets.Bool(False).tag(sync=True)
    speed = traitlets.Int(5, min=1, max=1000).tag(sync=True)  # steps per frame, at most
    hide = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _spec = traitlets.Dict().tag(sync=True)
    _idle_limit = traitlets.Float(IDLE_LIMIT).tag(sync=True)

    def __init__(
        self, *, hide: Iterable[str] = (), engine: Engine | None = None, runner: Runner | None = None, **given
    ):
        """engine: one that exists already; else `engine_class` is made of the arguments given. Raises ValueError for
        a parameter or a name in `hide` that does not exist."""
        self.guard = Guard()
        self._heard: dict[str, Any] | None = None  # parameters of one message of a view, gathered
        self.engine = self.engine_class(**given) if engine is None else engine
        self.runner = runner or Tick()
        if engine is not None and given:
            raise ValueError(f"give either an engine or its settings, not both (came: {', '.join(given)}).")
        params = type(self.engine).params
        have = {name: getattr(type(self), name) for name in params if hasattr(type(self), name)}
        if taken := [name for name, what in have.items() if not isinstance(what, ParamTrait)]:
            raise ValueError(
                f"a parameter may not be called {', '.join(taken)}: every widget has something of that name."
            )
        spec = {
            "title": self.title,
            "params": {name: param.spec() for name, param in params.items()},
            "actions": sorted(self._allowed()),
        }
        # Before the line to the browser opens: a view that is built at once finds all of them.
        self.add_traits(**{name: ParamTrait(param).tag(sync=True) for name, param in params.items()})
        self._pull()
        super().__init__(_spec=spec, hide=self._hideable(hide))
        self.observe(self._param_changed, list(params))
        self.on_msg(self._received)

    # ------------------------------------------------------------------ what a cell may call

    def set(self, **values: Any) -> None:
        """Set several parameters at once: all, or with a ValueError none."""
        self._change(lambda: self.engine.set(**values))

    def reset(self) -> None:
        """Back to the beginning, with the parameters as they are."""
        self._change(self.engine.reset)

    def step(self, n: int = 1) -> None:
        """Go on by n steps, and show where that leads. The view stays usable: other messages get in between."""
        if isinstance(n, bool) or not isinstance(n, int) or n < 0:
            raise ValueError(f"n={n!r}: wanted a whole number of steps, 0 or more.")
        for _ in range(n):
            with self.guard:
                if not self.engine.running:
                    break
                self.engine.step()
                if self.engine.pauses:
                    break
            time.sleep(0)
        self._change(lambda: None)

    def describe(self) -> str:
        """The present state in words."""
        with self.guard:
            return self.engine.describe()

    def share(self) -> str:
        """A string from which `from_share` makes the same widget in the same state, wherever this edition is."""
        with self.guard:
            return self.engine.share()

    @classmethod
    def from_share(cls, text: str, **settings: Any) -> Self:
        """The widget that `share` described. Raises ValueError for a damaged or foreign string."""
        return cls(engine=cls.engine_class.from_share(text), **settings)

    def load(self, text: str) -> None:
        """Take over what a share string holds, in place. ValueError leaves everything as it was."""
        with one_torch_thread():
            fresh = self.engine_class.from_share(text)
        with self.guard:
            self.engine = fresh
        self._change(lambda: None)

    def __setattr__(self, name: str, value: Any) -> None:
        """Raises AttributeError for a misspelt name, which Python would take for a new one."""
        if not name.startswith("_") and name not in ("guard", "engine", "runner") and not hasattr(self, name):
            near = difflib.get_close_matches(name, dir(self), 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise AttributeError(f"{type(self).__name__} has nothing called {name!r} that could be set.{hint}")
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        changed = (f"{name}={value!r}" for name, value in self._settings() if value != self.engine.params[name].default)
        return f"{type(self).__name__}({', '.join(changed)})"

    def _settings(self) -> list[tuple[str, Any]]:
        return list(self.engine.values.items())

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        """The live view; and where there is none, on a web page or in a saved notebook, a picture and a text."""
        data, metadata = super()._repr_mimebundle_(**kwargs)
        with self.guard:
            try:
                still = type(self).picture(self.engine)
                data = {**data, "text/plain": f"{self!r}\n{self.engine.describe()}", "text/html": still._repr_html_()}
            except Exception as error:  # no picture is no reason to hide the live view
                log.error("%s has no picture: %s", type(self).__name__, error, exc_info=error)
        return data, metadata

    # ------------------------------------------------------------------ messages

    def _allowed(self) -> frozenset[str]:
        return self.engine.actions | ALWAYS

    def _received(self, _widget: Any, content: dict, _buffers: list) -> None:
        """One message of the view. Whatever goes wrong is shown there and logged here."""
        kind, ident = content.get("kind"), content.get("id")
        try:
            if kind == "hello":
                self._publish()
            elif kind == "tick":
                self._tick(ident)
            elif kind == "act":
                result = self._act(content["name"], content.get("args") or {})
                self.send({"kind": "answer", "id": ident, "result": result})
            else:
                raise ValueError(f"a message of kind {kind!r} came from the view; known are hello, tick and act.")
        except (Exception, KeyboardInterrupt) as error:  # the kernel's stop button may hit a tick: that is no silence
            if kind == "tick":
                self.playing = False  # or the same error would come 40 times a second
            self._report(error, ident)

    def _tick(self, ident: Any) -> None:
        with self.guard:
            if self.playing:
                self.runner.advance(self.engine, self.speed)
                if self.engine.pauses or not self.engine.running:
                    self.playing = False
            self._pull()
            self._publish(tick=ident)

    def _act(self, name: str, args: dict[str, Any]) -> Any:
        if name not in self._allowed():
            raise ValueError(f"{self.title} has no action {name!r}; it has {', '.join(sorted(self._allowed()))}.")
        if name == "load":
            return self.load(**args)
        return self._change(lambda: getattr(self.engine, name)(**args))

    def _change(self, change: Callable[[], Any]) -> Any:
        """Do something with the engine, bring the traits in line, show the result."""
        with self.guard:
            result = change()
            self._pull()
            self._publish()
        return result

    def _publish(self, *, tick: Any = None) -> None:
        with self.guard:
            content, buffers = pack(self.engine.snapshot())
            self.send({"kind": "frame", "tick": tick, **content}, buffers)

    def notify_change(self, change: Any) -> None:
        with self.guard:  # a cell's change and a view's tick both fill the list of what is to be sent
            super().notify_change(change)

    def open(self) -> None:
        super().open()
        self._forget_route()
        sys.setswitchinterval(min(SWITCH, sys.getswitchinterval()))

    def _send(self, msg: dict, buffers: Any = None) -> None:
        super()._send(msg, buffers=buffers)
        self._forget_route()

    def _forget_route(self) -> None:
        """ipykernel 7.4 sends a view's next message to the shell that published last. After `w.lr = 0.1` in a cell that
        is the main shell, and the view would hang while the next cell runs. Forgotten, the shell that JupyterLab chose
        for this widget applies; other kernels know no such route."""
        if self.comm is not None:
            vars(self.comm).pop("_reply_subshell_id", None)

    def _report(self, error: BaseException, ident: Any = None) -> None:
        log.error("%s: %s", type(self).__name__, error, exc_info=error)
        plain = isinstance(error, (ValueError, traitlets.TraitError))
        message = str(error) if plain else f"{type(error).__name__}: {error}"
        detail = "" if plain else "".join(traceback.format_exception(error))
        self.send({"kind": "error", "id": ident, "message": message, "detail": detail})

    # ------------------------------------------------------------------ parameters

    def _pull(self) -> None:
        """Traits as the engine has them: an action or a step back may have changed several."""
        with self.hold_sync():
            for name, value in self.engine.values.items():
                if getattr(self, name) != value:
                    setattr(self, name, value)

    def _param_changed(self, change: Any) -> None:
        with self.guard:
            if self._heard is not None:
                self._heard[change.name] = change.new
            elif self.engine.values[change.name] != change.new:
                self._take({change.name: change.new})

    def _take(self, values: dict[str, Any]) -> None:
        """What traits were set to, into the engine; or if it refuses, the traits as they were."""
        try:
            self.engine.set(**values)
        finally:
            self._pull()
        if not self.playing:  # else the next frame shows it
            self._publish()

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """What a view has set: all of one message, or nothing. What is refused is shown there with the reason, and the
        control goes back."""
        with self.guard:
            try:
                self._heard = {}
                try:
                    super().set_state(sync_data)
                finally:
                    heard, self._heard = self._heard, None
                if heard:
                    self._take(heard)
            except Exception as error:
                self._report(error)
                self._pull()
                self.send_state([name for name in sync_data if name in self.keys])

    @traitlets.validate("hide")
    def _check_hide(self, proposal: Any) -> list[str]:
        try:
            return self._hideable(proposal["value"])
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None

    def _hideable(self, names: Iterable[str]) -> list[str]:
        names = [names] if isinstance(names, str) else list(names)
        known = (*type(self.engine).params, *TOOLBAR, *self.parts)
        for name in names:
            if name not in known:
                raise ValueError(
                    f"hide={name!r}: {type(self).__name__} has no such control; it has {', '.join(known)}."
                )
        return names
