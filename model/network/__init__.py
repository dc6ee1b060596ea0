"""The Transformer: dropout, small_attention → block_function → block → patchtst, and what goes with it."""
