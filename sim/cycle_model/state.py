"""The model's state as compiled code sees it: one pointer, instead of the nine words of an array of two dimensions.

A place is found by a shift, as all tables are N_COLUMNS wide. Plain Python keeps the array.
"""

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing import templates
from numba.core.typing.templates import AbstractTemplate, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from .compiled import IS_COMPILED, compiled
from .fields import N_COLUMNS

INT64 = ir.IntType(64)
_infers: Any = templates.infer_global


class StateType(types.Type):
    """An int64 array of N_COLUMNS columns; an index is a row and a column, within it."""

    def __init__(self) -> None:
        super().__init__(name="State")


STATE = StateType()


@register_model(StateType)
class _StateModel(models.PrimitiveModel):
    def __init__(self, manager: Any, state: StateType) -> None:
        super().__init__(manager, state, INT64.as_pointer())


@_infers(operator.getitem)
class _GetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        state, index = args
        return signature(types.int64, state, index) if isinstance(state, StateType) else None


@_infers(operator.setitem)
class _SetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        state, index, _ = args
        return signature(types.none, state, index, types.int64) if isinstance(state, StateType) else None


def _place(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
    parts = [
        context.cast(builder, builder.extract_value(values[1], place), kinds[1][place], types.int64) for place in (0, 1)
    ]
    number = builder.add(builder.mul(parts[0], ir.Constant(INT64, N_COLUMNS)), parts[1])
    return builder.gep(values[0], [number], inbounds=True)


@lower_builtin(operator.getitem, StateType, types.BaseTuple)
def _load(context: Any, builder: Any, sig: Any, values: Any) -> Any:
    return builder.load(_place(context, builder, sig.args, values))


@lower_builtin(operator.setitem, StateType, types.BaseTuple, types.Integer)
def _store(context: Any, builder: Any, sig: Any, values: Any) -> Any:
    builder.store(values[2], _place(context, builder, sig.args, values))
    return context.get_dummy_value()


def _type_pointer(typing_context: Any, array: Any) -> Any:
    def build(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        return context.make_array(sig.args[0])(context, builder, values[0]).data

    return STATE(array), build


_pointer: Any = intrinsic(_type_pointer)


@compiled
def _compiled_state_of(array):
    if array.shape[1] != N_COLUMNS:
        raise RuntimeError("cycle model: a table of another width")
    return _pointer(array)


def _plain_state_of(array: Any) -> Any:
    return array


state_of: Any = _compiled_state_of if IS_COMPILED else _plain_state_of
"""The state that lies in a contiguous int64 array of N_COLUMNS columns, which must outlive it."""
