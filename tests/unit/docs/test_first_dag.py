"""What the README shows is what runs."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_dag_of_the_readme_is_the_example() -> None:
    """Line by line alike once both are parsed; the end-to-end tests run the example."""
    shown = (ROOT / "README.md").read_text().split("```python\n", 1)[1].split("```", 1)[0]
    example = (ROOT / "examples" / "first_dag.py").read_text()

    assert ast.dump(ast.parse(shown)) == ast.dump(_without_docstring(ast.parse(example)))


def _without_docstring(module: ast.Module) -> ast.Module:
    return ast.Module(body=module.body[1:], type_ignores=[])
