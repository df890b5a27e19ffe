"""The HTTP routes: the graph, runs, and the page."""

from lineage.api.asking import Asking
from lineage.api.graph import graph_routes
from lineage.api.page import page_routes
from lineage.api.runs import run_routes

__all__ = ["Asking", "graph_routes", "page_routes", "run_routes"]
