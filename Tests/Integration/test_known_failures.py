"""Every known failure has a test, and the page of them says which."""

import known_failures as rows


def test_every_row_has_a_test_or_a_reason():
    marked, reasons = rows.marked_tests(), rows.cannot_apply()
    assert set(marked) | set(reasons) == set(rows.ROWS)
    assert not set(marked) & set(reasons), "what is tested can apply"
    assert all(len(reason) > 20 for reason in reasons.values())


def test_the_page_has_each_row_once_and_names_the_tests_that_carry_its_mark():
    marked, page = rows.marked_tests(), rows.page_rows()
    assert [row for row, *_ in rows.LINE.findall(rows.PAGE.read_text("utf-8"))] == rows.ROWS
    wrong = [
        row
        for row, (_, _, tests) in page.items()
        if row in marked and tests != rows.tests_cell(row, marked)
    ]
    assert wrong == [], "run: python3 Tests/known_failures.py --write"


def test_a_run_is_judged_by_its_reports(tmp_path):
    case = '<testcase name="test_{0}[x]"><properties><property name="known_failure" value="{0}"/>'
    good = [case.format(row) + "</properties></testcase>" for row in rows.ROWS]
    report = tmp_path / "report.xml"

    def judged(cases, everything=True):
        report.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
        return rows.summary([report], everything)

    assert judged(good) == (
        "known failures: 63 rows, 63 shown not to happen by 63 tests, 0 cannot apply",
        True,
    )
    line, well = judged(good[1:])
    assert not well and line.endswith("; not in this run: C1")
    assert judged(good[1:], everything=False)[1]
    bad = case.format("C7") + "</properties><failure/></testcase>"
    line, well = judged([*good, bad], everything=False)
    assert not well and line.endswith("; FAILED: C7") and " 62 shown" in line
