"""What a page can be about, one file a kind of run.

A kind is a function that looks at a run folder and gives its `Subject`, or None where the run is of
another kind; it stands in `paring.report.making.KINDS`. What the page then shows are sections: each
is a key of `Subject.sections` with data ready for JSON, and a script in ``assets/`` that draws it
where it finds that key. A new kind or section touches none of those that stand.
"""
