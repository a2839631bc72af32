"""The book's pipeline: execute chapters, render the site, check it.

    chapter.py    a text notebook: code cells with their lines, declared parameters
    cache.py      executed notebooks by content: code, parameters, library, lock, Python, device
    kernel.py     the kernel every chapter runs in
    execute.py    papermill, one chapter at a time, errors by chapter, cell and line
    outcomes.py   what the executed chapters say about the claims
    rerun.py      a chapter with other parameters: how the numbers moved
    reader.py     joins a page's text and its executed outputs, for Jupyter Book
    glue.py       the one role, the one directive and the page footer, for Sphinx
    mathjax.py    MathJax from its wheel, into the site
    site.py       a clean, reproducible build
    checks/       what Sphinx lets pass: TeX, alt texts, links, requests; a look in Chromium

Only this package and the CLI need the ``book`` extra; the rest of moelib imports nothing from here.
"""
