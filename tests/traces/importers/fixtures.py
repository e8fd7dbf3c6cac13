"""Sources of every format, written from a trace as each format's documentation or producer lays them out."""

import base64
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from moefetch.traces.format import ABSENT, DECODE, PREFILL
from moefetch.traces.importers.base import ImportOptions


def sequences(trace):
    """(rows of it) for each sequence."""
    for number in dict.fromkeys(trace.sequence.tolist()):
        yield np.flatnonzero(trace.sequence == number)


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return base64.b64encode(stream.getvalue()).decode()


def write_vllm(folder, trace):
    """0.22: base64 of an .npy from the first prompt token on."""
    with (folder / "responses.jsonl").open("w") as out:
        for rows in sequences(trace):
            n_prompt = int((trace.phase[rows] == PREFILL).sum())
            choice = {"index": 0, "text": "..", "routed_experts": npy(trace.experts[rows].astype(np.uint8))}
            ids = trace.token[rows].tolist()
            response = {"model": "m", "choices": [choice | {"token_ids": ids[n_prompt:]}]}
            response["usage"] = {"prompt_tokens": n_prompt, "completion_tokens": len(rows) - n_prompt + 1}
            out.write(json.dumps(response | {"prompt_token_ids": ids[:n_prompt]}) + "\n")
    return folder / "responses.jsonl"


def write_vllm_lists(folder, trace):
    """0.21: nested lists, the prompt's apart."""
    responses = []
    for rows in sequences(trace):
        prompt, answer = (rows[trace.phase[rows] == phase] for phase in (PREFILL, DECODE))
        choice = {"index": 0, "routed_experts": trace.experts[answer].tolist()}
        responses.append({"prompt_routed_experts": trace.experts[prompt].tolist(), "choices": [choice]})
    (folder / "responses.json").write_text(json.dumps(responses))
    return folder / "responses.json"


def write_sglang(folder, trace):
    """`/generate`: base64 of int32, the last token not computed, layer 0 dense."""
    for number, rows in enumerate(sequences(trace)):
        dense = np.full((len(rows), 1, trace.meta.top_k), -1)
        ids = np.concatenate([dense, trace.experts[rows]], 1).astype("<i4")
        n_prompt = int((trace.phase[rows] == PREFILL).sum())
        meta = {"prompt_tokens": n_prompt, "completion_tokens": len(rows) - n_prompt + 1}
        meta["routed_experts"] = base64.b64encode(ids.tobytes()).decode()
        (folder / f"{number}.json").write_text(json.dumps({"text": "..", "output_ids": [1], "meta_info": meta}))
    return folder


def write_sglang_recorder(folder, trace):
    """Prompts one by one, then decode passes of all requests that go on; two physical copies of each expert."""
    torch = __import__("torch")
    n_layers, n_experts, k = trace.meta.n_layers, trace.meta.n_experts, trace.meta.top_k
    records = []

    def record(rows, lengths, mode):
        ids = np.full((n_layers + 1, len(rows), k + 1), -1, np.int32)
        ids[1:, :, :k] = trace.experts[rows].transpose(1, 0, 2) + n_experts * (np.arange(len(rows)) % 2)[:, None]
        fields = {"input_ids": trace.token[rows].tolist(), "positions": trace.position[rows].tolist()}
        fields |= {"extend_seq_lens": lengths, "forward_mode": mode, "topk_ids_of_layer": torch.from_numpy(ids)}
        records.append({"forward_pass_id": len(records), "rank": 0, "gatherer_key": "primary", **fields})

    going_on = []
    for rows in sequences(trace):
        prompt = rows[trace.phase[rows] == PREFILL]
        record(prompt, [len(prompt)], 1)
        going_on.append(rows[trace.phase[rows] == DECODE].tolist())
    while going_on := [rows for rows in going_on if rows]:
        record([rows.pop(0) for rows in going_on], None, 2)
    mapping = torch.arange(n_experts).repeat(2).repeat(n_layers + 1, 1)
    torch.save({"records": records, "last_physical_to_logical_map": mapping}, folder / "recorder.pt")
    return folder / "recorder.pt"


def write_llama(folder, trace):
    """A pass for each prompt, its last layer for the last token alone; a pass for each decoded token."""
    lines = ["layer,expert"]
    for rows in sequences(trace):
        prompt = rows[trace.phase[rows] == PREFILL]
        for one in [prompt, *([row] for row in rows[len(prompt) :])]:
            for layer in range(trace.meta.n_layers):
                is_last = layer == trace.meta.n_layers - 1
                lines += [f"{layer},{e}" for row in (one[-1:] if is_last else one) for e in trace.experts[row, layer]]
    (folder / "moe_trace.csv").write_text("\n".join(lines) + "\n")
    return folder / "moe_trace.csv"


def write_flame(folder, trace):
    schema = pa.schema({"scores": pa.list_(pa.float16()), "indices": pa.list_(pa.int16())})
    for layer, number in enumerate(trace.meta.layers):
        columns = {"scores": list(trace.scores[:, layer]), "indices": trace.experts[:, layer].tolist()}
        pq.write_table(pa.table(columns, schema), folder / f"layer_{number:02}.parquet")
    return folder


