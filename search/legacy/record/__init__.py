"""Into MLflow: present (what is there), twins → runs → importer; states."""
