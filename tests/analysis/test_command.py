import os
import subprocess
import sys

import pytest

from analysis.command import OptionError, parse
from analysis.figures.__main__ import FigureOptions
from analysis.report.__main__ import ReportOptions


def test_the_default_is_the_latest_sweep():
    options = parse(FigureOptions, [])
    assert options.sweeps == ["latest"]
    assert options.axes == {}
    assert options.style == "paper"


def test_values_keep_their_type():
    options = parse(
        FigureOptions,
        ["sweep=[12e4, abc]", "where.lr=0.5", "where.hidden=[2,4]", "pair=[0.1,1]", "only=[rate,ert]", "x=lr"],
    )
    assert options.sweeps == ["12e4", "abc"]  # a run id that looks like a number
    assert options.where == {"lr": 0.5, "hidden": [2, 4]}
    assert options.pair == [0.1, 1]
    assert options.only == ["rate", "ert"]
    assert options.axes == {"x": "lr"}


def test_parameters_with_dots_can_be_chosen():
    expected = {"optimizer.momentum": 0.9}
    assert parse(FigureOptions, ["where.optimizer.momentum=0.9"]).where == expected
    assert parse(FigureOptions, ["where={optimizer: {momentum: 0.9}}"]).where == expected


def test_a_filter_is_text_and_stands_alone():
    options = parse(FigureOptions, ["filter=params.lr = '0.5' and metrics.converged = 1"])
    assert options.filter == "params.lr = '0.5' and metrics.converged = 1"
    assert options.sweeps == []


def test_everything_wrong_is_reported_at_once():
    bad = ["hu=lr", "only=[rate,heetmap]", "style=poster", "lr", "pair=[1]", "labels=[a,b]", "where.lr=["]
    bad += ["format=[png,pgn]", "tables=latex", "figsize=[3]", "dpi=5", "font=[Comic Sens,9,200]", "palette=virdis"]
    with pytest.raises(OptionError) as error:
        parse(FigureOptions, bad)
    message = str(error.value)
    for expected in (
        "hu: no such key, did you mean hue?",
        "only=heetmap: no such figure, did you mean heatmap?",
        "style=poster: valid are paper, talk",
        "format=pgn: valid are png, svg, pdf",
        "tables=latex: valid are csv, md, tex, parquet",
        "figsize=[3]: valid are two numbers of inches from 1 to 40, as [3.5,2.5]",
        "dpi=5: valid are whole numbers from 20 to 1200",
        "font=200: valid are sizes from 3 to 60 points",
        "font=[Comic Sens,9,200]: valid is one family, one size in points, or both",
        "font=Comic Sens: no such family is installed",
        "palette=virdis: no such palette, did you mean viridis?; valid are deep, muted, pastel, bright, dark",
        "lr: arguments have the form key=value",
        "pair=[1]: two levels",
        "labels: 2 given for 0 compared sweeps",
        "where.lr=[",
    ):
        assert expected in message


def test_sweep_and_compare_exclude_each_other():
    with pytest.raises(OptionError, match="exclude each other"):
        parse(FigureOptions, ["sweep=a", "compare=[b,c]"])


def test_a_report_takes_a_difference():
    assert parse(ReportOptions, ["difference=0.05"]).difference == 0.05
    for bad in ("big", "2", "1", "0", "-0.1", "nan"):
        with pytest.raises(OptionError, match=f"difference={bad}"):
            parse(ReportOptions, [f"difference={bad}"])


def test_what_is_not_there_is_told_before_anything_that_draws_is_imported(demo):
    arguments = ["sweep=nope", "x=learning_rate", "where.hidden=5", "where.nothing=1", "runs=zzz"]
    code = (
        "import sys\n"
        "from analysis.figures.__main__ import main\n"
        f"print([main([argument]) for argument in {arguments}])\n"
        "print([m for m in ('matplotlib', 'seaborn') if m in sys.modules])"
    )
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=demo[0], env=environment, capture_output=True, text=True, check=True
    )
    told = done.stderr.splitlines()
    assert len(told) == len(arguments)
    assert all(line.startswith(argument.split("=")[0]) for line, argument in zip(told, arguments, strict=True))
    assert done.stdout == "[1, 1, 1, 1, 1]\n[]\n"


@pytest.mark.parametrize("module", ["analysis.figures", "analysis.report"])
def test_help_is_not_kept_waiting_by_imports(module):
    slow = "mlflow", "matplotlib", "pandas", "seaborn", "scipy"
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['{module}', '--help']\n"
        f"try: runpy.run_module('{module}', run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0\n"
        f"print('slow:', [m for m in {slow} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"usage: python -m {module}" in done.stdout
    assert done.stdout.endswith("slow: []\n")
