"""Fail on every skipped test that .ci/allowed_skips.toml does not allow.

The skips are read from pytest's own reports (--junitxml), so a test cannot hide one, whatever plugin or worker ran it.
"""

import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from fnmatch import fnmatchcase
from pathlib import Path

ALLOWED = Path(__file__).with_name("allowed_skips.toml")


def skips(report: Path) -> list[tuple[str, str]]:
    """(test, reason) of every skip in a report, of whole files too; an expected failure (xfail) is not a skip."""
    return [
        # The report gives a file skipped at collection no class, and its reason as text alone.
        (f"{case.get('classname')}::{case.get('name')}", f"{skipped.get('message')} | {skipped.text}")
        for case in ElementTree.parse(report).iter("testcase")
        for skipped in case.iter("skipped")
        if skipped.get("type") != "pytest.xfail"
    ]


def unexplained(found: list[tuple[str, str]], allowed: list[dict[str, str]]) -> list[tuple[str, str]]:
    """The skips for which no entry matches both the test and the reason (shell patterns)."""
    return [
        (test, reason)
        for test, reason in found
        if not any(fnmatchcase(test, entry["test"]) and fnmatchcase(reason, entry["reason"]) for entry in allowed)
    ]


def main(reports: list[str]) -> int:
    found = [skip for report in reports for skip in skips(Path(report))]
    wrong = unexplained(found, tomllib.loads(ALLOWED.read_text(encoding="utf-8"))["skip"])
    for test, reason in wrong:
        print(f"skipped without leave: {test}\n    {reason}", file=sys.stderr)
    print(f"{len(found)} skipped, {len(wrong)} of them not allowed by {ALLOWED.name}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
