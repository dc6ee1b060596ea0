"""The newest session: newest_data → predict."""
