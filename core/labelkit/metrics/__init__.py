"""Pure scores at word or text level, their confidence intervals and significance tests."""

#: the name of the precision-recall curves of a split among its scores
CURVES = "precision_recall_curve"
