"""What the README says is so."""

import re
from pathlib import Path

import pytest

from glassformer.cli import main
from glassformer.learn.zoo import FAULTS
from tests.test_sizes import core_lines

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_runs_and_prints_what_it_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    runnable = [block for block in blocks if "import" in block]
    assert len(runnable) >= 2
    for block in runnable:
        exec(compile(block, "README.md", "exec"), names)
    said = capsys.readouterr().out
    for promised in re.findall(r"print\(.*\)  # (.*)", "\n".join(runnable)):
        assert promised in said


def test_the_quoted_attention_is_the_source() -> None:
    quoted = next(
        block for block in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL) if "masked_energy" in block
    )
    source = (ROOT / "src/glassformer/model/attention.py").read_text(encoding="utf-8")
    for line in quoted.strip().splitlines():
        assert line.strip() in source


def test_every_link_into_the_project_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_command_named_is_a_command() -> None:
    groups = main.app.registered_groups
    commands = {command.name for command in (*main.app.registered_commands, *groups)}
    names = "demo|train|translate|evaluate|models|convert|compare|shapes|masks|attention|look|learn|why|diagnose"
    assert set(re.findall(rf"glassformer ({names})\b", README)) == commands


def test_the_number_of_faults_is_the_number_of_faults() -> None:
    digits = ("", "-one", "-two", "-three", "-four", "-five", "-six", "-seven", "-eight", "-nine")
    tens, ones = divmod(len(FAULTS), 10)
    number = {3: "thirty", 4: "forty", 5: "fifty"}[tens] + digits[ones]
    assert f"and {number} classic mistakes" in README
    assert f"and {number} planted mistakes" in README


def test_the_number_of_core_lines_is_right() -> None:
    stated = int(re.search(r"(\d+) lines of core", README).group(1))  # type: ignore[union-attr]
    assert stated == sum(core_lines().values())


def test_the_verdict_shown_is_what_the_checker_says() -> None:
    from glassformer.learn.checker.judge import judge
    from glassformer.learn.course import bank, find

    part = bank(find("attention")).parts[0]
    verdict = judge(part, part.wrong("scale-without-root"))
    quoted = next(block for block in README.split("```")[1::2] if "behaves like" in block)
    for said in (verdict.headline, verdict.evidence, *verdict.yours, verdict.asked, verdict.question):
        assert said in quoted
