"""Search over hyperparameters with Optuna: every trial is a run of a group."""
