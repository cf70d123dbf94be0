"""The report section: sentences that follow the figures, a picture that can be read without being seen, a safe page."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import msgspec
import pytest
from filling import fill
from invented_period import date

from disprop.audit import words
from disprop.audit.page import audit_facts, audit_page
from disprop.audit.picture import interval_picture
from disprop.audit.reviews import read_sheet
from disprop.audit.sheet import write_sheet
from disprop.audit.verification import verify
from disprop.errors import UsageError


@pytest.fixture
def reviews(drawn, tmp_path):
    """A: one in six falls short, one in six cannot be reviewed; B: half of it again, mostly alike."""

    def first(row):
        number = int(row["record_id"])
        if row["role"] != "sample":
            return {}
        if number % 6 == 1:
            return {"status": "could not be reviewed", "reason": "<b>restricted</b>"}
        return {
            "grounds_reasonable": "no" if number % 6 == 0 else "yes",
            "object_told": "yes",
            "video_complete": ("whole", "part", "none")[number % 3],
            "grounds_source": "officer",
            "cannabis_smell_alone": "yes" if number % 5 == 0 else "no",
        }

    def second(row):
        number = int(row["record_id"])
        return {"grounds_reasonable": "no" if number % 6 == 0 or number % 7 == 0 else "yes"}

    paths = []
    for reviewer, answer, share in (("A", first, None), ("B", second, 0.5)):
        write_sheet(drawn, tmp_path / f"{reviewer}.csv", reviewer=reviewer, second_share=share)
        paths.append(fill(tmp_path / f"{reviewer}.csv", tmp_path / f"{reviewer}-filled.csv", answer))
    return read_sheet(*paths, drawn=drawn)


@pytest.fixture
def page(drawn, reviews, ledger):
    return audit_page(drawn, reviews, verify(ledger, today=date(20)), trusted="B")


class Outline(HTMLParser):
    """Tags that stay open, ids, headings and the text between."""

    VOID = ("meta", "br", "img", "link")

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.headings, self.words = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if not self.open or self.open[-1] != "style":
            self.words.append(text)


def plain(page):
    return re.sub(r"\s+", " ", " ".join(Outline(page).words))


def test_the_page_is_whole_html_and_needs_no_other_file(page):
    outline = Outline(page)
    assert not outline.open
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.headings[0] == 1
    assert all(later - earlier <= 1 for earlier, later in zip(outline.headings, outline.headings[1:]))
    assert '<html lang="en-GB">' in page
    assert not re.search(r"""(?:src|href)=["']""", page)
    assert not re.search(r"nan|None|object at|<built-in", page)


def test_the_answer_comes_first_with_its_counts(page, made):
    text = plain(page)
    lead = text.index("the grounds were recorded and reasonable. For all records of the period that gives")
    drawn = text.index(f"Of 600 records in the period, {made.sample} were drawn at random.")
    assert text.index("In ") < lead < drawn
    assert "the method is right 95 times in 100" in text[lead:drawn]
    assert "If none of these counted the estimate would be" in text


def test_small_groups_are_stated_as_what_they_are(page):
    assert re.search(r"Mixed: \d+ of \d+: too few to say whether it differs from everyone else\.", plain(page))


def test_the_panel_gets_its_questions(page):
    text = plain(page)
    for question in (
        "that fell short, and what was done about each?",
        "Why is the answer not known for",
        "Will more of these records be drawn next time?",
        "what did they read differently?",
        "Is the smell of cannabis enough on its own?",
        "Why does video not show the whole search in",
    ):
        assert question in text


def test_two_reviewers_are_reported(page):
    text = plain(page)
    assert "records were reviewed twice; the answers agreed in" in text
    assert "Taking B's second review as right, the estimate moves from" in text
    assert re.search(r"Krippendorff alpha -?0\.\d\d -?0\.\d\d to \d\.\d\d \d+ ", text)


def test_the_proof_is_printed(page, drawn):
    assert drawn.proof.seed in page
    assert drawn.proof.commitment_sha256 in page
    assert "bit for bit" in page


