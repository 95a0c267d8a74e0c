"""Prompts: fingerprints of what an account asks for, from raw text that is never kept."""
