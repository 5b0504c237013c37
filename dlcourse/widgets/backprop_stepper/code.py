"""The run as a program on `dlcourse.autograd`, to go on with in a notebook."""

from collections.abc import Mapping

from dlcourse.widgets.backprop_stepper.examples import Example
from dlcourse.widgets.backprop_stepper.expression import Expression


def program(
    expression: Expression, numbers: Mapping[str, float], example: Example | None, ending: str | None = None
) -> str:
    """A program that computes the same result and the same gradients, and prints them.

    ending: where and why the run ends early with these numbers. The program then says so, and with other numbers it
    goes on.
    """
    tensors = example is not None and example.tensors
    kind = "Tensor" if tensors else "Value"
    lines = [f"from dlcourse.autograd import {kind}", ""]
    for name in expression.variables:
        if tensors:
            wanted = "" if name in example.data else ", requires_grad=True"
            lines.append(f'{name} = Tensor({example.numbers[name]}{wanted}, label="{name}")')
        else:
            lines.append(f'{name} = Value({numbers[name]!r}, "{name}")')
    asked = [name for name in expression.variables if not tensors or name not in example.data]
    result = expression.name
    of_each = ", ".join(asked) + "," * (len(asked) == 1)
    computed = [*expression.code, f"{result}.backward()"]
    printed = [
        f'print("{result} =", {result}.{"item()" if tensors else "data"})',
        f"for variable in ({of_each}):",
        f'    print(f"d {result} / d {{variable.label}} =", variable.grad{".data.tolist()" if tensors else ""})',
    ]
    if ending is None:
        return "\n".join([*lines, "", *computed, "", *printed, ""])
    guarded = ["try:", *_indented(computed), "except (ValueError, ArithmeticError) as error:"]
    guarded += ['    print("The run ends early:", error)', "else:", *_indented(printed)]
    return "\n".join([*lines, "", f"# With these numbers the run ends at {ending}", *guarded, ""])


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
