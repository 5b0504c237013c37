"""The joined script: the same program as the modules it was made of, and an error for everything not understood."""

import re

import pytest
from dlcourse_node import NODE, ROOT, node

from dlcourse.widgets.bundle import SHARED, bundle, styles

needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")
VIEWS = [
    path
    for path in sorted((ROOT / "dlcourse/widgets").glob("*/*.js"))
    if path.parent != SHARED and re.search(r"^export default ", path.read_text(encoding="utf-8"), re.MULTILINE)
] + [ROOT / "tests/support/dlcourse_demo.js"]

# All forms that are understood, names that are told apart only by their module, and one module imported by two others.
MODULES = {
    "main.js": """
        import { double, NAME } from "./parts/number.js";
        import {
            Box,
            shout as loud,
        } from "./parts/word.js";
        import { later, count } from "./parts/tail.js";
        const secret = "main";
        export default async () => [NAME, double(4), loud("a"), new Box(3).open(), secret, [...count(3)], await later(7)
        ];
        """,
    "parts/number.js": """
        import { log } from "../log.js";
        const secret = 2;
        export const NAME = "number";
        export function double(value) { log.push("double"); return secret * value; }
        """,
    "parts/word.js": """
        import { log } from "../log.js";
        const secret = "!";
        export class Box {
            constructor(content) { this.content = content; }
            open() { return [this.content, ...log]; }
        }
        export function shout(text) { log.push("shout"); return text.toUpperCase() + secret; }
        """,
    "parts/tail.js": """
        export async function later(value) { return value; }
        export function* count(end) { for (let at = 0; at < end; at += 1) yield at; }
        """,
    "log.js": """
        // One list, whoever imports it.
        export const log = [];
        """,
}
RESULT = ["number", 8, "A!", [3, "double", "shout"], "main", [0, 1, 2], 7]


@pytest.fixture
def write(tmp_path):
    def write(modules):
        for name, text in modules.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            lines = text.strip("\n").split("\n")
            indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
            (tmp_path / name).write_text("\n".join(line[indent:] for line in lines), encoding="utf-8")
        return tmp_path / next(iter(modules))

    return write


def run(script: str, tmp_path) -> str:
    """What the default export of a script gives, as JSON."""
    (tmp_path / "joined.mjs").write_text(script, encoding="utf-8")
    (tmp_path / "run.mjs").write_text(
        'import main from "./joined.mjs";\nconsole.log(JSON.stringify(await main()));', encoding="utf-8"
    )
    done = node(tmp_path / "run.mjs")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@needs_node
def test_the_joined_script_does_what_the_modules_do(write, tmp_path):
    import json

    script = bundle(write(MODULES))
    assert json.loads(run(script, tmp_path)) == RESULT
    assert re.findall(r"^\s*import\b", script, re.MULTILINE) == []
    assert script.count("export ") == 1
    assert script.count("One list, whoever imports it.") == 1, "each module once"


@needs_node
@pytest.mark.parametrize("view", VIEWS, ids=lambda path: path.stem)
def test_every_view_becomes_a_script_that_a_browser_can_load(view, tmp_path):
    (tmp_path / "run.mjs").write_text(
        'import view from "./joined.mjs";\n'
        "const { initialize, render } = view();\nconsole.log(typeof initialize, typeof render);",
        encoding="utf-8",
    )
    (tmp_path / "joined.mjs").write_text(bundle(view), encoding="utf-8")
    done = node(tmp_path / "run.mjs")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "function function", "")


def test_the_same_files_give_the_same_script(write):
    main = write(MODULES)
    assert bundle(main) == bundle(main)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('import * as parts from "./a.js";', "does not understand"),
        ('import a from "./a.js";', "does not understand"),
        ('import "./a.js";', "does not understand"),
        ("import { a } from './a.js';", "does not understand"),
        ('import { a } from "a";', "does not understand"),
        ('import { a } from "https://example.org/a.js";', "does not understand"),
        ('import { a } from "./a.js"; a();', "does not understand"),
        ('    import { a } from "./a.js";', "does not understand"),
        ('import("./a.js");', "does not understand"),
        ("export { b };", "does not understand"),
        ('export * from "./a.js";', "does not understand"),
        ("export let b = 1;", "does not understand"),
        ("export var b = 1;", "does not understand"),
        ("export const { b } = {};", "does not understand"),
        ("export const $ = 1;", "does not understand"),
        ('import { b } from "./a.js";', "a.js does not export 'b'"),
        ('import { a, c } from "./a.js";', "a.js does not export 'c'"),
        ('import { a as b, d as e } from "./a.js";', "a.js does not export 'd'"),
    ],
)
def test_what_is_not_understood_is_an_error_that_names_the_file(write, line, message):
    main = write({"main.js": f"{line}\nexport default () => 1;", "a.js": "export const a = 1, c = 2;"})
    with pytest.raises(ValueError, match=f"^main.js: .*{re.escape(message)}"):
        bundle(main)


def test_only_the_entry_has_a_default_export(write):
    main = write(
        {"main.js": 'import { a } from "./a.js";\nexport default a;', "a.js": "export const a = 1;\nexport default a;"}
    )
    with pytest.raises(ValueError, match=r"a\.js: only the entry"):
        bundle(main)
    with pytest.raises(ValueError, match=r"main\.js: it has no default export"):
        bundle(write({"main.js": "const a = 1;"}))


def test_a_circle_is_an_error_that_names_its_files(write):
    first = 'import { b } from "./b.js";\nexport const a = 1;\nexport default a;'
    main = write({"a.js": first, "b.js": 'import { a } from "./a.js";\nexport const b = 1;'})
    with pytest.raises(ValueError, match=r"circle of imports: a\.js -> b\.js -> a\.js"):
        bundle(main)


def test_a_file_that_is_missing(write):
    with pytest.raises(FileNotFoundError, match=r"gone\.js"):
        bundle(write({"main.js": 'import { a } from "./gone.js";\nexport default a;'}))


def test_styles_come_after_the_shared_ones(tmp_path):
    (tmp_path / "own.css").write_text(".own { color: inherit; }", encoding="utf-8")
    shared = (SHARED / "core.css").read_text(encoding="utf-8")
    assert styles() == shared
    assert styles(tmp_path / "own.css") == f"{shared}\n.own {{ color: inherit; }}"
