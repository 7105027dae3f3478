"""Tiny configurations of any architecture: sizes are set by the names of their fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labelkit.models.tokenizer import FIRST_POSITIONS_UNUSED

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase

POSITIONS = 128


def _named(value: int, names: str) -> dict[str, int]:
    return dict.fromkeys(names.split(), value)


#: name of a field → its size; architectures have many names for the same size
SIZES: dict[str, Any] = {
    **_named(32, "hidden_size d_model n_embd dim emb_dim embedding_size input_embedding_size word_embed_proj_dim"),
    **_named(32, "output_embedding_size prediction_head_size pronunciation_embed_dim shape_embed_dim q_lora_rank"),
    **_named(32, "kv_lora_rank intra_bottleneck_size true_hidden_size out_hidden_size"),
    **_named(64, "intermediate_size hidden_dim ffn_dim n_inner d_ff d_inner dff encoder_ffn_dim decoder_ffn_dim"),
    **_named(64, "moe_intermediate_size shared_expert_intermediate_size ffn_hidden_size feed_forward_size"),
    **_named(2, "num_hidden_layers n_layer n_layers num_layers encoder_layers decoder_layers num_decoder_layers depth"),
    **_named(2, "num_attention_heads n_head n_heads num_heads encoder_attention_heads decoder_attention_heads"),
    **_named(2, "num_key_value_heads index_n_heads linear_num_key_heads linear_num_value_heads n_mamba_heads"),
    **_named(16, "head_dim d_kv d_head attention_head_dim v_head_dim index_head_dim kv_channels attention_head_size"),
    **_named(16, "linear_key_head_dim linear_value_head_dim qk_nope_head_dim qk_rope_head_dim swa_head_dim"),
    **_named(8, "rotary_dim mamba_d_state"),
    **_named(4, "num_experts num_local_experts n_routed_experts gated_norm_rank prompt_length prompt_mid_dim"),
    **_named(2, "num_experts_per_tok moe_topk"),
    **_named(1, "n_group topk_group n_shared_experts"),
    **_named(POSITIONS, "max_position_embeddings n_positions n_ctx max_seq_len"),
    **_named(64, "image_size input_size entity_vocab_size entity_emb_size"),
}
#: fields that single architectures need beside that
EXCEPTIONS: dict[str, dict[str, Any]] = {
    "cohere_compass_text": {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 10_000.0}}},
    "funnel": {"block_sizes": [1, 1], "architectures": ["FunnelModel"]},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "reformer": {
        "attn_layers": ["local", "lsh"],
        "axial_pos_shape": [8, 16],
        "axial_pos_embds_dim": [16, 16],
        "local_attn_chunk_length": 16,
        "lsh_attn_chunk_length": 16,
    },
    "xmod": {"default_language": "en_XX"},
    "zamba": {"num_hidden_layers": 3, "layers_block_type": ["linear_attention", "hybrid", "hybrid"]},
    "zamba2": {"layers_block_type": ["linear_attention", "hybrid"], "n_mamba_heads": 8, "mamba_headdim": 8},
}
#: unused rows of the embedding: many models have them, and some tokenizer classes add a token
SPARE = 16
#: name of a field → the special token whose id it holds
TOKEN_IDS = {
    **dict.fromkeys(("pad_token_id", "pad_index"), "pad_token_id"),
    **dict.fromkeys(("bos_token_id", "cls_token_id", "bos_index", "decoder_start_token_id"), "first"),
    **dict.fromkeys(("eos_token_id", "sep_token_id", "eos_index", "forced_eos_token_id"), "last"),
    **dict.fromkeys(("mask_token_id", "mask_index"), "mask_token_id"),
    "unk_index": "unk_token_id",
}


def tiny_config(architecture: str, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
    """Return a tiny configuration of an architecture, with the vocabulary and token ids of ``tokenizer``."""
    from transformers import CONFIG_MAPPING

    ids: dict[str, Any] = {name: getattr(tokenizer, name) for name in ("pad_token_id", "mask_token_id", "unk_token_id")}
    ids["first"] = tokenizer.bos_token_id if tokenizer.cls_token_id is None else tokenizer.cls_token_id
    ids["last"] = tokenizer.eos_token_id if tokenizer.sep_token_id is None else tokenizer.sep_token_id
    return _shrunk(CONFIG_MAPPING[architecture], ids, len(tokenizer) + SPARE)


def _shrunk(kind: type[PreTrainedConfig], ids: Mapping[str, int | None], vocabulary: int) -> PreTrainedConfig:
    """Return a small configuration of a class, with small sub-configurations."""
    fields = {field.name: field.type for field in dataclasses.fields(kind)}
    sizes = {name: value for name, value in SIZES.items() if name in fields}
    tokens = {name: ids[token] for name, token in TOKEN_IDS.items() if name in fields}
    if tokens.get("pad_token_id") is None and "None" not in str(fields.get("pad_token_id", "None")):
        tokens["pad_token_id"] = ids["last"]
    words = {"vocab_size": vocabulary} if "vocab_size" in fields else {}
    parts = {
        name: _shrunk(_class_of(spec), ids, vocabulary) for name, spec in (kind.sub_configs_defaults or {}).items()
    }
    if getattr(kind, "is_encoder_decoder", False):  # T5 has no field for it, yet its classifiers read it
        tokens["decoder_start_token_id"] = ids["first"]
    if kind.model_type in FIRST_POSITIONS_UNUSED and ids["pad_token_id"] is not None:
        sizes["max_position_embeddings"] += ids["pad_token_id"] + 1
    return kind(**{**sizes, **tokens, **words, **parts, **EXCEPTIONS.get(kind.model_type, {})})


def _class_of(spec: Any) -> Any:
    """Return the class of a sub-configuration, which is given itself or by its model type."""
    from transformers import CONFIG_MAPPING, PreTrainedConfig

    if issubclass(spec.config_class, PreTrainedConfig):
        return spec.config_class
    return CONFIG_MAPPING[spec.model_type]
