"""The audit of a stored run: its rules by subject, and the ledger rebuilt and hashed again from its rows."""
