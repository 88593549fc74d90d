"""Policies: rules here, learned agents beside them."""
