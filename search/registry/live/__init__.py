"""The newest session: newest_data, champion, drift → predict."""
