"""Write orders as CSV: number,region,amount. A stand-in for a query on the database of the connection."""

import json
import os
import random
from pathlib import Path

connection = json.loads(Path(os.environ["OUTRIDER_SOURCE_ORDERS_DB"]).read_text())
print("would ask", connection["conn_type"], "at", connection["host"])
rows = int(os.environ["OUTRIDER_PARAM_ROWS"])
some = random.Random(2026)  # noqa: S311  the same orders at every run
with Path(os.environ["OUTRIDER_OUTPUT_ORDERS"], "orders.csv").open("w") as out:
    for number in range(rows):
        print(number, some.choice(["north", "south"]), some.randint(1, 500), sep=",", file=out)
print(rows, "orders")
