"""Which requests there are and what each waits for, read from search attributes and memo: no query a row.

`query.py` says which, `rows.py` what one line tells, `pages.py` reads them page by page. The command's list and every
page that shows requests have their numbers from here.
"""
