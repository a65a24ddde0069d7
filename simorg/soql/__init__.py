"""SOQL: text to a parsed query, and a parsed query to SQL over the org's tables."""

from simorg.soql.compiler import Csv, Plan, child_plan, compile_csv, compile_query
from simorg.soql.errors import SoqlError
from simorg.soql.parser import parse
from simorg.soql.scope import Context

__all__ = ["Context", "Csv", "Plan", "SoqlError", "child_plan", "compile_csv", "compile_query", "parse"]
