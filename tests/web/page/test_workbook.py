"""The workbook on the page: what it says of one that comes back with mistakes."""

from __future__ import annotations

import openpyxl
from playwright.sync_api import expect

from tests.web.browsing import NARROW


def test_what_was_not_taken_in_is_in_the_result_file(editor, replica, contacts, tmp_path):
    """One row is good, one has a mistake, and a column has lost its header."""
    good, bad = next(contacts), next(contacts)
    page = editor.goes("workbook")
    path = tmp_path / "edited.xlsx"
    edit(path, page, {str(good.id): {"Title": "Good"}, str(bad.id): {"Last Name": None}})

    page.get_by_label("Workbook", exact=True).set_input_files(path)
    expect(page.get_by_text("Not everything in this workbook is read")).to_be_visible()
    expect(page.locator("#cells .trouble")).to_contain_text("LastName")
    page.set_viewport_size(NARROW)
    expect(page.locator('td[data-label="Problems"]:visible')).to_have_count(1)
    assert page.locator(".table").evaluate_all("all => all.every((each) => each.scrollWidth <= each.clientWidth)")
    page.get_by_role("button", name="Apply 1 row").click()
    expect(page.locator("#notices")).to_contain_text("1 row is taken in, 1 not: see the result file.")
    with page.expect_download() as file:
        page.get_by_role("link", name="Result file").click()

    file.value.save_as(tmp_path / "result.xlsx")
    said = openpyxl.load_workbook(tmp_path / "result.xlsx")
    cells = [str(cell) for sheet in said for row in sheet.iter_rows(values_only=True) for cell in row if cell]
    assert any(str(bad.id) in each for each in cells)
    assert any("LastName" in each for each in cells)
    assert replica.contacts.get(str(good.id)).title == "Good"
    assert replica.contacts.get(str(bad.id)).last_name == bad.last_name


def edit(path, page, edits):
    """Download the workbook, change cells of contacts by their ids, and take one header away."""
    with page.expect_download() as download:
        page.get_by_role("link", name="Sales set").click()
    download.value.save_as(path)
    book = openpyxl.load_workbook(path)
    sheet = book["Contact"]
    key = place_of(sheet, "Id")
    for row in sheet.iter_rows(min_row=2):
        for label, value in edits.get(row[key].value, {}).items():
            row[place_of(sheet, label)].value = value
    sheet[1][place_of(sheet, "Department")].value = None
    book.save(path)


def place_of(sheet, label):
    return next(at for at, cell in enumerate(sheet[1]) if str(cell.value).startswith(label))
