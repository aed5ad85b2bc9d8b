import base64
import hashlib
import json
import re
import shlex
from html.parser import HTMLParser

import pandas as pd
import pytest

from analysis.report.__main__ import main


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


def scripts(text):
    """The scripts of a page, and those that its policy allows to run."""
    elements = re.findall(r"<script(?: [^>]*)?>(.*?)</script>", text, re.DOTALL)
    allowed = re.search(r"script-src ([^\"]*)", text)[1].split()
    return elements, allowed


def test_nothing_is_fetched_and_nothing_runs_but_its_own_scripts(page):
    parsed = Page(page)
    assert not {"link", "iframe", "object", "base", "form"} & set(parsed.tags)
    sources = [value for name, value in parsed.attributes if name in ("src", "action")]
    assert len(sources) == 9
    assert all(source.startswith(("data:image/svg+xml;base64,", "data:image/png;base64,")) for source in sources)
    assert all(value.startswith("#") for name, value in parsed.attributes if name == "href")
    assert not [name for name, _ in parsed.attributes if name.startswith("on")]
    (data, *own), allowed = scripts(page)
    json.loads(data)
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in own)
    assert allowed == [f"'sha256-{digest}'" for digest in digests]
    assert len(page) < 6e6


def test_every_claim_leads_to_its_table(page):
    parsed = Page(page)
    identities = [value for name, value in parsed.attributes if name == "id"]
    links = [value for name, value in parsed.attributes if name == "href"]
    assert {"#table-conditions", "#table-survival", "#table-ert"} <= set(links)
    assert {link.removeprefix("#") for link in links} <= set(identities)
    assert len(set(identities)) == len(identities)
    claims = re.findall(r"<p class=finding>(.*?)</p>", page)
    assert claims
    assert all("<a href=" in claim for claim in claims)


def test_the_charts_hold_every_trial_and_lead_to_its_run(page, demo):
    from mlflow import MlflowClient

    specification = json.loads(scripts(page)[0][0])
    trials, conditions = (specification["datasets"][name] for name in ("trials", "conditions"))
    assert len(trials["run"]) == 36  # each network at its longest cut-off
    assert len(conditions["c"]) == 6
    client = MlflowClient(f"sqlite:///{demo[0] / 'mlflow.db'}")
    run = client.get_run(trials["run"][0])
    assert f"learning rate = {float(run.data.params['lr']):g}" in conditions["condition"][trials["c"][0]]
    assert run.data.metrics.get("epochs_to_converge") == trials["epochs"][0]
    assert f"http://127.0.0.1:5000/#/experiments/{run.info.experiment_id}" in page.replace("' + '", "")


def test_it_answers_the_question_from_the_data(page, retrain):
    text = " ".join(Page(page).words)
    assert "At which learning rates, hidden widths and cut-offs does backpropagation learn xor" in text
    trained = pd.DataFrame(
        [(*t[:4], t[4].max_error < 0.4) for t in retrain()], columns=["lr", "hidden", "epochs", "seed", "c"]
    )
    rates = trained.groupby(["epochs", "lr", "hidden"])["c"].mean()
    ends = [f"{100 * rate:.0f}%" for rate in (rates[1000].min(), rates[1000].max())]
    assert re.search(
        r"In 6 conditions of 6 networks each, the fraction of networks that meet the criterion at the end "
        rf"\(1,000 epochs\) is from {ends[0]} .* to {ends[1]} ",
        text,
    )
    half = [(rates[epochs] >= 0.5).sum() for epochs in (100, 1000)]
    assert f"In {half[0]} of 6 conditions at least half" in text
    assert f"within 100 epochs, in {half[1]} of 6 within 1,000;" in text
    assert re.search(r"A success is cheapest with lr = .*, hidden = .: [\d,]+ epochs", text)
    assert "To find a difference of 20 percentage points" in text
    assert "0123456789abcdef" in text


def test_it_hangs_on_the_parent_run(page, demo):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{demo[0] / 'mlflow.db'}")
    assert "figures/report.html" in {f.path for f in client.list_artifacts(demo[1], "figures")}


def test_provenance_is_whole_and_can_be_copied(sweeps, trained, tmp_path, capsys):
    tags = {"command": "python -m experiments.train -m " + " ".join(f"'seed=range({i})'" for i in range(50))}
    tags["versions"] = ", ".join(f"package{i} {i}.0" for i in range(40))
    name = "lr=" + ",".join(map(str, range(100)))
    parent = sweeps.start(name, tags.items())
    run_id = sweeps.finish(parent, [sweeps.run(parent, *trained[0])])
    assert main(["where.hidden=2", "difference=0.3"]) == 0
    (path,) = tmp_path.glob("figures/*/report.html")
    words = Page(path.read_text()).words
    for shown in (*tags.values(), name, run_id, "FINISHED, 1 of 1 job finished"):
        assert shown in words
    (command,) = (w for w in words if w.startswith("python -m analysis.report"))
    assert command == f"python -m analysis.report sweep={run_id[:12]} where.hidden=2 difference=0.3"
    sweeps.finish(sweeps.start("later"), [])
    before = path.read_bytes()
    assert main(shlex.split(command)[3:]) == 0
    assert path.read_bytes() == before


def test_sweeps_that_differ_in_several_parameters_are_not_told_by_one(sweeps, trained, tmp_path):
    one = sweeps.start("one")
    sweeps.finish(one, [sweeps.run(one, *t, loss="sse", optimizer="plain") for t in trained[:3]])
    two = sweeps.start("two")
    sweeps.finish(two, [sweeps.run(two, *t, loss="mse", optimizer="momentum") for t in trained[3:6]])
    assert main([f"sweep=[{one.info.run_id},{two.info.run_id}]"]) == 0
    (path,) = tmp_path.glob("figures/*/report.html")
    page = Page(path.read_text())
    warning = "sweep varies only together with lr, loss and optimizer: their effects cannot be told apart."
    assert warning in page.words
    design = [page.words[page.words.index("loss") + i] for i in (1, 2)]
    assert design == ["sse", "mse"]
    captions = [value for name, value in page.attributes if name == "alt"]
    assert captions
    assert all(warning in caption for caption in captions)
    assert "1: one; 2: two" in page.words
    assert f"python -m analysis.report 'sweep=[{one.info.run_id[:12]},{two.info.run_id[:12]}]'" in page.words


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
    assert parsed.tags.count("script") == 3
    elements, allowed = scripts(text)
    assert len(elements) == 3
    assert len(allowed) == 2
    assert "alert(" not in "".join(elements[1:])
    assert not [n for n, _ in parsed.attributes if n == "onerror"]
    assert any("<img src=x onerror=alert(1)> $a_1$ ../../x # h | b" in words for words in parsed.words)
