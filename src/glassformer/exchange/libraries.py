"""How far a converted folder is from the library it was made for, where that library is installed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from glassformer.errors import UserError
from glassformer.exchange.ctranslate2 import library, token_names
from glassformer.exchange.imported import Imported
from glassformer.exchange.measuring import largest_difference, random_sentences
from glassformer.exchange.reading import folder_and_file

ALLOWED = 1e-2  # of log-probabilities: weights in 8 and 16 bits are the same numbers on both sides


def beside_library(form: str, path: Path, imported: Imported) -> str:
    """What was measured, or why nothing was. Raises UserError where the two are not the same model."""
    if form not in MEASURES:
        return "nothing: its library does not run beside this one."
    name, usual, measure = MEASURES[form]
    folder, file = folder_and_file(path, usual)
    if file.name != usual:
        return f"nothing: {file.name} was named, and {name} is asked about the folder's {usual} alone."
    try:
        return measure(folder, imported)
    except ImportError:
        return f"nothing: {name} is not installed here (pip install 'glassformer[exchange]')."


def beside_transformers(folder: Path, imported: Imported) -> str:
    from transformers import MarianMTModel

    theirs: Any = MarianMTModel.from_pretrained(folder, local_files_only=True)
    theirs.double().eval()
    src_pad, start = imported.model.config.src_pad_idx, theirs.config.decoder_start_token_id
    return largest_difference(
        imported.model,
        lambda src, trg: theirs(input_ids=src, attention_mask=src != src_pad, decoder_input_ids=trg).logits,
        start,
        by="transformers",
    )


@torch.no_grad()
def beside_ctranslate2(folder: Path, imported: Imported) -> str:
    import ctranslate2  # noqa: F401  the library's own word for its absence is an ImportError

    model, (src, trg) = imported.model, imported.vocabularies
    config = model.config
    sources = random_sentences(config.src_vocab_size, src.pad_id, config.max_length - 1)
    targets = random_sentences(config.trg_vocab_size, trg.pad_id, config.max_length - 1)
    src_names, trg_names = token_names(src, config.src_vocab_size), token_names(trg, config.trg_vocab_size)
    translator = library().Translator(str(folder), compute_type="float32")
    worst, words = 0.0, 0
    for source, target in zip(sources.tolist(), targets.tolist(), strict=True):
        read = [word for word in source if word not in (src.pad_id, src.start_id, src.end_id)]
        written = [word for word in target if word not in (trg.pad_id, trg.start_id, trg.end_id)]
        (scored,) = translator.score_batch(
            [[src_names[word] for word in read]], [[trg_names[word] for word in written]], max_input_length=0
        )
        logits = model(torch.tensor([[*read, src.end_id]]), torch.tensor([[trg.start_id, *written]]))[0]
        asked = torch.tensor([*written, trg.end_id])
        ours = logits.log_softmax(dim=1).gather(1, asked.unsqueeze(1)).squeeze(1)
        worst, words = max(worst, float((ours - torch.tensor(scored.log_probs)).abs().max())), words + len(asked)
    if not worst <= ALLOWED:
        raise UserError(
            f"the converted model's log-probabilities differ by {worst:.3g} from CTranslate2's. The folder is damaged, "
            "or holds something that is not known here: nothing was written."
        )
    return f"log-probabilities of {words} random words by CTranslate2: largest difference {worst:.1e}."


MEASURES: dict[str, tuple[str, str, Callable[[Path, Imported], str]]] = {  # the library, the file it opens, and how
    "marian": ("transformers", "model.safetensors", beside_transformers),
    "ctranslate2": ("ctranslate2", "model.bin", beside_ctranslate2),
}
