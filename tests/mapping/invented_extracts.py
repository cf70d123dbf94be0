"""Extracts that no force ever wrote, with the truth: columns by many names, in any order. Plain Python, no disprop."""

import csv
import io
import random
import re
from dataclasses import dataclass, field

SELF = {
    "W1": "White", "W9": "White", "B1": "Black", "B2": "Black", "A1": "Asian", "A4": "Asian", "M1": "Mixed",
    "O1": "Other", "NS": "not stated",
}  # fmt: skip
OFFICER = {"IC1": "White", "IC3": "Black", "IC4": "Asian", "IC6": "Other"}
GENDER = {"M": "Male", "F": "Female"}
POWERS = {
    "Misuse of Drugs Act 1971 (section 23)": None, "S1 PACE": "Police and Criminal Evidence Act 1984 (section 1)",
    "Criminal Justice and Public Order Act 1994 (section 60)": None,
}  # fmt: skip
OBJECTS = {"Controlled drugs": None, "Offensive weapons": None, "Stolen goods": None, "Firearms": None}
OUTCOMES = {"Arrest": None, "Community resolution": None, "NFA": "No further action"}
BANDS = {"10-17": None, "18-24": None, "25-34": None, "over 34": None}
FORCE_BANDS = {"11-17": None, "18-34": None, "35-49": None, "50-64": None}
TACTICS = ("Compliant handcuffing", "Ground restraint", "CED drawn", "Shield", "Unarmed skills")
REASONS = ("Protect self", "Effect search", "Prevent escape", "Secure evidence")
FACTORS = ("Alcohol", "Drugs", "Mental health", "Crowd")
FLAG = {"Y": "yes", "N": "no"}

NAMES = {
    "search": {
        "event_time": ("Search Date/Time", "DateTimeOfSearch", "Stop date time"),
        "event_time:date": ("Date of search", "Search Date", "EncounterDate"),
        "event_time:time": ("Time of search", "Search Time", "EncounterTime"),
        "officer": ("Searching Officer Collar No", "Officer ID", "Badge_ID"),
        "other_officer": ("Second Officer Collar Number", "Assisting Officer", "OFFICER_2"),
        "person": ("Nominal Ref", "Person URN", "Golden Nominal ID"),
        "reference": ("Search URN", "Form Ref", "Occurrence No"),
        "command_unit": ("BCU", "Local Policing Area", "Officer Team"),
        "search_type": ("Search Type", "Type of Search", "Encounter type"),
        "gender": ("Gender", "Sex", "Subject Gender"),
        "age_band": ("Age Group", "Age Band", "Subject age group"),
        "age_band:years": ("Age", "Age at Event", "Age in years"),
        "ethnicity_self": ("Self Defined Ethnicity", "SDE", "Self-classified Ethnicity"),
        "ethnicity_officer": ("Officer Defined Ethnicity", "Ethnic Appearance", "IC Code"),
        "legislation": ("Search Power", "Legislation", "Power used"),
        "object": ("Object of Search", "Item searched for", "Search Object"),
        "outcome": ("Search Outcome", "Result", "Outcome"),
        "linked": ("Outcome Linked", "Object Found", "Linked to object"),
        "more_thorough": ("MTIP", "Strip Search", "More Thorough Search"),
        "video_recorded": ("BWV Used", "Body Worn Video", "BWV activated"),
    },
    "force_report": {
        "event_time": ("Incident Date Time", "UseOfForceDateTime", "Date time force used"),
        "officer": ("Reporting Officer Collar No", "Officer PIN", "Warrant Number"),
        "person": ("Subject ID", "Nominal", "Person Id"),
        "incident": ("Incident URN", "Incident Number", "Incident Log No"),
        "command_unit": ("BCU", "Officer Unit", "Division"),
        "gender": ("Subject Gender", "Sex", "Gender"),
        "age_band": ("Perceived Age Band", "Age group", "Subject Age Group"),
        "ethnicity_officer": ("Perceived Ethnicity", "Subject Ethnicity", "Ethnic appearance code"),
        "reasons": ("Reasons for using force", "Reason for force", "Reasons"),
        "officer_injury": ("Officer Injury", "Injury to officer", "Officer Injured"),
        "person_injury": ("Subject Injury", "Injury to subject", "Person Injury"),
        "video_recorded": ("BWV Used", "Recorded on BWV", "Body worn video"),
    },
    "footage": {
        "event_time": ("Recorded On", "Recording Started", "Start Time"),
        "end_time:duration": ("Duration", "Length", "Video Length"),
        "media": ("Evidence ID", "Asset Id", "Clip ID"),
        "officer": ("Owner Badge ID", "Operator Id", "Assigned To Badge Id"),
        "reference": ("Incident ID", "Case Ref", "Case ID"),
        "device": ("Device Serial No", "Camera Serial Number", "Camera ID"),
        "system": ("Source System", "Platform", "System"),
        "status": ("Evidence Status", "Status", "STATUS"),
        "uploaded_time": ("Uploaded On", "Date Uploaded", "Upload Time"),
    },
    "custody": {
        "event_time": ("Arrest Date Time", "Date/Time of Arrest", "Date and time of arrest"),
        "officer": ("Arresting Officer Collar No", "Arresting Officer", "Arresting officer collar number"),
        "person": ("Detainee ID", "Detained Person Id", "Nominal Number"),
        "reference": ("Custody Record No", "Custody Number", "Custody Ref"),
        "gender": ("Gender", "Sex", "Person Sex"),
        "age_band": ("Age Range", "Age Band", "Age group"),
        "ethnicity_self": ("Self Defined Ethnicity", "SDE", "16+1 Ethnicity"),
    },
}
NOISE = ("Remarks", "DOB", "Reviewed by supervisor")


