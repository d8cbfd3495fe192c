"""Checks a model whose real files nobody has seen here: fetched, compared, loaded, asked and certified with.

It knows nothing about pages and terminals.
"""

from psmooth.model_check.checking import MOST_SCANS, Settings, check_model
from psmooth.model_check.report import Checked, facts, report
from psmooth.model_check.step import Step

__all__ = ["MOST_SCANS", "Checked", "Settings", "Step", "check_model", "facts", "report"]
