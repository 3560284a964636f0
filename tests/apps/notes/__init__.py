"""Rows with files, a page of them, and answers that are large."""
