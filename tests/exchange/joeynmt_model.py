"""Run by the interpreter of JoeyNMT's own environment: a random model of its, saved, and its logits.

python joeynmt_model.py FOLDER CONFIG SIZES: a folder that is there, the text of a config.yaml, the two vocabularies
"""

import sys
from pathlib import Path
from types import SimpleNamespace

import torch
import yaml
from joeynmt.model import build_model
from joeynmt.vocabulary import Vocabulary

folder, config, src_size, trg_size = Path(sys.argv[1]), yaml.safe_load(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
symbols = SimpleNamespace(
    unk_token="<unk>", pad_token="<pad>", bos_token="<s>", eos_token="</s>", sep_token=None, lang_tags=[],
    unk_id=0, pad_id=1, bos_id=2, eos_id=3,
)  # fmt: skip
src_words, trg_words = (Vocabulary([f"w{n}" for n in range(size - 4)], symbols) for size in (src_size, trg_size))
torch.manual_seed(0)
model = build_model(config["model"], src_words, trg_words).eval()
with torch.no_grad():
    for name, tensor in model.named_parameters():
        if name.endswith(("bias", "norm.weight")):  # they start at 0 and 1, where mistakes do not show
            tensor.add_(torch.randn_like(tensor), alpha=0.3)
src_words.to_file(folder / "src_vocab.txt")
trg_words.to_file(folder / "trg_vocab.txt")
(folder / "config.yaml").write_text(sys.argv[2])
torch.save({"model_state": model.state_dict(), "optimizer_state": {}}, folder / "best.ckpt")

src, trg = torch.randint(4, src_size, (3, 7)), torch.randint(4, trg_size, (3, 6))
src[1, 5:], src[2, 3:], trg[:, 0] = 1, 1, 2
for name, dtype in (("float32", torch.float32), ("float64", torch.float64)):
    with torch.no_grad():
        logits, *_ = model.to(dtype)._encode_decode(
            src, trg, src_mask=(src != 1).unsqueeze(1), src_length=(src != 1).sum(1), trg_mask=(trg != 1).unsqueeze(1)
        )
    torch.save({"src": src, "trg": trg, "logits": logits}, folder / f"{name}.pt")
