class ClockOffset:
    pass


def corrected():
    pass


def estimate_offsets():
    pass
