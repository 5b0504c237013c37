"""What nbgrader's settings say about a course: its id, its gradebook, its exchange; and the keys that go with the id.

Read as nbgrader reads them (nbgrader_config.py and .json in Jupyter's folders for settings, then in the course), but
without importing nbgrader, which takes seconds.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcourse.course.errors import CourseError
from dlcourse.course.grading import keys as keys_
from dlcourse.course.grading.keys import Keys

if TYPE_CHECKING:
    from traitlets.config import Config

DEFAULT_EXCHANGE = "/usr/local/share/nbgrader/exchange"  # nbgrader's own
COLLECT = "dlcourse.course.grading.collect.Collect"


@dataclass(frozen=True)
class Settings:
    """exchange: the folder; None when the course has an exchange that is no folder.

    explicit_gradebook: whether a setting names the gradebook.
    """

    course: Path
    id: str
    exchange: Path | None
    gradebook: str  # URL for SQLAlchemy
    explicit_gradebook: bool

    @property
    def has_gradebook(self) -> bool:
        """Whether it may be opened without making one."""
        return self._file is None or self._file.is_file()

    @property
    def _file(self) -> Path | None:
        prefix = "sqlite:///"
        return Path(self.gradebook.removeprefix(prefix)) if self.gradebook.startswith(prefix) else None


def settings(course: Path) -> Settings:
    """CourseError when a file of settings cannot be read, or when the course has no id."""
    course = Path(course).resolve()
    found = config(course)
    id = found.CourseDirectory.get("course_id", "")
    if not isinstance(id, str) or not id:
        raise CourseError(f"The course in {course} has no id. Set c.CourseDirectory.course_id in nbgrader_config.py.")
    url = found.CourseDirectory.get("db_url", f"sqlite:///{course / 'gradebook.db'}")
    if url.startswith("sqlite:///"):  # beside the course, wherever we were started
        url = f"sqlite:///{course / url.removeprefix('sqlite:///')}"
    # Another class moves files by a service. Ours, which collects, has the same folder as nbgrader's own.
    foreign = any(value != COLLECT for value in found.ExchangeFactory.values())
    root = None if foreign else Path(found.Exchange.get("root", DEFAULT_EXCHANGE))
    return Settings(course, id, root, url, "db_url" in found.CourseDirectory)


def config(course: Path) -> "Config":
    """All of nbgrader's settings for a course, as traitlets has them."""
    from jupyter_core.paths import jupyter_config_path
    from traitlets.config import Config, JSONFileConfigLoader, PyFileConfigLoader
    from traitlets.config.loader import ConfigFileNotFound

    found = Config()
    loaders = {"nbgrader_config.py": PyFileConfigLoader, "nbgrader_config.json": JSONFileConfigLoader}
    for folder in [*reversed(jupyter_config_path()), str(course)]:  # what is read later has the last word
        for name, loader in loaders.items():
            try:
                found.merge(loader(name, folder).load_config())
            except ConfigFileNotFound:
                continue
            except Exception as error:  # the file is a program: anything may come out of it
                raise CourseError(f"{Path(folder, name)} could not be read: {error!r}") from error
    return found


def spare_the_grammar() -> None:
    """Before the first import of nbgrader: its jsonschema builds a grammar of web addresses, for two seconds.

    A notebook's schema has no use for it, and jsonschema does without where the package is not installed.
    """
    sys.modules.setdefault("rfc3987_syntax", None)


def path_with_programs() -> str:
    """PATH, and before it the folder of this Python: nbgrader starts alembic by its bare name."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


@contextmanager
def programs_found() -> Iterator[None]:
    """For this process, while nbgrader makes a gradebook in it."""
    before = os.environ.get("PATH")
    os.environ["PATH"] = path_with_programs()
    try:
        yield
    finally:
        os.environ.pop("PATH") if before is None else os.environ.__setitem__("PATH", before)


def load_keys(course: Path) -> Keys:
    """The keys of the course in this folder. CourseError, with what to do, as `keys.load` has it."""
    here = settings(course)
    return keys_.load(here.id, outside=forbidden(here))


def forbidden(here: Settings) -> list[Path]:
    """Where keys must not lie."""
    return [here.course] if here.exchange is None else [here.course, here.exchange]
