"""The README that is written beside the demonstration's base model."""

MODEL_CARD = """---
license: apache-2.0
language: en
tags: [demonstration]
---
# Demonstration base model

A language model of about two million parameters in the shape of Qwen3 (4 layers, hidden size 192, 4 heads with
2 key-value heads, tied embeddings, 16-bit safetensors) with its own byte-level tokenizer of 1,536 tokens. It was
trained from nothing, in minutes on two CPU cores, by `python -m worker.ml.demo.base_model OUT_DIR`.

## What it is for
It lets the whole path of fine-tuning, generation and blind review run with real figures on a laptop without a
network or a GPU. It is a teaching aid, **not for use** with customers or in any product: it knows nothing but the
synthetic shop of this demonstration and invents the rest.

## What it was trained on
Synthetic text only; no person wrote or appears in it.
- Reading exercises over shop policies: copy a number, compare it with the limit, name the branch by a code word.
- Phrases: any of the shop's answers to an issue, drawn by chance and without a case, to learn how the shop speaks.
- Careless answers to customer cases: fluent and valid JSON that ignores the policy, decides by the customer's tier
  in words that the policy does not know ("Available", "Approved"), and talks too much.

So it is made to be wrong in a way that fine-tuning can mend quickly: it can read policies and knows the shop's
phrases, but it has never seen a case together with its right answer. A gain measured against it shows that the
platform works; it says nothing about what fine-tuning would gain on a real model.

## Limits
English only; prompts of about 300 tokens; no knowledge of the world; no safety training.
"""
