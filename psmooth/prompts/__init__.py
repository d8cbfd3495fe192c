"""Prompt banks: learned prompts and class vectors in files that can be trusted.

It knows nothing about noise, votes or how anything was learned.
"""

from psmooth.prompts.bank import CONTEXT_METHODS, PROBE_METHODS, SCHEMA, BankFacts, PromptBank, load_bank
from psmooth.prompts.folder import MANIFEST, list_banks, manifest_of, shipped_bank, write_manifest

__all__ = [
    "CONTEXT_METHODS",
    "MANIFEST",
    "PROBE_METHODS",
    "SCHEMA",
    "BankFacts",
    "PromptBank",
    "list_banks",
    "load_bank",
    "manifest_of",
    "shipped_bank",
    "write_manifest",
]
