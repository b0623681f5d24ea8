"""What a text of a tenant's own may consist of: words, values, choices and lists, and nothing that can run long.

The sandbox keeps such a text from reaching into the machinery. These rules keep it quick: there is no calling and no
multiplying, a list stands in no other list, and a value that was set is used at most once in the next one. What it
takes then grows with its own length and that of its values, and `render` ends what becomes too long a letter.
"""

from collections.abc import Collection, Iterator
from typing import Final

from jinja2 import Environment, TemplateAssertionError, meta, nodes

_NODES: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.NSRef, nodes.List, nodes.Tuple,
    nodes.Dict, nodes.Pair, nodes.If, nodes.CondExpr, nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand,
    nodes.Test, nodes.Getattr, nodes.Getitem, nodes.Concat, nodes.Add, nodes.Sub, nodes.Neg, nodes.Mod, nodes.Filter,
    nodes.Assign, nodes.For, nodes.With, nodes.Include,
)  # fmt: skip
_FILTERS: Final = frozenset({
    "capitalize", "day", "default", "field_words", "first", "greeted_as", "join", "lapsed", "last", "length", "lines",
    "lower", "money", "replace", "trim", "upper",
})  # fmt: skip


def check_own_text(environment: Environment, source: str) -> None:
    """Make sure that a text keeps to the rules.

    Raises:
        jinja2.TemplateSyntaxError: it cannot be read, or does not; the message says what is wrong, and lineno where.
    """
    tree = environment.parse(source)
    kept = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
    for node in _walk(tree):
        if reason := _refusal(node, kept):
            raise TemplateAssertionError(reason, node.lineno)
    for piece in meta.find_referenced_templates(tree):
        if piece is None or piece not in environment.list_templates():
            raise TemplateAssertionError(f"there is no piece of text {piece!r} to include", 1)
    environment.compile(tree)  # which knows every filter and test


def unknown_names(environment: Environment, source: str, known: Collection[str]) -> list[str]:
    """Return the variables that a text asks for and that are not known, in the order of the alphabet."""
    return sorted(meta.find_undeclared_variables(environment.parse(source)) - set(known))


def _walk(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _walk(child)


def _refusal(node: nodes.Node, kept: Collection[str]) -> str | None:
    """Why a part of a text cannot be used; None if it can."""
    reason = None
    match node:
        case nodes.For() if node.recursive or any(node.find_all(nodes.For)):
            reason = "a list within a list cannot be written"
        case nodes.Filter():
            reason = _refusal_of_filter(node, kept)
        case nodes.Mod() if not isinstance(node.left, nodes.Sub | nodes.Neg) and not _is_number(node.left):
            reason = "% needs a calculated number before it, such as (step - 1) % 2"
        case nodes.Assign() if _uses([node.node], kept) > 1:
            reason = "a value that is set can use only one other that was"
        case nodes.With() if any(_uses([value], kept) > 1 for value in node.values):
            reason = "a value that is set can use only one other that was"
        case nodes.Assign() if not isinstance(node.target, nodes.Name):
            reason = "one value is set at a time"
        case _ if not isinstance(node, _NODES):
            reason = f"{type(node).__name__.lower()} cannot be used in a text of your own"
    return reason


def _refusal_of_filter(node: nodes.Filter, kept: Collection[str]) -> str | None:
    if node.name not in _FILTERS:
        return f"there is no filter {node.name!r}: there are {', '.join(sorted(_FILTERS))}"
    if node.name == "replace" and not _shortens(node):
        return "replace takes two texts, the second no longer than the first"
    if node.name == "join" and _multiplies(node, kept):
        return "what is joined is a list, and neither what was set nor joined before"
    if _uses(node.args, kept):
        return "what was set cannot be handed to a filter"
    return None


def _shortens(node: nodes.Filter) -> bool:
    match node.args:
        case [nodes.Const(value=str(old)), nodes.Const(value=str(new))]:
            return len(new) <= len(old) and not node.kwargs
    return False


def _multiplies(join: nodes.Filter, kept: Collection[str]) -> bool:
    """Whether a join, which takes a text apart into its letters, may work on what another has made."""
    joined = [one for one in join.find_all(nodes.Filter) if one.name == "join"]
    return join.node is None or bool(joined) or _uses([join.node], kept) > 0


def _is_number(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.Const) and isinstance(node.value, int)


def _uses(expressions: Collection[nodes.Node], kept: Collection[str]) -> int:
    """How often values that were set go into expressions; what a choice between them only looks at does not count."""
    return sum(_uses_of(node, kept) for node in expressions)


def _uses_of(node: nodes.Node, kept: Collection[str]) -> int:
    match node:
        case nodes.Name():
            return int(node.name in kept)
        case nodes.CondExpr():
            chosen = [node.expr1, node.expr2] if node.expr2 is not None else [node.expr1]
            return max(_uses_of(one, kept) for one in chosen)
        case nodes.Compare() | nodes.Test() | nodes.Not():
            return 0
    return sum(_uses_of(child, kept) for child in node.iter_child_nodes())
