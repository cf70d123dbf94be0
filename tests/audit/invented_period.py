"""Constants of the invented period that the audit tests share."""

import datetime

from disprop.audit.commitment import Beacon
from disprop.audit.frame import FrameColumns

SALT = bytes(range(32))
COLUMNS = FrameColumns(strata=("ethnicity",), domains=("unit",), grounds="grounds")


def date(day):
    return datetime.date(2024, 4, day)


BEACON = Beacon("National Lottery, Lotto", "six main numbers, rising, hyphens between", (date(6), date(10)))
VALUE = "4-11-23-31-40-58"
