// The boxes of the figure, bottom to top, as this model's config has them, each with the taps that its module makes.

const POSITIONS = ["position", "two_i", "angle", "table", "positioned"];
const ATTENTION = ["queries", "keys", "values", "energy", "masked_energy", "attention", "heads_out", "out"];

// {encoder, decoder}: lists of boxes {id, kind, title, says, path, taps, shown, out}
// and of layers {layer, sublayers: [[box ...] ...]}.
//   path: the module; taps: names in order; shown: the tap whose shape stands in the box; out: the tap that leaves it.
//   The last box of a sublayer is where its residual is added.
export function columns(config, taps) {
  const there = (names) => names.filter((name) => taps.has(name));
  const box = (id, kind, title, says, path, names, shown = names.at(-1), out = names.at(-1)) => ({
    id,
    kind,
    title,
    says,
    path,
    taps: there(names),
    shown,
    out,
  });
  const final = config.final_norms ?? config.norm === "pre";
  const tied = config.tie_embeddings;
  const tiedOutput = tied === "none" ? "" : " Its weight is the embedding's table.";

  function stack(side, layers) {
    const isEncoder = side === "encoder";
    const under = (names) => names.map((name) => `${side}.${name}`);
    const scaled = config.scale_embeddings ? ", times √e" : "";
    const isShared = tied === "three-way" || (tied === "two-way" && !isEncoder);
    const shared = isShared ? " The table is the output layer's too." : "";
    const top = isEncoder ? "memory" : "decoded";
    return [
      isEncoder
        ? box(
            "source",
            "words",
            "Source",
            "The ids of the sentence with its </s>. The mask keeps the padding out.",
            "",
            ["src_mask"],
          )
        : box(
            "target",
            "words",
            "Target, shifted right",
            "What the decoder reads: <s> first, so each position is asked for the next token.",
            "",
            ["prefix", "every_pair", "look_ahead", "words", "trg_mask"],
            "prefix",
          ),
      box(
        `${side}.embedding`,
        "embedding",
        "Embedding",
        `One learned row for each id${scaled}.${shared}`,
        `${side}.word_embedding`,
        under(["embedded"]),
      ),
      box(
        `${side}.positions`,
        "positions",
        ...positions(config.positions, isEncoder),
        `${side}.positions`,
        under([...POSITIONS.map((name) => `positions.${name}`), "positioned"]),
      ),
      ...Array.from({ length: layers }, (_, at) => layer(`${side}.layers.${at}`, at, isEncoder)),
      box(
        `${side}.top`,
        final ? "norm" : "top",
        final ? "Final norm" : isEncoder ? "Memory" : "Top of the stack",
        (isEncoder ? "The memory: what every cross-attention of the decoder reads." : "What the output layer reads.") +
          (final ? " A last LayerNorm, after the stack." : " No final norm, as in the paper."),
        final ? `${side}.norm` : "",
        [...under(["stream", top]), top],
      ),
    ];
  }

  function layer(path, at, isEncoder) {
    const own = isEncoder
      ? attention(
          `${path}.self_attention`,
          "Self-attention",
          "Every source word asks every source word, in h heads side by side.",
        )
      : attention(
          `${path}.self_attention`,
          "Masked self-attention",
          "Every target word asks itself and the words before it, never those to come.",
        );
    const cross = attention(
      `${path}.cross_attention`,
      "Cross-attention",
      "Every target word asks the source: queries from below, keys and values from the encoder's memory.",
    );
    const feed = box(
      `${path}.feed_forward`,
      "feed",
      "Feed-forward",
      `Each position by itself: out to f channels, ${config.activation}, and back to e.`,
      `${path}.feed_forward`,
      [`${path}.feed_forward.hidden`, `${path}.feed_forward.out`],
      `${path}.feed_forward.hidden`,
    );
    return {
      layer: at,
      sublayers: [
        residual(path, "self_attention", own, "attended"),
        ...(isEncoder ? [] : [residual(path, "cross_attention", cross, "informed")]),
        residual(path, "feed_forward", feed, "out"),
      ],
    };
  }

  const attention = (path, title, says) =>
    box(
      path,
      "attention",
      title,
      says,
      path,
      ATTENTION.map((name) => `${path}.${name}`),
      `${path}.attention`,
    );

  function residual(path, name, sublayer, result) {
    const module = `${path}.${name}_residual`;
    if (config.norm === "pre") {
      return [
        box(
          `${module}.norm`,
          "norm",
          "Norm",
          "Each position to mean 0 and variance 1, before the sublayer reads it.",
          `${module}.norm`,
          [`${module}.normed`],
        ),
        sublayer,
        box(
          module,
          "add",
          "Add",
          "The sublayer's output is added to what came in. The stream itself is never normed.",
          "",
          [`${module}.branch`, `${module}.residual_sum`, `${path}.${result}`],
        ),
      ];
    }
    return [
      sublayer,
      box(
        module,
        "norm",
        "Add & norm",
        "The sublayer's output is added to what came in, then each position is brought to mean 0 and variance 1.",
        module,
        [`${module}.branch`, `${module}.residual_sum`, `${module}.out`, `${path}.${result}`],
      ),
    ];
  }

  return {
    encoder: stack("encoder", config.num_layers),
    decoder: [
      ...stack("decoder", config.decoder_layers ?? config.num_layers),
      box("linear", "linear", "Linear", `One number for each entry of the target vocabulary.${tiedOutput}`, "fc_out", [
        "logits",
      ]),
      {
        ...box(
          "softmax",
          "softmax",
          "Softmax",
          "Logits become probabilities. The model ends before it: the loss, the search for words and this page do it.",
          "",
          ["logits"],
        ),
        taps: ["probabilities"],
        out: "probabilities",
      },
    ],
  };
}

function positions(kind, isEncoder) {
  const why = "attention alone cannot tell first from last.";
  if (kind === "learned") return ["+ learned positions", `A learned row for each position is added: ${why}`];
  if (kind === "sinusoidal") return ["+ sinusoidal positions", `Sines and cosines of the position are added: ${why}`];
  return [
    "no positions",
    isEncoder
      ? "Nothing is added: the encoder reads a bag of words."
      : "Nothing is added: only the look-ahead mask tells early from late.",
  ];
}

// A column's boxes without its layers, bottom to top.
export const flat = (column) => column.flatMap((item) => item.sublayers?.flat() ?? [item]);
