"""A file for a spreadsheet: what begins like a formula is none."""

import csv
import io

from starter.web.desk.lists import csv_line


def test_a_stranger_s_text_is_no_formula() -> None:
    line = csv_line(["=1+1", "\tx", "x;=1", 'plain "quoted", text'])
    assert next(csv.reader(io.StringIO(line))) == ["'=1+1", "'\tx", "x;'=1", 'plain "quoted", text']


def test_the_file_says_that_it_is_unicode() -> None:
    assert csv_line(["x"], first=True).encode().startswith(b"\xef\xbb\xbf")
