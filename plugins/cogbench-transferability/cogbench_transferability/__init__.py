"""Estimators of transfer from other papers, as a third party ships them: they import `cogbench` and each other only."""