def test_a_draw_that_does_not_verify_is_said_at_the_top(drawn, reviews, ledger):
    (ledger / "0001-draw.csv").write_bytes(b"")
    text = plain(audit_page(drawn, reviews, verify(ledger, today=date(20))))
    assert text.index("The draw does not verify.") < text.index("Share of records in which the grounds")
    assert "FAILS: commitment 1: the list is not the one that the draw gives" in text


def test_what_people_wrote_cannot_become_markup(drawn, reviews, ledger):
    page = audit_page(drawn, reviews, verify(ledger), title="<script>alert(1)</script>")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<b>" not in interval_picture([row("<b>a</b>")], name="x", title="<b>t</b>")


def test_a_correction_that_cannot_be_made_is_said(drawn, reviews, ledger):
    facts = audit_facts(
        drawn,
        reviews,
        verify(ledger),
        question="object_told",
        domains=[],
        trusted="A",
        method="wilson",
        confidence=0.95,
    )
    assert facts["corrected"] == (
        "The estimate cannot be corrected for reviewer error: "
        "no record has a first answer: there is nothing to correct."
    )
    with pytest.raises(UsageError, match="no reviewer 'Z'"):
        audit_page(drawn, reviews, verify(ledger), trusted="Z")


def row(label="All records", **figures):
    common = {
        "label": label,
        "mark": label,
        "text": "9 of 10: 90%",
        "estimate": 0.9,
        "low": 0.6,
        "high": 0.98,
        "n_unknown": 0,
    }
    return common | {"bound_low": 0.8, "bound_high": 0.95} | figures


def test_the_picture_can_be_read_without_being_seen():
    drawing = interval_picture([row(), row("Mixed", n_unknown=2)], name="x", title="Share of records")
    tree = ElementTree.fromstring(drawing)
    space = "{http://www.w3.org/2000/svg}"
    assert tree.attrib["role"] == "img"
    assert tree.attrib["aria-labelledby"] == "x-title x-description"
    assert tree.find(f"{space}title").text == "Share of records"
    assert tree.find(f"{space}desc").text == "All records: 9 of 10: 90%; Mixed: 9 of 10: 90%"
    assert len(tree.findall(f"{space}circle")) == 2
    assert len([line for line in tree.findall(f"{space}line") if "stroke-dasharray" in line.attrib]) == 1


def test_the_picture_is_to_scale():
    tree = ElementTree.fromstring(interval_picture([row(low=0.0, estimate=0.5, high=1.0)], name="x", title="t"))
    space = "{http://www.w3.org/2000/svg}"
    line = next(line for line in tree.findall(f"{space}line") if line.attrib.get("stroke-width") == "3")
    ticks = {text.text: float(text.attrib["x"]) for text in tree.findall(f"{space}text") if "%" in text.text}
    assert (float(line.attrib["x1"]), float(line.attrib["x2"])) == (ticks["0%"], ticks["100%"])
    assert float(tree.find(f"{space}circle").attrib["cx"]) == ticks["50%"]


def test_a_narrow_picture_has_its_words_above_the_lines_and_inside_the_box():
    tree = ElementTree.fromstring(interval_picture([row(), row("Mixed")], name="x", title="t", narrow=True))
    space = "{http://www.w3.org/2000/svg}"
    width = float(tree.attrib["viewBox"].split()[2])
    assert width <= 348  # what a phone of 380 pixels leaves
    for text in tree.findall(f"{space}text"):
        long = len(text.text) * 7.5
        x = float(text.attrib["x"])
        start = {"end": x - long, "middle": x - long / 2}.get(text.attrib.get("text-anchor"), x)
        assert start >= -2
        assert start + long <= width + 2


def test_the_page_has_a_picture_for_wide_and_for_narrow_screens(page):
    assert page.count('<svg class="picture"') == 2
    assert "each counts for less" in plain(page)  # 52 of 68 is not 75.7%


def test_unknown_answers_are_not_called_short_of_a_standard():
    row = {"n_unknown": 2, "denominator": 9, "bound_low": 0.1, "bound_high": 0.3}
    assert words.bounds_words(row) == (
        "For 2 records the answer is not known. If none of these counted the estimate would be 10.0%; if all did, "
        "30.0%."
    )
    assert words.bounds_words(row | {"denominator": 0}) == "For 2 records the answer is not known."
    assert words.bounds_words(row | {"n_unknown": 0}) == ""


