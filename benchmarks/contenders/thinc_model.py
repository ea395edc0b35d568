"""thinc, with its own NumPy operations, which call BLAS and compiled kernels."""

from itertools import pairwise

from thinc.api import SGD, Adam, CategoricalCrossentropy, Gelu, Relu, Sigmoid, Softmax_v2, chain

from benchmarks.contenders import LEARNING_RATE, WEIGHT_DECAY, chosen, in_turn

ACTIVATIONS = {"relu": Relu, "sigmoid": Sigmoid, "gelu": Gelu}
SETTINGS = {"grad_clip": 0.0, "use_averages": False}
OPTIMIZERS = {
    "sgd": lambda: SGD(LEARNING_RATE, L2=0.0, **SETTINGS),
    "adam": lambda: Adam(LEARNING_RATE, L2=0.0, **SETTINGS),
    "adamw": lambda: Adam(LEARNING_RATE, L2=WEIGHT_DECAY, L2_is_weight_decay=True, **SETTINGS),
}


def update(task):
    hidden = chosen(task, "activation", ACTIVATIONS)
    layers = [hidden(fan_out, fan_in) for fan_in, fan_out in pairwise(task.sizes[:-1])]
    model = chain(*layers, Softmax_v2(task.sizes[-1], task.sizes[-2]))
    model.initialize()
    optimizer = chosen(task, "optimizer", OPTIMIZERS)()
    loss = CategoricalCrossentropy()

    def step(x, y):
        output, back = model.begin_update(x)
        back(loss.get_grad(output, y))
        model.finish_update(optimizer)

    return in_turn(step, list(zip(*task.batches(), strict=True)))
