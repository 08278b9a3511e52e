"""A document as Markdown for pull requests. Text from outside is escaped and stays inert."""
