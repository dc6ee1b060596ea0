"""What a page is made from: admission (which studies) → study_inputs (read once) → walked_trial."""
