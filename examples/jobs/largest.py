"""The largest order, read from and written to S3 directly: boto3 finds endpoint and credentials by itself."""

import os
from urllib.parse import urlsplit

import boto3

s3 = boto3.client("s3")


def place(variable: str) -> tuple[str, str]:
    """Bucket and key prefix."""
    parts = urlsplit(os.environ[variable])
    return parts.netloc, parts.path.lstrip("/")


bucket, prefix = place("OUTRIDER_INPUT_ORDERS")
lines = s3.get_object(Bucket=bucket, Key=f"{prefix}orders.csv")["Body"].read().decode().splitlines()
largest = max(lines, key=lambda line: int(line.split(",")[2]))
bucket, prefix = place("OUTRIDER_OUTPUT_LARGEST")
s3.put_object(Bucket=bucket, Key=f"{prefix}largest.csv", Body=largest.encode())
print(largest)
