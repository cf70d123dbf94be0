"""One root, one short class per cause. Every message says what came, what was wanted, what to do next."""


class DispropError(Exception):
    """Root of every error that disprop raises on purpose."""


class UsageError(DispropError, ValueError):
    """An argument is not one of the choices, or two arguments contradict each other."""


class InputRefused(DispropError):
    """A source cannot be read safely; nothing of it was counted."""


class OverlapError(DispropError):
    """The same part (same records) stands on both sides of a sum: adding would count it twice."""


class RevisionError(DispropError):
    """Two different versions of one slot (force and month) stand on both sides of a sum."""


class AxisMismatch(DispropError):
    """Two tallies, or a tally and a measure, do not share the axes that the operation needs."""


class CodelistMismatch(DispropError):
    """An axis carries a codelist (or a version of it) that cannot be combined with the other side's."""


class MultiChoiceError(DispropError):
    """Summing over items of which a record may have several would count records more than once."""


class UnitMismatch(DispropError):
    """Two tallies count different things (searches, residents, ...)."""


class Refused(DispropError):
    """The figure asked for would mislead; the message gives the reason."""


class BalanceError(DispropError):
    """Rows read are not the rows accounted for: a defect of disprop itself; nothing was counted."""
