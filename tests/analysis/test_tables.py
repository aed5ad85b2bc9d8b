import numpy as np
import pandas as pd

from analysis.tables import latex


def test_latex_prints_names_as_they_are():
    table = pd.DataFrame({"a_b": [0.123456, np.inf], "name": ["50% & $x^2$ #1 {~}", "C:\\new"]})
    text = latex(table, "100% of <these>", "tab:one")
    assert r"\begin{tabular}{rl}" in text
    assert r"a\_b & name \\" in text
    assert r"0.1235 & 50\% \& \$x\textasciicircum{}2\$ \#1 \{\textasciitilde{}\} \\" in text
    assert r"inf & C:\textbackslash{}new \\" in text
    assert r"\caption{100\% of \textless{}these\textgreater{}}" in text
    assert r"\label{tab:one}" in text
    assert text.index(r"\toprule") < text.index(r"\midrule") < text.index(r"\bottomrule")


def test_a_latex_table_longer_than_a_page_may_break():
    text = latex(pd.DataFrame({"n": range(300)}))
    assert text.count(r"\begin{longtable}{r}") == 1
    assert all(f"\n{n} \\\\" in text for n in (0, 150, 299))
