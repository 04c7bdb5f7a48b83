"""watch(model): every intermediate value under the name that the source assigns to, without a line in the model.

How it sees: while it is on, a TorchFunctionMode is told of each torch operation, and a forward hook of each module's
result. The nearest function of the model on the call stack says by its instruction which statement that operation
belongs to. What no operation shows (keys read from a cache, `a, b = function()`) is read from the variables of the
model's running functions. An edit answers in the operation's or the module's place. Nothing is patched, and when it
is off nothing is there.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import nn

from glassformer.look.edits import Edit, Edits
from glassformer.look.seen import Seen, Use
from glassformer.look.watching.recorder import Recorder
from glassformer.model.attention import MultiHeadAttention, attention
from glassformer.model.fused import fused_attention


@contextmanager
def watch(
    model: nn.Module,
    only: str | Sequence[str] | None = None,
    edit: Mapping[str, Edit] | None = None,
    gradients: bool = False,
) -> Iterator[Seen]:
    """`with watch(model) as seen: model(src, trg[:, :-1])`, then `seen["decoder.layers.0.cross_attention.energy"]`.

    A tap's name is the path of the module whose code computes it, a dot, and the name in that code (`logits`,
    `memory`, `src_mask` for the model itself). `only`, a pattern or several ("*.attention"), keeps those alone and so
    keeps memory small.

    `edit` maps names or patterns to functions of a tensor: what one returns takes the value's place, in `seen` and
    for all that follows, once each time that the code makes the value. A value that passes on under its name is not
    edited again: keys are where they are projected, not when a cache joins them to the earlier ones. See
    `glassformer.look.edits` for the usual ones.

    `gradients=True`: call backward inside the block, then `seen[name].gradient` and `gradient_report(model, seen)`.

    A fused model computes with the written-out attention meanwhile, a compiled one without its compiled code; both
    are as before afterwards. It sees calls of the thread that entered it. Watches may be nested, each sees everything.
    Raises UserError where an edit returns what cannot take the value's place, or by the end changed nothing.
    """
    plain = getattr(model, "_orig_mod", model)  # what torch.compile wraps
    seen, edits = Seen(), Edits(edit or {})
    recorder = Recorder(plain, seen, [only] if isinstance(only, str) else only, edits, gradients)
    with ExitStack() as undo:
        if plain is not model or any(module._compiled_call_impl is not None for module in plain.modules()):
            undo.enter_context(torch.compiler.set_stance("force_eager"))
        undo.callback(recorder.finish)
        for module in plain.modules():
            undo.callback(module.register_forward_hook(recorder.after_module).remove)
            if isinstance(module, MultiHeadAttention) and module.attend is fused_attention:
                undo.callback(setattr, module, "attend", fused_attention)
                module.attend = attention
        if gradients:
            for name, parameter in plain.named_parameters():
                seen._uses[name] = Use()
                if parameter.requires_grad:
                    undo.callback(parameter.register_hook(seen._uses[name].receive).remove)
        undo.enter_context(recorder)
        yield seen
    edits.check()
