"""The search: studies of trials, their record, their evidence, the registry and the command line.

A command's journey is the listing: ``cli`` (one file a command) → ``hpo`` (the main job: one study, or a matrix of
them) → ``study`` (what is asked, its schedule, its repair) → ``space`` (what can be searched) → ``workers``
(processes) → ``trial`` (what makes a run) → ``tracking`` (MLflow's and Optuna's stores) → ``results`` (what a study
came to).  What is made of results: ``audit``, ``evidence``, ``walk_forward``, ``scaling``, ``report``, ``registry``;
``legacy`` brings in results of others.  ``api`` gives a notebook the record: studies, trials, forecasts, models.
"""
