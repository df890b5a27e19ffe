"""A Spark application that knows nothing of Outrider: sums numbers on its executors, and waits there if told to."""

import os
import sys
import time

from pyspark.sql import SparkSession  # type: ignore[import-not-found]


def host(_rows: object) -> list[str]:
    if sys.argv[1] == "wait":
        time.sleep(600)
    return [os.uname().nodename]


spark = SparkSession.builder.getOrCreate()
numbers = spark.read.csv(os.environ["OUTRIDER_INPUT_NUMBERS"].split(), schema="n INT").repartition(4)
print("worked on", len(set(numbers.rdd.mapPartitions(host).collect())), "executors", flush=True)
output = os.environ["OUTRIDER_OUTPUT_SUMS"].rstrip("/")
numbers.groupBy((numbers.n % 2).alias("odd")).sum("n").write.parquet(f"{output}/parquet")
sums = spark.read.parquet(f"{output}/parquet")
sums.coalesce(1).orderBy("odd").write.csv(f"{output}/csv")