def write_expert_selection(folder, trace):
    for number, rows in enumerate(sequences(trace)):
        n_prompt = int((trace.phase[rows] == PREFILL).sum())
        passes = [rows[:n_prompt], *([row] for row in rows[n_prompt:])]
        layers = [(2 * layer + 1, layer) for layer in range(trace.meta.n_layers)]
        document = [{str(m - 1): None for m, _ in layers} | {str(m): trace.experts[one, n].tolist() for m, n in layers}
                    for one in passes]  # fmt: skip
        (folder / f"{number}.json").write_text(json.dumps(document, indent=4))
    return folder


def write_bigmoe(folder, trace):
    meta = trace.meta
    lines = ["# route_trace v1", f"# model=/m.gguf arch=a n_layer={meta.n_layers} n_expert={meta.n_experts}"
             f" n_expert_used={meta.top_k}"]  # fmt: skip
    lines += [f"# layer={n} expert_bytes=100 dense_bytes=7" for n in meta.layers]
    lines.append("turn,phase,step,layer,slot,expert,weight,residency,expert_bytes")
    for rows in sequences(trace):
        prompt = rows[trace.phase[rows] == PREFILL]
        for one in [prompt, *([row] for row in rows[len(prompt) :])]:
            for layer, number in enumerate(meta.layers):
                for row in one[-1:] if layer == meta.n_layers - 1 else one:
                    place = f"{trace.sequence[row]},{trace.phase[row]},{trace.position[row]},{number}"
                    pairs = zip(trace.experts[row, layer], trace.scores[row, layer], strict=True)
                    lines += [f"{place},{slot},{e},{s},0,100" for slot, (e, s) in enumerate(pairs)]
    (folder / "route.csv").write_text("\n".join(lines) + "\n")
    return folder / "route.csv"


def write_fingerprint(folder, trace):
    for number, rows in enumerate(sequences(trace)):
        tokens = []
        for row in rows:
            layers = {}
            for layer in range(trace.meta.n_layers):
                ids, scores = trace.experts[row, layer].tolist(), trace.scores[row, layer].tolist()
                layers[f"layer_{layer}"] = {"selected_experts": ids, "selected_probs": scores}
            tokens.append({f"token_{trace.position[row]}": layers})
        document = {"dataset": "d", "category": f"c{number % 2}", "full_text": ["a"], "router_data": tokens}
        (folder / f"{number}.json").write_text(json.dumps(document))
    return folder


def write_esft(folder, trace):
    for layer, number in enumerate(trace.meta.layers):
        with (folder / f"expert_weights_{number}.txt").open("w") as out:
            for rows in sequences(trace):
                ids, scores = (values[rows, layer].reshape(-1).tolist() for values in (trace.experts, trace.scores))
                out.write("\t".join(map(str, ids)) + "\t\t" + "\t".join(map(str, scores)) + "\n")
    return folder


def write_warp(folder, trace):
    rows = ({"tok": int(p), "layers": e.tolist()} for p, e in zip(trace.position, trace.experts, strict=True))
    (folder / "trace.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "trace.jsonl"


def write_colibri(folder, trace):
    """A call for each layer of each pass."""
    lines, call = [], 0
    for rows in sequences(trace):
        prompt = rows[trace.phase[rows] == PREFILL]
        for one in [prompt, *([row] for row in rows[len(prompt) :])]:
            for layer, number in enumerate(trace.meta.layers):
                for place, row in enumerate(one):
                    pairs = zip(trace.experts[row, layer], trace.scores[row, layer], strict=True)
                    lines.append(f"{call} {place} {number} " + " ".join(f"{e}:{s:.4f}" for e, s in pairs))
                call += 1
    (folder / "route.txt").write_text("\n".join(lines) + "\n")
    return folder / "route.txt"


def write_npz(folder, trace):
    lengths = [len(rows) for rows in sequences(trace)]
    values = {"experts": trace.experts, "scores": trace.scores, "phase": trace.phase}
    np.savez_compressed(folder / "t.npz", lengths=lengths, **values)
    return folder / "t.npz"


SOURCES = {
    "vllm": write_vllm,
    "sglang": write_sglang,
    "sglang-recorder": write_sglang_recorder,
    "llama-moe-trace": write_llama,
    "flame-moe": write_flame,
    "expert-selection": write_expert_selection,
    "bigmoe": write_bigmoe,
    "gpt-oss-fingerprint": write_fingerprint,
    "esft": write_esft,
    "warp": write_warp,
    "colibri": write_colibri,
    "npz": write_npz,
}
"""Format -> what writes a trace in it; router logits come from the library itself."""

OPTIONS = ImportOptions(n_experts=16, top_k=3)
LAST_LAYER_ABSENT = ("llama-moe-trace", "bigmoe")
ONE_SEQUENCE = ("flame-moe", "llama-moe-trace", "colibri")
ALL_DECODE = ("flame-moe", "gpt-oss-fingerprint", "esft", "warp")
SCORED = ("flame-moe", "bigmoe", "gpt-oss-fingerprint", "esft", "colibri", "npz")


def prompted(trace):
    """The trace with its sequences' first tokens as prompts of unlike lengths, and all vocabulary ids known."""
    trace.phase[trace.position < 5 + 2 * trace.sequence] = PREFILL
    trace.token[:] = np.arange(len(trace))
    return trace


def expected_experts(name, trace):
    """What the format keeps of the experts."""
    experts = trace.experts.copy()
    if name in LAST_LAYER_ABSENT:
        last = np.append((trace.phase[1:] != trace.phase[:-1]) | trace.sequence_starts()[1:], True)
        experts[(trace.phase == PREFILL) & ~last, -1] = ABSENT
    return experts
