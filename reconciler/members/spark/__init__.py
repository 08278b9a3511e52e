"""Reading, matching and comparing in a cluster of Apache Spark, with the statements of the engine here."""
