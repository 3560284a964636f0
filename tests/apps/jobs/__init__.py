"""Tasks that count what they do: rows are made once whatever happens, and attempts are counted."""