@dataclass
class Invented:
    """One extract: its header, its rows of text, what each column is, and what each record truly says."""

    kind: str
    header: list[str]
    rows: list[list[str]]
    is_what: dict[str, str]
    truth: list[dict[str, object]]
    identifiers: set[str]
    items: dict[str, tuple[str, str]] = field(default_factory=dict)

    def text(self, delimiter=",", end="\n"):
        out = io.StringIO()
        writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
        writer.writerow(self.header)
        writer.writerows(self.rows)
        return out.getvalue()


def invented(kind, *, seed, naming="known", n=300, years=False, apart=False, flags=False, formats="%d/%m/%Y %H:%M"):
    """An extract of n records; `naming` says whether its columns have telling names or none (`opaque`)."""
    draw = random.Random(f"{kind} {seed}")
    targets = _targets(kind, years=years, apart=apart)
    records = [_record(kind, draw, i, formats) for i in range(n)]
    cells = {target: [record[target] for record in records] for target in targets}
    names = {target: _named(kind, target, draw, naming, i) for i, target in enumerate(targets)}
    columns = {names[target]: values for target, values in cells.items()}
    columns |= {name: [_noise(name, draw) for _ in records] for name in NOISE}
    items = {}
    if flags:
        for column, prefix, labels in (("tactics", "Tactic", TACTICS), ("impact_factors", "Impact factor", FACTORS)):
            for label in labels:
                columns[f"{prefix}: {label}"] = ["Y" if label in record[column] else "N" for record in records]
                items[f"{prefix}: {label}"] = (column, label)
    header = list(columns)
    draw.shuffle(header)
    rows = [list(row) for row in zip(*(columns[name] for name in header))]
    secret = {str(record[t]) for record in records for t in ("officer", "other_officer", "person", "reference", "media")
              if record.get(t)}  # fmt: skip
    return Invented(kind, header, rows, {name: target for target, name in names.items()},
                    [record["truth"] for record in records], secret, items)  # fmt: skip


def _targets(kind, *, years, apart):
    targets = [target for target in NAMES[kind] if target not in ("event_time:date", "event_time:time")]
    if kind == "search":
        targets.remove("age_band" if years else "age_band:years")
    if apart:
        targets = [target for target in targets if target != "event_time"] + ["event_time:date", "event_time:time"]
    return targets


