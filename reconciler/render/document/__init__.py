"""A plan, a run or drift as a document: values, and the sentences that all layouts share."""
