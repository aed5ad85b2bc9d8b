"""The notebook of the docs runs from the sweep to the figures, in any folder, and its outputs are what it gave."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PATH = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


def outputs(notebook: nbformat.NotebookNode, kind: str) -> list[str]:
    """Everything of a kind that the cells gave."""
    found = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output.data[kind] for output in found if kind in output.get("data", {})]


def test_it_is_kept_as_it_was_run_and_names_nobodys_folder() -> None:
    notebook = nbformat.read(PATH, 4)
    nbformat.validate(notebook)
    ran = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in ran] == list(range(1, len(ran) + 1))
    assert len(outputs(notebook, "image/png")) == 2
    text = PATH.read_text("utf-8")
    assert not [name for name in ("/tmp", "/home", "/root", "/Users", str(PATH.parents[1])) if f"{name}/" in text]


@pytest.mark.services  # a kernel, a store and a sweep take more than ten seconds
def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(variable, str(tmp_path / "jupyter"))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel's own shows figures in cells
    folder = tmp_path / "work"
    folder.mkdir()
    notebook = nbformat.read(PATH, 4)
    kept = outputs(notebook, "text/plain")
    NotebookClient(
        notebook, kernel_name="python3", timeout=300, resources={"metadata": {"path": str(folder)}}
    ).execute()
    assert len(outputs(notebook, "image/png")) == 2
    # The rates are those that are printed, whatever the machine.
    (shown,) = (text for text in outputs(notebook, "text/plain") if "at_end_low" in text)
    assert shown in kept
    assert {"mlflow.db", "mlartifacts", "multirun", "results"} == {path.name for path in folder.iterdir()}
