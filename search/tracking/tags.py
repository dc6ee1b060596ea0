"""Names of what a run carries: its tags, its roles, its statuses.  Readers and writer share them."""

from __future__ import annotations

PARENT, NOTE, COLOUR = "mlflow.parentRunId", "mlflow.note.content", "mlflow.runColor"
ROLE, STUDY, TRIAL_NUMBER, TRIAL_RUN = "run.role", "study.name", "trial.number", "trial.run_id"
EVALUATED = "model.version"
"""Version of a model that a run evaluates on the test days."""
DEVICE, DEVICE_NAME = "device", "device.name"
"""Kind of device that a trial was last trained on, and the name of its chip."""
REACHED = "reached"
"""Attribute of a trial in the schedule: epochs that it ended, of all its trainings."""
REASON, RECORD_STATE, RESTORED = "status.reason", "record.state", "restored.from"

STUDY_ROLE, TRIAL_ROLE, BASELINE_ROLE, WALK_FORWARD_ROLE = "study", "trial", "baseline", "walkforward"
REGISTRATION_ROLE, TEST_ROLE, LAUNCHER_ROLE = "registration", "test", "launcher"
LEGACY_STUDY_ROLE, LEGACY_TRIAL_ROLE = "legacy-study", "legacy-trial"
LAUNCHER_PID, LAUNCHER_HOST = "launcher.pid", "launcher.host"

RUNNING, FINISHED, FAILED, KILLED = "RUNNING", "FINISHED", "FAILED", "KILLED"
VALID, INVALID = "valid", "invalid"
