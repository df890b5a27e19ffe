"""Join the airports' parts into one file, a line per day: date,EWR,JFK,LGA (mean delay in minutes)."""

import csv
import os
from collections import defaultdict
from datetime import date
from pathlib import Path

days = defaultdict(dict)
for part in sorted(Path(os.environ["OUTRIDER_INPUT_DELAYS"]).glob("*/delays.csv")):
    with part.open(newline="") as lines:
        for month, day, airport, _, minutes in csv.reader(lines):
            days[date(2013, int(month), int(day))][airport] = minutes
airports = sorted({airport for day in days.values() for airport in day})
with Path(os.environ["OUTRIDER_OUTPUT_DAILY"], "daily.csv").open("w", newline="") as out:
    table = csv.writer(out)
    table.writerow(["date", *airports])
    for day, minutes in sorted(days.items()):
        table.writerow([day.isoformat(), *(minutes.get(airport, "") for airport in airports)])
print(len(days), "days,", len(airports), "airports")
