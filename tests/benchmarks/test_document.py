import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import __main__ as command
from benchmarks.document import renewed

DOCUMENT = """\
# Benchmarks

Before all parts.

## Training

`run training`

### this machine

old

| a | table |

### another machine

theirs

## Drawing

`run drawing`

### this machine

drawn
"""


def test_results_replace_those_of_the_same_part_and_machine_alone():
    document = renewed(DOCUMENT, "Training", "`run training`", "this machine", "#### Title\n\nnew")
    assert document == DOCUMENT.replace("old\n\n| a | table |", "#### Title\n\nnew")


def test_another_machine_stands_beside_the_first():
    document = renewed(DOCUMENT, "Drawing", "`run drawing`", "another machine", "theirs, too")
    assert document == DOCUMENT + "\n### another machine\n\ntheirs, too\n"


def test_a_document_grows_from_its_title():
    document = renewed("# Benchmarks", "Training", "`run training`", "a", "one")
    document = renewed(document, "Training", "`run training`", "b", "two")
    assert document == "# Benchmarks\n\n## Training\n\n`run training`\n\n### a\n\none\n\n### b\n\ntwo\n"


def test_results_may_not_look_like_the_document_s_own_headings():
    with pytest.raises(ValueError, match="Training: headings of results begin at level 4"):
        renewed(DOCUMENT, "Training", "`run training`", "this machine", "a\n### b\nc")


@given(st.lists(st.tuples(st.sampled_from("PQR"), st.sampled_from("abc"), st.integers()), max_size=20))
def test_every_part_has_the_last_results_of_every_machine(measurements):
    document, expected = "# Benchmarks", {}
    for part, machine, result in measurements:
        document = renewed(document, part, "how", machine, f"result {result}")
        expected[part, machine] = result
    assert document.count("result ") == len(expected)
    for (part, machine), result in expected.items():
        _, _, section = f"{document}\n## ".partition(f"\n## {part}\n")
        _, _, text = section.partition("\n## ")[0].partition(f"\n### {machine}\n")
        assert text.startswith(f"\nresult {result}\n")


def test_the_command_prints_and_renews_its_part_only(tmp_path, monkeypatch, capsys):
    document = tmp_path / "benchmarks.md"
    document.write_text(DOCUMENT)
    monkeypatch.setattr(command, "PARTS", {"greeting": ("Greetings", greeting)})
    monkeypatch.setattr(command, "machine", lambda: "this machine")
    monkeypatch.setattr(sys, "argv", ["benchmarks", "greeting", "--document", str(document)])
    command.main()
    assert "hello" in capsys.readouterr().out
    text = document.read_text()
    assert text.startswith(DOCUMENT.strip())
    assert "## Greetings\n\n`python -m benchmarks greeting`\n\n### this machine\n\nMeasured on " in text
    assert text.endswith("hello\n")


def greeting():
    return "hello"


def test_an_unknown_part_is_refused():
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", "kernel", "dancing"], check=False, capture_output=True, text=True
    )
    assert run.returncode == 2
    assert "dancing: valid parts are kernel, sweep, analysis" in run.stderr