def _named(kind, target, draw, naming, i):
    if naming == "opaque":
        return f"col_{i:02d}"
    name = draw.choice(NAMES[kind][target])
    return name if naming == "known" else _mangled(name, draw)


def _mangled(name, draw):
    """A name as databases and tired hands write it: a prefix, capitals, underscores, a letter lost."""
    words = re.sub(r"[^A-Za-z0-9+]+", " ", name).split()
    if draw.random() < 0.3:
        words = [draw.choice(["SS", "tbl", "Custom", "x"]), *words]
    if draw.random() < 0.3:
        longest = max(words, key=len)
        at = draw.randrange(1, len(longest)) if len(longest) > 4 else len(longest)
        words[words.index(longest)] = longest[:at] + longest[at + 1 :]
    style = draw.choice(["_".join, " ".join, ".".join])
    return draw.choice([str.upper, str.lower, str.title])(style(words))


def _noise(name, draw):
    if name == "DOB":
        return f"{draw.randint(1, 28):02d}/{draw.randint(1, 12):02d}/{draw.randint(1960, 2008)}"
    if name == "Remarks":
        return f"{draw.choice(['spoke to', 'met', 'saw'])} {draw.choice(['Ann Example', 'Bob Sample'])} {draw.random()}"
    return draw.choice(["yes", "no"])


def _record(kind, draw, i, formats):
    """One record's cells by target, and what they truly say."""
    day, month, hour, minute = draw.randint(1, 28), draw.randint(1, 12), draw.randint(0, 22), draw.randint(0, 59)
    date = formats.split()[0].replace("%d", f"{day:02d}").replace("%m", f"{month:02d}").replace("%Y", "2023")
    record = {
        "event_time": f"{date} {hour:02d}:{minute:02d}", "event_time:date": date,
        "event_time:time": f"{hour:02d}:{minute:02d}",
        "officer": f"C{draw.randint(1000, 1040)}", "other_officer": draw.choice(["", f"C{draw.randint(1000, 1040)}"]),
        "person": f"N/{draw.randint(10000, 99999)}", "reference": f"{kind[:2].upper()}-23-{i:06d}",
        "incident": f"I{draw.randint(100, 180):06d}", "command_unit": draw.choice(["North", "South", "City"]),
        "search_type": draw.choice(["Person search", "Person and Vehicle search"]),
        "media": f"e{i:07d}a", "device": f"X8{draw.randint(10000, 10040)}",
        "system": draw.choice(["Pole star", "Lens"]),
        "status": draw.choice(["Active", "Deleted"]),
        "end_time:duration": f"{draw.randint(0, 59)}:{draw.randint(10, 59)}",
        "uploaded_time": f"{date} 23:{minute:02d}",
    }  # fmt: skip
    truth = {"month": f"2023-{month:02d}"}
    tables = {"gender": GENDER, "ethnicity_self": SELF, "ethnicity_officer": OFFICER, "legislation": POWERS,
              "object": OBJECTS, "outcome": OUTCOMES, "linked": FLAG, "more_thorough": FLAG, "video_recorded": FLAG,
              "age_band": FORCE_BANDS if kind == "force_report" else BANDS,
              "officer_injury": {"Minor": None, "None": None, "Severe": None},
              "person_injury": {"Minor": None, "None": None, "Death": None}}  # fmt: skip
    for target, table in tables.items():
        record[target] = draw.choice(list(table))
        truth[target] = table[record[target]] or record[target]
    age = draw.randint(10, 70)
    record["age_band:years"] = str(age)
    tops = {"10-17": 17, "18-24": 24, "25-34": 34, "over 34": 99}
    truth["age_band:years"] = next(band for band, top in tops.items() if age <= top)
    for column, labels in (("tactics", TACTICS), ("reasons", REASONS), ("impact_factors", FACTORS)):
        chosen = [label for label in labels if draw.random() < 0.4]
        record[column], truth[column] = (";".join(chosen) if column == "reasons" else chosen), chosen
    record["truth"] = truth
    return record
