"""The attack on the screen as a program: the same picture, the same call, the same x_adv to the last bit."""

from typing import Any

from dlcourse.types import Float, Tensor
from dlcourse.widgets.attack_explorer.run import Plan

HEAD = '''"""{said}. {whose}"""

import torch

from dlcourse import attacks{generator}
'''
OWN = """from dlcourse.widgets.attack_explorer import own

models, (x, labels) = own.networks(), own.pictures()
"""
END = """
example = {example}
label = {label}
threat = attacks.{threat}({eps!r})
x_adv = {{}}
for name, model in models.items():
    x_adv[name] = attacks.{call}(
        model, example, label, threat, {options}
    )
    with attacks.asking(model):
        probabilities = model(x_adv[name]).softmax(1)[0]
    print(name, "says class", int(probabilities.argmax()), "with", float(probabilities.max()))
"""


def program(
    plan: Plan,
    said: str,
    picture: Float[Tensor, "1 height width"],
    index: int | None,
    label: int,
    *,
    own: bool,
    plain: bool,
) -> str:
    """The source. index: of the picture, None for a drawing; own: the explorer's own networks and pictures; plain: the
    pictures are of float32 on the CPU, as a drawing is."""
    whose = "" if own else "`models` (by name) and `x` are those you gave the explorer."
    parts = [
        HEAD.format(said=said, whose=whose, generator=", generator" if plan.random else "").replace('. """', '."""')
    ]
    if own:
        parts.append(OWN)
    example = f"x[{index}:{index + 1}]  # (1, 1, height, width)" if index is not None else "(drawn[None, None] / 16)"
    if index is None:
        rows = ",\n".join(f"    {row}" for row in (picture[0] * 16).round().int().tolist())
        parts.append(f"\ndrawn = torch.tensor([\n{rows},\n])  # ink in sixteenths\n")
        example += "" if plain else ".to(x)"
    options: dict[str, Any] = {}
    if plan.attack == "FGSM":
        options["step_size"] = plan.step_size
    else:
        options |= {"steps": plan.steps, "step_size": plan.step_size}
    texts = [f"{name}={value!r}" for name, value in options.items()]
    where = "" if plain else ", device=x.device"
    if plan.target is not None:
        texts.append(f"targets=torch.tensor([{plan.target}]{where})")
    if plan.random:
        texts.append(f"generator=generator({plan.seed}{'' if plain else ', like=x'})")
    parts.append(
        END.format(
            example=example,
            label=f"torch.tensor([{label}]{where})",
            threat=type(plan.threat).__name__,
            eps=plan.threat.eps,
            call={"FGSM": "fgsm", "PGD": "pgd", "momentum": "mifgsm"}[plan.attack],
            options=", ".join(texts),
        )
    )
    return "".join(parts)
