"""Live widgets: an engine that computes, in plain torch, and a view in the notebook that shows it.

Each widget has a room of its own: `engine.py` (what it computes; read this one), `picture.py` (the same as a still
picture), `widget.py` (the notebook's side) and the view's script and style. `runs/` is no widget: it holds what
those with a run to go back in share, as `js/` holds what the views share.
"""

from importlib import import_module

_HOMES = {
    "Playground": "dlcourse.widgets.playground.widget",
    "PlaygroundEngine": "dlcourse.widgets.playground.engine",
    "NeuronLab": "dlcourse.widgets.neuron_lab.widget",
    "NeuronLabEngine": "dlcourse.widgets.neuron_lab.engine",
    "ActivationLab": "dlcourse.widgets.activation_lab.widget",
    "ActivationLabEngine": "dlcourse.widgets.activation_lab.engine",
    "HingeLab": "dlcourse.widgets.hinge_lab.widget",
    "HingeLabEngine": "dlcourse.widgets.hinge_lab.engine",
    "BackpropStepper": "dlcourse.widgets.backprop_stepper.widget",
    "BackpropStepperEngine": "dlcourse.widgets.backprop_stepper.engine",
    "InitDepthLab": "dlcourse.widgets.init_depth_lab.widget",
    "InitDepthLabEngine": "dlcourse.widgets.init_depth_lab.engine",
    "DrawPad": "dlcourse.widgets.draw_pad.widget",
    "DrawPadEngine": "dlcourse.widgets.draw_pad.engine",
    "ConvStepper": "dlcourse.widgets.conv_stepper.widget",
    "ConvStepperEngine": "dlcourse.widgets.conv_stepper.engine",
    "OptimizerRace": "dlcourse.widgets.optimizer_race.widget",
    "OptimizerRaceEngine": "dlcourse.widgets.optimizer_race.engine",
    "FeatureMapExplorer": "dlcourse.widgets.feature_map_explorer.widget",
    "FeatureMapExplorerEngine": "dlcourse.widgets.feature_map_explorer.engine",
    "CharSampler": "dlcourse.widgets.char_sampler.widget",
    "CharSamplerEngine": "dlcourse.widgets.char_sampler.engine",
    "RNNUnroller": "dlcourse.widgets.rnn_unroller.widget",
    "RNNUnrollerEngine": "dlcourse.widgets.rnn_unroller.engine",
    "GANLab2D": "dlcourse.widgets.gan_lab_2d.widget",
    "GANLab2DEngine": "dlcourse.widgets.gan_lab_2d.engine",
    "AttackExplorer": "dlcourse.widgets.attack_explorer.widget",
    "AttackExplorerEngine": "dlcourse.widgets.attack_explorer.engine",
    "SaliencyExplorer": "dlcourse.widgets.saliency_explorer.widget",
    "SaliencyExplorerEngine": "dlcourse.widgets.saliency_explorer.engine",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'dlcourse.widgets' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__]
