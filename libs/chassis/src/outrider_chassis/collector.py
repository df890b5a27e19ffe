"""Python's garbage collector, set for a process that hears thousands of records a second."""

import gc


def tune() -> None:
    """Look rarely, and never again at what is there now. Called once, when everything is imported and open.

    By default every 700 new objects are looked at, and now and then all there are: a batch of records alone is several
    thousand, so the collector would take a third of the time. Garbage is freed by counting references as ever; only
    cycles wait longer.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
