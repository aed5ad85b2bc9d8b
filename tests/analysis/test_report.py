import re
from html.parser import HTMLParser

import pytest

from analysis.report import main


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def page(demo):
    folder, run_id = demo
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert main([f"sweep={run_id}", "difference=0.2"]) == 0
    return (folder / "figures" / run_id[:12] / "report.html").read_text()


def test_nothing_is_fetched_and_nothing_runs(page):
    parsed = Page(page)
    assert not {"script", "link", "iframe", "object", "base", "form"} & set(parsed.tags)
    sources = [value for name, value in parsed.attributes if name in ("src", "href", "action")]
    assert len(sources) == 9
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not [name for name, _ in parsed.attributes if name.startswith("on")]
    assert "url(" not in page


def test_it_answers_the_question_from_the_data(page):
    text = " ".join(Page(page).words)
    assert "At which learning rates, hidden widths and cut-offs does backpropagation learn xor" in text
    converged = re.search(r"Of 36 networks \(6 conditions, 6 seeds\), (\d+) converged within 1,000 epochs", text)
    assert converged
    share = re.search(r"(\d+)% had converged after 100 epochs, (\d+)% after 1,000\.", text)
    assert round(100 * int(converged[1]) / 36) == int(share[2])
    assert re.search(r"A success is cheapest with lr = .*, hidden = .: [\d,]+ epochs", text)
    assert "To find a difference of 20 percentage points" in text
    assert "0123456789abcdef" in text


def test_it_hangs_on_the_parent_run(page, demo):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{demo[0] / 'mlflow.db'}")
    assert "figures/report.html" in {f.path for f in client.list_artifacts(demo[1], "figures")}


def test_hostile_names_stay_text(sweeps, trained, tmp_path):
    name = "<img src=x onerror=alert(1)> $a_1$ ../../x\n# h | b"
    parent = sweeps.start(name, {"command": "<script>alert(2)</script>"}.items())
    rows = [sweeps.run(parent, *t, task="xor", activation="sigmoid") for t in trained[:3]]
    run_id = sweeps.finish(parent, rows)
    assert main([]) == 0
    (path,) = tmp_path.glob("figures/*/report.html")
    assert path.parent.name == run_id[:12]
    text = path.read_text()
    parsed = Page(text)
    assert "script" not in parsed.tags
    assert not [n for n, _ in parsed.attributes if n == "onerror"]
    assert any("<img src=x onerror=alert(1)> $a_1$ ../../x # h | b" in words for words in parsed.words)
