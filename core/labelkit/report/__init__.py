"""The report of a run as one self-contained HTML page: collect its contents, derive its tables, render them."""
