"""The registry: packaging (a model that carries its code) → gate (may it be champion) → register, promote, compare.

Then live (the newest session) and holdout (the sealed test days); versions is what all of them stand on.  gc deletes
losing checkpoints.
"""
