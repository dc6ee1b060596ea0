"""The Transformer: dropout, small_attention → block → patchtst, with base_logit; checkpoint; attention_entropy."""
