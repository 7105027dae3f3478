"""Label the texts of Parquet files with Spark, and write them with their labels.

    spark-submit spark_labelling.py RUN mails/ labelled/ --column text

Each executor needs labelkit, and the checkpoint under the same path as the driver: a shared folder, or a copy.
"""

from __future__ import annotations

import argparse

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

import labelkit


def main() -> None:
    """Read, label and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="as in labelkit label")
    parser.add_argument("source", help="a folder of Parquet files")
    parser.add_argument("target", help="the folder to write")
    parser.add_argument("--column", help="of texts, or of words; default one with a usual name")
    asked = parser.parse_args()
    spark = SparkSession.builder.appName("labelkit").getOrCreate()
    frame = spark.read.parquet(asked.source)
    labeller = labelkit.BatchLabeller(asked.run, column=asked.column)
    labels = from_arrow_schema(labeller.schema(pa.schema([])))
    schema = StructType([*frame.schema, *labels])
    frame.mapInArrow(labeller.label_batches, schema).write.parquet(asked.target)


if __name__ == "__main__":
    main()
