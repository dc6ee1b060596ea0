"""The Transformer: dropout, scratch → small_attention → block_function → block → patchtst, and what goes with it."""
