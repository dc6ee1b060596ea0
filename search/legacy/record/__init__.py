"""Into MLflow: present (what is there) → runs → importer; states."""
