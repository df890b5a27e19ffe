"""Unpack the year's flights into the output directory."""

import os
import sys
import zipfile

target = os.environ["OUTRIDER_OUTPUT_FLIGHTS"]
with zipfile.ZipFile(sys.argv[1]) as archive:
    archive.extract("flights.csv", target)
with open(f"{target}/flights.csv") as lines:
    print(sum(1 for _ in lines) - 1, "flights")
