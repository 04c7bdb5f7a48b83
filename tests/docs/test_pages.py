"""What the pages say runs, and where they point there is something."""

import inspect
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

import glassformer
from glassformer.cli.look import look
from glassformer.cli.main import app
from glassformer.runs.named import named_recipe
from glassformer.runs.recipe import settings
from tests.docs.pages import BY_HAND, DOCS, NAMES, ROOT, blocks, read, without_blocks

WITH_PYTHON = [name for name in BY_HAND if blocks(read(name), "python")]
SPOKEN_OF = re.compile(r"`(glassformer(?: [^`]+)?)`")


@pytest.mark.parametrize("name", WITH_PYTHON)
def test_the_python_of_a_page_runs_from_top_to_bottom_and_prints_what_it_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "a_page"}
    code = blocks(read(name), "python")
    for block in code:
        exec(compile(block, name, "exec"), names)
    said = capsys.readouterr().out
    for promised in re.findall(r"^print\(.*\)  # (.*)", "\n".join(code), flags=re.MULTILINE):
        assert promised in said


@pytest.mark.slow
def test_the_program_of_several_processes_answers_in_order(tmp_path: Path) -> None:
    (program,) = [block for block in blocks(read("guides/serve.md"), "python") if block.startswith("# many.py")]
    (tmp_path / "many.py").write_text(program, encoding="utf-8")
    done = subprocess.run([sys.executable, "many.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "['Où est la gare ?']\n[\"J'ai faim.\", 'Merci beaucoup.']\n"


def test_most_pages_show_code_that_runs() -> None:
    assert {"index.md", "guides/train.md", "guides/look.md", "concepts/masks.md"} <= set(WITH_PYTHON)
    assert len(WITH_PYTHON) >= 12


def commands(name: str) -> list[str]:
    """The commands of `glassformer` in a page: lines of its shell blocks, and those spoken of in its words."""
    lines = [line for block in blocks(read(name), "sh") for line in block.splitlines()]
    in_lines = [re.sub(r"^.*?(?=\bglassformer )", "", line) for line in lines if re.search(r"\bglassformer ", line)]
    spoken = [SPOKEN_OF.sub(r"\1", found[0]) for found in SPOKEN_OF.finditer(without_blocks(read(name)))]
    return [command for command in in_lines + spoken if command != "glassformer"]


ALL = [(name, command) for name in NAMES for command in commands(name)]


@pytest.mark.parametrize(("name", "line"), ALL, ids=[f"{name}: {line}" for name, line in ALL])
def test_every_command_named_is_a_command_with_those_options(name: str, line: str) -> None:
    check(line)


@pytest.mark.parametrize(
    "line",
    [
        "glassformer tarin reverse",
        "glassformer learn redo 5",
        "glassformer train reverse --no-such-setting 3",
        "glassformer translate runs/x --beams 4",
        "glassformer why 6 7",
    ],
)
def test_a_command_that_does_not_exist_would_be_found(line: str) -> None:
    with pytest.raises(AssertionError):
        check(line)


def check(line: str) -> None:
    """Fails where the line names no command, or an option or an argument that the command does not take."""
    command = typer.main.get_command(app)
    context = command.context_class(command, info_name="glassformer")
    words = shlex.split(line, comments=True)[1:]
    while words and hasattr(command, "get_command"):
        if words[0] == "..." or words[0].startswith("-"):
            break
        command = command.get_command(context, words.pop(0))
        assert command is not None, f"no such command: {line}"
        context = command.context_class(command, info_name=command.name, parent=context)
    if "..." in words:
        return
    if command.name == "train":
        words = without_settings(words)
    known = {option for each in command.params for option in [*each.opts, *each.secondary_opts]} | {"--help", "-h"}
    for word in words:
        assert not re.match("--?[a-z]", word) or word in known, f"no such option: {word}"
    _, left, _ = command.make_parser(context).parse_args(words)
    assert not left, f"too much: {left}"


def without_settings(words: list[str]) -> list[str]:
    """The words of a `train` command without the settings of its run."""
    known = {f"--{name.replace('_', '-')}" for name in settings(named_recipe("files"))}
    kept = []
    rest = iter(words)
    for word in rest:
        if word in known:
            next(rest)
        else:
            kept.append(word)
    return kept


def anchors(text: str) -> set[str]:
    """Where a link can go within a page: its headings, as Python-Markdown names them, and what is named by hand."""
    headings = re.findall(r"^#+ (.*)$", without_blocks(text), flags=re.MULTILINE)
    return {slugify(heading) for heading in headings} | set(re.findall(r'<a id="([^"]+)">', text))


def slugify(heading: str) -> str:
    plain = re.sub(r"[^\w\s-]", "", re.sub(r"\\(.)", r"\1", heading)).strip().lower()
    return re.sub(r"[-\s]+", "-", plain)


@pytest.mark.parametrize("name", NAMES)
def test_every_link_and_picture_leads_somewhere(name: str) -> None:
    page = DOCS / name
    for target in re.findall(r"\]\(((?!https?:)[^)\s]+)\)", without_blocks(read(name))):
        path, _, anchor = target.partition("#")
        goal = (page.parent / path) if path else page
        assert goal.is_file(), f"{name} points to {target}"
        assert goal.resolve().is_relative_to(DOCS), f"{name} points out of the site: {target}"
        if anchor:
            assert anchor in anchors(goal.read_text(encoding="utf-8")), f"{name} points to {target}"


def test_every_page_is_in_the_navigation_and_every_entry_is_a_page() -> None:
    listed = set(re.findall(r"([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert listed == set(NAMES)


def test_the_pages_speak_of_files_that_exist() -> None:
    for name in BY_HAND:
        for path in re.findall(r"`((?:tests|examples|src|docs)/[\w/.-]+)`", read(name)):
            made_later = path == "docs/tour.ipynb"
            assert made_later or (ROOT / path).exists(), f"{name} speaks of {path}"


def test_the_page_of_a_model_has_as_many_rooms_as_is_said() -> None:
    rooms = re.search(r"const ROOMS = \[(.*?)\]", (ROOT / "src/glassformer/look/page/main.js").read_text("utf-8"))
    assert rooms
    assert len(rooms[1].split(",")) == 10
    for said in (inspect.getdoc(look), read("guides/look.md"), (ROOT / "CHANGELOG.md").read_text("utf-8")):
        assert "ten rooms" in (said or "").lower()


def test_every_public_name_is_in_the_reference() -> None:
    assert set(re.findall(r"\[`(\w+)`\]\[glassformer", read("reference/index.md"))) == set(glassformer.__all__)
