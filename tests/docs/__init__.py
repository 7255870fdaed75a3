"""The documentation, checked: links resolve, commands run, tables are those of the code."""
