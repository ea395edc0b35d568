"""Write what a run has beside its model in C: columns, categories, classes and units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nnlayers._core.arrays import FLOAT32, FLOAT64
from nnlayers.data import Preprocessing
from nnlayers.data.encoders import Categories
from nnlayers.data.targets import Values
from nnlayers.export.c_builder import CBuilder, Place
from nnlayers.export.c_columns import add_features, describe_column
from nnlayers.export.c_text import literal, string_literal
from nnlayers.export.program import Program

__all__ = ["add_columns", "add_decoding", "column_notes", "name_functions", "name_prototypes"]

_CATEGORY = """/* Return the code of a category in a column, -1 if training did not see it. */
int NAME_category(int column, const char *text)
{
    const char *const *levels = 0;
    int count = 0;
    switch (column) {
CASES
    default:
        break;
    }
    for (int i = 0; i < count; i++) {
        const char *a = levels[i], *b = text;
        while (*a && *a == *b)
            a++, b++;
        if (*a == *b)
            return i;
    }
    return -1;
}"""

_CLASS = """/* Return the name of a class, a null pointer for an index beyond the last one. */
const char *NAME_class(int index)
{
    return index >= 0 && index < COUNT ? NAME_classes[index] : 0;
}"""

_DECIDE = """/* Return the index of the class that outputs decide for. */
int NAME_decide(const float *y)
{
    int best = 0;
    for (int i = 1; i < COUNT; i++)
        if (y[i] > y[best])
            best = i;
    return best;
}"""

_DECIDE_BY_SIGN = """/* Return the index of the class that an output decides for. */
int NAME_decide(const float *y)
{
    return y[0] > 0;
}"""


def add_columns(builder: CBuilder, program: Program, preprocessing: Preprocessing) -> Place:
    """Add what makes features of a row of raw values, and return their place."""
    row = Place("x", (len(preprocessing.encoders),), FLOAT32)
    return add_features(builder, preprocessing, row, program.inputs[0].dtype)


def add_decoding(builder: CBuilder, preprocessing: Preprocessing, output: Place) -> Place:
    """Return the place of outputs as a user reads them: of values, in the units of the data."""
    target = preprocessing.target
    if not isinstance(target, Values):
        return output
    mean, scale = (
        literal(number, FLOAT64) for number in (target.standardizer.mean, target.standardizer.scale)
    )
    return builder.pointwise(output.shape, FLOAT64, [output], f"{{0}} * {scale} + {mean}")


def column_notes(preprocessing: Preprocessing) -> list[str]:
    """Return what each column takes, for the comment of the file."""
    return [describe_column(name, item) for name, item in preprocessing.encoders.items()]


def name_prototypes(name: str, preprocessing: Preprocessing) -> list[str]:
    """Return the declarations of the functions that know the names of categories and classes."""
    prototypes = []
    if _categories(preprocessing):
        prototypes.append(f"int {name}_category(int column, const char *text);")
    if preprocessing.classes:
        prototypes += [
            f"int {name}_decide(const float *y);",
            f"const char *{name}_class(int index);",
        ]
    return prototypes


def name_functions(name: str, preprocessing: Preprocessing, outputs: int) -> tuple[list[str], int]:
    """Return the functions that know the names of categories and classes, and their bytes."""
    parts: list[str] = []
    tables: list[Sequence[str]] = []
    cases = []
    for column, encoder in _categories(preprocessing).items():
        levels = list(map(str, encoder.values))
        tables.append(levels)
        parts.append(_table(f"{name}_levels{column}", levels))
        cases += [
            f"    case {column}:",
            f"        levels = NAME_levels{column};",
            f"        count = {len(levels)};",
            "        break;",
        ]
    if cases:
        parts.append(_CATEGORY.replace("CASES", "\n".join(cases)).replace("NAME", name))
    if preprocessing.classes:
        classes = list(map(str, preprocessing.classes))
        tables.append(classes)
        decide = _DECIDE if outputs > 1 else _DECIDE_BY_SIGN
        parts.append(_table(f"{name}_classes", classes))
        parts += [
            template.replace("COUNT", str(len(classes))).replace("NAME", name)
            for template in (decide, _CLASS)
        ]
    return parts, sum(_size(texts) for texts in tables)


def _categories(preprocessing: Preprocessing) -> dict[int, Categories]:
    """Return the categorical columns that have levels, by their indices."""
    encoders = enumerate(preprocessing.encoders.values())
    return {
        index: encoder
        for index, encoder in encoders
        if isinstance(encoder, Categories) and encoder.values
    }


def _table(name: str, texts: Sequence[str]) -> str:
    """Return the definition of an array of strings, with long ones in arrays of their own."""
    definitions, entries = [], []
    for index, text in enumerate(texts):
        literal_text = string_literal(text)
        if literal_text.startswith("{"):
            definitions.append(f"static const char {name}_{index}[] = {literal_text};")
            literal_text = f"{name}_{index}"
        entries.append(literal_text)
    body = ",\n    ".join(entries)
    definitions.append(f"static const char *const {name}[] = {{\n    {body}\n}};")
    return "\n".join(definitions)


def _size(texts: Iterable[str]) -> int:
    """Return the bytes of an array of strings, with pointers of eight bytes."""
    return sum(len(text.encode("utf-8", "surrogatepass")) + 9 for text in texts)