def test_a_group_that_was_reviewed_whole_says_so(page):
    assert "Other: 3 of 3 (every record of this group was reviewed): higher than everyone else" in plain(page)
    assert "100% to 100%" not in plain(page)


def test_a_row_without_an_estimate_is_words_only():
    drawing = interval_picture([row(estimate=float("nan"), text="none reviewed")], name="x", title="t")
    assert "circle" not in drawing
    assert "none reviewed" in drawing


def group(verdict, **figures):
    common = {"group": "Black", "reference": "everyone else", "numerator": 35, "denominator": 41, "estimate": -0.2}
    return common | {"low": -0.3, "high": -0.1, "verdict": verdict, "verdict_holds": "holds"} | figures


@pytest.mark.parametrize(
    ("verdict", "figures", "sentence"),
    [
        ("too few to say", {}, "Black: 35 of 41: too few to say whether it differs from everyone else."),
        (
            "no clear difference",
            {"high": 0.1},
            "Black: 35 of 41: no clear difference from everyone else (−30.0 to +10.0 points); "
            "this does not show there is none.",
        ),
        ("lower", {}, "Black: 35 of 41: lower than everyone else by 20.0 points (−30.0 to −10.0 points)."),
        (
            "higher",
            {"reference": "White", "verdict_holds": "depends on the unknowns"},
            "Black: 35 of 41: higher than White by 20.0 points (−30.0 to −10.0 points). "
            "The answers not known could change that.",
        ),
        ("not computable", {}, "Black: cannot be given: no record of it, or of everyone else, was reviewed."),
    ],
)
def test_each_verdict_has_its_sentence(verdict, figures, sentence):
    assert words.group_sentence(group(verdict, **figures)) == sentence


def test_estimates_in_words():
    figures = {"numerator": 84, "denominator": 97, "estimate": 84 / 97, "low": 0.7843, "high": 0.9199}
    figures |= {"target": "these_records", "confidence": 0.95}
    assert words.finding(figures, "the grounds were reasonable") == (
        "In 84 of 97 records reviewed, the grounds were reasonable. For all records of the period that gives 86.6%, "
        "somewhere from 78.4% to 92.0%: the method is right 95 times in 100."
    )
    assert "the way such records come about" in words.estimate_words(figures | {"target": "process"})
    assert "is exact" in words.estimate_words(figures | {"low": 0.5, "high": 0.5})
    empty = figures | {"denominator": 0, "estimate": float("nan")}
    assert words.finding(empty, "x").startswith("Nothing can be said")


def test_no_words_that_the_writing_guide_forbids(page):
    for phrase in ("significant", "p-value", "margin of error", "BAME", "discriminat", "more likely to be"):
        assert phrase not in plain(page)


def test_percentages_are_never_rounded_to_none_or_all():
    assert [words.percent(share) for share in (0.0, 1.0, 1e-6, 1 - 1e-6, None, float("nan"), 0.5)] == [
        "0%", "100%", "under 0.1%", "over 99.9%", "not known", "not known", "50.0%",
    ]  # fmt: skip


def test_the_picture_names_each_group_whole(page):
    picture = page[page.index("<svg") : page.index("</svg>")]
    assert ">Black</text>" in picture
    assert "…" not in picture


def test_a_passed_over_beacon_is_not_said_to_leave_no_choice(drawn):
    assert words.drawn_words(drawn.plan, drawn.proof).endswith("so nobody could choose.")
    passed = msgspec.structs.replace(drawn.proof, missed_dates=(date(6),))
    said = words.drawn_words(drawn.plan, passed)
    assert "nobody could choose" not in said
    assert "6 April 2024, announced first, was not used" in said


def test_a_blank_group_has_a_name_in_the_questions():
    group = {"domain": "unit", "group": "", "reference": "everyone else", "verdict": "too few to say"}
    main = {"denominator": 9, "numerator": 9, "n_unknown": 0, "low": 0.9, "high": 1.0}
    assert "Too few to compare: blank (unit)." in words.panel_questions(main, [], [group], 1.0, 0)[0]
