"""Bytes and arithmetic: the native loops. Knows nobody else in longspan."""
